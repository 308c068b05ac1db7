"""What every host does, be it a fake, a fake far away or one with real guests."""

import pytest

from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.node.api import HostError
from tests.node.bench import READY, Bench, metadata_port


def test_a_host_describes_itself(bench: Bench) -> None:
    facts = bench.node.facts()
    assert facts.name == "host-1"
    assert facts.vcpus > 0
    assert 0 < facts.memory_used_mib < facts.memory_mib
    assert 0 < facts.disk_free_gib <= facts.disk_gib
    assert facts.hypervisor_version >= 1_000_000
    assert facts.boot_id


def test_making_a_guest_may_be_repeated(bench: Bench) -> None:
    spec = bench.spec()
    bench.node.ensure_guest(spec)
    bench.node.ensure_guest(spec)
    assert list(bench.node.guests()) == [spec.id]
    assert bench.power(spec.id) == "running"


def test_a_guest_made_before_is_left_as_it_is(bench: Bench) -> None:
    spec = bench.spec()
    bench.node.ensure_guest(spec)
    bench.node.ensure_power(spec.id, "stopped", timeout_s=0)
    bench.node.ensure_guest(spec)
    assert bench.power(spec.id) == "stopped"


def test_a_guest_boots_and_its_console_is_kept(bench: Bench) -> None:
    guest_id = bench.booted()
    text = bench.node.console_log(guest_id)
    assert READY in text
    lines = text.splitlines(keepends=True)
    assert bench.node.console_log(guest_id, lines=2).splitlines() == [
        line.rstrip(b"\r\n") for line in lines[-2:]
    ]
    assert bench.node.console_log(guest_id, lines=0) == b""


def test_a_guest_obeys_when_asked_to_stop(bench: Bench) -> None:
    guest_id = bench.booted()
    bench.node.ensure_power(guest_id, "stopped", timeout_s=bench.patience_s)
    bench.node.ensure_power(guest_id, "stopped")
    assert bench.power(guest_id) == "stopped"
    assert b"Power down" in bench.node.console_log(guest_id)
    bench.node.ensure_power(guest_id, "running")
    bench.node.ensure_power(guest_id, "running")
    assert bench.power(guest_id) == "running"


def test_a_guest_pauses_and_goes_on(bench: Bench) -> None:
    guest_id = bench.guest()
    for wanted in ("paused", "paused", "running", "running"):
        bench.node.ensure_power(guest_id, wanted)
        assert bench.power(guest_id) == wanted


def test_a_guest_is_suspended_and_resumed(bench: Bench) -> None:
    guest_id = bench.booted()
    for wanted in ("suspended", "suspended", "running", "running"):
        bench.node.ensure_power(guest_id, wanted)
        assert bench.power(guest_id) == wanted
    assert bench.node.console_log(guest_id).count(READY) == 1  # it did not boot again


def test_a_paused_guest_is_suspended_and_runs_when_resumed(bench: Bench) -> None:
    guest_id = bench.guest()
    for wanted in ("paused", "suspended", "running"):
        bench.node.ensure_power(guest_id, wanted)
        assert bench.power(guest_id) == wanted


def test_a_stopped_guest_has_nothing_to_suspend(bench: Bench) -> None:
    guest_id = bench.guest()
    bench.node.ensure_power(guest_id, "stopped", timeout_s=0)
    with pytest.raises(HostError, match="suspended"):
        bench.node.ensure_power(guest_id, "suspended")
    assert bench.power(guest_id) == "stopped"


def test_a_suspended_guest_can_be_stopped(bench: Bench) -> None:
    guest_id = bench.guest()
    bench.node.ensure_power(guest_id, "suspended")
    bench.node.ensure_power(guest_id, "stopped")
    assert bench.power(guest_id) == "stopped"


def test_a_hard_reboot_happens_once_for_each_token(bench: Bench) -> None:
    guest_id = bench.guest()
    bench.node.reboot_guest(guest_id, "first", hard=True)
    assert bench.node.guests()[guest_id].boot_token == "first"
    bench.node.ensure_power(guest_id, "stopped", timeout_s=0)
    bench.node.reboot_guest(guest_id, "first", hard=True)
    assert bench.power(guest_id) == "stopped"
    bench.node.reboot_guest(guest_id, "second", hard=True)
    assert bench.power(guest_id) == "running"
    assert bench.node.guests()[guest_id].boot_token == "second"


def test_a_soft_reboot_lets_the_guest_shut_down(bench: Bench) -> None:
    guest_id = bench.booted()
    bench.node.reboot_guest(guest_id, "first", hard=False)
    assert bench.power(guest_id) == "running"
    assert b"Power down" in bench.node.console_log(guest_id)


def test_a_removed_guest_is_gone(bench: Bench) -> None:
    guest_id = bench.guest()
    bench.node.remove_guest(guest_id)
    bench.node.remove_guest(guest_id)
    assert bench.node.guests() == {}
    assert bench.leftovers(guest_id) == []
    for unknown in (
        lambda: bench.node.console_log(guest_id),
        lambda: bench.node.ensure_power(guest_id, "running"),
        lambda: bench.node.reboot_guest(guest_id, "first", hard=True),
    ):
        with pytest.raises(NotFound, match=guest_id):
            unknown()


def test_suspended_and_stopped_guests_are_removed_too(bench: Bench) -> None:
    for wanted in ("suspended", "stopped", "paused"):
        guest_id = bench.guest()
        bench.node.ensure_power(guest_id, wanted, timeout_s=0)
        bench.node.remove_guest(guest_id)
        assert bench.node.guests() == {}
        assert bench.leftovers(guest_id) == []


def test_removing_what_never_was_succeeds(bench: Bench) -> None:
    bench.node.remove_guest(new_id())


def test_networks_are_served_until_they_are_not(bench: Bench) -> None:
    first, second = metadata_port("a"), metadata_port("b")
    bench.node.ensure_metadata(first)
    bench.node.ensure_metadata(second)
    bench.node.ensure_metadata(first)
    assert bench.node.metadata_networks() == {"a", "b"}
    bench.node.remove_metadata("a")
    bench.node.remove_metadata("a")
    assert bench.node.metadata_networks() == {"b"}


def test_a_guest_is_interrupted_while_it_runs(bench: Bench) -> None:
    guest_id = bench.booted()
    bench.node.interrupt_guest(guest_id)
    assert bench.power(guest_id) == "running"
    bench.node.ensure_power(guest_id, "stopped", timeout_s=0)
    with pytest.raises(Conflict):
        bench.node.interrupt_guest(guest_id)
    with pytest.raises(NotFound):
        bench.node.interrupt_guest(new_id())


def test_a_guest_without_an_agent_gets_no_password(bench: Bench) -> None:
    guest_id = bench.guest()
    with pytest.raises(Conflict) as refused:
        bench.node.set_password(guest_id, "root", "a new secret")
    assert "a new secret" not in refused.value.message


def test_an_image_is_fetched_before_it_is_needed(bench: Bench) -> None:
    bench.node.ensure_image(bench.image)
    bench.node.ensure_image(bench.image)
