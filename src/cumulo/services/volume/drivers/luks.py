"""Disks encrypted as LUKS says, written by qemu-img as QEMU reads them.

The header lies at the beginning of the volume, which is as large as it was asked for; the guest's
disk is smaller by it.  Passphrases go to qemu-img by a file that has no name.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.kit.units import GIB, MIB
from cumulo.kit.zeros import is_zero
from cumulo.services.volume.drivers.base import BackendError, Content
from cumulo.services.volume.drivers.claims import HEAD as CLAIMS
from cumulo.services.volume.drivers.claims import claimed
from cumulo.services.volume.drivers.conversion import data_in, laid_down, named, qemu_img
from cumulo.services.volume.drivers.inspection import check_image

HEAD = 592  # bytes of a header that say what it is
_MAGIC = b"LUKS\xba\xbe"
_SECTOR = 512
PIECE = 4 * MIB
_ATTEMPTS = 10
_MODES, _GENERATORS = ("xts", "cbc", "ctr", "ecb"), ("plain", "plain64", "essiv")


class Cipher(msgspec.Struct, frozen=True, kw_only=True):
    """How a disk is encrypted, in QEMU's words."""

    algorithm: str = "aes-256"
    mode: str = "xts"
    generator: str = "plain64"
    hash: str = ""  # that essiv takes


def cipher_of(spec: str | None, key_size: int | None) -> Cipher:
    """Read a cipher as encryption types name it: aes-xts-plain64, and its key size in bits."""
    words = (spec or "aes-xts-plain64").split("-")
    if len(words) == 3 and words[1] in _MODES:
        generator, _, hashed = words[2].partition(":")
        if generator in _GENERATORS:
            name = f"{words[0]}-{key_size or 256}"
            return Cipher(algorithm=name, mode=words[1], generator=generator, hash=hashed)
    raise Invalid(f"Invalid volume type: its cipher {spec!r} is none that hosts have.")


def header_size(head: bytes) -> int:
    """Return how many bytes come before the disk's own, from the first `HEAD` bytes."""
    if not head.startswith(_MAGIC) or len(head) < HEAD:
        raise BackendError("An encrypted volume does not begin as LUKS says.")
    return int.from_bytes(head[104:108]) * _SECTOR


@contextmanager
def container(
    content: Content | None, size_gib: int, passphrase: str, cipher: Cipher, scratch: Path
) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Give the block what an encrypted volume of an image, or an empty one, holds."""
    with _kept(passphrase) as key, _made(size_gib, key, cipher, scratch) as whole:
        if content is not None:
            _fill(whole, content, size_gib, key, scratch)
        yield data_in(whole, PIECE)


@contextmanager
def closed(
    disk: int, size_gib: int, passphrase: str, cipher: Cipher, scratch: Path
) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Give the block what an encrypted volume of a disk, an open file, holds.

    The disk is cut, if nothing is lost by that, to the room that the header leaves.
    """
    with _kept(passphrase) as key, _made(size_gib, key, cipher, scratch) as whole:
        _cut(disk, _room(whole, size_gib))
        _seal(whole, "raw", key, disk)
        yield data_in(whole, PIECE)


def open_into(disk: int, sealed: int, passphrase: str) -> None:
    """Write to an empty file what a guest sees of an encrypted volume, in another file."""
    with _kept(passphrase) as key:
        command = ["convert", *_secret(key), "--image-opts", "-O", "raw", "--"]
        qemu_img(*command, _sealed(sealed), named(disk), files=[key, sealed, disk])


@contextmanager
def _kept(passphrase: str) -> Iterator[int]:
    """Yield a file without a name that holds a passphrase."""
    key = os.memfd_create("key")
    try:
        os.write(key, passphrase.encode())
        yield key
    finally:
        os.close(key)


@contextmanager
def _made(size_gib: int, key: int, cipher: Cipher, scratch: Path) -> Iterator[int]:
    """Yield a file without a name that is an empty encrypted volume."""
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=scratch) as file:
        _create(file.fileno(), size_gib, key, cipher)
        os.ftruncate(file.fileno(), size_gib * GIB)
        yield file.fileno()


def _create(whole: int, size_gib: int, key: int, cipher: Cipher) -> None:
    options = [
        "key-secret=key",
        "iter-time=10",  # the passphrase is random: nobody guesses it, however quickly
        f"cipher-alg={cipher.algorithm}",
        f"cipher-mode={cipher.mode}",
        f"ivgen-alg={cipher.generator}",
        *([f"ivgen-hash-alg={cipher.hash}"] if cipher.hash else []),
    ]
    command = ["create", "-q", "-f", "luks", *_secret(key), "-o", ",".join(options)]
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            size = str(size_gib * GIB)
            qemu_img(*command, "--", named(whole), size, files=[key, whole])
        except BackendError as error:
            # On a busy machine it cannot tell how quick the processor is.
            if "CPU usage" not in error.message or attempt == _ATTEMPTS:
                raise
        else:
            return


def _fill(whole: int, content: Content, size_gib: int, key: int, scratch: Path) -> None:
    room = _room(whole, size_gib)
    with laid_down(content.pieces, scratch) as image:
        if content.disk_format == "raw":
            if os.fstat(image).st_size > room:
                raise BackendError(f"The image and LUKS's header do not fit into {size_gib} GiB.")
        else:
            check_image(Path(named(image)), content.disk_format, room)
        _seal(whole, content.disk_format, key, image)


def _room(whole: int, size_gib: int) -> int:
    return size_gib * GIB - header_size(os.pread(whole, HEAD, 0))


def _cut(disk: int, room: int) -> None:
    """Let a disk be so large, if nothing is lost and nothing on it counts on more."""
    what, needed = claimed(os.pread(disk, CLAIMS, 0))
    if needed is None or needed > room:
        takes = "does not say how much it takes" if needed is None else f"takes {needed}"
        raise BackendError(
            f"An encrypted volume of this size has {room} bytes for a disk, and {what} on it "
            f"{takes}: extend the volume by 1 GiB first, or copy what it holds in a server."
        )
    if not all(is_zero(piece) for _, piece in data_in(disk, PIECE, room)):
        raise BackendError(
            f"An encrypted volume of this size has {room} bytes for a disk, and there is data "
            "behind: extend the volume by 1 GiB first."
        )
    os.ftruncate(disk, room)


def _seal(whole: int, disk_format: str, key: int, image: int) -> None:
    command = ["convert", "-n", *_secret(key), "-f", disk_format, "--target-image-opts", "--"]
    qemu_img(*command, named(image), _sealed(whole), files=[key, image, whole])


def _sealed(whole: int) -> str:
    return f"driver=luks,key-secret=key,file.driver=file,file.filename={named(whole)}"


def _secret(key: int) -> list[str]:
    return ["--object", f"secret,id=key,file={named(key)}"]
