"""Tasks: what became of each import."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.clock import now
from cumulo.services.image.store import tables

t = tables.image_task.c


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """An import; `status` is pending, processing, success or failure."""

    id: str
    image_id: str
    status: str
    type: str  # api_image_import, or import of a whole image
    wish: dict[str, Any]
    message: str
    owner: str
    user_id: str | None
    request_id: str | None
    created_at: datetime
    updated_at: datetime


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks a page is of, and in what order."""

    limit: int
    type: str | None = None
    status: str | None = None
    owner: str | None = None
    marker: str | None = None
    sort_key: str = "created_at"
    is_ascending: bool = False


def task_insert(tx: Tx, task: Task) -> None:
    """Store a new task."""
    values = {**msgspec.structs.asdict(task), "wish": msgspec.json.encode(task.wish).decode()}
    tx.execute(tables.image_task.insert().values(**values))


def task_find(tx: Tx, task_id: str) -> Task | None:
    """Return a task by its id."""
    row = tx.execute(sa.select(tables.image_task).where(t.id == task_id)).one_or_none()
    return _task(row) if row else None


def task_list(tx: Tx, image_id: str | None = None) -> list[Task]:
    """Return the tasks of an image, or all, the newest first."""
    select = sa.select(tables.image_task).order_by(t.created_at.desc(), t.id)
    if image_id is not None:
        select = select.where(t.image_id == image_id)
    return [_task(row) for row in tx.execute(select)]


def task_page(tx: Tx, wanted: Wanted, after: Task | None) -> list[Task]:
    """Return a page of the tasks that fit, those after one of them if it is named."""
    order = t[wanted.sort_key]
    select = sa.select(tables.image_task)
    for name in ("type", "status", "owner"):
        if (value := getattr(wanted, name)) is not None:
            select = select.where(t[name] == value)
    if after is not None:
        last = getattr(after, wanted.sort_key)
        beyond = order > last if wanted.is_ascending else order < last
        select = select.where(beyond | ((order == last) & (t.id > after.id)))
    by = order.asc() if wanted.is_ascending else order.desc()
    return [_task(row) for row in tx.execute(select.order_by(by, t.id).limit(wanted.limit))]


def task_move(tx: Tx, task_id: str, status: str, message: str = "") -> None:
    """Record how a task goes."""
    change = sa.update(tables.image_task).where(t.id == task_id)
    tx.execute(change.values(status=status, message=message, updated_at=now()))


def _task(row: sa.Row[Any]) -> Task:
    return Task(**{**row._mapping, "wish": msgspec.json.decode(row.wish)})
