"""One object's fragments: coded while it arrives, decoded while it is read.

A write is good in two steps.  First its fragments lie on a quorum of devices beside what was there
before; then they are made durable, which nobody does unless that quorum has them.  So what is
durable on any device can be given back, and what is nowhere never was.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from cumulo.kit import clock
from cumulo.kit.checksums import crc32
from cumulo.kit.errors import Unavailable
from cumulo.services.objectstore.cluster import Cluster, Place
from cumulo.services.objectstore.coding import coder
from cumulo.services.objectstore.drivers.base import (
    Device,
    DeviceFailed,
    Fragment,
    Held,
    Incoming,
    NotWhole,
    Opened,
    Scheme,
    State,
    Stored,
)
from cumulo.services.objectstore.replicas import asked

# Between the two steps of a write; afterwards a fragment that is not durable may be given up.
_COMMIT_WITHIN_S = 600.0
IDLE_S = 2 * 3600.0
_TRIES = 10  # to open what is being replaced all the time


class Sight:
    """What devices together say of an object."""

    def __init__(self, known: Mapping[Device, State]) -> None:
        self.known, states = known, known.values()
        # Which write counts, the newest that is durable anywhere; when it was last deleted; when
        # its headers were last replaced, if that was after the write.
        self.stamp = max((state.data for state in states), default="")
        self.gone = max((state.gone for state in states), default="")
        meta = max((state.meta for state in states), default="")
        self.meta = meta if meta > self.stamp else ""
        self.is_there = self.stamp > self.gone

    def is_up(self, device: Device) -> bool:
        """Say whether a device has the newest headers."""
        return self.known[device].meta == self.meta or not self.meta

    def holders(self) -> dict[int, list[Device]]:
        """Return who has which fragment of what counts, those with the newest headers first."""
        found, stamp = dict[int, list[Device]](), self.stamp
        for device in sorted(self.known, key=self.is_up, reverse=True):
            for one in self.known[device].fragments:
                if one.stamp == stamp:
                    found.setdefault(one.index, []).append(device)
        return found


def is_settled(place: Place, sight: Sight) -> bool:
    """Say whether every device of an object has its fragment, or the mark of its deletion."""
    for index, device in place.slots:
        state = sight.known.get(device) if device else None
        if state is None:
            return False
        if sight.is_there:
            wanted = State(sight.stamp, sight.meta, "", (Held(sight.stamp, index, True),))
        else:
            wanted = State(gone=sight.gone)
        if state != wanted:
            return False
    return True


@dataclass(slots=True)
class Track:
    """A fragment on its way to a device."""

    index: int
    device: Device
    incoming: Incoming
    checks: list[bytes] = field(default_factory=list)
    size: int = 0

    def write(self, piece: bytes) -> None:
        """Add the fragment of a segment."""
        self.checks.append(crc32(piece).to_bytes(4, "big"))
        self.size += len(piece)
        self.incoming.write(piece)

    def keep(self, place: Place, stored: Stored, scheme: Scheme) -> None:
        """Have it on disk, not durable yet."""
        step = coder(scheme).fragment_size(scheme.segment)
        mine = msgspec.structs.replace(
            stored,
            blocks=b"".join(self.checks),
            fragment=Fragment(self.index, scheme, self.size, step),
        )
        self.incoming.keep(place.part, place.key, mine)


class Writing:
    """An object on its way to all its devices at once."""

    def __init__(self, cluster: Cluster, place: Place) -> None:
        assert place.scheme is not None, "objects here are coded"
        self._cluster, self._place, self._scheme = cluster, place, place.scheme
        self._coder = coder(place.scheme)
        self._tracks: list[Track] = []
        self._held: list[memoryview] = []
        self._size = 0
        spare = iter(place.others)
        for index, device in place.slots:
            taker = device or next(spare, None)
            while taker is not None and not self._begin(index, taker):
                taker = next(spare, None)
        self._require(len(self._tracks))

    def write(self, piece: bytes) -> None:
        """Add bytes; those of a segment are held until it is full."""
        rest = memoryview(piece)
        while rest:
            part = rest[: self._scheme.segment - self._size]
            self._held.append(part)
            self._size += len(part)
            rest = rest[len(part) :]
            if self._size == self._scheme.segment:
                self._encode()

    def keep(self, stored: Stored) -> Stored:
        """Make it the object on enough devices, and have it on disk there."""
        if self._size:
            self._encode()
        stored = msgspec.structs.replace(stored, name=self._place.name)
        tracks = {track.device.name: track for track in self._tracks}
        devices, began = [track.device for track in self._tracks], clock.monotonic()

        def keep(device: Device) -> None:
            tracks[device.name].keep(self._place, stored, self._scheme)

        done = self._cluster.everywhere(self._place, devices, keep)
        self.discard()
        kept = [device for device in devices if device.name in done]
        if len(kept) < self._place.quorum or clock.monotonic() > began + _COMMIT_WITHIN_S:
            self._take_back([tracks[device.name] for device in kept], stored.stamp)
        self._require(len(kept))
        part, key = self._place.part, self._place.key
        done = self._cluster.everywhere(
            self._place, kept, lambda one: one.commit(part, key, stored.stamp)
        )
        self._require(len(done))
        if len(kept) < len(self._place.slots):
            self._cluster.repairs.add((self._place.kind, self._place.name))
        return stored

    def discard(self) -> None:
        """Leave nothing of what was not kept."""
        for track in self._tracks:
            track.incoming.discard()
        self._tracks = []

    def _begin(self, index: int, device: Device) -> bool:
        try:
            self._tracks.append(Track(index, device, device.begin()))
        except DeviceFailed as error:
            self._cluster.failed(self._place, device, error)
            return False
        return True

    def _encode(self) -> None:
        made = self._coder.encode(b"".join(self._held))
        self._held, self._size = [], 0
        for track in list(self._tracks):
            try:
                track.write(made[track.index])
            except DeviceFailed as error:
                self._tracks.remove(track)
                track.incoming.discard()
                self._cluster.failed(self._place, track.device, error)
        self._require(len(self._tracks))

    def _take_back(self, tracks: Sequence[Track], stamp: str) -> None:
        """Drop fragments that nobody will make durable."""
        index = {track.device.name: track.index for track in tracks}

        def release(device: Device) -> None:
            seen = State(fragments=(Held(stamp, index[device.name], is_durable=False),))
            device.release(self._place.part, self._place.key, seen, 0.0)

        self._cluster.everywhere(self._place, [track.device for track in tracks], release)
        raise Unavailable("Too few devices could be written to in time.")

    def _require(self, count: int) -> None:
        if count < self._place.quorum:
            self.discard()
            raise Unavailable("Too few devices could be written to.")


class Reading:
    """An object given back from any of its fragments that are enough, whole and of one write."""

    def __init__(self, cluster: Cluster, place: Place, sight: Sight) -> None:
        self._cluster, self._place, self._stamp = cluster, place, sight.stamp
        # Those with the newest headers come first, among them those with the object's own bytes.
        order = sorted(
            sight.holders().items(), key=lambda item: (not sight.is_up(item[1][0]), item[0])
        )
        self._rest = dict(order)
        self._opened: dict[int, tuple[Device, Opened]] = {}
        self._first: Stored | None = None
        try:
            self._fill()
        except Unavailable:
            self.close()
            raise
        known = [opened.stored for _, opened in self._opened.values()]
        newest = max(known, key=lambda one: one.posted)
        self.stored: Stored = msgspec.structs.replace(newest, fragment=None, blocks=b"")

    @property
    def scheme(self) -> Scheme:
        """Return how it was coded."""
        assert self._first is not None, "_fill sees to that"
        assert self._first.fragment is not None, "_fits sees to that"
        return self._first.fragment.scheme

    @property
    def segments(self) -> int:
        """Return how many segments it has."""
        return -(-self.stored.size // self.scheme.segment)

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        """Yield bytes, a segment at a time."""
        return _Pieces(self, start, min(length, self.stored.size - start))

    def segment(self, number: int) -> bytes:
        """Return a segment's bytes."""
        try:
            return coder(self.scheme).decode(self.fragments(number), self.size_of(number))
        except NotWhole as error:
            raise Unavailable(f"This object cannot be put together: {error}.") from error

    def size_of(self, number: int) -> int:
        """Return how many bytes a segment has."""
        return min(self.scheme.segment, self.stored.size - number * self.scheme.segment)

    def fragments(self, number: int) -> dict[int, bytes]:
        """Return as many fragments of a segment as are needed."""
        found, size = dict[int, bytes](), self.size_of(number)
        while True:
            for index, (_, opened) in list(self._opened.items()):
                if index in found:
                    continue
                try:
                    piece = opened.block(number)
                    coder(self.scheme).check(index, piece, size)
                    found[index] = piece
                except DeviceFailed as error:
                    self._lose(index, error)
            if len(found) >= self.scheme.data:
                return found
            self._fill()

    def close(self) -> None:
        """Let go of the fragments."""
        for _, opened in self._opened.values():
            opened.close()
        self._opened = {}

    def _fill(self) -> None:
        """Open fragments until they are enough."""
        while self._first is None or len(self._opened) < self.scheme.data:
            index = next((one for one in self._rest if one not in self._opened), None)
            if index is None:
                raise Unavailable("Too few fragments of this object can be read.")
            self._open(index)

    def _open(self, index: int) -> None:
        device = self._rest[index].pop(0)
        if not self._rest[index]:
            del self._rest[index]
        try:
            opened = device.open_fragment(self._place.part, self._place.key, self._stamp, index)
        except DeviceFailed as error:
            self._cluster.failed(self._place, device, error)
            return
        if not self._fits(opened.stored):
            opened.close()
            return
        self._first = self._first or opened.stored
        self._opened[index] = (device, opened)

    def _fits(self, stored: Stored) -> bool:
        """Say whether a fragment is of the same bytes as the first."""
        if stored.fragment is None or self._first is None:
            return stored.fragment is not None
        same = (self._first.etag, self._first.size, self.scheme)
        return (stored.etag, stored.size, stored.fragment.scheme) == same

    def _lose(self, index: int, error: DeviceFailed) -> None:
        device, opened = self._opened.pop(index)
        opened.close()
        if isinstance(error, NotWhole):
            put_aside(device, self._place, self._stamp, index)
        self._cluster.failed(self._place, device, error)


def put_aside(device: Device, place: Place, stamp: str, index: int) -> None:
    """Have a device quarantine a fragment, if it still answers; the audit does it too."""
    try:
        device.quarantine_fragment(place.part, place.key, stamp, index)
    except DeviceFailed:
        return


class _Pieces:
    """Bytes of a range, one segment's worth at a time."""

    def __init__(self, reading: Reading, start: int, length: int) -> None:
        self._reading, self._at, self._left = reading, start, length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._left <= 0:
            raise StopIteration
        number, skip = divmod(self._at, self._reading.scheme.segment)
        piece = self._reading.segment(number)
        if skip or len(piece) - skip > self._left:
            piece = piece[skip : skip + self._left]
        self._at += len(piece)
        self._left -= len(piece)
        return piece


def seen(cluster: Cluster, place: Place) -> tuple[Sight, bool]:
    """Return what devices know of an object, and whether all is in its place.

    Stand-ins are asked unless it is.
    """
    sight = Sight(asked(cluster, place, place.primaries))
    if sight.stamp and is_settled(place, sight):
        return sight, True
    return Sight({**sight.known, **asked(cluster, place, place.others)}), False


def opened(cluster: Cluster, place: Place) -> Reading | None:
    """Open what counts of an object, or return None when there is none."""
    before: Mapping[Device, State] = {}
    for _ in range(_TRIES):
        sight, is_whole = seen(cluster, place)
        if not sight.is_there:
            away = len(place.primaries) + len(place.others) - len(sight.known)
            # So many may be those that alone know of it.
            if not sight.gone and away >= place.quorum:
                raise Unavailable("Too few devices can be read.")
            return None
        if not is_whole:
            cluster.repairs.add((place.kind, place.name))
        try:
            return Reading(cluster, place, sight)
        except Unavailable:
            if sight.known == before:
                raise  # nothing changes there: it is not to be had
            before = sight.known  # replaced or made durable this moment
    raise Unavailable("Too few fragments of this object can be read.")


def post(cluster: Cluster, place: Place, stamp: str, headers: dict[str, str]) -> None:
    """Replace an object's headers on every device that has a fragment of it."""
    sight, _ = seen(cluster, place)
    holders = list({one.name: one for held in sight.holders().values() for one in held}.values())

    def act(device: Device) -> None:
        device.commit(place.part, place.key, sight.stamp)
        device.post(place.part, place.key, stamp, headers)

    done = cluster.everywhere(place, holders, act)
    if len(done) < min(place.quorum, len(holders)):
        raise Unavailable("Too few devices could be written to.")
