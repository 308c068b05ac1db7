"""The disks that a server's host makes for it: root, ephemeral and swap.

They are as the server's flavor has them, unless somebody wanted less: then swap is so small until
the flavor's is another, and the ephemeral disks stay as they are in every flavor.
"""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Any

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.compute.store import local_disks as store
from cumulo.services.compute.store.local_disks import Format as Format
from cumulo.services.compute.store.local_disks import Kind as Kind
from cumulo.services.compute.store.local_disks import LocalDisk as LocalDisk
from cumulo.services.compute.store.servers import Server

DEVICES = [f"/dev/vd{letter}" for letter in ascii_lowercase]
_WRONG = "Block Device Mapping is Invalid: "


def check(
    flavor: Mapping[str, Any], disks: Sequence[LocalDisk], most: int, *, has_root: bool
) -> None:
    """Refuse disks that are more than the flavor has, or more in number than a server may have."""
    wanted = [disk for disk in disks if disk.kind == "ephemeral"]
    room = flavor["ephemeral_gib"]
    if wanted and (not room or sum(disk.size or room for disk in wanted) > room):
        raise Invalid(
            "Ephemeral disks requested are larger than the instance type allows. If no size is "
            "given in one block device mapping, flavor ephemeral size will be used.",
            field="volume_size",
        )
    wanted = [disk for disk in disks if disk.kind == "swap"]
    if len(wanted) > 1:
        raise Invalid(f"{_WRONG}More than one swap drive requested.")
    if wanted and (wanted[0].size or 1) > flavor["swap_mib"]:
        raise Invalid("Swap drive requested is larger than instance type allows.")
    count = len(completed(flavor, disks, has_root=has_root))
    if disks and 0 <= most < count:
        raise Invalid(
            f"{_WRONG}You specified more local devices than the limit allows: {count} with those "
            f"of image and flavor, of {most}."
        )


def note(tx: Tx, server: Server, disks: Sequence[LocalDisk]) -> None:
    """Note what is wanted of the disks of a new server."""
    for number, disk in enumerate(disks):
        of_size = server.flavor["swap_mib"] if disk.kind == "swap" else None
        store.disk_insert(tx, server.id, number, msgspec.structs.replace(disk, of_size=of_size))


def disks_of(tx: Tx, server: Server) -> list[LocalDisk]:
    """Return all disks that a server's host makes, in the order of their devices."""
    said = store.disks_of(tx, server.id)
    return completed(server.flavor, said, has_root=server.image_id is not None)


def completed(
    flavor: Mapping[str, Any], said: Sequence[LocalDisk], *, has_root: bool
) -> list[LocalDisk]:
    """Return the disks of a flavor as somebody wanted them, each with its size."""
    root = _said(said, "root")[:1] if has_root else []
    ephemeral = [_sized(disk, flavor["ephemeral_gib"]) for disk in _said(said, "ephemeral")]
    swap = _said(said, "swap")[0]
    if swap.of_size is not None and swap.of_size != flavor["swap_mib"]:
        swap = msgspec.structs.replace(swap, size=None)
    others = [*ephemeral, _sized(swap, flavor["swap_mib"])]
    return [*root, *(disk for disk in others if disk.size)]


def devices_of(tx: Tx, server: Server) -> list[tuple[str, LocalDisk]]:
    """Return the disks that a server's host makes with their devices.

    They come after the volume that the server boots from, which is its first disk.
    """
    return list(zip(DEVICES[_first(server) :], disks_of(tx, server), strict=False))


def paths_of(tx: Tx, server: Server) -> list[str]:
    """Return the devices that no volume gets beside those that the server's host makes.

    These are its own disks, the drive of its configuration behind them, and the first device,
    which is of what the server boots from.
    """
    count = len(disks_of(tx, server)) + server.config_drive
    return DEVICES[: _first(server) + count]


def _first(server: Server) -> int:
    """Return how many disks a server has before those that its host makes."""
    return 1 if server.image_id is None else 0


def ephemeral_gib(disks: Sequence[LocalDisk]) -> int:
    """Return what the ephemeral disks take together."""
    return sum(disk.size or 0 for disk in disks if disk.kind == "ephemeral")


def forget(tx: Tx, server_id: str) -> None:
    """Forget what was wanted of a server's disks."""
    store.disks_clear(tx, server_id)


def _said(said: Sequence[LocalDisk], kind: Kind) -> list[LocalDisk]:
    return [disk for disk in said if disk.kind == kind] or [LocalDisk(kind)]


def _sized(disk: LocalDisk, flavor_size: int) -> LocalDisk:
    return disk if disk.size else msgspec.structs.replace(disk, size=flavor_size)
