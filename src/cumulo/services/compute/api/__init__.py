"""The compute API as clients see it, one file a noun."""
