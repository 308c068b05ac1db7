"""The history, in numbered steps; what was released is never changed."""
