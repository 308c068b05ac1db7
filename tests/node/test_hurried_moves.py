"""A guest on its way is stopped once it is really on its way, or it would stay stopped there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cumulo.kit.errors import Unavailable
from cumulo.node.api import GuestSpec
from cumulo.node.guest_files import GuestFiles, Record

pytest.importorskip("libvirt")
GUEST = "e5709297-957d-480f-af18-f50cc155b5bb"
NONE, UNDER_WAY, FAILED = 0, 2, 4  # kinds of jobs
Job = tuple[int, int]  # kind, and how many bytes are to be sent


class Sent:
    """A libvirt with one guest, whose job goes on each time that somebody looks."""

    def __init__(self, root: Path, jobs: list[Job], *, is_leaving: bool) -> None:
        self.root, self.owner, self.jobs, self.stopped_at = root, (0, 0), jobs, list[Job]()
        self.spec = GuestSpec(id=GUEST, name="vm1", vcpus=1, memory_mib=64, root_gib=1)
        self.record = Record(spec=self.spec, is_leaving=is_leaving)

    @contextmanager
    def connected(self) -> Iterator["Sent"]:
        yield self

    def remembered(self, guest_id: str) -> tuple[GuestFiles, Record]:
        return GuestFiles(self.root, guest_id), self.record

    def lookupByUUIDString(self, guest_id: str) -> "Sent":  # noqa: N802 - libvirt's name
        return self

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's name
        return GUEST

    def jobInfo(self) -> list[int]:  # noqa: N802 - libvirt's name
        kind, total = self.jobs[0]
        if len(self.jobs) > 1:
            self.jobs.pop(0)
        return [kind, 0, 0, total, *[0] * 8]

    def suspend(self) -> None:
        self.stopped_at.append(self.jobs[0])


@pytest.fixture
def hurried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sent]:
    """Hurries a guest with such jobs, and returns what became of it."""
    from cumulo.node.drivers import libvirt_moves

    monkeypatch.setattr(libvirt_moves, "_POLL_S", 0.0)
    monkeypatch.setattr(libvirt_moves, "_BEGINS_WITHIN_S", 0.05)

    def hurry(*jobs: Job, is_leaving: bool = True) -> Sent:
        sent: Any = Sent(tmp_path, list(jobs), is_leaving=is_leaving)
        libvirt_moves.LibvirtMoves(sent, lambda place: sent, tmp_path).hurry_guest(GUEST)
        return sent  # type: ignore[no-any-return]

    return hurry


def test_it_is_stopped_once_it_is_on_its_way(hurried: Callable[..., Sent]) -> None:
    going = (UNDER_WAY, 4096)
    sent = hurried((NONE, 0), (NONE, 0), (UNDER_WAY, 0), (UNDER_WAY, 0), going)
    assert sent.stopped_at == [going]


def test_what_is_not_sent_is_left_alone(hurried: Callable[..., Sent]) -> None:
    assert hurried((NONE, 0), is_leaving=False).stopped_at == []
    assert hurried((NONE, 0), (FAILED, 0)).stopped_at == []


def test_what_does_not_begin_is_told_again_later(hurried: Callable[..., Sent]) -> None:
    with pytest.raises(Unavailable, match="not on its way yet"):
        hurried((UNDER_WAY, 0))
