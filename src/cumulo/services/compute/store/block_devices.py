"""Which volumes servers have, and how their hosts reach them."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import of_many
from cumulo.services.compute.store import server_tables as tables


class BlockDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A volume as a server has it."""

    id: str
    server_id: str
    volume_id: str
    attachment_id: str
    device_name: str
    boot_index: int | None = None
    delete_on_termination: bool = False
    tag: str | None = None
    connection: dict[str, Any] | None = None


b = tables.block_device.c
_FIELDS = [b[name] for name in BlockDevice.__struct_fields__]
_IN_ORDER = sa.select(*_FIELDS).order_by(b.number)
_OF_ONE = _IN_ORDER.where(b.server_id == sa.bindparam("of_server"))


def device_insert(tx: Tx, device: BlockDevice) -> None:
    """Record that a server is to have a volume."""
    tx.execute(sa.insert(tables.block_device), msgspec.structs.asdict(device))


def devices_of(tx: Tx, server_id: str) -> list[BlockDevice]:
    """Return a server's volumes, in the order they came."""
    return [_device(row) for row in tx.execute(_OF_ONE, {"of_server": server_id})]


def devices_map(tx: Tx, server_ids: Collection[str]) -> dict[str, list[BlockDevice]]:
    """Return the volumes of many servers, by server."""
    found: defaultdict[str, list[BlockDevice]] = defaultdict(list)
    for row in of_many(tx, _IN_ORDER, b.server_id, server_ids):
        found[row.server_id].append(_device(row))
    return found


def device_update(tx: Tx, device_id: str, **values: object) -> None:
    """Change what is known of a server's volume."""
    tx.execute(sa.update(tables.block_device).where(b.id == device_id).values(**values))


def device_delete(tx: Tx, device_id: str) -> bool:
    """Forget that a server has a volume; say whether it was known."""
    return bool(tx.execute(sa.delete(tables.block_device).where(b.id == device_id)).rowcount)


def is_held(tx: Tx, server_id: str, attachment_id: str) -> bool:
    """Say whether a server has a volume by this attachment."""
    query = sa.select(b.id).where(b.server_id == server_id, b.attachment_id == attachment_id)
    return tx.execute(query).first() is not None


def _device(row: sa.Row[Any]) -> BlockDevice:
    return BlockDevice(**row._mapping)
