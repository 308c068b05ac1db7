"""Reading without waiting."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.kit import patience
from cumulo.kit.patience import WouldWait


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    opened = patience.open_to_read(str(path))
    yield opened
    os.close(opened)


def test_a_hurry_is_over_with_its_block_and_is_one_threads_own() -> None:
    seen = list[bool]()
    with patience.hurry():
        other = threading.Thread(target=lambda: seen.append(patience.is_hurried()))
        other.start()
        other.join()
        with pytest.raises(WouldWait):
            patience.check()
    patience.check()
    assert seen == [False]


def test_what_is_in_memory_is_read(tmp_path: Path, file: int) -> None:
    with patience.hurry():
        again = patience.open_to_read(str(tmp_path / "file"))
        assert patience.read(again, 4, 3) == b"3456"
        assert patience.read(again, 100, 8) == b"89"
        assert patience.read(again, 100, 10) == b""
        os.close(again)
        with pytest.raises((FileNotFoundError, WouldWait)):
            patience.open_to_read(str(tmp_path / "nowhere"))
    assert patience.read(file, 100, 8) == b"89"


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EOPNOTSUPP])
def test_what_is_not_in_memory_is_waited_for(
    file: int, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, "not now")

    monkeypatch.setattr(os, "preadv", refuse)
    with patience.hurry(), pytest.raises(WouldWait):
        patience.read(file, 4, 0)


def test_a_part_that_is_in_memory_is_not_taken_for_all(
    file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "preadv", lambda *_: 4)
    with patience.hurry(), pytest.raises(WouldWait):
        patience.read(file, 100, 0)


def test_a_lock_that_is_held_is_waited_for() -> None:
    lock = threading.Lock()
    with patience.hurry():
        patience.acquire(lock)
        with pytest.raises(WouldWait):
            patience.acquire(lock)
    lock.release()
    patience.acquire(lock)
    assert lock.locked()
