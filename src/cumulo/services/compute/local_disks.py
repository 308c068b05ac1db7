"""The disks that a server's host makes for it: root, ephemeral and swap, as its flavor has them."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.compute.flavors import Flavor
from cumulo.services.compute.store import disk_tags as store
from cumulo.services.compute.store.servers import Server

Kind: TypeAlias = Literal["root", "ephemeral", "swap"]
_WRONG = "Block Device Mapping is Invalid: "
_TOO_LARGE: dict[Kind, str] = {
    "ephemeral": "Ephemeral disks requested are larger than the instance type allows. If no size "
    "is given in one block device mapping, flavor ephemeral size will be used.",
    "swap": "Swap drive requested is larger than instance type allows.",
}


class LocalDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A disk of a new server that somebody named, which it would have anyway."""

    kind: Kind
    size: int | None = None  # GiB, of swap MiB; None: the flavor's
    tag: str | None = None


def check(flavor: Flavor, disks: Sequence[LocalDisk]) -> None:
    """Refuse disks that are other than the flavor's."""
    kinds = [disk.kind for disk in disks]
    if len(set(kinds)) < len(kinds):
        raise Invalid(f"{_WRONG}a host makes one ephemeral disk and one for swap, no more.")
    for disk in disks:
        if disk.kind == "root":
            continue
        has = flavor.ephemeral_gib if disk.kind == "ephemeral" else flavor.swap_mib
        size = has if disk.size is None else disk.size
        if not has or size > has:
            raise Invalid(_TOO_LARGE[disk.kind], field="volume_size")
        if size < has:
            raise Invalid(
                f"{_WRONG}the host makes the {disk.kind} disk as large as the flavor says, {has}: "
                "leave its volume_size out.",
                field="volume_size",
            )


def tag(tx: Tx, server_id: str, disks: Sequence[LocalDisk]) -> None:
    """Note by which tags a guest is to know its disks."""
    for disk in disks:
        if disk.tag:
            store.tag_insert(tx, server_id, disk.kind, disk.tag)


def tagged(tx: Tx, server: Server) -> list[tuple[str, str]]:
    """Return device and tag of the disks that have one."""
    tags = store.tags_of(tx, server.id)
    has: list[tuple[Kind, bool]] = [
        ("root", server.image_id is not None),
        ("ephemeral", bool(server.flavor["ephemeral_gib"])),
        ("swap", bool(server.flavor["swap_mib"])),
    ]
    made = [kind for kind, there_is in has if there_is]
    return [
        (f"/dev/vd{chr(ord('a') + place)}", tags[kind])
        for place, kind in enumerate(made)
        if kind in tags
    ]
