"""What of a guest can be changed without making it anew, and what may be kept of it."""

from typing import Any

import msgspec

from cumulo.node.api import GuestSpec

_FIELDS = (
    "vcpus",
    "memory_mib",
    "root_gib",
    "ephemeral_disks",
    "swap_mib",
    "properties",
    "rescue",
    "memory_nodes",
)


def shape_of(spec: GuestSpec) -> dict[str, Any]:
    """Return the fields that `ensure_shape` brings about."""
    return {name: getattr(spec, name) for name in _FIELDS}


def without_secrets(spec: GuestSpec) -> GuestSpec:
    """Return the spec without what opens its volumes."""
    told = [msgspec.structs.replace(one, secrets={}) for one in spec.volumes]
    return msgspec.structs.replace(spec, volumes=told)
