"""What is said to the scheduler about a server: kept with it, and read again for each host."""

from typing import Any

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.services.compute.api.uuids import is_uuid

_MOST_BYTES = 65535
_SERVERS = ("same_host", "different_host")


def checked_hints(hints: dict[str, Any]) -> dict[str, Any]:
    """Return the hints; refuse more than is kept, and servers that can be none."""
    if len(msgspec.json.encode(hints)) > _MOST_BYTES:
        raise Invalid(
            f"Invalid input for field/attribute os:scheduler_hints. They have at most "
            f"{_MOST_BYTES} bytes.",
            field="os:scheduler_hints",
        )
    for name in _SERVERS:
        value = hints.get(name, [])
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, str) or not is_uuid(one):
                raise Invalid(
                    f"Invalid input for field/attribute {name}. Value: {str(one)[:80]}. "
                    "It is not the id of a server.",
                    field=name,
                )
    return hints
