"""Figures have no rules: who reaches their port may read them."""

RULES: dict[str, str] = {}
