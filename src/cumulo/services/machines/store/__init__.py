"""The rows of machines and of tokens to join."""
