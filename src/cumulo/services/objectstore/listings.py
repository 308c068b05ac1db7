"""Containers' listings, whether one index holds them or many.

A long container is cut: ranges of its names are containers of their own, its shards, in an account
that is this service's own.  A shard may be cut in turn.  `sharding.py` says when.
"""

from collections.abc import Callable

import msgspec

from cumulo.services.objectstore.cluster import INTERNAL, Cluster
from cumulo.services.objectstore.drivers.base import Asked, Head, Index, Row

_SHARDS = f"{INTERNAL}shards_"


def home_of(account: str) -> str:
    """Return the account of the shards of an account's containers."""
    return account if account.startswith(_SHARDS) else _SHARDS + account


def root_of(account: str, container: str) -> tuple[str, str]:
    """Return account and name of the container that a shard is of; others are their own."""
    if not account.startswith(_SHARDS):
        return account, container
    return account.removeprefix(_SHARDS), container.rpartition("\0")[0]


def is_shard(account: str) -> bool:
    """Say whether the containers of an account are shards."""
    return account.startswith(_SHARDS)


def page(cluster: Cluster, account: str, container: str, asked: Asked) -> list[Row | str]:
    """Return names of a container in order; text stands for what a delimiter folded."""
    own = cluster.container(account, container).read(lambda index: index.page(asked))
    if not own.holes:
        return own.rows
    found, at = list[Row | str](), 0
    for hole in own.holes:
        _extend(found, own.rows[at : hole.at])
        at = hole.at
        if len(found) >= asked.limit:
            break
        inside = msgspec.structs.replace(
            asked,
            limit=asked.limit - len(found),
            marker=_name_of(found[-1]) if found else asked.marker,
            lower=hole.lower,
            upper=hole.upper,
        )
        _extend(found, page(cluster, home_of(account), hole.shard, inside))
    _extend(found, own.rows[at:])
    return found[: asked.limit]


def get(cluster: Cluster, account: str, container: str, name: str) -> Row | None:
    """Return one name of a container."""
    told = cluster.container(account, container).read(lambda index: index.get(name))
    if not told.shard:
        return told.row
    return get(cluster, home_of(account), told.shard, name)


def put(cluster: Cluster, account: str, container: str, row: Row) -> None:
    """Set a name, wherever it belongs; twice while a range changes hands."""
    _tell(cluster, (account, container), lambda index: index.put(row))


def remove(cluster: Cluster, account: str, container: str, name: str, stamp: str) -> None:
    """Remove a name from wherever it is."""
    _tell(cluster, (account, container), lambda index: index.remove(name, stamp))


def summed(cluster: Cluster, account: str, head: Head) -> Head:
    """Return what a container sums up to, with its shards."""
    items, count, size = head.items, head.count, head.size
    for shard in head.shards:
        found = cluster.container(home_of(account), shard).head()
        if found is not None:
            whole = summed(cluster, account, found)
            items, count, size = items + whole.items, count + whole.count, size + whole.size
    return msgspec.structs.replace(head, items=items, count=count, size=size)


def _tell(cluster: Cluster, address: tuple[str, str], tell: Callable[[Index], str]) -> None:
    left, done = [address], set[tuple[str, str]]()
    while left:
        account, container = one = left.pop()
        done.add(one)
        shards = set(cluster.container(account, container).write(tell)) - {""}
        left += [to for shard in shards if (to := (home_of(account), shard)) not in done]


def _extend(found: list[Row | str], more: list[Row | str]) -> None:
    """Add names; what was folded on both sides of a border is one."""
    if found and more and isinstance(more[0], str) and more[0] == found[-1]:
        more = more[1:]
    found += more


def _name_of(one: Row | str) -> str:
    return one if isinstance(one, str) else one.name
