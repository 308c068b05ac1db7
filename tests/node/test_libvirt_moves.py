"""Guests on their way between hosts with libvirt: what is steered, and what is fetched."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cumulo.kit.errors import Unavailable
from cumulo.kit.units import MIB
from cumulo.node.api import GuestSpec, HostError
from cumulo.node.guest_files import GuestFiles, Record
from cumulo.node.moving import Arrival, Place

libvirt = pytest.importorskip("libvirt")
GUEST = "e5709297-957d-480f-af18-f50cc155b5bb"
NONE, UNDER_WAY, FAILED = 0, 2, 4  # kinds of jobs
Job = tuple[int, int]  # kind, and how many bytes are to be sent


class Sent:
    """A libvirt with one guest, whose job goes on each time that somebody looks."""

    def __init__(self, root: Path, jobs: list[Job], *, is_leaving: bool) -> None:
        self.root, self.owner, self.jobs = root, (0, 0), jobs
        self.stopped_at, self.aborted_at = list[Job](), list[Job]()
        self.spec = GuestSpec(id=GUEST, name="vm1", vcpus=1, memory_mib=64, root_gib=1)
        self.record = Record(spec=self.spec, is_leaving=is_leaving)

    @contextmanager
    def held(self, guest_id: str) -> Iterator[None]:
        yield

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

    def isActive(self) -> bool:  # noqa: N802 - libvirt's name
        return True

    def suspend(self) -> None:
        self.stopped_at.append(self.jobs[0])

    def abortJob(self) -> None:  # noqa: N802 - libvirt's name
        if self.jobs[0][0] == NONE:
            error = libvirt.libvirtError("no job is active on the domain")
            error.err = (libvirt.VIR_ERR_OPERATION_INVALID, *[None] * 8)
            raise error
        self.aborted_at.append(self.jobs[0])


Moves = Callable[[Sent], Any]


@pytest.fixture
def moves_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Moves:
    """Return what moves the guest of such a libvirt."""
    from cumulo.node.drivers import libvirt_moves

    monkeypatch.setattr(libvirt_moves, "_POLL_S", 0.0)
    monkeypatch.setattr(libvirt_moves, "_BEGINS_WITHIN_S", 0.05)
    return lambda sent: libvirt_moves.LibvirtMoves(sent, lambda place: sent, tmp_path)  # type: ignore[arg-type, return-value]


@pytest.fixture
def hurried(tmp_path: Path, moves_of: Moves) -> Callable[..., Sent]:
    """Hurries a guest with such jobs, and returns what became of it."""

    def hurry(*jobs: Job, is_leaving: bool = True) -> Sent:
        sent = Sent(tmp_path, list(jobs), is_leaving=is_leaving)
        moves_of(sent).hurry_guest(GUEST)
        return sent

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


def test_what_is_called_back_early_is_aborted_once_there_is_something_to_abort(
    tmp_path: Path, moves_of: Moves
) -> None:
    going = (UNDER_WAY, 4096)
    sent = Sent(tmp_path, [(NONE, 0), (NONE, 0), going], is_leaving=True)
    moves_of(sent).call_back_guest(GUEST)
    assert sent.aborted_at == [going]


def test_what_is_called_back_before_it_is_sent_is_not_sent(tmp_path: Path, moves_of: Moves) -> None:
    sent = Sent(tmp_path, [(NONE, 0)], is_leaving=False)
    GuestFiles(tmp_path, GUEST).make((os.getuid(), os.getgid()))
    moves, there = moves_of(sent), Place(name="rack2", address="192.0.2.2", port=1)
    moves.call_back_guest(GUEST)
    with pytest.raises(HostError, match="called back"):
        moves.send_guest(GUEST, there, Arrival(guest="/there", cache="/cache"))
    assert GuestFiles(tmp_path, GUEST).record() == sent.record  # it stays
    moves.offer_guest(GUEST, "rack2")
    sent.isActive = lambda: False  # type: ignore[method-assign]
    with pytest.raises(HostError, match="does not run"):  # from here on it may be sent again
        moves.send_guest(GUEST, there, Arrival(guest="/there", cache="/cache"))


def test_zeros_of_a_disk_do_not_travel(tmp_path: Path) -> None:
    from cumulo.node.drivers import libvirt_moves

    files = GuestFiles(tmp_path, GUEST)
    files.make((os.getuid(), os.getgid()))
    spec = GuestSpec(id=GUEST, name="vm1", vcpus=1, memory_mib=64, root_gib=1)
    files.remember(Record(spec=spec, offered_to="rack2"))
    disk, size = b"begin" + bytes(9 * MIB) + b"end", 9 * MIB + 8
    (files.directory / "config.iso").write_bytes(disk)
    hypervisor: Any = Sent(tmp_path, [(NONE, 0)], is_leaving=False)
    view = libvirt_moves.PeerView(hypervisor, tmp_path, "rack2")
    told = [view.read_file(GUEST, "config.iso", at * 4 * MIB, 4 * MIB) for at in range(3)]
    assert [len(piece) for piece in told] == [4 * MIB, 0, size - 8 * MIB]
    assert b"".join(libvirt_moves._pieces(view, GUEST, "config.iso", size)) == disk
