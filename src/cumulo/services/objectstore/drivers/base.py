"""What a device offers: object files by partition and key, and an index for each listing."""

from collections.abc import Generator, Iterable, Sequence
from typing import Annotated, Any, Protocol, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.kit.checksums import crc32

BLOCK = 1 << 20  # bytes that have a checksum of their own


class DeviceFailed(Exception):
    """The device, or this one thing on it, cannot be used; another replica must serve."""


class NotWhole(DeviceFailed):
    """What lies on the device is not what was written."""


# A write in steps, so that one sync of a log does for several, see `journals.together`.  It yields
# the number of its disk and its open file twice: when all bytes are in the file, and when they are
# written out and the file is named.  It goes on when the disk was synced, or why that failed is
# thrown.  What ends without having yielded is on disk.
Steps: TypeAlias = Generator[tuple[int, int], None, None]


class Scheme(msgspec.Struct, frozen=True):
    """How an object is cut and coded: any `data` of its `data + parity` fragments give it back."""

    ec_type: str
    data: Annotated[int, Meta(ge=1, le=32)]
    parity: Annotated[int, Meta(ge=1, le=32)]
    segment: Annotated[int, Meta(ge=1)]  # bytes of the object that are coded together


class Fragment(msgspec.Struct, frozen=True):
    """What a file holds that has a part of a coded object."""

    index: Annotated[int, Meta(ge=0, le=63)]
    scheme: Scheme
    size: Annotated[int, Meta(ge=0)]  # bytes, in all
    step: Annotated[int, Meta(ge=1)]  # bytes for each segment, of which the last may have fewer


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept beside an object's bytes."""

    name: str  # /account/container/object
    stamp: str
    size: int
    etag: str
    content_type: str
    headers: dict[str, str] = {}  # what the client gave and is shown
    system: dict[str, str] = {}  # what this service noted
    blocks: bytes = b""  # a CRC-32 for each block, four bytes each
    posted: str = ""  # when the headers were last replaced
    fragment: Fragment | None = None  # where the file has not the whole object

    @property
    def length(self) -> int:
        """Return how many bytes the file has of it."""
        return self.fragment.size if self.fragment else self.size

    @property
    def step(self) -> int:
        """Return how many bytes have a checksum of their own."""
        return self.fragment.step if self.fragment else BLOCK

    @property
    def block_count(self) -> int:
        """Return into how many blocks the file's bytes fall."""
        return -(-self.length // self.step)


class Held(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A fragment on a device; it counts for nothing until it is durable, on any of the devices."""

    stamp: str
    index: int
    is_durable: bool


class State(msgspec.Struct, frozen=True):
    """What a device knows of an object: the stamps of its bytes, headers and deletion."""

    data: str = ""  # of fragments, the newest that are durable here
    meta: str = ""
    gone: str = ""
    fragments: tuple[Held, ...] = ()

    @property
    def newest(self) -> tuple[str, str]:
        """Return what decides which of two replicas is ahead."""
        return max(self.data, self.gone), self.meta

    @property
    def is_there(self) -> bool:
        """Say whether there are bytes that were not deleted since."""
        return self.data > self.gone


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One name in an index: an object of a container, or a container of an account."""

    name: str
    stamp: str
    modified: str = ""
    size: int = 0
    count: int = 0
    content_type: str = ""
    etag: str = ""
    expires: int | None = None
    facts: str = ""  # JSON that listings show besides


class Range(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A stretch of an index's names that a shard takes over, or gives back.

    found: planned.  created: the shard is there, and what is written goes to both.  active: it is
    the shard's alone.  shrinking: what is written goes to both again, and the shard is read.
    shrunk: it is over, and kept for replicas to be told.
    """

    shard: str  # the container that takes the names
    lower: str  # those behind this one
    upper: str  # up to this one, or to the end
    state: str
    stamp: str


class Hole(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where the names of a shard belong into a page, and which of them."""

    at: int
    shard: str
    lower: str
    upper: str


class Page(msgspec.Struct, frozen=True, array_like=True):
    """Names in order; text stands for what a delimiter folded."""

    rows: list[Row | str]
    holes: list[Hole] = []


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What an index knows of a name, or which shard knows instead."""

    row: Row | None = None
    shard: str = ""


class Batch(msgspec.Struct, frozen=True):
    """Names of a range on their way to its shard."""

    rows: list[Row]
    gone: list[tuple[str, str]]
    upto: str  # the last name looked at
    is_last: bool
    token: int  # differs when something came in behind what went already


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a listing is wanted."""

    limit: int = 10000
    marker: str = ""
    end_marker: str = ""
    prefix: str = ""
    delimiter: str = ""
    path: str | None = None
    reverse: bool = False
    # Of an index only the names behind the one, up to the other.
    lower: str = ""
    upper: str = ""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """An index without its names."""

    put_at: str
    created_at: str
    items: int
    count: int
    size: int
    headers: dict[str, str]
    is_cut: bool = False
    shards: list[str] = []  # whose names are not among those counted


class Changes(msgspec.Struct, frozen=True):
    """What happened to an index since a revision, for its replicas."""

    put_at: str
    created_at: str
    deleted_at: str
    headers: list[tuple[str, str, str]]  # name, value, stamp
    rows: list[Row]
    gone: list[tuple[str, str]]  # name, stamp
    revision: int
    name: str
    ranges: list[Range] = []


class Incoming(Protocol):
    """A replica on its way in; nobody sees it before `keep`."""

    def write(self, piece: bytes | memoryview) -> None:
        """Add bytes; those of a view may change afterwards."""

    def write_out(self) -> None:
        """Have the disk busy with what came, which it has to be sometime."""

    def keep(self, part: int, key: str, stored: Stored) -> None:
        """Make it the object, safely on disk, in one stroke; a fragment waits for `commit`."""

    def steps(self, part: int, key: str, stored: Stored) -> Steps:
        """Do the same in steps."""

    def discard(self) -> None:
        """Leave nothing behind; may be called at any time."""


def fill(incoming: Incoming, part: int, key: str, pieces: Iterable[bytes], stored: Stored) -> None:
    """Make an object of bytes that are at hand, or leave nothing."""
    try:
        for piece in pieces:
            incoming.write(piece)
        incoming.keep(part, key, stored)
    finally:
        incoming.discard()


class Opened(Protocol):
    """An object's bytes and what is known of them."""

    stored: Stored

    def block(self, number: int) -> bytes:
        """Return a block of bytes; raise `DeviceFailed` unless its checksum is right."""

    def close(self) -> None:
        """Let go of it."""


class Index(Protocol):
    """The listing of a container or an account, on one device."""

    def create(self, stamp: str, name: str, headers: dict[str, str]) -> bool:
        """Make it, or set headers of what is there; say whether it was not there."""

    def is_there(self) -> bool:
        """Say whether this device ever had it; cheap."""

    def is_live(self) -> bool:
        """Say whether it exists and was not deleted."""

    def head(self) -> Head | None:
        """Return what it sums up to, or None when it does not exist."""

    def sums(self) -> list[tuple[str, int, int, int]]:
        """Return for each content type how many names it has, and their counts and sizes."""

    def change(self, stamp: str, headers: dict[str, str]) -> None:
        """Set headers; empty ones are removed."""

    def delete(self, stamp: str) -> bool:
        """Delete it if it is empty, with its ranges; say whether it was."""

    def put(self, row: Row) -> str:
        """Set a name, unless what is there is newer; return the shard that must be told too."""

    def remove(self, name: str, stamp: str) -> str:
        """Remove a name, unless what is there is newer; return the shard to be told too."""

    def get(self, name: str) -> Told:
        """Return one name, or the shard that knows."""

    def page(self, asked: Asked) -> Page:
        """Return names in order, with holes where shards have them."""

    def ranges(self) -> list[Range]:
        """Return the ranges that are not over, in order."""

    def set_ranges(self, ranges: list[Range]) -> bool:
        """Set ranges, unless what is there is newer; refuse new ones over those of others."""

    def splits(self, size: int, least: int, lower: str, upper: str) -> list[tuple[str, str]]:
        """Return bounds of ranges of so many names inside bounds, none of fewer than `least`."""

    def batch(self, shard: str, limit: int) -> Batch | None:
        """Return names of a range that did not go to its shard yet; None when all went."""

    def moved(self, shard: str, upto: str, is_last: bool, token: int) -> None:
        """Remember that a batch went."""

    def trim(self, shard: str, limit: int) -> int:
        """Forget names that went to an active shard; return how many."""

    def expired(self, now_s: int, limit: int) -> list[Row]:
        """Return names whose time is over."""

    def changes(self, since: int) -> Changes | None:
        """Return what happened after a revision, or None when there never was anything."""

    def merge(self, changes: Changes) -> None:
        """Take over what is newer elsewhere."""

    def forget(self, before: str) -> bool:
        """Drop the traces of what went before a stamp; say whether the whole index may go."""

    def peer_revision(self, peer: str) -> int:
        """Return up to which revision of ours a peer has been told."""

    def told(self, peer: str, revision: int) -> None:
        """Remember up to which revision of ours a peer has been told."""


class Device(Protocol):
    """A place that may be lost as a whole."""

    name: str

    @property
    def disk(self) -> str:
        """Return where it writes: the same for devices whose writes one thread does best."""

    def is_there(self) -> bool:
        """Say whether the device can be used."""

    def adopt(self) -> None:
        """Begin anew where somebody put an empty disk in."""

    def begin(self) -> Incoming:
        """Open a place for a replica's bytes."""

    def put(self, part: int, key: str, pieces: Sequence[bytes], stored: Stored) -> Steps:
        """Make an object of bytes that are all there, in steps."""

    def state(self, part: int, key: str) -> State:
        """Return what is known of an object; cheap.  Raises `DeviceFailed` when it is away."""

    def open(self, part: int, key: str, seen: State | None = None) -> Opened:
        """Open an object; raise `DeviceFailed` when it is not there or not whole.

        `seen` is what `state` said this moment, which may save another look.
        """

    def open_fragment(self, part: int, key: str, stamp: str, index: int) -> Opened:
        """Open a fragment, durable or not; raise `DeviceFailed` unless it is there and whole."""

    def commit(self, part: int, key: str, stamp: str) -> None:
        """Make the fragments of a stamp durable, safely on disk; what they supersede goes.

        Where something newer counts there is nothing to do; raises `DeviceFailed` where neither is.
        """

    def release(self, part: int, key: str, seen: State, idle_s: float) -> None:
        """Forget what was seen of an object, but not what came since or was written to lately."""

    def quarantine_fragment(self, part: int, key: str, stamp: str, index: int) -> None:
        """Put a fragment that is not whole aside."""

    def post(self, part: int, key: str, stamp: str, headers: dict[str, str]) -> None:
        """Replace an object's headers."""

    def bury(self, part: int, key: str, stamp: str) -> None:
        """Delete an object, leaving a mark that is newer than what was there."""

    def quarantine(self, part: int, key: str) -> None:
        """Put an object that is not whole aside."""

    def parts(self) -> list[int]:
        """Return the partitions of which anything is kept."""

    def inventory(self, part: int) -> dict[str, State]:
        """Return the key and state of all that is kept of a partition, marks included."""

    def verify(self, part: int, key: str) -> Stored | None:
        """Read all of an object where it lies; None when it is deleted.

        Puts it aside and raises `DeviceFailed` when it is not what was written.
        """

    def reclaim(self, part: int, before: str) -> None:
        """Drop what no longer counts, and marks of deletions that are older than a stamp."""

    def drop_unfinished(self, before_s: float) -> None:
        """Drop what writes left behind that ended, with their process, before a time."""

    def index(self, kind: str, part: int, key: str) -> Index:
        """Return an index, which need not exist; kind is account or container."""

    def indexes(self, kind: str) -> list[tuple[int, str]]:
        """Return partition and key of every index of a kind."""

    def drop_index(self, kind: str, part: int, key: str) -> None:
        """Remove an index: others hold it, or nobody needs it."""

    def note(self, name: str, content: bytes) -> None:
        """Keep a note of work to be done later."""

    def notes(self) -> list[tuple[str, bytes]]:
        """Return the name and content of every note, the oldest first."""

    def drop_note(self, name: str) -> None:
        """Remove a note of work that is done."""

    def usage(self) -> tuple[int, int]:
        """Return bytes in all and bytes free."""

    def quarantined(self) -> int:
        """Return how many things were put aside."""

    def remember(self, figures: dict[str, Any]) -> None:
        """Keep figures for whoever asks how things are; those of other names stay."""


# What of a device and of an index is one question and one answer, over a network too.
DEVICE_CALLS = (
    "is_there", "adopt", "state", "commit", "release", "quarantine_fragment", "post", "bury",
    "quarantine", "parts", "inventory", "verify", "reclaim", "drop_unfinished", "indexes",
    "drop_index", "note", "notes", "drop_note", "usage", "quarantined", "remember",
)  # fmt: skip
INDEX_CALLS = (
    "create", "is_there", "head", "sums", "change", "delete", "put", "remove", "get", "page",
    "expired", "changes", "merge", "forget", "peer_revision", "told", "ranges", "set_ranges",
    "splits", "batch", "moved", "trim", "is_live",
)  # fmt: skip


def checked_block(stored: Stored, number: int, piece: bytes) -> bytes:
    """Return a block if it is what was written."""
    wanted = min(stored.step, stored.length - number * stored.step)
    right = stored.blocks[number * 4 : number * 4 + 4]
    if len(piece) != wanted or crc32(piece).to_bytes(4, "big") != right:
        raise NotWhole(f"block {number} of {stored.name} is not what was written")
    return piece
