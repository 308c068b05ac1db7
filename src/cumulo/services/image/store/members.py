"""Members: the projects that an image is shared with."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.clock import now
from cumulo.services.image.store import tables

m = tables.image_member.c


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A project that an image is shared with."""

    image_id: str
    member_id: str
    status: str
    created_at: datetime
    updated_at: datetime


def member_insert(tx: Tx, member: Member) -> None:
    """Store a new member."""
    tx.execute(tables.image_member.insert().values(**msgspec.structs.asdict(member)))


def member_find(tx: Tx, image_id: str, member_id: str) -> Member | None:
    """Return a member, if the project is one."""
    select = sa.select(tables.image_member).where(m.image_id == image_id, m.member_id == member_id)
    row = tx.execute(select).one_or_none()
    return Member(**row._mapping) if row else None


def member_list(tx: Tx, image_id: str) -> list[Member]:
    """Return an image's members."""
    select = sa.select(tables.image_member).where(m.image_id == image_id)
    rows = tx.execute(select.order_by(m.created_at, m.member_id))
    return [Member(**row._mapping) for row in rows]


def member_count(tx: Tx, image_id: str) -> int:
    """Return how many members an image has."""
    return tx.scalars(sa.select(sa.func.count()).where(m.image_id == image_id)).one()


def member_set_status(tx: Tx, image_id: str, member_id: str, status: str) -> None:
    """Record what a member answered."""
    change = sa.update(tables.image_member).where(m.image_id == image_id, m.member_id == member_id)
    tx.execute(change.values(status=status, updated_at=now()))


def member_delete(tx: Tx, image_id: str, member_id: str) -> None:
    """Stop sharing an image with a project."""
    tx.execute(
        sa.delete(tables.image_member).where(m.image_id == image_id, m.member_id == member_id)
    )
