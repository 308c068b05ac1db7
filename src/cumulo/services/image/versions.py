"""The versions this service advertises; they are told, not asked for, by clients.

What a version brought is not cut off for clients of an older one: real services do not either.
2.10 to 2.13 are about several stores; 2.14, 2.16 and 2.18 about the cache, which comes with them.
"""

_OLD = [f"2.{minor}" for minor in range(9, -1, -1)]


def versions(*, several_stores: bool) -> list[tuple[str, str]]:
    """Return the versions and their status, the newest first."""
    newer = [f"2.{minor}" for minor in range(18, 9, -1)] if several_stores else ["2.17", "2.15"]
    told = [*newer, *_OLD]
    return [(told[0], "CURRENT"), *((version, "SUPPORTED") for version in told[1:])]
