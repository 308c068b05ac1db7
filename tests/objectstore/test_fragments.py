"""Fragments outlast what breaks: devices, bytes and whoever writes them."""

import contextlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest

from cumulo.db import Database
from cumulo.services.objectstore import mending, reconcile, ring_files
from cumulo.services.objectstore.drivers import disk, journals
from cumulo.services.objectstore.drivers.base import DeviceFailed, Steps
from cumulo.services.objectstore.drivers.disk import DiskDevice
from cumulo.services.objectstore.drivers.incoming import IncomingFile
from cumulo.services.objectstore.drivers.object_files import OpenedFile
from tests.objectstore.coded import (
    CODED,
    SEGMENT,
    away,
    back,
    device_of,
    fragments,
    rot,
)
from tests.objectstore.coded import ann as ann
from tests.objectstore.coded import service as service
from tests.objectstore.service import ANN, MIB, Service, User
from tests.objectstore.test_durability import Killed, dies


def test_what_is_not_durable_was_never_written(ann: User, service: Service) -> None:
    ann.put("box/o", b"old" * SEGMENT)
    before = fragments(service)
    ann.put("box/o", b"new" * SEGMENT)
    for path in fragments(service):
        path.rename(path.with_suffix(".part"))
    assert ann.get("box/o").status == 404
    assert before
    one = fragments(service, "part")[3]
    one.rename(one.with_suffix(".data"))
    assert ann.get("box/o").body == b"new" * SEGMENT
    service.mend()
    assert (len(fragments(service)), fragments(service, "part")) == (6, [])


def test_rot_never_reaches_a_reader(ann: User, service: Service) -> None:
    body = os.urandom(3 * SEGMENT + 5)
    ann.put("box/o", body)
    whole = {path.name: path.read_bytes() for path in fragments(service)}
    found = fragments(service)
    rot(found[0])
    rot(found[1], -10)
    assert ann.get("box/o").body == body
    reconcile.audit(service.tools)
    service.mend()
    rot(found[4], 20_000)
    found[5].write_bytes(found[5].read_bytes()[:2000])
    assert ann.get("box/o").body == body
    reconcile.audit(service.tools)
    service.mend()
    assert {path.name: path.read_bytes() for path in fragments(service)} == whole
    assert sum(device.quarantined() for device in service.devices) == 4


def test_a_new_device_is_filled(ann: User, service: Service) -> None:
    bodies = {f"o{number}": os.urandom(number * 30_000) for number in range(8)}
    for name, body in bodies.items():
        ann.put(f"box/{name}", body, x_object_meta_a=name)
    whole = {path: path.read_bytes() for path in fragments(service)}
    for number in (0, 1):
        service.lose(number)
    service.mend()
    for number in (0, 1):
        Path(service.devices[number].root).mkdir()
    service.mend()
    assert {path: path.read_bytes() for path in fragments(service)} == whole
    ann.post("box/o1", x_object_meta_a="later")
    [lost, *_] = (device_of(path) for path in service.directory.glob("d[5-8]/*/*/*/*.meta"))
    service.lose(int(lost.name[1:]) - 1)
    service.mend()
    lost.mkdir()
    service.mend()
    assert len(list(service.directory.glob("d*/objects-1/*/*/*.meta"))) == 6
    service.lose(2)
    service.lose(3)
    for name, body in bodies.items():
        answer = ann.get(f"box/{name}")
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["x-object-meta-a"] == ("later" if name == "o1" else name)


def test_stand_ins_give_back_what_they_held(ann: User, service: Service) -> None:
    place = service.tools.cluster.place("object-1", "AUTH_p1", "box", "o")
    names = [device.name for _, device in place.slots if device]
    kept = away(service, *(service.directory / name / "objects-1/0/0/0" for name in names[:2]))
    assert ann.put("box/o", b"x" * MIB).status == 201
    assert len(fragments(service)) == 6
    back(*kept)
    assert ann.get("box/o").body == b"x" * MIB
    service.mend()
    held = {device_of(path).name: path.name.rpartition("#")[2] for path in fragments(service)}
    assert held == {name: f"{number}.data" for number, name in enumerate(names)}


def test_a_ring_that_changes_takes_fragments_along(empty_db: Database, directory: Path) -> None:
    how: dict[str, Any] = {"policies": (CODED,), "devices": 8, "min_part_hours": 0}
    bodies = {f"o{number}": os.urandom(number * 20_000) for number in range(8)}
    service = Service(empty_db, directory, **how)
    ann = service.user(ANN)
    ann.put("box")
    for name, body in bodies.items():
        ann.put(f"box/{name}", body)
    service.close()
    ring_files.set_weight(directory, "object", 0, 0.0)
    ring_files.remove(directory, "object", 1)
    for _ in range(4):
        ring_files.rebalance(directory, "object")
    again = Service(empty_db, directory, **how)
    ann = again.user(ANN)
    again.mend()
    held = [path for path in again.files() if path.parts[-5] != "d2"]
    assert len(held) == 6 * len(bodies)
    assert "d1" not in {path.parts[-5] for path in held}
    assert mending.sweep_objects(again.tools.cluster, "") == 0
    again.lose(3)
    again.lose(4)
    assert {name: ann.get(f"box/{name}").body for name in bodies} == bodies
    again.close()


def test_deletions_reach_devices_that_missed_them(ann: User, service: Service) -> None:
    ann.put("box/o", b"x")
    kept = away(service, *fragments(service)[:1])
    assert ann.delete("box/o").status == 204
    back(*kept)
    assert ann.get("box/o").status == 404
    service.mend()
    assert fragments(service) == []


def test_five_of_six_devices_must_take_a_write(ann: User, service: Service) -> None:
    ann.put("box/o", b"old")
    for number in range(4):
        service.lose(number)
    before = fragments(service)
    assert ann.put("box/o", b"new").status == 503
    assert fragments(service) == before
    assert fragments(service, "part") == list(service.directory.glob("d*/incoming/*")) == []


def breaking(patch: pytest.MonkeyPatch, *roots: str) -> None:
    """Have devices take the first fragments of an object, and then no more."""
    real, taken = IncomingFile.write, Counter[str]()

    def write(incoming: IncomingFile, piece: bytes) -> None:
        root = incoming._device.root
        taken[root] += 1
        if root in roots and taken[root] > 1:
            raise DeviceFailed("it broke")
        real(incoming, piece)

    patch.setattr(IncomingFile, "write", write)


def refusing(*_: object) -> NoReturn:
    raise DeviceFailed("it broke")


def test_devices_may_break_while_bytes_arrive(
    ann: User, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = os.urandom(5 * SEGMENT)
    place = service.tools.cluster.place("object-1", "AUTH_p1", "box", "o")
    roots = [str(service.directory / device.name) for device in place.primaries]
    with monkeypatch.context() as patch:
        breaking(patch, roots[0])
        assert ann.put("box/o", body).status == 201
        assert len(fragments(service)) == 5
    with monkeypatch.context() as patch:
        breaking(patch, *roots[:2])
        assert ann.put("box/o", b"new" * SEGMENT).status == 503
    assert ann.get("box/o").body == body
    assert fragments(service, "part") == list(service.directory.glob("d*/incoming/*")) == []
    service.mend()
    assert len(fragments(service)) == 6


def test_what_too_few_kept_or_too_late_is_taken_back(
    ann: User, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann.put("box/o", b"old")
    with monkeypatch.context() as patch:
        patch.setattr("cumulo.services.objectstore.fragments._COMMIT_WITHIN_S", -1.0)
        assert ann.put("box/o", b"late").status == 503
    assert fragments(service, "part") == []
    place = service.tools.cluster.place("object-1", "AUTH_p1", "box", "o")
    full, real = {device.name for device in place.primaries[:2]}, disk.DiskDevice.settle

    def settle(device: disk.DiskDevice, *args: Any) -> Steps:
        return refusing() if device.name in full else real(device, *args)

    with monkeypatch.context() as patch:
        patch.setattr(disk.DiskDevice, "settle", settle)
        assert ann.put("box/o", b"new").status == 503
    assert fragments(service, "part") == list(service.directory.glob("d*/incoming/*")) == []
    assert ann.get("box/o").body == b"old"


def test_a_write_that_any_made_durable_is_carried_out(
    ann: User, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client was told that it failed, and may find either."""
    ann.put("box/o", b"old" * SEGMENT)
    place = service.tools.cluster.place("object-1", "AUTH_p1", "box", "o")
    with monkeypatch.context() as patch:
        patch.setattr(disk.DiskDevice, "commit", refusing)
        assert ann.put("box/o", b"new" * SEGMENT).status == 503
    assert ann.get("box/o").body == b"old" * SEGMENT
    stamp = fragments(service, "part")[0].name.partition("#")[0]
    place.primaries[2].commit(place.part, place.key, stamp)
    assert len(fragments(service, "part")) == 5
    assert ann.get("box/o").body == b"new" * SEGMENT
    assert ann.post("box/o", x_object_meta_a="1").status == 202
    service.mend()
    assert len(fragments(service)) == 6
    assert ann.get("box/o").headers["x-object-meta-a"] == "1"


def test_a_device_that_takes_nothing_holds_up_no_other(
    ann: User, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann.put("box/o", b"x" * MIB)
    full, *others = fragments(service)
    for path in (full, others[0]):
        path.unlink()
    real = disk.DiskDevice.begin

    def begin(device: disk.DiskDevice) -> IncomingFile:
        return refusing() if full.is_relative_to(device.root) else real(device)

    with monkeypatch.context() as patch:
        patch.setattr(disk.DiskDevice, "begin", begin)
        service.mend()
    assert fragments(service) == others
    service.mend()
    assert fragments(service) == [full, *others]


def test_what_cannot_be_read_any_more_is_put_aside_one_day(ann: User, service: Service) -> None:
    ann.put("box/o", b"x")
    for path in fragments(service)[:3]:
        path.unlink()
    service.mend()
    assert len(fragments(service)) == 3
    assert ann.get("box/o").status == 503
    assert mending.sweep_objects(service.tools.cluster, "9999999999.00000") == 1
    assert fragments(service) == []
    assert sum(device.quarantined() for device in service.devices) == 3
    assert ann.get("box/o").status == 404


def test_what_a_dead_write_left_goes_in_time(ann: User, service: Service) -> None:
    ann.put("box/o", b"old")
    ann.put("box/o", b"new")
    for path in fragments(service):
        path.rename(path.with_suffix(".part"))
    service.mend()
    assert len(fragments(service, "part")) == 6
    for path in fragments(service, "part"):
        os.utime(path, (1, 1))
    service.mend()
    assert fragments(service, "part") == []


def test_a_reader_keeps_up_with_writers(
    ann: User, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One write is made durable while its fragments are opened, and then another replaces it."""
    ann.put("box/o", b"one" * SEGMENT)
    late = [path.rename(path.with_suffix(".part")) for path in fragments(service)[:4]]
    opening, calls = DiskDevice.open_fragment, list[int]()

    def opened(device: DiskDevice, part: int, key: str, stamp: str, index: int) -> OpenedFile:
        calls.append(index)
        if late:  # its name changes between the look at the directory and the open
            path = late.pop()
            path.rename(path.with_suffix(".data"))
            raise DeviceFailed(f"{device.name}: No such file or directory")
        if len(calls) == 7:
            monkeypatch.undo()
            ann.put("box/o", b"two" * SEGMENT)
        return opening(device, part, key, stamp, index)

    monkeypatch.setattr(DiskDevice, "open_fragment", opened)
    assert (ann.get("box/o").body, len(calls)) == (b"two" * SEGMENT, 7)


@pytest.mark.walk
def test_writers_of_one_name_never_mix(ann: User, service: Service) -> None:
    bodies = [os.urandom(3 * SEGMENT + number) for number in range(8)]
    ann.put("box/o", bodies[0])

    def write(body: bytes) -> list[int]:
        return [service.user(ANN).put("box/o", body).status for _ in range(10)]

    def read(_: int) -> list[bool]:
        answers = [service.user(ANN).get("box/o") for _ in range(40)]
        return [answer.status == 200 and answer.body in bodies for answer in answers]

    with ThreadPoolExecutor(12) as pool:
        reads = [pool.submit(read, number) for number in range(4)]
        written = list(pool.map(write, bodies))
        assert all(all(one.result()) for one in reads)
    assert written == [[201] * 10] * len(bodies)
    service.mend()
    assert (len(fragments(service)), fragments(service, "part")) == (6, [])
    assert ann.get("box/o").body in bodies


@pytest.mark.walk
@pytest.mark.parametrize("after", [0, 1, 3, 5, 6, 7, 11, 12])
@pytest.mark.parametrize("step", ["open", "write", "fsync", "rename", "unlink"])
@pytest.mark.parametrize("is_ordered", [True, False])
def test_killed_at_each_step_of_a_write(
    step: str,
    after: int,
    directory: Path,
    empty_db: Database,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_ordered: bool,
) -> None:
    """The old object or the new one, whole, and after mending all fragments of it."""
    monkeypatch.setattr(journals, "is_ordered", lambda _: is_ordered)
    service = Service(empty_db, directory / "killed", policies=(CODED,))
    ann = service.user(ANN)
    ann.filled("box")
    ann.put("box/o", b"old" * 100_000)
    with monkeypatch.context() as patch:
        patch.setattr(os, step, dies(getattr(os, step), after))
        with contextlib.suppress(Killed):
            ann.put("box/o", b"new" * 100_000)
    service.close()
    again = Service(empty_db, directory / "killed", policies=(CODED,))
    ann = again.user(ANN)
    body = ann.get("box/o").body
    assert body in (b"old" * 100_000, b"new" * 100_000)
    again.mend()
    assert ann.get("box/o").body == body
    assert len(again.files()) == 6
    again.close()
