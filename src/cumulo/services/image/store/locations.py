"""Locations: in which stores the bytes of images lie, or are to lie."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.services.image.store import tables

LocationStatus: TypeAlias = Literal["pending", "active", "failed"]

c = tables.image_location.c


class Location(msgspec.Struct, frozen=True):
    """A store, and whether the bytes are there, on their way, or did not get there."""

    store: str
    status: LocationStatus


def locations_of(tx: Tx, image_ids: Sequence[str]) -> Mapping[str, list[Location]]:
    """Return the locations of images, the oldest first."""
    found: dict[str, list[Location]] = {}
    for image_id, store, status in tx.execute(_OF, {"ids": image_ids}) if image_ids else ():
        found.setdefault(image_id, []).append(Location(store, status))
    return found


def location_set(
    tx: Tx, image_id: str, store: str, status: LocationStatus, url: str | None = None
) -> None:
    """Record how it stands with a store, and by which URL a new location is read."""
    rows = sa.select(sa.func.count()).where(c.image_id == image_id)
    position = tx.scalars(rows).one()
    insert_absent(
        tx,
        tables.image_location,
        image_id=image_id,
        store=store,
        status=status,
        url=url,
        position=position,
    )
    change = sa.update(tables.image_location).where(c.image_id == image_id, c.store == store)
    tx.execute(change.values(status=status))


def location_url(tx: Tx, image_id: str, store: str) -> str | None:
    """Return the URL by which an image's bytes are read, where it is not the store that has them.

    It may hold secrets, and is not part of the image for that reason.
    """
    return tx.scalars(sa.select(c.url).where(c.image_id == image_id, c.store == store)).first()


def locations_delete(
    tx: Tx,
    image_id: str,
    *,
    stores: Iterable[str] | None = None,
    but: Iterable[str] = (),
    status: str | None = None,
) -> int:
    """Forget locations of an image; return how many there were."""
    forget = sa.delete(tables.image_location).where(c.image_id == image_id)
    if stores is not None:
        forget = forget.where(c.store.in_(list(stores)))
    if but:
        forget = forget.where(c.store.not_in(list(but)))
    if status is not None:
        forget = forget.where(c.status == status)
    return tx.execute(forget).rowcount


def locations_fail(tx: Tx, image_id: str) -> None:
    """Record that bytes did not get where they were to go."""
    change = sa.update(tables.image_location).where(c.image_id == image_id, c.status == "pending")
    tx.execute(change.values(status="failed"))


def stores_of(tx: Tx) -> Mapping[str, set[str]]:
    """Return for each store the images whose bytes lie or are to lie there."""
    found: dict[str, set[str]] = {}
    select = sa.select(c.store, c.image_id).where(c.status != "failed")
    for store, image_id in tx.execute(select):
        found.setdefault(store, set()).add(image_id)
    return found


_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_OF = (
    sa.select(c.image_id, c.store, c.status)
    .where(c.image_id.in_(_IDS))
    .order_by(c.image_id, c.position, c.store)
)
