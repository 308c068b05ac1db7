"""A fake host keeps its guests and follows its script."""

import time
from pathlib import Path

import pytest

from cumulo.kit.errors import NotFound, Unavailable
from cumulo.node.api import EphemeralDisk, FixedNodes, HostError
from cumulo.node.drivers.fake import FakeNode
from cumulo.node.drivers.script import Script, Trouble
from tests.node.bench import Bench, metadata_port

SCRIPTED = pytest.mark.parametrize("bench", ["fake_bench", "remote_bench"], indirect=True)


@SCRIPTED
def test_a_scripted_failure_happens_as_often_as_it_says(bench: Bench, fake: FakeNode) -> None:
    fake.script.fail("ensure_guest", times=2)
    spec = bench.spec()
    for _ in range(2):
        with pytest.raises(Unavailable):
            bench.node.ensure_guest(spec)
    assert bench.node.guests() == {}
    bench.node.ensure_guest(spec)
    assert bench.power(spec.id) == "running"
    assert fake.script.calls["ensure_guest"] == 3


@SCRIPTED
def test_a_call_may_fail_after_its_work_is_done(bench: Bench, fake: FakeNode) -> None:
    fake.script.fail("ensure_guest", error="host_error", moment="after")
    spec = bench.spec()
    with pytest.raises(HostError):
        bench.node.ensure_guest(spec)
    assert bench.power(spec.id) == "running"


def test_a_failure_may_be_for_one_guest_only(fake_bench: Bench, fake: FakeNode) -> None:
    unlucky, lucky = fake_bench.guest(), fake_bench.guest()
    fake.script.fail("*", guest_id=unlucky, times=None)
    fake.ensure_power(lucky, "stopped")
    with pytest.raises(Unavailable):
        fake.ensure_power(unlucky, "stopped")
    fake.script.clear()
    fake.ensure_power(unlucky, "stopped")


def test_delays_are_slept() -> None:
    slept: list[float] = []
    fake = FakeNode("host-1", script=Script(sleep=slept.append))
    fake.script.delay("guests", 1.5, times=1)
    fake.script.set([*fake.script.troubles(), Trouble(command="*", delay_s=2, times=None)])
    fake.guests()
    fake.guests()
    assert slept == [3.5, 2]


def test_guests_and_networks_survive_a_restart(fake_bench: Bench, tmp_path: Path) -> None:
    before = FakeNode("host-1", directory=tmp_path)
    kept, gone = fake_bench.spec(), fake_bench.spec()
    for spec in (kept, gone):
        before.ensure_guest(spec)
    before.reboot_guest(kept.id, "token", hard=True)
    before.ensure_power(kept.id, "paused")
    before.remove_guest(gone.id)
    before.ensure_metadata(metadata_port("a"))
    after = FakeNode("host-1", directory=tmp_path)
    assert after.guests() == before.guests()
    assert after.console_log(kept.id) == before.console_log(kept.id)
    assert after.metadata_networks() == {"a"}


def test_a_guest_may_die_or_switch_itself_off(fake_bench: Bench, fake: FakeNode) -> None:
    guest_id = fake_bench.guest()
    fake.crash(guest_id)
    assert fake_bench.power(guest_id) == "crashed"
    fake.ensure_power(guest_id, "running")
    fake.power_off(guest_id)
    assert fake_bench.power(guest_id) == "stopped"


def test_the_console_names_the_guest(fake_bench: Bench, fake: FakeNode) -> None:
    guest_id = fake_bench.guest(display_name="My Web_1")
    assert b"my-web-1 login: " in fake.console_log(guest_id, lines=1)


def test_guests_take_memory_and_disk(fake_bench: Bench, fake: FakeNode) -> None:
    before = fake.facts()
    disks = [EphemeralDisk(size_gib=1)] * 2
    fake_bench.guest(memory_mib=1024, root_gib=3, swap_mib=1, ephemeral_disks=disks)
    after = fake.facts()
    assert after.memory_used_mib - before.memory_used_mib == 1024
    assert before.disk_free_gib - after.disk_free_gib == 6


def test_many_guests_boot_fast(fake_bench: Bench, tmp_path: Path) -> None:
    """Twenty boots a second must leave nearly all of a core to the rest of the cloud."""
    fake = FakeNode("host-1", directory=tmp_path)
    specs = [fake_bench.spec() for _ in range(500)]
    began = time.process_time()
    for spec in specs:
        fake.ensure_guest(spec)
    assert time.process_time() - began < 2.5


def test_hosts_are_found_by_name(fake: FakeNode) -> None:
    nodes = FixedNodes({"b": fake, "a": fake})
    assert nodes.names() == ["a", "b"]
    assert nodes.on("a") is fake
    with pytest.raises(NotFound, match="Host c "):
        nodes.on("c")
