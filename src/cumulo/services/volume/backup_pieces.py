"""A disk cut into pieces that are kept once: zeros not at all, and not what a parent has.

The index of a backup names every piece of its disk that is not zero, with the backup that keeps
it, so that nothing but one index and the pieces is needed to put the disk together again.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator

import msgspec

from cumulo.kit.units import MIB
from cumulo.kit.zeros import is_zero
from cumulo.services.volume.drivers.backup_store import BackupStore
from cumulo.services.volume.drivers.base import BackendError

PIECE = 4 * MIB
_ZEROS = bytes(PIECE)
_INDEX = "index"


class Piece(msgspec.Struct, frozen=True):
    """A piece: its number on the disk, what it holds, who keeps it."""

    number: int
    sha256: str
    kept_by: str


class Index(msgspec.Struct, frozen=True):
    """All pieces of a disk that are not zero."""

    size_gib: int
    pieces: list[Piece]


def index_of(store: BackupStore, backup_id: str) -> Index:
    """Return the index of a backup that is whole."""
    try:
        return msgspec.json.decode(store.get(backup_id, _INDEX), type=Index)
    except msgspec.MsgspecError as error:
        raise BackendError(f"The index of backup {backup_id} is damaged.") from error


def is_whole(store: BackupStore, backup_id: str) -> bool:
    """Say whether a backup was made to its end."""
    try:
        index_of(store, backup_id)
    except BackendError:
        return False
    return True


def keep(
    store: BackupStore,
    backup_id: str,
    size_gib: int,
    content: Iterable[bytes],
    parent: Index | None,
) -> int:
    """Keep a disk; return how many pieces of it are kept anew."""
    known = {piece.number: piece for piece in parent.pieces} if parent else {}
    found: list[Piece] = []
    new = 0
    for number, piece in enumerate(_cut(content)):
        if is_zero(piece):
            continue
        digest = hashlib.sha256(piece).hexdigest()
        before = known.get(number)
        if before is not None and before.sha256 == digest:
            found.append(before)
            continue
        store.put(backup_id, str(number), zlib.compress(piece, 1))
        found.append(Piece(number, digest, backup_id))
        new += 1
    store.put(backup_id, _INDEX, msgspec.json.encode(Index(size_gib, found)))
    return new


def pieces_of(store: BackupStore, backup_id: str) -> Iterator[tuple[int, bytes]]:
    """Yield the whole disk, zeros too, each piece with its offset."""
    index = index_of(store, backup_id)
    known = {piece.number: piece for piece in index.pieces}
    for number in range(index.size_gib * 1024 * MIB // PIECE):
        yield number * PIECE, _read(store, known[number]) if number in known else _ZEROS


def _read(store: BackupStore, piece: Piece) -> bytes:
    try:
        content = zlib.decompress(store.get(piece.kept_by, str(piece.number)))
    except zlib.error:
        content = b""
    if hashlib.sha256(content).hexdigest() != piece.sha256:
        raise BackendError(f"Piece {piece.number} of backup {piece.kept_by} is damaged.")
    return content


def _cut(content: Iterable[bytes]) -> Iterator[bytes]:
    rest = bytearray()
    for piece in content:
        rest += piece
        while len(rest) >= PIECE:
            yield bytes(rest[:PIECE])
            del rest[:PIECE]
    if rest:
        yield bytes(rest)
