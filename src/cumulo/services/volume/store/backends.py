"""Back ends as the scheduler sees them: what they can, how much room they have."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.services.volume.store import tables


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """A back end as its process last reported it."""

    host: str
    pool: str
    uuid: str
    capabilities: dict[str, Any]
    total_gib: float
    free_gib: float
    allocated_gib: int
    limit_gib: int
    availability_zone: str
    is_disabled: bool
    disabled_reason: str | None
    is_frozen: bool
    trouble: str | None
    seen_at: datetime


b = tables.backend.c
_ALL = sa.select(tables.backend).order_by(b.host)
_TAKE = (
    sa.update(tables.backend)
    .where(
        b.pool == sa.bindparam("of_pool"),
        b.allocated_gib + sa.bindparam("more", type_=sa.BigInteger) <= b.limit_gib,
    )
    .values(allocated_gib=b.allocated_gib + sa.bindparam("more", type_=sa.BigInteger))
)
_GIVE = (
    sa.update(tables.backend)
    .where(b.pool == sa.bindparam("of_pool"))
    .values(
        allocated_gib=sa.case(
            (
                b.allocated_gib > sa.bindparam("less", type_=sa.BigInteger),
                b.allocated_gib - sa.bindparam("less", type_=sa.BigInteger),
            ),
            else_=0,
        )
    )
)


def backend_list(tx: Tx) -> list[Backend]:
    """Return every back end, by name."""
    return [Backend(**row._mapping) for row in tx.execute(_ALL)]


def backend_find(tx: Tx, host: str) -> Backend | None:
    """Return the back end of that name, host@backend."""
    row = tx.execute(sa.select(tables.backend).where(b.host == host)).one_or_none()
    return Backend(**row._mapping) if row is not None else None


def backend_report(tx: Tx, backend: Backend) -> None:
    """Store what a back end is now; what an operator set, and what is allocated, stays."""
    insert_absent(tx, tables.backend, **msgspec.structs.asdict(backend))
    kept = ("host", "uuid", "allocated_gib", "is_disabled", "disabled_reason", "is_frozen")
    seen = {k: v for k, v in msgspec.structs.asdict(backend).items() if k not in kept}
    tx.execute(sa.update(tables.backend).where(b.host == backend.host).values(**seen))


def backend_set(tx: Tx, host: str, **values: object) -> bool:
    """Change what an operator decides; say whether there is such a back end."""
    change = sa.update(tables.backend).where(b.host == host)
    return bool(tx.execute(change.values(**values)).rowcount)


def room_take(tx: Tx, pool: str, size_gib: int) -> bool:
    """Allocate room in a pool, if as much is left."""
    return bool(tx.execute(_TAKE, {"of_pool": pool, "more": size_gib}).rowcount)


def room_give_back(tx: Tx, pool: str, size_gib: int) -> None:
    """Give room back."""
    tx.execute(_GIVE, {"of_pool": pool, "less": size_gib})
