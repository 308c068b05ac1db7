"""What was acknowledged stays, whatever is lost, broken or killed."""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cumulo.db import Database
from cumulo.services.objectstore import reconcile
from cumulo.services.objectstore.drivers import disk, journals
from cumulo.services.objectstore.drivers.base import DeviceFailed, Steps
from cumulo.services.objectstore.drivers.incoming import IncomingFile
from tests.objectstore.service import ANN, MIB, Service, User


@pytest.fixture(autouse=True)
def container(ann: User) -> None:
    ann.filled("box")


def copies(service: Service) -> int:
    return len(service.files())


def test_every_object_lies_on_three_devices(ann: User, service: Service) -> None:
    ann.filled("box/o")
    assert len({path.parts[-5] for path in service.files()}) == 3
    assert len({path.read_bytes() for path in service.files()}) == 1


def test_a_lost_device_is_filled_again(ann: User, service: Service) -> None:
    names = [f"o{number}" for number in range(12)]
    ann.filled(*(f"box/{name}" for name in names))
    lost = service.lose(0)
    for name in names:
        assert ann.get(f"box/{name}").body == f"box/{name}".encode()
    assert ann.names("box") == sorted(names)
    ann.filled("box/meanwhile", "new", "new/o")
    assert ann.delete("box/o0").status == 204
    service.mend()
    Path(lost.root).mkdir()
    service.mend()
    assert copies(service) == 3 * (len(names) + 1)
    others = {device.name for device in service.devices} - {lost.name}
    for name in [*others][:1]:
        service.lose(int(name[1:]) - 1)
    assert ann.names("box") == sorted({*names, "meanwhile"} - {"o0"})
    assert ann.names("new") == ["o"]
    assert ann.get("box/meanwhile").status == 200
    assert ann.get("box/o0").status == 404


def test_stand_ins_give_back_what_they_held(ann: User, service: Service) -> None:
    lost = service.lose(0)
    ann.filled(*(f"box/o{number}" for number in range(8)))
    assert copies(service) == 24
    lost.prepare()
    service.mend()
    ring = service.tools.cluster.rings["object"]
    for path in service.files():
        part, name = int(path.parts[-3]), path.parts[-5]
        assert name in {one.device for one in ring.primaries(part)}
    assert copies(service) == 24


def test_two_of_three_devices_must_be_there_to_write(ann: User, service: Service) -> None:
    ann.filled("box/o")
    for number in range(3):
        service.lose(number)
    for _ in range(2):
        assert ann.put("box/o", b"new").status == 503
        assert ann.delete("box/o").status == 503
    assert not list(service.directory.glob("d*/incoming/*"))
    service.lose(3)
    assert ann.get("box/o").status == 503


def test_deletions_reach_devices_that_missed_them(ann: User, service: Service) -> None:
    ann.filled("box/o")
    held = Path(service.files()[0])
    device = next(one for one in service.devices if held.is_relative_to(one.root))
    kept = service.directory / "kept"
    shutil.move(device.root, kept)
    assert ann.delete("box/o").status == 204
    shutil.move(kept, device.root)
    assert ann.get("box/o").status == 404
    service.mend()
    assert copies(service) == 0
    assert ann.names("box") == []


def rot(path: Path, at: int = 5) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_rot_never_reaches_a_reader(ann: User, service: Service) -> None:
    body = os.urandom(2 * MIB + 7)
    ann.put("box/o", body)
    rot(service.files()[0], MIB + 5)
    rot(service.files()[1], 5)
    assert ann.get("box/o").body == body
    assert ann.get("box/o", range=f"bytes={MIB}-{MIB + 9}").body == body[MIB : MIB + 10]
    reconcile.audit(service.tools)
    service.mend()
    assert copies(service) == 3
    assert len({path.read_bytes() for path in service.files()}) == 1
    assert sum(device.quarantined() for device in service.devices) == 2


@pytest.mark.parametrize("at", [-1, -10, -60])
def test_what_is_known_of_an_object_may_rot_too(ann: User, service: Service, at: int) -> None:
    ann.put("box/o", b"bytes", x_object_meta_a="1")
    for path in service.files()[:2]:
        rot(path, at)
    assert ann.get("box/o").headers["x-object-meta-a"] == "1"
    service.mend()
    assert copies(service) == 3


def test_a_file_that_was_cut_is_put_aside(ann: User, service: Service) -> None:
    ann.put("box/o", b"bytes" * 1000)
    path = service.files()[0]
    path.write_bytes(path.read_bytes()[:2000])
    reconcile.audit(service.tools)
    assert copies(service) == 3
    assert ann.get("box/o").body == b"bytes" * 1000


def test_a_broken_listing_is_rebuilt_from_the_others(ann: User, service: Service) -> None:
    ann.filled("box/a", "box/b")
    first = sorted(service.directory.glob("d*/container/*/*.db"))[0]
    for end in ("-wal", "-shm"):
        Path(f"{first}{end}").unlink(missing_ok=True)
    first.write_bytes(b"not a database" * 1000)
    for device in service.devices:
        device._connections.close()
    assert ann.names("box") == ["a", "b"]
    assert ann.put("box/c", b"x").status == 201
    assert ann.names("box") == ["a", "b", "c"]


def test_a_row_that_was_lost_comes_back(ann: User, service: Service) -> None:
    ann.filled("box/o")
    cluster = service.tools.cluster
    place = cluster.place("container", "AUTH_p1", "box")
    for device in place.primaries:
        with device.index("container", place.part, place.key)._writing() as db:  # type: ignore[attr-defined]
            db.execute("DELETE FROM item")
    assert ann.names("box") == []
    reconcile.audit(service.tools)
    assert ann.names("box") == ["o"]


class Killed(BaseException):
    """What a power cut is to a program: it just ends."""


STEPS: dict[str, tuple[object, str]] = {
    "open": (os, "open"),
    "write": (os, "write"),
    "fsync": (os, "fsync"),
    "mkdir": (os, "mkdir"),
    "write_out": (journals, "write_out"),
    "rename": (os, "rename"),
    "link": (os, "link"),
    "unlink": (os, "unlink"),
}


LATER = pytest.mark.walk  # the first of its kind breaks what the others break


@pytest.mark.parametrize("times", [100_000, pytest.param(10, marks=LATER)], ids=["large", "small"])
@pytest.mark.parametrize("after", [0, pytest.param(1, marks=LATER), pytest.param(2, marks=LATER)])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("is_ordered", [True, pytest.param(False, marks=LATER)])
def test_killed_at_each_step_of_a_write(
    step: str,
    after: int,
    times: int,
    directory: Path,
    empty_db: Database,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_ordered: bool,
) -> None:
    """The old object or the new one, whole, and after mending three of it."""
    monkeypatch.setattr(journals, "is_ordered", lambda _: is_ordered)
    old, new = b"old" * times, b"new" * times
    service = Service(empty_db, directory / "killed")
    ann = service.user(ANN)
    ann.filled("box")
    ann.put("box/o", old)
    where, name = STEPS[step]
    with monkeypatch.context() as patch:
        patch.setattr(where, name, dies(getattr(where, name), after))
        with contextlib.suppress(Killed):
            ann.put("box/o", new)
    service.close()
    again = Service(empty_db, directory / "killed")
    ann = again.user(ANN)
    body = ann.get("box/o").body
    assert body in (old, new)
    again.mend()
    assert ann.get("box/o").body == body
    assert len(again.files()) == 3
    again.close()


def dies(real: Callable[..., object], after: int) -> Callable[..., object]:
    """Return a call that ends the program after some times, and whatever follows."""
    left = [after]

    def call(*args: object, **more: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return real(*args, **more)

    return call


def test_a_device_that_is_full_or_fails_is_stood_in_for(
    ann: User, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = service.devices[1]
    real, put = disk.DiskDevice.begin, disk.DiskDevice.put

    def begin(device: disk.DiskDevice) -> IncomingFile:
        if device is bad:
            raise DeviceFailed("no space left")
        return real(device)

    def put_at_once(device: disk.DiskDevice, *args: Any) -> Steps:
        if device is bad:
            raise DeviceFailed("no space left")
        yield from put(device, *args)

    monkeypatch.setattr(disk.DiskDevice, "begin", begin)
    monkeypatch.setattr(disk.DiskDevice, "put", put_at_once)
    ann.filled(*(f"box/o{number}" for number in range(6)))
    assert ann.put("box/large", bytes(MIB)).status == 201
    assert copies(service) == 21
    assert not [path for path in service.files() if path.is_relative_to(bad.root)]


def test_a_device_that_cannot_keep_a_small_object_is_stood_in_for(
    ann: User, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, real = service.devices[1], disk.DiskDevice.settle

    def settle(device: disk.DiskDevice, *args: Any) -> Steps:
        if device is bad:
            raise OSError(errno.EIO, "it is broken")
        yield from real(device, *args)

    monkeypatch.setattr(disk.DiskDevice, "settle", settle)
    ann.filled(*(f"box/o{number}" for number in range(6)))
    assert copies(service) == 18
    assert not list(service.directory.glob("d*/incoming/*"))
    assert not [path for path in service.files() if path.is_relative_to(bad.root)]


@pytest.mark.parametrize("is_ordered", [True, False])
@pytest.mark.parametrize("size", [4096, MIB])
def test_writes_are_grouped_only_where_one_disk_takes_them(
    ann: User,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    *,
    is_ordered: bool,
) -> None:
    cluster, grouped = service.tools.cluster, list[str]()
    real = cluster.commits.carry_out

    def carry_out(disk: str, steps: Any) -> Any:
        grouped.append(disk)
        return real(disk, steps)

    monkeypatch.setattr(journals, "is_ordered", lambda _: is_ordered)
    monkeypatch.setattr(cluster.commits, "carry_out", carry_out)
    ann.put("box/alone", bytes(size))
    assert len(grouped) == is_ordered
    cluster.writing.add("another")
    assert ann.put("box/crowded", bytes(size)).status == 201
    assert len(grouped) == 2 * is_ordered
    assert copies(service) == 6
