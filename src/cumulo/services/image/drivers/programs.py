"""What is done with the files of images: unpacking and, by qemu-img within limits, converting."""

import gzip
import os
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

from cumulo.kit.units import GIB
from cumulo.services.image.errors import InvalidImageData

_PIECE = 1 << 20
_TIMEOUT_S = 3600
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_DEFLATED, _ENCRYPTED = 8, 1


def unpacked(path: Path) -> Iterator[bytes]:
    """Yield what a packed file holds, piece by piece, however small it was packed."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(_GZIP):
        return _gunzipped(path)
    if start == _ZIP:
        return _unzipped(path)
    raise InvalidImageData("The image is not compressed by gzip or zip, as container_format says.")


def convert(
    source: tuple[Path, str], target: tuple[Path, str], *, most_bytes: int, memory: int = GIB
) -> None:
    """Have qemu-img write a file in another format; it is told the formats and never guesses."""
    formats = ["-f", source[1], "-O", target[1]]
    limits = ["prlimit", f"--as={memory}", "--cpu=600", f"--fsize={most_bytes}", "--core=0", "--"]
    command = [*limits, "qemu-img", "convert", "-q", *formats, "--", str(source[0]), str(target[0])]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "/usr/bin"), "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidImageData(f"Converting took more than {_TIMEOUT_S} s.") from error
    except FileNotFoundError as error:
        raise InvalidImageData("qemu-img is missing on this host: install it.") from error
    if done.returncode != 0:
        told = done.stderr.replace(str(source[0].parent), "").strip()[-300:]
        raise InvalidImageData(f"The image cannot be converted to {target[1]}: {told or 'killed'}")


def _gunzipped(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) as file:
            while piece := file.read(_PIECE):
                yield piece
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidImageData("The compressed image is broken.") from error


def _unzipped(path: Path) -> Iterator[bytes]:
    """Yield the only member of an archive; its directory at the end is never needed."""
    with path.open("rb") as file:
        header = file.read(30).ljust(30, b"\0")
        flags, method = header[6] | header[7] << 8, header[8] | header[9] << 8
        if flags & _ENCRYPTED or method != _DEFLATED:
            raise InvalidImageData("The archive must hold one file, deflated and not encrypted.")
        file.seek(sum(header[at] | header[at + 1] << 8 for at in (26, 28)), os.SEEK_CUR)
        inflater, packed = zlib.decompressobj(-zlib.MAX_WBITS), b""
        try:
            while not inflater.eof:
                packed = inflater.unconsumed_tail or file.read(_PIECE)
                if not packed:
                    raise InvalidImageData("The compressed image is broken.")
                yield inflater.decompress(packed, _PIECE)
        except zlib.error as error:
            raise InvalidImageData("The compressed image is broken.") from error
        if _ZIP in inflater.unused_data[:24]:
            raise InvalidImageData("The archive must hold one file, and holds several.")
