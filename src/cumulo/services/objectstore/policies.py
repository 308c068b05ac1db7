"""Storage policies: by name, a ring of its own for the objects of a container.

The first of the settings is for containers that ask for none; a container keeps the policy that it
was made with.
"""

from collections.abc import Mapping

from cumulo.services.objectstore.drivers.base import Head
from cumulo.services.objectstore.refusals import bad
from cumulo.services.objectstore.ring import OBJECTS
from cumulo.services.objectstore.settings import ObjectStoreSettings

HEADER = "X-Storage-Policy"


def named(settings: ObjectStoreSettings, headers: Mapping[str, str]) -> str | None:
    """Return the policy that a request asks for, or None when it leaves that open."""
    wanted = headers.get(HEADER.lower(), "").strip()
    if not wanted:
        return None
    for name in settings.policy_names:
        if name.lower() == wanted.lower():
            return name
    raise bad(f"Invalid {HEADER} '{wanted[:100]}'")


def name_of(settings: ObjectStoreSettings, head: Head | None) -> str:
    """Return the policy of a container."""
    return (head.headers.get(HEADER) if head else None) or settings.policy_names[0]


def ring_of(settings: ObjectStoreSettings, name: str) -> str:
    """Return which ring places the objects of a policy."""
    names = settings.policy_names
    return ring_name(names.index(name) if name in names else 0)


def ring_name(number: int) -> str:
    """Return the ring of a policy, given its place among the settings."""
    return f"{OBJECTS}-{number}" if number else OBJECTS
