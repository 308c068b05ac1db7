"""What a back end of block storage must offer.

A volume is known by its id, a snapshot by its own and its volume's.  Every call may be repeated
and then finds its work done; a call that was cut short leaves what the next call, or `delete`,
removes.  Bytes are those of the disk itself: a back end never shows a new volume what an old one
held.  A back end knows no database and no request.  Errors: `Unavailable` (ask again later) and
`BackendError` (asking again will not help).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

import msgspec

from cumulo.kit.errors import CloudError


def is_id(name: str) -> bool:
    """Say whether a name in a back end is one that this cloud gives."""
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


class BackendError(CloudError):
    """The back end refused, and asking again will not help."""


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """How much room there is, whatever was promised."""

    total_gib: float
    free_gib: float


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a volume is copied from: a volume, or one of its snapshots."""

    volume_id: str
    snapshot_id: str | None = None


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """Something that lies in the back end; `touched_at` is in seconds since 1970."""

    volume_id: str
    snapshot_id: str | None
    size_gib: int
    touched_at: float


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """How a host reaches a volume: what `connection_info` says of it, and what QEMU is told."""

    driver_volume_type: str
    data: dict[str, Any]
    target: dict[str, Any]  # protocol and path, as `node.api.Volume` has them


@dataclass(frozen=True)
class Content:
    """An image's bytes on their way into a volume."""

    disk_format: str  # as qemu-img calls it, found by inspection
    pieces: Iterable[bytes]
    is_sealed: bool = False  # an encrypted volume's, as it lay in its back end


@runtime_checkable
class LocalFiles(Protocol):
    """A back end whose volumes are files: of this machine, unless an operator says otherwise.

    Only a host that has such a file can copy it while a guest writes to it.
    """

    def snapshot_path(self, source: Source) -> str:
        """Return where the host is to put what a snapshot keeps."""


@runtime_checkable
class Seals(Protocol):
    """A back end whose volumes are encrypted where that is asked for, before they get there."""

    def scratch(self) -> Path:
        """Return where there is room for an image that is being encrypted."""


@runtime_checkable
class Locked(Protocol):
    """A back end that opens volumes only to who has a key."""

    def key(self) -> str:
        """Return the key of the user that `connect` names; empty: everyone may."""


@runtime_checkable
class Shares(Protocol):
    """A back end whose copies need what they were copied from, also when it was deleted."""

    def tidy(self) -> None:
        """Remove what was deleted and is needed no more."""


class Stranger(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the back end that is not ours: a volume, or a snapshot of one of ours."""

    name: str
    size_gib: int
    volume_id: str | None = None  # of a snapshot


@runtime_checkable
class Adopts(Protocol):
    """A back end that may hold volumes which this cloud did not make."""

    def strangers(self) -> list[Stranger]:
        """List what is there and is not ours."""

    def adopt(self, target: Source, name: str) -> int:
        """Let what has this name be ours from now on, or find it so; return its size in GiB."""

    def release(self, source: Source, name: str | None = None) -> None:
        """Let what is ours be nobody's, bytes and all, under the name if one is given."""


class VolumeDriver(Protocol):
    """A place for the bytes of volumes."""

    name: str
    protocol: str  # as `storage_protocol` is shown

    def capacity(self) -> Capacity:
        """Report the room; asked every minute, so it must be cheap."""

    def create(self, volume_id: str, size_gib: int) -> None:
        """Make an empty volume, or find it made."""

    def create_from(self, volume_id: str, size_gib: int, source: Source) -> None:
        """Make a volume with the source's bytes, at least as large, or find it made."""

    def write(self, volume_id: str, size_gib: int, content: Content) -> None:
        """Make a volume with an image's bytes, or replace what it holds by them."""

    def read(self, source: Source, offset: int, length: int) -> Iterator[bytes]:
        """Yield bytes of the disk; those behind its end are left out."""

    def overwrite(self, volume_id: str, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Put pieces, each with its offset, into a volume that is there."""

    def extend(self, volume_id: str, size_gib: int) -> None:
        """Let a volume be as large, or find it so."""

    def delete(self, volume_id: str) -> None:
        """Remove a volume and its bytes, or find it gone."""

    def replace(self, volume_id: str, other_id: str) -> None:
        """Let a volume be what another one is, which is no more then, or find that done."""

    def create_snapshot(self, source: Source) -> None:
        """Keep the volume's bytes as they are now, or find them kept."""

    def delete_snapshot(self, source: Source) -> None:
        """Remove what was kept, or find it gone."""

    def revert(self, source: Source) -> None:
        """Let the volume hold what was kept."""

    def connect(self, volume_id: str) -> Connection:
        """Say how a host reaches a volume."""

    def present(self) -> list[Present]:
        """List all volumes and snapshots that are there."""
