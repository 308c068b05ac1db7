"""Many devices as one store: replicas placed by rings, quorums, and stand-ins for what is away.

A request's own thread talks to the devices of one disk, for all who wait for that disk.  A pool has
what would wait one after the other: other machines, other disks, and the bytes of large objects.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import msgspec

from cumulo.kit import log
from cumulo.kit.errors import Unavailable
from cumulo.services.objectstore.drivers.base import (
    Device,
    DeviceFailed,
    Head,
    Index,
    Scheme,
    Steps,
)
from cumulo.services.objectstore.drivers.journals import GroupCommits, together
from cumulo.services.objectstore.drivers.locks import Locks
from cumulo.services.objectstore.ring import Ring
from cumulo.services.objectstore.stamps import Stamps

T = TypeVar("T")
LOG = log.get("objectstore")
KINDS = ("account", "container")
Layout: TypeAlias = tuple[list[Device], list[Device], list[tuple[int, Device | None]]]
_LAYOUTS = 4096  # partitions whose devices are remembered
INTERNAL = "."  # begins the names of accounts that are this service's own


class Place(msgspec.Struct, frozen=True):
    """Where one thing lies."""

    kind: str
    name: str
    part: int
    key: str
    primaries: Sequence[Device]
    others: Sequence[Device]
    scheme: Scheme | None = None  # by which objects are coded
    slots: Sequence[tuple[int, Device | None]] = ()  # which fragment goes where, if they are

    @property
    def quorum(self) -> int:
        """Return how many replicas, or fragments, make a write good."""
        if self.scheme is None:
            return max(1, (len(self.primaries) + 1) // 2)
        # As many as give the object back without one of them, and as no deletion can miss.
        copies = len(self.slots) // (self.scheme.data + self.scheme.parity)
        return (max(self.scheme.data, self.scheme.parity) + 1) * copies


@dataclass
class Cluster:
    """The rings, the devices by their names, and what is to be mended."""

    rings: Mapping[str, Ring]
    devices: Mapping[str, Device]
    salt: str
    locks: Locks
    # Devices as they hold the objects of policies beside the first, by the rings' names.
    areas: Mapping[str, Mapping[str, Device]] = field(default_factory=dict)
    schemes: Mapping[str, Scheme] = field(default_factory=dict)  # of rings that place fragments
    stamps: Stamps = field(default_factory=Stamps)
    repairs: set[tuple[str, str]] = field(default_factory=set)  # kind and name
    stale: set[str] = field(default_factory=set)  # devices that missed a write
    changed: set[tuple[str, str]] = field(default_factory=set)  # containers with news
    writing: set[object] = field(default_factory=set)  # what is on its way in
    commits: GroupCommits = field(default_factory=GroupCommits)
    pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(32, thread_name_prefix="replicas")
    )
    releases: Sequence[Callable[[], None]] = ()  # of what holds connections
    is_here: bool = True  # all devices are directories of this machine
    _layouts: dict[tuple[str, int], "Layout"] = field(default_factory=dict)

    def place(self, kind: str, *names: str) -> Place:
        """Return where an account, a container or an object lies."""
        name = "/" + "/".join(names)
        text = f"{self.salt}{name}"
        key = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        return self.place_of_key(kind, name, key)

    def place_of_key(self, kind: str, name: str, key: str) -> Place:
        """Return where something lies whose hash is known."""
        part = self.rings[kind].part_of(key)
        found = self._layouts.get((kind, part))
        if found is None:
            if len(self._layouts) >= _LAYOUTS:
                self._layouts.clear()
            found = self._layouts[kind, part] = self._layout(kind, part)
        primaries, others, slots = found
        scheme = self.schemes.get(kind)
        if scheme is None:
            return Place(kind, name, part, key, primaries, others)
        return Place(kind, name, part, key, primaries, others, scheme, slots)

    def _layout(self, kind: str, part: int) -> "Layout":
        """Return which devices hold a partition, which stand in, and who holds which fragment."""
        ring, devices, scheme = self.rings[kind], self.holding(kind), self.schemes.get(kind)
        primaries = [devices[one.label] for one in ring.primaries(part)]
        others = [devices[one.label] for one in ring.handoffs(part)]
        if scheme is None:
            return primaries, others, []
        slots = [
            (number % (scheme.data + scheme.parity), devices[one.label] if one else None)
            for number, one in enumerate(ring.slots(part))
        ]
        return primaries, others, slots

    def holding(self, kind: str) -> Mapping[str, Device]:
        """Return the devices by name, as they hold things of a kind."""
        return self.areas.get(kind, self.devices)

    @property
    def object_kinds(self) -> list[str]:
        """Return the rings that place objects, one for each policy."""
        return [kind for kind in self.rings if kind not in KINDS]

    def lock(self, place: Place) -> AbstractContextManager[None]:
        """Hold the lock under which a thing of this name is decided upon on this machine."""
        return self.locks.held(int(place.key[-2:], 16))

    def index(self, place: Place) -> "Indexes":
        """Return all replicas of an account's or container's index."""
        return Indexes(self, place)

    def account(self, account: str) -> "Indexes":
        """Return an account's index."""
        return Indexes(self, self.place("account", account))

    def container(self, account: str, container: str) -> "Indexes":
        """Return a container's index."""
        return Indexes(self, self.place("container", account, container))

    def everywhere(
        self, place: Place, devices: Sequence[Device], act: Callable[[Device], T]
    ) -> dict[str, T]:
        """Do the same on several devices at once; return what those that could, answered."""
        if len(devices) == 1:
            tasks: list[Callable[[], T]] = []
        else:
            futures = [self.pool.submit(act, one) for one in devices[1:]]
            tasks = [one.result for one in futures]
        found: dict[str, T] = {}
        for device, task in zip(devices, [lambda: act(devices[0]), *tasks], strict=True):
            try:
                found[device.name] = task()
            except DeviceFailed as error:
                self.failed(place, device, error)
        return found

    @property
    def is_crowded(self) -> bool:
        """Say whether threads take the interpreter from each other more than they gain."""
        return len(self.writing) > 1

    def written(
        self, place: Place, devices: Sequence[Device], act: Callable[[Device], Steps]
    ) -> set[str]:
        """Write something to several devices; return the names of those that have it on disk.

        One thread does what several want written to a disk at once.  Other machines, and devices
        whose names need syncs of their own, have a thread for each write.
        """
        by_name, groups = {one.name: one for one in devices}, dict[str, list[Device]]()
        for one in devices:
            groups.setdefault(one.disk, []).append(one)

        def write(disk: str) -> dict[str, DeviceFailed]:
            steps = {one.name: act(one) for one in groups[disk]}
            return together(steps) if disk in by_name else self.commits.carry_out(disk, steps)

        first, *others = groups
        futures = [self.pool.submit(write, disk) for disk in others]
        failed = write(first)
        for future in futures:
            failed |= future.result()
        for name, error in failed.items():
            self.failed(place, by_name[name], error)
        return by_name.keys() - failed

    def failed(self, place: Place, device: Device, error: DeviceFailed) -> None:
        """Note that a device missed something, so that it is mended."""
        LOG.warning("device failed", device=device.name, place=place.name, error=str(error))
        self.repairs.add((place.kind, place.name))
        self.stale.add(device.name)

    def close(self) -> None:
        """Let go of the threads and of other machines."""
        self.pool.shutdown(wait=True)
        for release in self.releases:
            release()


class Indexes:
    """The replicas of one index: written together, read from the first that is good."""

    def __init__(self, cluster: Cluster, place: Place) -> None:
        self._cluster, self.place = cluster, place

    def write(self, act: Callable[[Index], T]) -> list[T]:
        """Do the same to every replica; stand-ins take the place of devices that are away."""
        answers: list[T] = []
        spare = iter(self.place.others)
        for device in self.place.primaries:
            taker: Device | None = device
            while taker is not None:
                try:
                    answers.append(act(self._of(taker)))
                except DeviceFailed as error:
                    self._cluster.failed(self.place, taker, error)
                    taker = next(spare, None)
                else:
                    break
        if len(answers) < self.place.quorum:
            raise Unavailable("Too few devices could be written to.")
        return answers

    def read(self, ask: Callable[[Index], T]) -> T:
        """Ask the first replica that exists."""
        return self._first(ask, lambda index, _: index.is_live())

    def head(self) -> Head | None:
        """Return what it sums up to, or None when it does not exist."""
        return self._first(lambda index: index.head(), lambda _, found: found is not None)

    def _first(self, ask: Callable[[Index], T], exists: Callable[[Index, T], bool]) -> T:
        last: DeviceFailed | None = None
        answer: list[T] = []
        for device in self._order():
            try:
                index = self._of(device)
                answer.append(ask(index))
                if exists(index, answer[-1]):
                    return answer[-1]
            except DeviceFailed as error:
                last = error
                self._cluster.failed(self.place, device, error)
        # Where too many are away, nobody knows that there is nothing.
        if len(answer) >= self.place.quorum:
            return answer[0]
        raise Unavailable("No device could be read.") from last

    def _order(self) -> Iterator[Device]:
        stale = self._cluster.stale
        if not stale:
            yield from self.place.primaries
            if self._cluster.repairs:
                yield from self.place.others
            return
        everybody = [*self.place.primaries, *self.place.others]
        yield from sorted(everybody, key=lambda device: device.name in stale)

    def _of(self, device: Device) -> Index:
        return device.index(self.place.kind, self.place.part, self.place.key)
