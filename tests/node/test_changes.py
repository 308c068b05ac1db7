"""How guests change: their size, what they boot from, what is kept and copied of them."""

import msgspec
import pytest

from cumulo.kit.errors import NotFound
from cumulo.kit.ids import new_id
from cumulo.node.api import GuestSpec
from tests.node.bench import Bench

LARGER = {"vcpus": 2, "memory_mib": 192, "root_gib": 2}


def made(bench: Bench, **changes: object) -> GuestSpec:
    spec = bench.spec(**changes)
    bench.node.ensure_guest(spec)
    return spec


def test_a_guest_grows_and_is_left_stopped(bench: Bench) -> None:
    spec = made(bench)
    larger = msgspec.structs.replace(spec, **LARGER)
    bench.node.ensure_shape(larger)
    assert bench.power(spec.id) == "stopped"
    bench.node.ensure_power(spec.id, "running")
    bench.node.ensure_shape(larger)
    assert bench.power(spec.id) == "running"
    assert bench.node.diagnostics(spec.id).memory_mib == 192
    assert len(bench.node.diagnostics(spec.id).cpu_ns) == 2


def test_what_was_kept_comes_back(bench: Bench) -> None:
    spec = made(bench)
    bench.node.ensure_power(spec.id, "stopped", timeout_s=0)
    bench.node.keep_disks(spec.id)
    bench.node.keep_disks(spec.id)
    bench.node.ensure_shape(msgspec.structs.replace(spec, **LARGER))
    bench.node.ensure_power(spec.id, "running")
    bench.node.restore_disks(spec)
    assert bench.power(spec.id) == "stopped"
    bench.node.ensure_power(spec.id, "running")
    bench.node.restore_disks(spec)
    assert bench.power(spec.id) == "running"
    assert bench.node.diagnostics(spec.id).memory_mib == 128


def test_what_was_kept_can_be_dropped(bench: Bench) -> None:
    spec = made(bench)
    bench.node.ensure_power(spec.id, "stopped", timeout_s=0)
    bench.node.keep_disks(spec.id)
    larger = msgspec.structs.replace(spec, **LARGER)
    bench.node.ensure_shape(larger)
    bench.node.drop_disks(spec.id)
    bench.node.drop_disks(spec.id)
    bench.node.restore_disks(spec)
    bench.node.ensure_power(spec.id, "running")
    assert bench.node.diagnostics(spec.id).memory_mib == 192


def test_a_guest_is_rescued_and_goes_back(bench: Bench) -> None:
    spec = made(bench)
    bench.await_boot(spec.id)
    rescue = msgspec.structs.replace(spec, rescue=bench.image)
    bench.node.ensure_shape(rescue)
    bench.node.ensure_power(spec.id, "running")
    bench.await_boot(spec.id)
    bench.node.ensure_shape(spec)
    assert bench.power(spec.id) == "stopped"
    bench.node.ensure_power(spec.id, "running")
    bench.await_boot(spec.id)


@pytest.mark.parametrize("power", ["running", "stopped", "paused"])
def test_a_disk_is_copied_while_the_guest_goes_on(bench: Bench, power: str) -> None:
    spec, snapshot_id = made(bench), new_id()
    bench.await_boot(spec.id)
    bench.node.ensure_power(spec.id, power, timeout_s=0)  # type: ignore[arg-type]
    snapshot = bench.node.ensure_snapshot(spec.id, snapshot_id)
    assert bench.node.ensure_snapshot(spec.id, snapshot_id) == snapshot
    assert bench.power(spec.id) == power
    head = bench.node.read_snapshot(spec.id, snapshot_id, 0, 1 << 20)
    assert head[:4] == b"QFI\xfb"
    assert head[8:16] == bytes(8)  # it stands on nothing
    assert int.from_bytes(head[24:32]) == 1 << 30
    assert bench.node.read_snapshot(spec.id, snapshot_id, snapshot.size, 1) == b""
    bench.node.remove_snapshot(spec.id, snapshot_id)
    bench.node.remove_snapshot(spec.id, snapshot_id)
    with pytest.raises(NotFound):
        bench.node.read_snapshot(spec.id, snapshot_id, 0, 1)


def test_a_copy_goes_with_its_guest(bench: Bench) -> None:
    spec, snapshot_id = made(bench), new_id()
    bench.node.ensure_snapshot(spec.id, snapshot_id)
    bench.node.remove_guest(spec.id)
    assert bench.leftovers(spec.id) == []
    with pytest.raises(NotFound):
        bench.node.read_snapshot(spec.id, snapshot_id, 0, 1)


def test_a_guest_says_how_it_does(bench: Bench) -> None:
    guest_id = bench.booted()
    told = bench.node.diagnostics(guest_id)
    assert (told.memory_mib, len(told.cpu_ns)) == (128, 1)
    assert told.disks[0].name == "vda"
    assert told.disks[0].read_bytes > 0
