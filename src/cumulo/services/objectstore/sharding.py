"""Cuts long containers into shards, and takes back shards that hold next to nothing.

What was done is known from the states of the ranges alone, which the replicas of the container's
index keep (`drivers/base.py` says what each means).  So every step may be repeated, by whichever
process comes next, and at each moment a listing is whole: a range is read in one place only, and
what is written while names go from there to another place goes to both.
"""

from collections.abc import Callable, Iterator

import msgspec

from cumulo.kit import clock, log
from cumulo.kit.errors import Unavailable
from cumulo.services.objectstore import listings
from cumulo.services.objectstore.cluster import Cluster, Indexes
from cumulo.services.objectstore.drivers.base import (
    Changes,
    Device,
    DeviceFailed,
    Head,
    Index,
    Range,
    Row,
)
from cumulo.services.objectstore.drivers.ranges import (
    ACTIVE,
    CREATED,
    FOUND,
    SHRINKING,
    SHRUNK,
    gaps,
)
from cumulo.services.objectstore.settings import ObjectStoreSettings

LOG = log.get("objectstore")
_AT_ONCE = 1000  # names that go from one index to another in one piece
_LOWER, _UPPER = "X-Container-Sysmeta-Shard-Lower", "X-Container-Sysmeta-Shard-Upper"
_BEGAN = "X-Container-Sysmeta-Shard-Began"  # with how many names
_UNLISTED = "X-Container-Sysmeta-Unlisted"
_GRACE_S = 60.0  # how long requests may still be under way that know of a shard
_EVERYTHING = -1


def tend(cluster: Cluster, settings: ObjectStoreSettings, account: str, name: str) -> bool:
    """Go on with what is to be done about one container, or one shard; say whether one could."""
    try:
        _Tending(cluster, settings, account, name).run()
    except (DeviceFailed, Unavailable) as error:
        LOG.warning("not tended", container=name, error=str(error))
        return False
    return True


def is_container(cluster: Cluster, account: str, name: str) -> bool:
    """Say whether there is such a container."""
    return cluster.container(account, name).head() is not None


def find_shards(cluster: Cluster, account: str, name: str, size: int) -> list[tuple[str, str]]:
    """Return bounds of ranges of about so many names, for what of a container is in none."""
    index, least = cluster.container(account, name), max(1, size // 5)
    head = index.head()
    if head is None:
        return []
    lower, upper = (head.headers.get(bound, "") for bound in (_LOWER, _UPPER))
    return index.read(lambda one: one.splits(size, least, lower, upper))


def cut(cluster: Cluster, account: str, name: str, size: int) -> bool:
    """Plan shards of about so many names for what of a container is in none; say whether any."""
    index, bounds = cluster.container(account, name), find_shards(cluster, account, name, size)
    stamp, root = cluster.stamps.next(), listings.root_of(account, name)[1]
    planned = [
        Range(f"{root}\0{stamp}-{number}", lower, upper, FOUND, stamp)
        for number, (lower, upper) in enumerate(bounds)
    ]
    return bool(planned) and all(index.write(lambda one: one.set_ranges(planned)))


def ranges_of(cluster: Cluster, account: str, name: str) -> list[tuple[Range, Head | None]]:
    """Return a container's ranges in order, with what each shard sums up to."""
    found = cluster.container(account, name).read(_ranges)
    return [(one, _shard_head(cluster, account, one)) for one in found]


def is_listed(cluster: Cluster, account: str, name: str, shard: str) -> bool:
    """Say whether a container has a shard, or one of its shards has it."""
    shards = [one.shard for one in cluster.container(account, name).read(_ranges)]
    if shard in shards:
        return True
    home = listings.home_of(account)
    heads = [(one, cluster.container(home, one).head()) for one in shards]
    return any(head and head.is_cut and is_listed(cluster, home, one, shard) for one, head in heads)


def _ranges(index: Index) -> list[Range]:
    return index.ranges()


def _shard_head(cluster: Cluster, account: str, one: Range) -> Head | None:
    home = listings.home_of(account)
    head = cluster.container(home, one.shard).head()
    return listings.summed(cluster, home, head) if head else None


class _Tending:
    """One container or shard, looked after."""

    def __init__(
        self, cluster: Cluster, settings: ObjectStoreSettings, account: str, name: str
    ) -> None:
        self._cluster, self._account, self._name = cluster, account, name
        self._longest = settings.shard_container_threshold
        self._smallest = self._longest * settings.shard_shrink_point // 100
        self._index = cluster.container(account, name)

    def run(self) -> None:
        if self._is_unlisted():
            self._give_up()
            return
        head = self._index.head()
        if head is None or not (head.is_cut or self._is_long(head)):
            return  # as nearly all are: this is asked of every container again and again
        self._agree()
        # In the order of the states, so that one visit does all that can be done.
        for state, act in (
            (FOUND, self._create),
            (CREATED, self._fill),
            (ACTIVE, self._look_after),
            (SHRINKING, self._take_back),
        ):
            self._each(state, act)
        if self._is_long(head) and cut(
            self._cluster, self._account, self._name, max(1, self._longest // 2)
        ):
            LOG.info("container cut", account=self._account, container=self._name)
            self._each(FOUND, self._create)
            self._each(CREATED, self._fill)

    def _is_long(self, head: Head) -> bool:
        return 0 < self._longest <= head.items

    def _agree(self) -> None:
        """Tell each replica of ranges what any of them knows: a change may have reached some."""
        told = list[list[Range]]()
        for index in self._replicas(self._index):
            changes = index.changes(1 << 62)
            told.append(changes.ranges if changes else [])
        newest = dict[str, Range]()
        for one in (each for some in told for each in some):
            if one.shard not in newest or newest[one.shard].stamp < one.stamp:
                newest[one.shard] = one
        known = [newest[shard] for shard in sorted(newest)]
        if any(some != known for some in told):
            self._index.write(lambda index: index.set_ranges(known))

    def _each(self, state: str, act: Callable[[Range], None]) -> None:
        for one in self._index.read(_ranges):
            if one.state == state:
                act(one)

    def _create(self, one: Range) -> None:
        home = listings.home_of(self._account)
        name = f"{home}/{one.shard}"
        bounds = {_LOWER: one.lower, _UPPER: one.upper}
        self._shard(one).write(lambda index: index.create(one.stamp, name, bounds))
        self._change(one, CREATED)

    def _fill(self, one: Range) -> None:
        """Bring the names of a range to its shard, then have it read there."""
        if self._move(one):
            held, now = self._shard(one).head(), self._cluster.stamps.next()
            began = {_BEGAN: str(held.items if held else 0)}
            self._shard(one).write(lambda index: index.change(now, began))
            self._change(one, ACTIVE)
            self._trim(msgspec.structs.replace(one, state=ACTIVE))

    def _look_after(self, one: Range) -> None:
        self._move(one)
        self._trim(one)
        head, mine = self._shard(one).head(), self._index.head()
        if head is None or mine is None:
            return
        if head.is_cut:
            self._adopt(one, head)
        elif self._is_small(head, mine.items):
            self._change(one, SHRINKING)

    def _is_small(self, head: Head, mine: int) -> bool:
        """Say whether a shard may go back; one that was cut small by hand only when it emptied."""
        if not head.items:
            return True
        most = min(self._smallest - 1, int(head.headers.get(_BEGAN, "0")) // 5)
        return head.items <= most and head.items + mine <= self._longest * 3 // 4

    def _take_back(self, one: Range) -> None:
        replicas = list(self._replicas(self._shard(one)))
        for index in replicas:
            changes = index.changes(_EVERYTHING)
            if changes is not None:
                brought = _rows_only(changes, f"{self._account}/{self._name}")
                self._index.write(lambda mine, brought=brought: mine.merge(brought))  # type: ignore[misc]
        if len(replicas) >= self._shard(one).place.quorum:
            self._change(one, SHRUNK)

    def _adopt(self, one: Range, head: Head) -> None:
        """Take over the shards of a shard that holds nothing itself any more."""
        inner = self._shard(one).read(_ranges)
        is_given = not head.items and all(each.state == ACTIVE for each in inner)
        # Names may have come to it that it has not passed on yet, and that nobody else has.
        owes = any(
            index.batch(each.shard, 1) is not None
            for index in self._replicas(self._shard(one))
            for each in inner
        )
        if is_given and not owes and not gaps(inner, one.lower, one.upper):
            stamp = self._cluster.stamps.next()
            over = msgspec.structs.replace(one, state=SHRUNK, stamp=stamp)
            taken = [msgspec.structs.replace(each, stamp=stamp) for each in inner]
            self._index.write(lambda index: index.set_ranges([over, *taken]))

    def _move(self, one: Range) -> bool:
        """Bring what a range's shard does not have yet; say whether it has all for sure."""
        count = 0
        for index in self._replicas(self._index):
            while (batch := index.batch(one.shard, _AT_ONCE)) is not None:
                changes = Changes("", "", "", [], batch.rows, batch.gone, 0, self._named(one))
                if batch.rows or batch.gone:
                    self._shard(one).write(lambda to, changes=changes: to.merge(changes))  # type: ignore[misc]
                index.moved(one.shard, batch.upto, batch.is_last, batch.token)
            count += 1
        return count >= self._index.place.quorum

    def _trim(self, one: Range) -> None:
        for index in self._replicas(self._index):
            while index.trim(one.shard, _AT_ONCE):
                pass

    def _change(self, one: Range, state: str) -> None:
        changed = msgspec.structs.replace(one, state=state, stamp=self._cluster.stamps.next())
        self._index.write(lambda index: index.set_ranges([changed]))

    def _is_unlisted(self) -> bool:
        """Say whether this is a shard that its container does not know, or not any more."""
        if not listings.is_shard(self._account):
            return False
        root = listings.root_of(self._account, self._name)
        return not is_listed(self._cluster, *root, self._name)

    def _give_up(self) -> None:
        """Tell the container all that a shard knows, and drop it when nobody asks it any more."""
        for index in self._replicas(self._index):
            changes = index.changes(_EVERYTHING)
            if changes is not None:
                self._tell_root(changes.rows, changes.gone)
            for one in index.ranges():
                while (batch := index.batch(one.shard, _AT_ONCE)) is not None:
                    self._tell_root(batch.rows, batch.gone)
                    index.moved(one.shard, batch.upto, batch.is_last, batch.token)
        head, now = self._index.head(), self._cluster.stamps.next()
        since = head.headers.get(_UNLISTED) if head else None
        if since is None:
            self._index.write(lambda index: index.change(now, {_UNLISTED: now}))
        elif float(since) + _GRACE_S <= clock.timestamp():
            self._drop()

    def _tell_root(self, rows: list[Row], gone: list[tuple[str, str]]) -> None:
        root = listings.root_of(self._account, self._name)
        for row in rows:
            listings.put(self._cluster, *root, row)
        for name, stamp in gone:
            listings.remove(self._cluster, *root, name, stamp)

    def _drop(self) -> None:
        place = self._index.place
        for device in [*place.primaries, *place.others]:
            if _has(device, self._index):
                device.drop_index(place.kind, place.part, place.key)

    def _shard(self, one: Range) -> Indexes:
        return self._cluster.container(listings.home_of(self._account), one.shard)

    def _named(self, one: Range) -> str:
        return f"{listings.home_of(self._account)}/{one.shard}"

    def _replicas(self, indexes: Indexes) -> Iterator[Index]:
        """Yield each replica that can be reached."""
        place = indexes.place
        for device in [*place.primaries, *place.others]:
            try:
                if _has(device, indexes):
                    yield device.index(place.kind, place.part, place.key)
            except DeviceFailed as error:
                self._cluster.failed(place, device, error)


def _has(device: Device, indexes: Indexes) -> bool:
    place = indexes.place
    return device.index(place.kind, place.part, place.key).is_there()


def _rows_only(changes: Changes, name: str) -> Changes:
    return Changes("", "", "", [], changes.rows, changes.gone, 0, name)
