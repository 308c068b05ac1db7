"""What guests write to their serial consoles: files that QEMU appends to and we keep small.

The guest decides what is in them and its QEMU could replace anything it owns, so they are opened
without following links and never trusted to be short.
"""

import os
from pathlib import Path

LIMIT = 1024 * 1024  # what is kept: at least this much, at most twice


def last_lines(text: bytes, lines: int | None) -> bytes:
    """Return the last `lines` lines of a text; all of it for None."""
    if lines is None:
        return text
    return b"".join(text.splitlines(keepends=True)[-lines:]) if lines > 0 else b""


def start(path: Path, owner: tuple[int, int]) -> None:
    """Begin an empty log that the owner may append to."""
    _earlier(path).unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        os.fchown(descriptor, *owner)
    finally:
        os.close(descriptor)


def begin_with(path: Path, text: bytes) -> None:
    """Let what was written elsewhere come before what is written here."""
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(text[-LIMIT:])
    draft.replace(_earlier(path))


def trim(path: Path) -> None:
    """Set aside what was written once that is much; the writer must append.

    What is written between the copy and the cut, some microseconds, is lost.
    """
    try:
        size = path.lstat().st_size
    except FileNotFoundError:
        return
    if size <= LIMIT:
        return
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(_read_end(path))
    draft.replace(_earlier(path))
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
    os.close(descriptor)


def read(path: Path) -> bytes:
    """Return all that is kept."""
    return _read_end(_earlier(path)) + _read_end(path)


def _earlier(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _read_end(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        file.seek(max(0, size - LIMIT))
        return file.read(LIMIT)
