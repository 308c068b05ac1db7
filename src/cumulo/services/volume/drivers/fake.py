"""A back end without a disk: volumes are what was written to them and nothing more.

With a directory it keeps them over a restart of the process, as a real one does.
"""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from cumulo.kit import clock
from cumulo.kit.units import GIB
from cumulo.kit.zeros import is_zero
from cumulo.services.volume.drivers.base import (
    BackendError,
    Capacity,
    Connection,
    Content,
    Present,
    Source,
    Stranger,
    is_id,
)

_PIECE = 1 << 16


class _Disk(msgspec.Struct, kw_only=True):
    """A volume or a snapshot: its size and the pieces that were written, by number."""

    volume_id: str
    snapshot_id: str | None = None
    size_gib: int
    touched_at: float
    pieces: dict[int, bytes] = {}

    @property
    def key(self) -> str:
        return self.snapshot_id or self.volume_id


class FakeDriver:
    """Volumes in memory; `fails` makes the calls of a name raise."""

    protocol = "fake"

    def __init__(
        self, name: str, *, capacity_gib: int = 10_000, directory: Path | None = None
    ) -> None:
        self.name, self._capacity_gib, self._directory = name, capacity_gib, directory
        self._disks: dict[str, _Disk] = {}
        self._lock = threading.RLock()
        self.fails: dict[str, Exception] = {}
        self.reads_gib: float | None = None  # as if no volume held more, for tests in a hurry
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            for path in directory.glob("*.json"):
                disk = msgspec.json.decode(path.read_bytes(), type=_Disk)
                self._disks[disk.key] = disk

    def capacity(self) -> Capacity:
        """Report the room."""
        self._meet("capacity")
        with self._lock:
            used = sum(disk.size_gib for disk in self._disks.values())
        total = self._capacity_gib
        return Capacity(total_gib=float(total), free_gib=float(max(0, total - used)))

    def create(self, volume_id: str, size_gib: int) -> None:
        """Make an empty volume, or find it made."""
        self._meet("create")
        with self._lock:
            if volume_id not in self._disks:
                self._keep(volume_id, None, size_gib, {})

    def create_from(self, volume_id: str, size_gib: int, source: Source) -> None:
        """Make a volume with the source's bytes, or find it made."""
        self._meet("create_from")
        with self._lock:
            if volume_id not in self._disks:
                self._keep(volume_id, None, size_gib, dict(self._found(source).pieces))

    def write(self, volume_id: str, size_gib: int, content: Content) -> None:
        """Make a volume with an image's bytes as they are: nobody boots from it."""
        self._meet("write")
        pieces: dict[int, bytes] = {}
        offset = 0
        for piece in content.pieces:
            if offset + len(piece) > size_gib * GIB:
                raise BackendError(f"The image has more than {size_gib} GiB.")
            if not is_zero(piece):
                _put(pieces, offset, piece)
            offset += len(piece)
        with self._lock:
            self._keep(volume_id, None, size_gib, pieces)

    def read(self, source: Source, offset: int, length: int) -> Iterator[bytes]:
        """Yield bytes of the disk."""
        self._meet("read")
        disk = self._found(source)
        size_gib = disk.size_gib if self.reads_gib is None else self.reads_gib
        end = min(offset + length, int(size_gib * GIB))
        return _bytes_of(dict(disk.pieces), offset, end)

    def overwrite(self, volume_id: str, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Put pieces into a volume that is there."""
        self._meet("overwrite")
        disk = self._found(Source(volume_id=volume_id))
        for offset, piece in pieces:
            _put(disk.pieces, offset, piece)
        self._save(disk)

    def extend(self, volume_id: str, size_gib: int) -> None:
        """Let a volume be as large."""
        self._meet("extend")
        with self._lock:
            disk = self._found(Source(volume_id=volume_id))
            disk.size_gib = max(disk.size_gib, size_gib)
            self._save(disk)

    def delete(self, volume_id: str) -> None:
        """Forget a volume."""
        self._meet("delete")
        self._forget(volume_id)

    def replace(self, volume_id: str, other_id: str) -> None:
        """Let a volume be what another one is."""
        self._meet("replace")
        with self._lock:
            if (other := self._disks.get(other_id)) is not None:
                self._forget(other_id)
                self._keep(volume_id, None, other.size_gib, other.pieces)

    def create_snapshot(self, source: Source) -> None:
        """Keep the volume's bytes as they are now."""
        self._meet("create_snapshot")
        with self._lock:
            if source.snapshot_id not in self._disks:
                disk = self._found(Source(volume_id=source.volume_id))
                pieces = dict(disk.pieces)
                self._keep(source.volume_id, source.snapshot_id, disk.size_gib, pieces)

    def delete_snapshot(self, source: Source) -> None:
        """Forget what was kept."""
        self._meet("delete_snapshot")
        self._forget(source.snapshot_id or "")

    def revert(self, source: Source) -> None:
        """Let the volume hold what was kept."""
        self._meet("revert")
        with self._lock:
            kept, disk = self._found(source), self._found(Source(volume_id=source.volume_id))
            disk.pieces = dict(kept.pieces)
            self._save(disk)

    def connect(self, volume_id: str) -> Connection:
        """Say how a host would reach it."""
        self._meet("connect")
        self._found(Source(volume_id=volume_id))
        return Connection(
            driver_volume_type="fake",
            data={"volume_id": volume_id},
            target={"protocol": "fake", "path": f"{self.name}/{volume_id}"},
        )

    def present(self) -> list[Present]:
        """List all that is there."""
        self._meet("present")
        with self._lock:
            return [
                Present(
                    volume_id=disk.volume_id,
                    snapshot_id=disk.snapshot_id,
                    size_gib=disk.size_gib,
                    touched_at=disk.touched_at,
                )
                for key, disk in self._disks.items()
                if is_id(key)
            ]

    def strangers(self) -> list[Stranger]:
        """List what is there and is not ours."""
        self._meet("strangers")
        with self._lock:
            return [
                Stranger(
                    name=key,
                    size_gib=disk.size_gib,
                    volume_id=disk.volume_id if disk.snapshot_id is not None else None,
                )
                for key, disk in self._disks.items()
                if not is_id(key)
            ]

    def adopt(self, target: Source, name: str) -> int:
        """Let what has this name be ours."""
        self._meet("adopt")
        wanted = target.snapshot_id or target.volume_id
        with self._lock:
            if wanted not in self._disks:
                is_snapshot = target.snapshot_id is not None
                found = [one for one in self.strangers() if one.name == name]
                if not found or (found[0].volume_id is not None) != is_snapshot:
                    raise BackendError(f"{self.name} has no {name} that is not ours.")
                disk = self._disks[name]
                self._forget(name)
                self._keep(target.volume_id, target.snapshot_id, disk.size_gib, disk.pieces)
            return self._disks[wanted].size_gib

    def release(self, source: Source, name: str | None = None) -> None:
        """Let what is ours be nobody's."""
        self._meet("release")
        key = source.snapshot_id or source.volume_id
        with self._lock:
            disk = self._disks.get(key)
            if disk is not None:
                self._forget(key)
                name = name or f"{'snapshot' if source.snapshot_id else 'volume'}-{key}"
                snapshot_id = name if source.snapshot_id else None
                volume_id = source.volume_id if source.snapshot_id else name
                self._keep(volume_id, snapshot_id, disk.size_gib, disk.pieces)

    def _meet(self, call: str) -> None:
        if call in self.fails:
            raise self.fails[call]

    def _found(self, source: Source) -> _Disk:
        disk = self._disks.get(source.snapshot_id or source.volume_id)
        if disk is None:
            raise BackendError(f"{self.name} has no {source.snapshot_id or source.volume_id}.")
        return disk

    def _keep(
        self, volume_id: str, snapshot_id: str | None, size_gib: int, pieces: dict[int, bytes]
    ) -> None:
        disk = _Disk(
            volume_id=volume_id,
            snapshot_id=snapshot_id,
            size_gib=size_gib,
            touched_at=clock.timestamp(),
            pieces=pieces,
        )
        self._save(disk)

    def _save(self, disk: _Disk) -> None:
        self._disks[disk.key] = disk
        if self._directory is not None:
            path = self._directory / f"{disk.key}.json"
            draft = path.with_suffix(".new")
            draft.write_bytes(msgspec.json.encode(disk))
            draft.replace(path)

    def _forget(self, key: str) -> None:
        with self._lock:
            if self._disks.pop(key, None) is not None and self._directory is not None:
                (self._directory / f"{key}.json").unlink(missing_ok=True)


def _put(pieces: dict[int, bytes], offset: int, piece: bytes) -> None:
    """Put bytes at their place; where there are only zeros nothing is kept."""
    if is_zero(piece):
        there = range(offset // _PIECE, (offset + len(piece) - 1) // _PIECE + 1)
        if pieces.keys().isdisjoint(there):
            return
    for number, start, part in _cut(offset, piece):
        old = pieces.get(number, b"").ljust(start + len(part), b"\0")
        new = old[:start] + part + old[start + len(part) :]
        if new.strip(b"\0"):
            pieces[number] = new
        else:
            pieces.pop(number, None)


def _cut(offset: int, piece: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the parts of a piece, each with the number of its place and where it begins there."""
    while piece:
        number, start = divmod(offset, _PIECE)
        part, piece = piece[: _PIECE - start], piece[_PIECE - start :]
        yield number, start, part
        offset += len(part)


def _bytes_of(pieces: dict[int, bytes], offset: int, end: int) -> Iterator[bytes]:
    while offset < end:
        number, start = divmod(offset, _PIECE)
        length = min(_PIECE - start, end - offset)
        yield pieces.get(number, b"")[start : start + length].ljust(length, b"\0")
        offset += length
