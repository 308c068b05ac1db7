"""One object's replicas: written to a quorum, read from whichever is whole."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future

import msgspec

from cumulo.kit.checksums import crc32
from cumulo.kit.errors import Unavailable
from cumulo.services.objectstore.cluster import Cluster, Place
from cumulo.services.objectstore.drivers import direct
from cumulo.services.objectstore.drivers.base import (
    BLOCK,
    Device,
    DeviceFailed,
    Incoming,
    NotWhole,
    Opened,
    State,
    Steps,
    Stored,
)

_EARLY = 1 << 20  # bytes of an object that are on disk before the last have come
_SMALL = 256 << 10  # bytes of an object that are held until it is whole


class Writing:
    """An object on its way to all its replicas at once.

    A small one is held until it is whole.  Then each device is busy with it once, in a thread of
    its own, instead of at every piece: each time that a thread waits for a disk, another wakes up.
    """

    def __init__(self, cluster: Cluster, place: Place) -> None:
        self._cluster, self._place = cluster, place
        self._replicas: list[tuple[Device, Incoming]] = []
        self._taking: dict[str, Future[None]] = {}  # by devices: what they are taking now
        self._held: list[bytes] | None = []  # None once the devices have what came
        self._lent = contextlib.ExitStack()  # holds what they are taking
        self._size = 0
        self._checks: list[bytes] = []
        self._check = self._filled = 0
        cluster.writing.add(self)

    def write(self, piece: bytes) -> None:
        """Add bytes."""
        self._size += len(piece)
        if self._held is None:
            self._pass_on(piece)
        else:
            self._held.append(piece)
            if self._size > _SMALL:
                held, self._held = self._held, None
                self._begin_all()
                self._pass_on(b"".join(held))
        rest = memoryview(piece)
        while rest:
            part = rest[: BLOCK - self._filled]
            self._check = crc32(part, self._check)
            self._filled += len(part)
            rest = rest[len(part) :]
            if self._filled == BLOCK:
                self._end_block()

    def keep(self, stored: Stored) -> Stored:
        """Make it the object on enough devices, and have it on disk there."""
        if self._filled:
            self._end_block()
        self._check_taken()
        stored = msgspec.structs.replace(
            stored, name=self._place.name, blocks=b"".join(self._checks)
        )
        kept = self._keep_small(stored) if self._held is not None else self._keep_begun(stored)
        self.discard()
        self._require(kept)
        return stored

    def discard(self) -> None:
        """Leave nothing of what was not kept."""
        self._taken()
        for _, incoming in self._replicas:
            incoming.discard()
        self._replicas = []
        self._cluster.writing.discard(self)

    def _keep_small(self, stored: Stored) -> int:
        """Write it where it belongs, or on stand-ins; return on how many devices it is."""
        place, held = self._place, self._held or []

        def put(device: Device) -> Steps:
            return device.put(place.part, place.key, held, stored)

        kept = len(self._cluster.written(place, place.primaries, put))
        for spare in place.others:
            if kept >= len(place.primaries):
                break
            kept += len(self._cluster.written(place, [spare], put))
        return kept

    def _keep_begun(self, stored: Stored) -> int:
        by_name = {device.name: incoming for device, incoming in self._replicas}

        def keep(device: Device) -> Steps:
            return by_name[device.name].steps(self._place.part, self._place.key, stored)

        devices = [device for device, _ in self._replicas]
        return len(self._cluster.written(self._place, devices, keep))

    def _begin_all(self) -> None:
        spare = iter(self._place.others)
        for device in self._place.primaries:
            taker: Device | None = device
            while taker is not None and not self._begin(taker):
                taker = next(spare, None)
        self._require(len(self._replicas))

    def _begin(self, device: Device) -> bool:
        try:
            self._replicas.append((device, device.begin()))
        except DeviceFailed as error:
            self._cluster.failed(self._place, device, error)
            return False
        return True

    def _pass_on(self, piece: bytes) -> None:
        """Have the devices take a piece, alone while it is hashed and the next one comes."""
        self._check_taken()
        given = self._lent.enter_context(direct.lent(piece))
        if self._cluster.is_crowded:
            for device, incoming in list(self._replicas):
                try:
                    incoming.write(given)
                except DeviceFailed as error:
                    self._lose(device, incoming, error)
            self._lent.close()
            self._require(len(self._replicas))
            return
        is_early = self._size <= _EARLY
        self._taking = {
            device.name: self._cluster.pool.submit(_take, incoming, given, is_early)
            for device, incoming in self._replicas
        }

    def _taken(self) -> dict[str, BaseException | None]:
        """Wait until the devices are done with what was passed on; return what went wrong."""
        taking, self._taking = self._taking, {}
        found = {name: future.exception() for name, future in taking.items()}
        self._lent.close()
        return found

    def _check_taken(self) -> None:
        """Wait likewise, and go on without those devices that did not take it."""
        problems = self._taken()
        for device, incoming in list(self._replicas):
            error = problems.get(device.name)
            if isinstance(error, DeviceFailed):
                self._lose(device, incoming, error)
            elif error is not None:
                raise error
        if problems:
            self._require(len(self._replicas))

    def _lose(self, device: Device, incoming: Incoming, error: DeviceFailed) -> None:
        self._replicas.remove((device, incoming))
        incoming.discard()
        self._cluster.failed(self._place, device, error)

    def _end_block(self) -> None:
        self._checks.append(self._check.to_bytes(4, "big"))
        self._check = self._filled = 0

    def _require(self, count: int) -> None:
        if count < self._place.quorum:
            self.discard()
            raise Unavailable("Too few devices could be written to.")


def _take(incoming: Incoming, piece: bytes | memoryview, is_early: bool) -> None:
    incoming.write(piece)
    if is_early:
        incoming.write_out()


class Reading:
    """An object as its newest replica has it; bytes come from any replica that is whole."""

    def __init__(self, cluster: Cluster, place: Place, devices: Mapping[Device, State]) -> None:
        """Read from one of the devices, of each of which it was just seen what it has."""
        self._cluster, self._place = cluster, place
        self._devices, self._seen = list(devices), dict(devices)
        self._opened: Opened | None = None
        self._next()
        assert self._opened is not None, "_next raises otherwise"
        self.stored: Stored = self._opened.stored

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        """Yield bytes, each block checked before it goes out."""
        return _Pieces(self, start, min(length, self.stored.size - start))

    def block(self, number: int) -> bytes:
        """Return a block, from another replica where this one is not whole."""
        while True:
            assert self._opened is not None, "reading ended"
            try:
                return self._opened.block(number)
            except DeviceFailed as error:
                self._opened.close()
                device = self._devices.pop(0)
                if isinstance(error, NotWhole):
                    put_aside(device, self._place)
                self._cluster.failed(self._place, device, error)
                self._next(self.stored.stamp)

    def close(self) -> None:
        """Let go of the bytes."""
        if self._opened is not None:
            self._opened.close()

    def _next(self, stamp: str = "") -> None:
        while self._devices:
            device = self._devices[0]
            try:
                seen = self._seen.pop(device, None)
                self._opened = device.open(self._place.part, self._place.key, seen)
            except DeviceFailed as error:
                self._cluster.failed(self._place, device, error)
            else:
                if not stamp or self._opened.stored.stamp == stamp:
                    return
                self._opened.close()
            self._devices.pop(0)
        raise Unavailable("No replica of this object can be read.")


def put_aside(device: Device, place: Place) -> None:
    """Have a device quarantine what is not whole, if it still answers; the audit does it too."""
    with contextlib.suppress(DeviceFailed):
        device.quarantine(place.part, place.key)


class _Pieces:
    """Bytes of a range, one block's worth at a time."""

    def __init__(self, reading: Reading, start: int, length: int) -> None:
        self._reading, self._at, self._left = reading, start, length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._left <= 0:
            raise StopIteration
        number, skip = divmod(self._at, BLOCK)
        piece = self._reading.block(number)
        if skip or len(piece) - skip > self._left:
            piece = piece[skip : skip + self._left]
        self._at += len(piece)
        self._left -= len(piece)
        return piece


def states(cluster: Cluster, place: Place) -> dict[Device, State]:
    """Return what each device knows of an object; stand-ins are asked unless all agree."""
    found = asked(cluster, place, place.primaries)
    first = next(iter(found.values()), State())
    is_agreed = len(found) == len(place.primaries) and set(found.values()) == {first}
    if not first.data or not is_agreed:
        found |= asked(cluster, place, place.others)
    return found


def asked(cluster: Cluster, place: Place, devices: Sequence[Device]) -> dict[Device, State]:
    """Return what those devices know of an object that can tell."""
    found: dict[Device, State] = {}
    for device in devices:
        try:
            found[device] = device.state(place.part, place.key)
        except DeviceFailed as error:
            cluster.failed(place, device, error)
    return found


def opened(cluster: Cluster, place: Place) -> Reading | None:
    """Open an object's newest version, or return None when there is none."""
    known = states(cluster, place)
    newest = max((state.newest for state in known.values()), default=("", ""))
    holders = {
        one: state for one, state in known.items() if state.newest == newest and state.is_there
    }
    if not holders:
        # Where too many are away, nobody knows that there is nothing.
        if not newest[0] and len(known) < place.quorum:
            raise Unavailable("Too few devices can be read.")
        return None
    if any(device not in known or known[device].newest != newest for device in place.primaries):
        cluster.repairs.add((place.kind, place.name))
    try:
        return Reading(cluster, place, holders)
    except Unavailable:
        # Every newest replica was found broken and put aside; what is left may still be whole.
        if any(state.is_there for state in asked(cluster, place, list(known)).values()):
            return opened(cluster, place)
        raise


def post(cluster: Cluster, place: Place, stamp: str, headers: dict[str, str]) -> None:
    """Replace an object's headers on every device that has it."""
    holders = [one for one, state in states(cluster, place).items() if state.is_there]
    done = cluster.everywhere(
        place, holders, lambda one: one.post(place.part, place.key, stamp, headers)
    )
    if len(done) < min(place.quorum, len(holders)):
        raise Unavailable("Too few devices could be written to.")


def bury(cluster: Cluster, place: Place, stamp: str) -> None:
    """Delete an object on a quorum; what a device missed it is told later."""
    everybody = list(place.primaries)
    held = asked(cluster, place, place.others)
    everybody += [one for one, state in held.items() if state.data or state.fragments]
    done = cluster.everywhere(place, everybody, lambda one: one.bury(place.part, place.key, stamp))
    for spare in place.others:
        if len(done) >= place.quorum:
            return
        done |= cluster.everywhere(
            place, [spare], lambda one: one.bury(place.part, place.key, stamp)
        )
    if len(done) < place.quorum:
        raise Unavailable("Too few devices could be written to.")
