"""Images: rows with their properties and tags."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.kit.clock import now, timestamp
from cumulo.services.image.store import tables
from cumulo.services.image.store.locations import Location, locations_of

Status: TypeAlias = Literal[
    "queued", "saving", "uploading", "importing", "active", "deactivated", "deleted"
]
Visibility: TypeAlias = Literal["public", "community", "shared", "private"]

i = tables.image.c
p = tables.image_property.c
t = tables.image_tag.c


_LISTS = ("properties", "tags", "locations")


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image as stored."""

    id: str
    name: str | None
    status: Status
    visibility: Visibility
    owner: str | None
    disk_format: str | None
    container_format: str | None
    size: int | None = None
    virtual_size: int | None = None
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    min_disk: int
    min_ram: int
    protected: bool
    os_hidden: bool
    created_at: datetime
    updated_at: datetime
    properties: dict[str, str] = {}
    tags: list[str] = []
    locations: list[Location] = []


_COLUMNS = [i[name] for name in Image.__struct_fields__ if name not in _LISTS]


def image_insert(tx: Tx, image: Image) -> None:
    """Store a new image with its properties and tags."""
    values = msgspec.structs.asdict(image)
    properties, tags, _ = (values.pop(name) for name in _LISTS)
    tx.execute(tables.image.insert().values(**values))
    for name, value in properties.items():
        property_set(tx, image.id, name, value)
    tags_set(tx, image.id, tags)


def image_find(tx: Tx, image_id: str) -> Image | None:
    """Return an image that is not deleted."""
    found = images_of(tx, tx.execute(_BY_ID, {"of_id": image_id}))
    return found[0] if found else None


def image_taken(tx: Tx, image_id: str) -> bool:
    """Say whether there is, or ever was, an image of this id."""
    return tx.scalars(sa.select(i.id).where(i.id == image_id)).first() is not None


def images_of(tx: Tx, rows: Iterable[sa.Row[Any]]) -> list[Image]:
    """Return rows of `columns()` as images, with their properties and tags."""
    found = [dict(row._mapping) for row in rows]
    ids = [row["id"] for row in found]
    properties: dict[str, dict[str, str]] = {}
    for image_id, name, value in tx.execute(_PROPERTIES, {"ids": ids}) if ids else ():
        properties.setdefault(image_id, {})[name] = value
    tags: dict[str, list[str]] = {}
    for image_id, value in tx.execute(_TAGS, {"ids": ids}) if ids else ():
        tags.setdefault(image_id, []).append(value)
    locations = locations_of(tx, ids)
    return [
        Image(
            **row,
            properties=properties.get(row["id"], {}),
            tags=tags.get(row["id"], []),
            locations=locations.get(row["id"], []),
        )
        for row in found
    ]


def columns() -> list[sa.Column[Any]]:
    """Return what to select of the image table."""
    return list(_COLUMNS)


def image_update(tx: Tx, image_id: str, **values: object) -> None:
    """Change columns of an image that is not deleted."""
    change = sa.update(tables.image).where(i.id == image_id, i.status != "deleted")
    tx.execute(change.values(**values, updated_at=now()))


def image_move(
    tx: Tx,
    image_id: str,
    *,
    to: Status,
    expected: Iterable[Status],
    upload_id: str | None = None,
    values: Mapping[str, object] = {},
) -> bool:
    """Change the status, if it is one of `expected` and the upload the one named; say whether."""
    change = sa.update(tables.image).where(i.id == image_id, i.status.in_(list(expected)))
    if upload_id is not None:
        change = change.where(i.upload_id == upload_id)
    moved = change.values(status=to, updated_at=now(), **values)
    return bool(tx.execute(moved).rowcount)


def image_empty(tx: Tx, image_id: str) -> None:
    """Forget all that belongs to a deleted image but its id."""
    for table in _BELONGING:
        tx.execute(sa.delete(table).where(table.c.image_id == image_id))


def upload_of(tx: Tx, image_id: str) -> str | None:
    """Return the id of the upload that an image waits for, or whose bytes it is to get."""
    return tx.scalars(sa.select(i.upload_id).where(i.id == image_id)).one_or_none()


def upload_seen(tx: Tx, image_id: str, upload_id: str) -> bool:
    """Record that an upload is alive; say whether the image still waits for it."""
    change = sa.update(tables.image).where(
        i.id == image_id, i.upload_id == upload_id, i.status.in_(["saving", "uploading"])
    )
    return bool(tx.execute(change.values(upload_seen_at=timestamp())).rowcount)


def uploads_silent(tx: Tx, since: float) -> list[tuple[str, str]]:
    """Return the image and upload ids of uploads not heard of after `since`."""
    select = sa.select(i.id, i.upload_id).where(
        i.status.in_(["saving", "uploading"]), i.upload_seen_at < since
    )
    return [(row.id, row.upload_id) for row in tx.execute(select.order_by(i.id))]


def images_with_bytes(tx: Tx) -> dict[str, str | None]:
    """Return the ids of the images whose bytes must stay, those being uploaded with the upload."""
    select = sa.select(i.id, i.upload_id).where(i.status.in_(_WITH_BYTES))
    return {row.id: row.upload_id for row in tx.execute(select)}


def property_set(tx: Tx, image_id: str, name: str, value: str) -> None:
    """Give an image a property, or the property another value."""
    insert_absent(tx, tables.image_property, image_id=image_id, name=name, value=value)
    change = sa.update(tables.image_property).where(p.image_id == image_id, p.name == name)
    tx.execute(change.values(value=value))


def property_remove(tx: Tx, image_id: str, name: str) -> None:
    """Take a property from an image."""
    tx.execute(sa.delete(tables.image_property).where(p.image_id == image_id, p.name == name))


def tags_set(tx: Tx, image_id: str, values: Iterable[str]) -> None:
    """Let an image have exactly these tags."""
    tx.execute(sa.delete(tables.image_tag).where(t.image_id == image_id))
    for value in sorted(set(values)):
        tag_add(tx, image_id, value)


def tag_add(tx: Tx, image_id: str, value: str) -> None:
    """Give an image a tag, or find that it has it."""
    insert_absent(tx, tables.image_tag, image_id=image_id, value=value)


def tag_remove(tx: Tx, image_id: str, value: str) -> bool:
    """Take a tag from an image; say whether it had it."""
    forget = sa.delete(tables.image_tag).where(t.image_id == image_id, t.value == value)
    return bool(tx.execute(forget).rowcount)


_BELONGING = (
    tables.image_property, tables.image_tag, tables.image_member, tables.image_staged,
    tables.image_task, tables.image_location, tables.image_cached,
)  # fmt: skip
_WITH_BYTES = ("saving", "uploading", "importing", "active", "deactivated")
_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_BY_ID = sa.select(*_COLUMNS).where(i.id == sa.bindparam("of_id"), i.status != "deleted")
_PROPERTIES = (
    sa.select(p.image_id, p.name, p.value).where(p.image_id.in_(_IDS)).order_by(p.image_id, p.name)
)
_TAGS = sa.select(t.image_id, t.value).where(t.image_id.in_(_IDS)).order_by(t.image_id, t.value)
