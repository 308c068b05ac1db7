"""Replicas that are written past the system's memory for files."""

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.db import Database
from cumulo.services.objectstore.drivers import direct
from cumulo.services.objectstore.drivers.base import Stored
from tests.objectstore.service import ANN, MIB, Service, User


def bytes_of(size: int) -> bytes:
    return hashlib.shake_128(b"seed").digest(size)


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [1],
        [4096],
        [4095, 2],
        [MIB, 5],
        [300_000, MIB, 1, 4096],
        [3 * MIB + 17],
    ],
)
def test_what_is_written_is_what_came(directory: Path, sizes: list[int]) -> None:
    directory.mkdir()
    whole, at = bytes_of(sum(sizes)), 0
    with open(directory / "file", "wb", buffering=0) as file:
        is_direct, left = direct.begin(file.fileno()), list[bytes | memoryview]()
        for size in sizes:
            left = direct.write(file.fileno(), [*left, whole[at : at + size]])
            assert sum(map(len, left)) < 4096
            at += size
        left = direct.end(file.fileno(), left)
        file.write(b"".join(left))
    assert is_direct
    assert (directory / "file").read_bytes() == whole


@pytest.fixture
def on_disk(empty_db: Database) -> Iterator[Service]:
    """A store that is not in memory: beside this program, where that is on a disk."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as place:
        service = Service(empty_db, Path(place) / "objects")
        yield service
        service.close()


def is_in_memory(path: Path) -> bool:
    """Say whether the system holds the first mebibyte of a file; to read it would change that."""
    pages = (ctypes.c_ubyte * (MIB // mmap.PAGESIZE))()
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), MIB, flags=mmap.MAP_PRIVATE) as view:
        begin = ctypes.c_char.from_buffer(view)
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(begin)), MIB, pages) == 0
        del begin
    held = [page & 1 for page in pages]
    assert len(set(held)) == 1, f"{sum(held)} pages of {path} are in memory"
    return held[0] == 1


def test_what_is_read_stays_in_memory_and_not_what_is_written(on_disk: Service) -> None:
    ann, whole = on_disk.user(ANN), bytes_of(2 * MIB + 100)
    ann.put("box")
    assert ann.put("box/o", whole).status == 201
    cluster = on_disk.tools.cluster
    first = cluster.place("object", "AUTH_p1", "box", "o").primaries[0]

    def held() -> list[str]:
        return [
            device.name
            for device in on_disk.devices
            for path in on_disk.files()
            if path.is_relative_to(device.root) and is_in_memory(path)
        ]

    assert len(on_disk.files()) == 3
    if os.major(on_disk.directory.stat().st_dev) == 0:  # on no disk of its own
        pytest.skip("these files may lie in memory, or where none can be written past it")
    assert held() == []
    assert ann.get("box/o").body == whole
    assert held() == [first.name]
    for path in on_disk.files():
        assert path.read_bytes().startswith(whole)


def test_large_pieces_are_copied_once_for_all_disks(directory: Path) -> None:
    directory.mkdir()
    whole, files = bytes_of(MIB - 100), [directory / f"file{number}" for number in range(3)]
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(open(path, "wb", buffering=0)) for path in files]
        with direct.lent(whole) as lent:
            assert isinstance(lent, memoryview)
            left = [
                direct.write(one.fileno(), [lent]) for one in opened if direct.begin(one.fileno())
            ]
            assert [bytes(rest[0]) for rest in left] == [whole[-len(left[0][0]) :]] * 3
            size = MIB - 4096
            assert [path.read_bytes() for path in files] == [whole[:size]] * 3
    for odd in (b"x" * 4095, bytes(MIB + 1)):
        with direct.lent(odd) as lent:
            assert lent is odd


def test_a_disk_that_keeps_all_buffers_holds_up_no_other(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_PATIENCE_S", 0.001)
    with contextlib.ExitStack() as stack:
        lent = [stack.enter_context(direct.lent(bytes([n]) * 8192)) for n in range(9)]
        assert [bytes(one) for one in lent] == [bytes([n]) * 8192 for n in range(9)]


@pytest.mark.parametrize("sizes", [[MIB, 5], [300_000, 300_000, MIB - 600_000], [10, MIB]])
def test_what_was_lent_may_change_afterwards(service: Service, sizes: list[int]) -> None:
    whole, at, incoming = bytes_of(sum(sizes)), 0, service.devices[0].begin()
    for size in sizes:
        room = bytearray(whole[at : at + size])
        incoming.write(memoryview(room))
        room[:] = bytes(size)
        at += size
    incoming.write_out()
    one = Stored(name="/a/c/o", stamp="1.0", size=len(whole), etag="", content_type="")
    incoming.keep(0, "0" * 32, one)
    assert service.files()[0].read_bytes().startswith(whole)


def test_where_files_cannot_be_written_so_they_are_as_others(
    ann: User, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> int:
        raise OSError(errno.EINVAL, "there is no such thing")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    whole = bytes_of(MIB + 5)
    ann.put("box")
    assert ann.put("box/o", whole).status == 201
    assert ann.get("box/o").body == whole
    assert len(service.files()) == 3
