"""Several files are synced at once, and each one's failure is its own."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cumulo.services.objectstore.drivers import file_syncs
from cumulo.services.objectstore.drivers.file_syncs import FileSyncs


@pytest.fixture(params=["at once", "in turn"])
def syncs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FileSyncs:
    if request.param == "in turn":
        monkeypatch.setattr(file_syncs, "_library", lambda: None)
    elif file_syncs._library() is None:
        pytest.skip("libaio is not installed")
    return FileSyncs()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[int]]:
    flags = os.O_CREAT | os.O_WRONLY
    opened = [os.open(tmp_path / str(number), flags) for number in range(150)]
    for file in opened:
        os.write(file, b"bytes")
    yield opened
    for file in opened:
        os.close(file)


@pytest.mark.parametrize("count", [0, 1, 2, 64, 65, 150])
def test_files_are_synced(syncs: FileSyncs, files: list[int], count: int) -> None:
    for _ in range(3):
        assert syncs.sync(files[:count]) == {}


def test_what_cannot_be_synced_keeps_no_other_from_it(syncs: FileSyncs, files: list[int]) -> None:
    pipe, end = os.pipe()  # of which nothing can be on a disk
    for some in ([pipe, *files[:3]], [files[0], pipe, files[1]], [*files[:3], pipe]):
        failed = syncs.sync(some)
        assert {file: error.errno for file, error in failed.items()} == {pipe: errno.EINVAL}
    os.close(pipe)
    os.close(end)


def test_threads_do_not_take_each_others_answers(syncs: FileSyncs, files: list[int]) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda n: syncs.sync(files[n : n + 20]), range(120)))
    assert found == [{}] * 120


def test_a_sync_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, files: list[int]) -> None:
    """The system's answers are made up: no file here fails to be synced."""

    class Library:
        def io_setup(self, *_: object) -> int:
            return 0

        def io_submit(self, _: object, count: int, __: object) -> int:
            return count

        def io_getevents(
            self, _: object, least: int, __: int, events: "list[file_syncs._Event]", ___: object
        ) -> int:
            for number in range(least):
                events[number].data = number
                events[number].result = -errno.EIO if number == 1 else 0
            return least

    monkeypatch.setattr(file_syncs, "_library", Library)
    failed = FileSyncs().sync(files[:3])
    assert {file: error.errno for file, error in failed.items()} == {files[1]: errno.EIO}


def test_where_the_system_has_no_more_room_files_are_synced_in_turn(
    monkeypatch: pytest.MonkeyPatch, files: list[int]
) -> None:
    class Library:
        def io_setup(self, *_: object) -> int:
            return -errno.EAGAIN

    synced = list[int]()
    monkeypatch.setattr(file_syncs, "_library", Library)
    monkeypatch.setattr(os, "fsync", synced.append)
    assert FileSyncs().sync(files[:3]) == {}
    assert synced == files[:3]
