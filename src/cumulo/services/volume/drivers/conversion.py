"""Disk images turned into what the disk in them holds, by a qemu-img that is told the format."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cumulo.kit.units import GIB
from cumulo.kit.zeros import is_zero
from cumulo.services.volume.drivers.base import BackendError, Content
from cumulo.services.volume.drivers.inspection import check_image

_LIMITS = ["prlimit", f"--as={2 * GIB}", "--cpu=600", "--"]
_TIMEOUT_S = 3600
_CONVERT = ("convert", "-n", "--target-is-zero")


def convert(content: Content, descriptor: int, size_gib: int, directory: Path) -> None:
    """Write the disk in an image into an empty file; `directory` has room for the image."""
    with laid_down(content.pieces, directory) as image:
        check_image(Path(named(image)), content.disk_format, size_gib * GIB)
        formats = ["-f", content.disk_format, "-O", "raw", "--"]
        words = (*_CONVERT, *formats, named(image), named(descriptor))
        qemu_img(*words, files=[image, descriptor])
    if os.fstat(descriptor).st_size > size_gib * GIB:
        raise BackendError(f"The image is a disk of more than {size_gib} GiB.")


@contextmanager
def laid_down(pieces: Iterable[bytes], directory: Path | None = None) -> Iterator[int]:
    """Give the block bytes as a file, open and without a name: with its process it is gone.

    Pieces of nothing but zeros become holes.
    """
    with tempfile.TemporaryFile(dir=directory) as file:
        for piece in pieces:
            if is_zero(piece):
                file.seek(len(piece), os.SEEK_CUR)
            else:
                file.write(piece)
        file.truncate()
        file.flush()
        yield file.fileno()


def named(descriptor: int) -> str:
    """Return by which name this process, and a program it hands the file to, open it."""
    return f"/dev/fd/{descriptor}"


def qemu_img(*words: str, files: Iterable[int] = ()) -> str:
    """Run qemu-img within limits, with files that are open; return what it says."""
    try:
        done = subprocess.run(
            [*_LIMITS, "qemu-img", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "/usr/bin"), "LC_ALL": "C"},
            pass_fds=list(files),
        )
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"qemu-img took more than {_TIMEOUT_S} s.") from error
    except FileNotFoundError as error:
        raise BackendError("qemu-img is missing on this host: install it.") from error
    if done.returncode != 0:
        raise BackendError(f"qemu-img failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def data_in(descriptor: int, piece_size: int, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield what a file holds from `offset` on, with the offsets, and leave its holes out."""
    end = os.fstat(descriptor).st_size
    while offset < end:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # nothing but a hole to the end
            raise
        offset = os.lseek(descriptor, start, os.SEEK_HOLE)
        while start < offset:
            piece = os.pread(descriptor, min(piece_size, offset - start), start)
            if not piece:
                return
            yield start, piece
            start += len(piece)
