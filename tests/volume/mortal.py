"""Processes that are killed while they write a volume or an image; small, to start quickly."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cumulo.kit.units import MIB
from cumulo.services.volume.drivers import luks
from cumulo.services.volume.drivers.base import Content
from cumulo.services.volume.drivers.file import FileDriver

VOLUME_ID = "10000000-0000-4000-8000-000000000000"


def dying() -> Iterator[bytes]:
    """Yield some bytes, and be killed before there are more."""
    yield bytes(4096) + b"x" * MIB
    os.kill(os.getpid(), signal.SIGKILL)


def write(directory: Path) -> None:
    """Be killed while a volume is made of an image."""
    FileDriver("file", directory).write(VOLUME_ID, 1, Content("qcow2", dying()))


def seal(directory: Path) -> None:
    """Be killed while an encrypted one is."""
    with luks.container(Content("qcow2", dying()), 1, "word", luks.Cipher(), directory):
        pass


def pack(directory: Path) -> None:
    """Be killed while an image is made of a volume."""
    from cumulo.services.volume.workflows import upload_volume

    tempfile.tempdir = str(directory)
    with upload_volume._of_format(dying(), "qcow2"):
        pass
