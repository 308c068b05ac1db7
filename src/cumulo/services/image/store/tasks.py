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


def task_move(tx: Tx, task_id: str, status: str, message: str = "") -> None:
    """Record how a task goes."""
    change = sa.update(tables.image_task).where(t.id == task_id)
    tx.execute(change.values(status=status, message=message, updated_at=now()))


def _task(row: sa.Row[Any]) -> Task:
    return Task(**{**row._mapping, "wish": msgspec.json.decode(row.wish)})
