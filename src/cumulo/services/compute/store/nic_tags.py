"""The tags by which guests know their interfaces."""

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.compute.store import server_tables as tables

_T = tables.server_nic_tag.c


def tags_of(tx: Tx, server_id: str) -> dict[str, str]:
    """Return the tags of a server's interfaces, by port."""
    query = sa.select(_T.port_id, _T.tag).where(_T.server_id == server_id)
    return {row.port_id: row.tag for row in tx.execute(query)}


def tag_set(tx: Tx, server_id: str, port_id: str, tag: str) -> None:
    """Give an interface a tag; one that the port had at this server before is replaced."""
    tag_clear(tx, server_id, port_id)
    row = {"server_id": server_id, "port_id": port_id, "tag": tag}
    tx.execute(tables.server_nic_tag.insert().values(**row))


def tag_clear(tx: Tx, server_id: str, port_id: str) -> None:
    """Take the tag away from an interface."""
    gone = sa.delete(tables.server_nic_tag)
    tx.execute(gone.where(_T.server_id == server_id, _T.port_id == port_id))


def tags_clear(tx: Tx, server_id: str) -> None:
    """Take the tags away from all interfaces of a server."""
    tx.execute(sa.delete(tables.server_nic_tag).where(_T.server_id == server_id))
