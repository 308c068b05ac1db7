"""Tables and statements of block storage."""
