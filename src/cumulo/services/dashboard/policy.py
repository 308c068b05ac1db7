"""The dashboard has no rules of its own: those of the services that it asks decide."""

RULES: dict[str, str] = {}
