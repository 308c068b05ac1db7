"""The versions this service advertises; they are told, not asked for, by clients.

What a version brought is not cut off for clients of an older one: real services do not either.
2.10, 2.11 and 2.13 to 2.18 are about several stores, caches and locations, which are not here.
"""

VERSIONS: list[tuple[str, str]] = [
    ("2.9", "CURRENT"),
    *((f"2.{minor}", "SUPPORTED") for minor in range(8, -1, -1)),
]
