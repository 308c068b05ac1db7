"""Object storage has no rules of OpenStack's policy language: roles and access lists decide."""

RULES: dict[str, str] = {}
