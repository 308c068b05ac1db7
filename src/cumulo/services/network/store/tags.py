"""Which resource carries which tag."""

from collections import defaultdict
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store.tables import tag


def tags_map(tx: Tx, resource_ids: Collection[str] | sa.Select[tuple[str]]) -> dict[str, list[str]]:
    """Return the tags of each resource, in alphabetical order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    select = sa.select(tag.c.resource_id, tag.c.tag).where(tag.c.resource_id.in_(resource_ids))
    for resource_id, word in tx.execute(select.order_by(tag.c.resource_id, tag.c.tag)):
        found[resource_id].append(word)
    return found


def tags_insert(tx: Tx, resource_id: str, words: Iterable[str]) -> None:
    """Put tags on a resource that does not carry them."""
    rows = [{"resource_id": resource_id, "tag": word} for word in words]
    if rows:
        tx.execute(sa.insert(tag), rows)


def tags_delete(tx: Tx, resource_id: str, words: Collection[str] | None = None) -> None:
    """Take some tags off a resource, or all."""
    where = [tag.c.resource_id == resource_id]
    if words is not None:
        where.append(tag.c.tag.in_(words))
    tx.execute(sa.delete(tag).where(*where))
