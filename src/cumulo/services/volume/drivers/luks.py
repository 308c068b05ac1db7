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
from cumulo.services.volume.drivers.base import BackendError, Content
from cumulo.services.volume.drivers.conversion import data_in, qemu_img
from cumulo.services.volume.drivers.inspection import check_image

HEAD = 592  # bytes of a header that say what it is
_MAGIC = b"LUKS\xba\xbe"
_SECTOR = 512
_PIECE = 4 * MIB
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
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = os.memfd_create("key")
    try:
        os.write(key, passphrase.encode())
        with tempfile.NamedTemporaryFile(dir=scratch, prefix=".luks-") as file:
            _create(file.name, size_gib, key, cipher)
            os.truncate(file.name, size_gib * GIB)
            if content is not None:
                _fill(file.name, content, size_gib, key, scratch)
            with open(file.name, "rb") as whole:
                yield data_in(whole.fileno(), _PIECE)
    finally:
        os.close(key)


def _create(path: str, size_gib: int, key: int, cipher: Cipher) -> None:
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
            qemu_img(*command, "--", path, str(size_gib * GIB), files=[key])
        except BackendError as error:
            # On a busy machine it cannot tell how quick the processor is.
            if "CPU usage" not in error.message or attempt == _ATTEMPTS:
                raise
        else:
            return


def _fill(path: str, content: Content, size_gib: int, key: int, scratch: Path) -> None:
    with open(path, "rb") as file:
        room = size_gib * GIB - header_size(file.read(HEAD))
    with tempfile.NamedTemporaryFile(dir=scratch, prefix=".image-") as image:
        for piece in content.pieces:
            image.write(piece)
        image.flush()
        if content.disk_format == "raw":
            if image.tell() > room:
                raise BackendError(f"The image and LUKS's header do not fit into {size_gib} GiB.")
        else:
            check_image(Path(image.name), content.disk_format, room)
        named = path.replace(",", ",,")
        target = f"driver=luks,key-secret=key,file.driver=file,file.filename={named}"
        command = ["convert", "-n", *_secret(key), "-f", content.disk_format]
        qemu_img(*command, "--target-image-opts", "--", image.name, target, files=[key])


def _secret(key: int) -> list[str]:
    return ["--object", f"secret,id=key,file=/dev/fd/{key}"]
