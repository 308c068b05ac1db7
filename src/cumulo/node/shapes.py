"""What of a guest can be changed without making it anew."""

from typing import Any

from cumulo.node.api import GuestSpec

_FIELDS = ("vcpus", "memory_mib", "root_gib", "ephemeral_gib", "swap_mib", "properties", "rescue")


def shape_of(spec: GuestSpec) -> dict[str, Any]:
    """Return the fields that `ensure_shape` brings about."""
    return {name: getattr(spec, name) for name in _FIELDS}
