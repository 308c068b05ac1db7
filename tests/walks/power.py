"""What is typed to switch a server, in an order that ends where it began."""

ACTIONS = (
    ("pause", "PAUSED"),
    ("unpause", "ACTIVE"),
    ("suspend", "SUSPENDED"),
    ("resume", "ACTIVE"),
    ("stop", "SHUTOFF"),
    ("start", "ACTIVE"),
)
