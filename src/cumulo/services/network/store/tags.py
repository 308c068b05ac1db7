"""Which resource carries which tag."""

from collections import defaultdict
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store.selection import Ids, of_some
from cumulo.services.network.store.tables import tag

_TAGS = sa.select(tag.c.resource_id, tag.c.tag).order_by(tag.c.resource_id, tag.c.tag)


def tags_map(tx: Tx, resource_ids: Ids) -> dict[str, list[str]]:
    """Return the tags of each resource, in alphabetical order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for resource_id, word in of_some(tx, _TAGS, tag.c.resource_id, resource_ids):
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
