"""In which order a file's bytes and its name get to the disk."""

import errno
import os
import threading
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from cumulo.kit.clock import CLOCK
from cumulo.services.objectstore.drivers import file_syncs, journals
from cumulo.services.objectstore.drivers.base import DeviceFailed, State, Steps, Stored
from cumulo.services.objectstore.drivers.connections import Connections
from cumulo.services.objectstore.drivers.disk import DiskDevice
from tests.waiting import eventually

KEY = "0123456789abcdef0123456789abcdef"
MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
35 22 8:17 /srv /srv\040here rw - xfs /dev/sdb1 rw,attr2
36 22 0:40 / /tmp rw shared:5 master:2 - tmpfs tmpfs rw
37 22 8:33 / /old rw - ext2 /dev/sdc1 rw
38 22 8:49 / /plain rw - ext4 /dev/sdd1 rw
39 22 8:65 / /hidden rw - ext4 /dev/sde1 rw
"""


@pytest.fixture(autouse=True)
def _without_aio(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each file synced by a call that can be watched."""
    monkeypatch.setattr(file_syncs, "_library", lambda: None)


@pytest.fixture
def device(directory: Path) -> DiskDevice:
    device = DiskDevice("d1", directory / "d1", Connections())
    device.prepare()
    return device


def stored(stamp: str, body: bytes) -> Stored:
    return Stored(
        name="/a/c/o",
        stamp=stamp,
        size=len(body),
        etag="e",
        content_type="t",
        blocks=zlib.crc32(body).to_bytes(4, "big"),
    )


def put(device: DiskDevice, stamp: str, *, at_once: bool, body: bytes = b"bytes") -> None:
    one = stored(stamp, body)
    if at_once:
        journals.alone(device.put(5, KEY, [body], one))
        return
    incoming = device.begin()
    try:
        incoming.write(body)
        incoming.keep(5, KEY, one)
    finally:
        incoming.discard()


ways = pytest.mark.parametrize("at_once", [True, False])


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have written down what is done, and to what."""
    said, steps = list[str](), dict[str, object](begin_to_write=journals, write_out=journals)
    steps |= dict.fromkeys(("fsync", "rename", "link", "unlink"), os)

    def watch(where: object, step: str) -> None:
        real = getattr(where, step)

        def call(what: int | str, *rest: object, **more: object) -> object:
            path = what if isinstance(what, str) else os.readlink(f"/proc/self/fd/{what}")
            kind = "directory" if os.path.isdir(path) else "file"
            said.append(f"{'name' if step in ('link', 'rename') else step} {kind}")
            return real(what, *rest, **more)

        monkeypatch.setattr(where, step, call)

    for step, where in steps.items():
        watch(where, step)
    return said


@ways
def test_a_name_goes_to_the_disk_with_its_file_after_the_bytes(
    device: DiskDevice, monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    monkeypatch.setattr(journals, "is_ordered", lambda _: True)
    put(device, "1.0", at_once=at_once)
    said = watched(monkeypatch)
    put(device, "2.0", at_once=at_once)
    assert said == ["write_out file", "name file", "fsync file", "unlink file"]


@ways
def test_elsewhere_it_goes_with_its_directory_after_the_file(
    device: DiskDevice, monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    monkeypatch.setattr(journals, "is_ordered", lambda _: False)
    said = watched(monkeypatch)
    put(device, "1.0", at_once=at_once)
    # The object's own, and those in which it and its partition are new.
    assert said == ["fsync file", "name file", *["fsync directory"] * 3]
    said.clear()
    put(device, "2.0", at_once=at_once)
    assert said == ["fsync file", "name file", "fsync directory", "unlink file"]


@ways
@pytest.mark.parametrize("is_ordered", [True, False])
def test_what_did_not_reach_the_disk_has_no_name(
    device: DiskDevice, monkeypatch: pytest.MonkeyPatch, *, is_ordered: bool, at_once: bool
) -> None:
    monkeypatch.setattr(journals, "is_ordered", lambda _: is_ordered)
    put(device, "1.0", at_once=at_once)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "it is broken")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(DeviceFailed):
            put(device, "2.0", at_once=at_once)
    assert device.state(5, KEY) == State("1.0")
    assert not os.listdir(f"{device.root}/incoming")


@pytest.fixture
def devices(directory: Path, monkeypatch: pytest.MonkeyPatch) -> list[DiskDevice]:
    """Three on one disk, whose file system has a log."""
    monkeypatch.setattr(journals, "is_ordered", lambda _: True)
    monkeypatch.setattr(journals, "is_logged", lambda _: True)
    made = [DiskDevice(f"d{n}", directory / f"d{n}", Connections()) for n in range(3)]
    for device in made:
        device.prepare()
    return made


def put_on(devices: list[DiskDevice]) -> dict[str, DeviceFailed]:
    one = stored("1.0", b"bytes")
    return journals.together(
        {device.name: device.put(5, KEY, [b"bytes"], one) for device in devices}
    )


def test_one_sync_does_for_what_was_named_before(
    devices: list[DiskDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len({device.disk for device in devices}) == 1
    said = watched(monkeypatch)
    assert put_on(devices) == {}
    begun = ["begin_to_write file"] * 3
    assert said == [*begun, *["write_out file", "name file"] * 3, "fsync file"]
    assert [device.state(5, KEY) for device in devices] == [State("1.0")] * 3


def test_without_a_log_each_file_is_synced_by_itself(
    devices: list[DiskDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "is_logged", lambda _: False)
    assert len({device.disk for device in devices}) == 1
    bad, real = str(devices[1].root), os.fsync

    def fsync(file: int) -> None:
        if bad in os.readlink(f"/proc/self/fd/{file}"):
            raise OSError(errno.EIO, "it is broken")
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    said = watched(monkeypatch)
    assert put_on(devices).keys() == {"d1"}
    assert said.count("fsync file") == 3
    assert [device.state(5, KEY).data for device in devices] == ["1.0", "", "1.0"]


def test_what_one_sync_did_not_do_none_has(
    devices: list[DiskDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "it is broken")

    monkeypatch.setattr(os, "fsync", fail)
    assert put_on(devices).keys() == {"d0", "d1", "d2"}
    assert [device.state(5, KEY) for device in devices] == [State()] * 3


@pytest.mark.parametrize("bad", [0, 2])
def test_a_device_that_cannot_write_keeps_no_other_from_it(
    devices: list[DiskDevice], monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    real, calls = journals.write_out, list[int]()

    def write_out(file: int) -> None:
        calls.append(file)
        if len(calls) == bad + 1:
            raise OSError(errno.EIO, "it is broken")
        real(file)

    monkeypatch.setattr(journals, "write_out", write_out)
    said = watched(monkeypatch)
    assert put_on(devices).keys() == {f"d{bad}"}
    assert said[-1] == "fsync file"
    assert [device.state(5, KEY).data for device in devices].count("1.0") == 2


class Syncs:
    """Of which the first waits until it is let go; what is done at each is written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began, self.go, self.count = threading.Event(), threading.Event(), 0
        monkeypatch.setattr(os, "fsync", self._sync)

    def _sync(self, _: int) -> None:
        self.count += 1
        self.began.set()
        assert self.go.wait(20)


class Writers:
    """Threads that each write an object in a partition of its own, and wait for each other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, device: DiskDevice) -> None:
        self.syncs, self.commits = Syncs(monkeypatch), journals.GroupCommits()
        self._device, self._pool = device, ThreadPoolExecutor(8)

    def begin(self, part: int) -> Future[dict[str, DeviceFailed]]:
        """Begin one, and return once it is under way or waits for one that is."""
        waiting = self.commits.waiting("log")
        waits = self.syncs.began.is_set() and not self.syncs.go.is_set()
        steps = {"d": self._device.put(part, KEY, [b"bytes"], stored("1.0", b"bytes"))}
        future = self._pool.submit(self.commits.carry_out, "log", steps)
        if waits:
            eventually(lambda: self.commits.waiting("log") > waiting)
        assert self.syncs.began.wait(20)
        return future


@pytest.fixture
def writers(devices: list[DiskDevice], monkeypatch: pytest.MonkeyPatch) -> Writers:
    return Writers(monkeypatch, devices[0])


def test_writes_of_many_threads_are_synced_at_once(
    devices: list[DiskDevice], writers: Writers
) -> None:
    found = [writers.begin(part) for part in range(5)]
    assert not any(devices[0].state(part, KEY).data for part in range(1, 5))
    assert writers.syncs.count == 1
    writers.syncs.go.set()
    assert [one.result(20) for one in found] == [{}] * 5
    assert writers.syncs.count == 2
    assert all(devices[0].state(part, KEY).data for part in range(5))


def test_a_write_that_fails_fails_no_other_thread_s(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, real = 2, journals.write_out

    def write_out(file: int) -> None:
        if f"/objects/{bad}/" in os.readlink(f"/proc/self/fd/{file}"):
            raise OSError(errno.EIO, "it is broken")
        real(file)

    monkeypatch.setattr(journals, "write_out", write_out)
    found = [writers.begin(part) for part in range(4)]
    writers.syncs.go.set()
    failed = [bool(one.result(20)) for one in found]
    assert failed == [part == bad for part in range(4)]


def test_what_breaks_down_is_said_to_all_whose_writes_it_had(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = journals.together

    def together(steps: dict[object, Steps]) -> dict[object, DeviceFailed]:
        if len(steps) > 1:
            raise RuntimeError("a bug")
        return real(steps)

    monkeypatch.setattr(journals, "together", together)
    first, leader, other = [writers.begin(part) for part in range(3)]
    writers.syncs.go.set()
    assert first.result(20) == {}
    with pytest.raises(RuntimeError):
        leader.result(20)
    with pytest.raises(DeviceFailed):
        other.result(20)
    assert writers.begin(7).result(20) == {}


def test_a_file_without_a_name_takes_the_place_of_one_that_has_it(
    device: DiskDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "is_ordered", lambda _: True)
    said = watched(monkeypatch)
    put(device, "1.0", at_once=True, body=b"broken")
    put(device, "1.0", at_once=True, body=b"mended")
    assert device.open(5, KEY).block(0) == b"mended"
    assert said.count("name file") == 4  # its first, which was taken; one beside, and its own
    assert not os.listdir(f"{device.root}/incoming")


def test_where_every_file_has_a_name_one_that_comes_in_has(
    device: DiskDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(path: str, flags: int, *mode: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "there is no such thing")
        return real(path, flags, *mode)

    monkeypatch.setattr(journals, "is_ordered", lambda _: True)
    monkeypatch.setattr(os, "open", refuse)
    said = watched(monkeypatch)
    put(device, "1.0", at_once=True)
    assert "name file" in said
    assert device.open(5, KEY).block(0) == b"bytes"
    assert not os.listdir(f"{device.root}/incoming")


@pytest.mark.parametrize(
    ("number", "is_ordered", "is_logged"),
    [
        ((8, 1), True, True),
        ((8, 17), True, True),
        ((0, 40), False, False),
        ((8, 33), False, False),
        ((8, 49), True, False),
        ((8, 65), True, False),
        ((9, 9), False, False),
    ],
)
def test_file_systems_are_known_by_their_mounts(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: tuple[int, int],
    *,
    is_ordered: bool,
    is_logged: bool,
) -> None:
    directory.mkdir()
    path = directory / "mountinfo"
    path.write_text(MOUNTS.lstrip())
    monkeypatch.setattr(journals, "_MOUNTS", path)
    monkeypatch.setattr(journals, "_SYSTEM", str(directory))
    for device, name, journal in (("8:1", "sda1", "412"), ("8:49", "sdd1", "<none>")):
        (directory / "dev/block").mkdir(parents=True, exist_ok=True)
        (directory / "dev/block" / device).symlink_to(f"../../devices/sd/{name}")
        (directory / "fs/ext4" / name).mkdir(parents=True)
        (directory / "fs/ext4" / name / "journal_task").write_text(f"{journal}\n")
    monkeypatch.setattr(journals, "_TYPES", journals._Types())
    disk = os.makedev(*number)
    with CLOCK.held() as time:
        assert (journals.is_ordered(disk), journals.is_logged(disk)) == (is_ordered, is_logged)
        path.write_text("")  # what is mounted is looked up again after a while
        assert journals.is_ordered(disk) == is_ordered
        time.move(10)
        assert not journals.is_ordered(disk)


def test_bytes_that_cannot_be_written_are_noticed() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(OSError, match="seek"):
            journals.write_out(writer)
    finally:
        os.close(reader)
        os.close(writer)
