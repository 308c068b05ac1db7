"""Console logs stay short, whatever the guest writes, and lead nowhere."""

import os
from pathlib import Path

import pytest

from cumulo.node import consoles

OWNER = (os.geteuid(), os.getegid())


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    consoles.start(log, OWNER)
    log.write_bytes(b"one\ntwo\n")
    consoles.trim(log)
    assert consoles.read(log) == b"one\ntwo\n"


def test_a_long_log_is_cut_while_its_writer_appends(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    consoles.start(log, OWNER)
    with log.open("ab", buffering=0) as guest:
        for line in range(10):
            guest.write(b"%d" % line * consoles.LIMIT)
            consoles.trim(log)
            guest.write(b"\nline %d\n" % line)
    kept = consoles.read(log)
    assert kept.endswith(b"\nline 9\n")
    assert len(kept) <= 2 * consoles.LIMIT
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * consoles.LIMIT + 100


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    consoles.trim(tmp_path / "none")
    assert consoles.read(tmp_path / "none") == b""


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret, log = tmp_path / "secret", tmp_path / "console.log"
    secret.write_bytes(b"x" * 2 * consoles.LIMIT)
    log.symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        consoles.read(log)
    with pytest.raises(OSError, match="symbolic"):
        consoles.start(log, OWNER)
    consoles.trim(log)
    assert secret.stat().st_size == 2 * consoles.LIMIT


@pytest.mark.parametrize(
    ("lines", "last"), [(None, b"a\nb\nc"), (2, b"b\nc"), (9, b"a\nb\nc"), (0, b""), (-1, b"")]
)
def test_the_last_lines(lines: int | None, last: bytes) -> None:
    assert consoles.last_lines(b"a\nb\nc", lines) == last
