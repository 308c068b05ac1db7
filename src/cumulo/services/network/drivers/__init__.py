"""How networks become packets."""
