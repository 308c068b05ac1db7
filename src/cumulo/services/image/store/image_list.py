"""Lists of images: who may see them, what they are like, in which order."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.image.store import tables
from cumulo.services.image.store.images import Image, columns, images_of

i = tables.image.c
p = tables.image_property.c
t = tables.image_tag.c
m = tables.image_member.c

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "neq": lambda column, value: column != value,
    "eq": lambda column, value: column == value,
}


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks: an administrator sees all, a project its own, the public and the shared."""

    project_id: str | None
    is_admin: bool
    member_status: str  # of the shares to show; "all" for any


class Wanted(msgspec.Struct, kw_only=True):
    """What the images are like."""

    visibility: str | None = None  # None: all but other projects' community images
    any_of: dict[str, list[str]] = {}  # column -> values
    at_least: dict[str, int] = {}
    at_most: dict[str, int] = {}
    times: list[tuple[str, str, datetime]] = []  # column, operator, time
    flags: dict[str, bool] = {}
    tags: list[str] = []
    properties: dict[str, str] = {}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the list, in which order: (column, whether it falls)."""

    order: Sequence[tuple[str, bool]]
    limit: int
    after: Image | None = None


def image_list(tx: Tx, viewer: Viewer, wanted: Wanted, page: Page) -> list[Image]:
    """Return a page of the images that are visible and wanted."""
    select = sa.select(*columns()).where(i.status != "deleted", *_conditions(wanted))
    if not viewer.is_admin:
        select = select.where(_visible_to(viewer))
    select = select.where(_of_visibility(viewer, wanted.visibility))
    if page.after is not None:
        select = select.where(_after(page.order, page.after))
    order = [_key(name).desc() if falls else _key(name).asc() for name, falls in page.order]
    return images_of(tx, tx.execute(select.order_by(*order).limit(page.limit)))


def _visible_to(viewer: Viewer) -> sa.ColumnElement[bool]:
    if viewer.project_id is None:
        return i.visibility.in_(["public", "community"])
    shares = sa.select(m.image_id).where(m.member_id == viewer.project_id)
    if viewer.member_status != "all":
        shares = shares.where(m.status == viewer.member_status)
    return sa.or_(
        i.visibility.in_(["public", "community"]),
        i.owner == viewer.project_id,
        sa.and_(i.visibility == "shared", i.id.in_(shares)),
    )


def _of_visibility(viewer: Viewer, visibility: str | None) -> sa.ColumnElement[bool]:
    if visibility == "all":
        return sa.true()
    if visibility is not None:
        return i.visibility == visibility
    if viewer.project_id is None:
        return i.visibility != "community"
    return sa.or_(i.visibility != "community", i.owner == viewer.project_id)


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    clauses: list[sa.ColumnElement[bool]] = [
        i[name].in_(values) for name, values in wanted.any_of.items()
    ]
    clauses += [i[name] >= value for name, value in wanted.at_least.items()]
    clauses += [i[name] <= value for name, value in wanted.at_most.items()]
    clauses += [OPERATORS[operator](i[name], value) for name, operator, value in wanted.times]
    clauses += [i[name] == value for name, value in wanted.flags.items()]
    tagged = [sa.select(t.image_id).where(t.value == tag) for tag in wanted.tags]
    described = [
        sa.select(p.image_id).where(p.name == name, p.value == value)
        for name, value in wanted.properties.items()
    ]
    return [*clauses, *(i.id.in_(some) for some in [*tagged, *described])]


def _key(name: str) -> sa.ColumnElement[Any]:
    """Give what has no value a place in the order that is the same on every database."""
    column: sa.ColumnElement[Any] = i[name]
    if name in _NOTHING:
        return sa.func.coalesce(column, _NOTHING[name])
    return column


def _after(order: Sequence[tuple[str, bool]], last: Image) -> sa.ColumnElement[bool]:
    """Say that an image comes after `last`: larger in the first key in which they differ."""
    clauses: list[sa.ColumnElement[bool]] = []
    same: sa.ColumnElement[bool] = sa.true()
    for name, falls in order:
        value = getattr(last, name)
        mark = _NOTHING[name] if value is None and name in _NOTHING else value
        key = _key(name)
        clauses.append(sa.and_(same, key < mark if falls else key > mark))
        same = sa.and_(same, key == mark)
    return sa.or_(*clauses)


_NOTHING: Mapping[str, object] = {
    "name": "",
    "disk_format": "",
    "container_format": "",
    "size": -1,
}
