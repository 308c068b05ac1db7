"""What was said of the disks that a server's host makes, by whoever wanted the server."""

from typing import Literal, TypeAlias

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.compute.store import server_tables as tables

Kind: TypeAlias = Literal["root", "ephemeral", "swap"]
Format: TypeAlias = Literal["ext2", "ext3", "ext4"]

_T = tables.server_disk.c
_OF_SERVER = (
    sa.select(_T.kind, _T.size, _T.of_size, _T.format, _T.tag)
    .where(_T.server_id == sa.bindparam("of_server"))
    .order_by(_T.number)
)


class LocalDisk(msgspec.Struct, frozen=True, gc=False):
    """A disk that a host makes; rows are read in the order of the fields."""

    kind: Kind
    size: int | None = None  # GiB, of swap MiB; None: the flavor's
    of_size: int | None = None  # of swap: what the flavor had when less of it was wanted
    format: Format = "ext4"  # of an ephemeral disk
    tag: str | None = None


def disks_of(tx: Tx, server_id: str) -> list[LocalDisk]:
    """Return the disks of a server of which something was said, in that order."""
    return [LocalDisk(*row) for row in tx.execute(_OF_SERVER, {"of_server": server_id})]


def disk_insert(tx: Tx, server_id: str, number: int, disk: LocalDisk) -> None:
    """Note what is said of a disk of a new server."""
    row = {"server_id": server_id, "number": number, **msgspec.structs.asdict(disk)}
    tx.execute(tables.server_disk.insert().values(**row))


def disks_clear(tx: Tx, server_id: str) -> None:
    """Forget what was said of all disks of a server."""
    tx.execute(sa.delete(tables.server_disk).where(_T.server_id == server_id))
