"""The tags by which guests know the disks that their host made."""

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.compute.store import server_tables as tables

_T = tables.server_disk_tag.c
_OF_SERVER = sa.select(_T.disk, _T.tag).where(_T.server_id == sa.bindparam("of_server"))


def tags_of(tx: Tx, server_id: str) -> dict[str, str]:
    """Return the tags of a server's disks: root, ephemeral, swap."""
    return {row.disk: row.tag for row in tx.execute(_OF_SERVER, {"of_server": server_id})}


def tag_insert(tx: Tx, server_id: str, disk: str, tag: str) -> None:
    """Give a disk of a new server a tag."""
    row = {"server_id": server_id, "disk": disk, "tag": tag}
    tx.execute(tables.server_disk_tag.insert().values(**row))


def tags_clear(tx: Tx, server_id: str) -> None:
    """Take the tags away from all disks of a server."""
    tx.execute(sa.delete(tables.server_disk_tag).where(_T.server_id == server_id))
