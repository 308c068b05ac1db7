"""Volumes that are to be encrypted otherwise than they are, or no longer, or at last."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.units import GIB
from cumulo.kit.zeros import is_zero
from cumulo.services.volume import keys
from cumulo.services.volume.drivers import luks
from cumulo.services.volume.drivers.base import Seals, VolumeDriver
from cumulo.services.volume.drivers.conversion import data_in
from cumulo.services.volume.new_volumes import check_encryption
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volume_types import encryption_of

Pieces: TypeAlias = Iterator[tuple[int, bytes]]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How a volume is to be encrypted: by which key, as a type says; None: not at all."""

    type_id: str
    key_id: str | None


def differ(tx: Tx, old_type: str, new_type: str) -> bool:
    """Say whether volumes of two types are encrypted in different ways."""
    how = [encryption_of(tx, one) for one in (old_type, new_type)]
    old, new = (one and (one.provider, one.cipher, one.key_size) for one in how)
    return old != new


def want(tx: Tx, tools: VolumeTools, volume: Volume, type_id: str) -> Wanted:
    """Make the key that a volume is to be encrypted by, if it is to be."""
    is_open = encryption_of(tx, type_id) is None
    key_id = None if is_open else keys.new_key(tx, tools.safe, volume.project_id)
    return Wanted(type_id=type_id, key_id=key_id)


@contextmanager
def rewritten(
    tools: VolumeTools,
    volume: Volume,
    wanted: Wanted,
    drivers: tuple[VolumeDriver, VolumeDriver],
    pieces: Pieces,
) -> Iterator[Pieces]:
    """Give the block what a volume is to hold, from all that it holds; files have no names."""
    old, new = drivers
    closes = wanted.key_id if isinstance(new, Seals) else None
    opens = volume.encryption_key_id if isinstance(old, Seals) else None
    sealing = new if isinstance(new, Seals) else old
    if (closes, opens) == (None, None) or not isinstance(sealing, Seals):
        yield pieces
        return
    scratch = sealing.scratch()
    with ExitStack() as stack:
        disk = stack.enter_context(_spooled(scratch, pieces, volume.size_gib))
        if opens is not None:
            opened = stack.enter_context(tempfile.TemporaryFile(dir=scratch)).fileno()
            luks.open_into(opened, disk, tools.db.read(keys.passphrase_of, tools.safe, opens))
            disk = opened
        if closes is None:
            yield data_in(disk, luks.PIECE)
            return
        passphrase, cipher = tools.db.read(how_closed, tools, closes, wanted.type_id)
        closing = luks.closed(disk, volume.size_gib, passphrase, cipher, scratch)
        yield stack.enter_context(closing)


@contextmanager
def _spooled(scratch: Path, pieces: Pieces, size_gib: int) -> Iterator[int]:
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=scratch) as file:
        for offset, piece in pieces:
            if not is_zero(piece):
                file.seek(offset)
                file.write(piece)
        file.truncate(size_gib * GIB)
        file.flush()
        yield file.fileno()


def how_closed(tx: Tx, tools: VolumeTools, key_id: str, type_id: str) -> tuple[str, luks.Cipher]:
    """Return the passphrase, and how volumes of a type are encrypted by it."""
    encryption = encryption_of(tx, type_id)
    cipher = check_encryption(encryption) if encryption is not None else luks.Cipher()
    return keys.passphrase_of(tx, tools.safe, key_id), cipher
