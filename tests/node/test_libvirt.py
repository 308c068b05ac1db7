"""Real guests outlive what runs them, and nothing outlives the guests."""

import os
import re
import signal
import socket
import threading
from pathlib import Path

import msgspec
import pytest

from cumulo.kit import clock
from cumulo.kit.errors import Unavailable
from cumulo.kit.ids import new_id
from cumulo.node.api import EphemeralDisk, HostError, Node
from tests.hypervisor import Host, image_source
from tests.node.bench import Bench
from tests.node.conftest import read_if_there
from tests.node.test_disks import with_backing_file
from tests.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def qemu_of(guest_id: str) -> int:
    """Return the process of a guest."""
    (pid,) = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if f"-uuid\0{guest_id}".encode() in read_if_there(path)
    ]
    return pid


def run_of(pid: int) -> int:
    """Return libvirt's number for this run of a guest, which is in the path of its monitor."""
    found = re.search(rb"/domain-(\d+)-", Path(f"/proc/{pid}/cmdline").read_bytes())
    assert found is not None
    return int(found[1])


def answers(node: Node) -> bool:
    try:
        node.guests()
    except Unavailable:
        return False
    return True


def test_a_guest_runs_as_nobody_of_importance(libvirt_bench: Bench, host: Host) -> None:
    guest_id = libvirt_bench.guest()
    process = Path(f"/proc/{qemu_of(guest_id)}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    assert "0" not in status["Uid"].split()
    assert "0" not in status["Groups"].split()
    assert int(status["CapEff"], 16) == 0
    assert status["Seccomp"] == "2"
    directory = host.directory / "guests" / guest_id
    assert directory.stat().st_uid == 0
    assert f"vnc=unix:{directory}/run/vnc.sock".encode() in (process / "cmdline").read_bytes()


def test_guests_outlive_libvirtd(libvirt_bench: Bench, host: Host) -> None:
    node = libvirt_bench.node
    guest_id = libvirt_bench.guest()
    qemu, libvirtd = qemu_of(guest_id), host.supervisor.alive()["libvirtd"].pid
    os.kill(libvirtd, signal.SIGKILL)
    eventually(lambda: host.supervisor.alive().get("libvirtd", None) is not None)
    eventually(lambda: answers(node) and host.supervisor.alive()["libvirtd"].pid != libvirtd)
    assert libvirt_bench.power(guest_id) == "running"
    assert qemu_of(guest_id) == qemu
    node.ensure_power(guest_id, "paused")
    node.remove_guest(guest_id)
    assert libvirt_bench.leftovers(guest_id) == []


def test_a_guest_that_died_without_libvirtd_is_told_of(libvirt_bench: Bench, host: Host) -> None:
    guest_id = libvirt_bench.guest()
    host.libvirtd.stop()
    with pytest.raises(Unavailable, match="libvirtd"):
        libvirt_bench.node.guests()
    os.kill(qemu_of(guest_id), signal.SIGKILL)
    host.libvirtd.start()
    eventually(lambda: answers(libvirt_bench.node))
    assert libvirt_bench.power(guest_id) in ("crashed", "stopped")
    libvirt_bench.node.ensure_power(guest_id, "running")
    assert libvirt_bench.power(guest_id) == "running"


def test_a_guest_that_libvirtd_never_heard_of_is_ended(libvirt_bench: Bench, host: Host) -> None:
    """libvirtd may be killed between the start of a guest and the note it makes of it."""
    guest_id = libvirt_bench.guest()
    stray = qemu_of(guest_id)
    host.libvirtd.stop()
    for note in (host.directory / "libvirt/run/qemu").glob("instance-*.xml"):
        note.unlink()
    host.libvirtd.start()
    libvirt_bench.node.ensure_power(guest_id, "running")
    assert qemu_of(guest_id) != stray
    libvirt_bench.node.remove_guest(guest_id)
    assert libvirt_bench.leftovers(guest_id) == []


def test_a_guest_that_crashes_is_told_of_and_starts_again(libvirt_bench: Bench) -> None:
    guest_id = libvirt_bench.guest()
    os.kill(qemu_of(guest_id), signal.SIGKILL)
    eventually(lambda: libvirt_bench.power(guest_id) == "crashed")
    libvirt_bench.node.ensure_power(guest_id, "stopped")
    libvirt_bench.node.ensure_power(guest_id, "running")
    assert libvirt_bench.power(guest_id) == "running"


def test_a_successor_finds_all_that_is_to_be_known(libvirt_bench: Bench, host: Host) -> None:
    guest_id = libvirt_bench.guest()
    libvirt_bench.node.reboot_guest(guest_id, "token", hard=True)
    successor = host.hypervisor()
    assert successor.guests() == libvirt_bench.node.guests()
    qemu = qemu_of(guest_id)
    successor.reboot_guest(guest_id, "token", hard=True)
    assert qemu_of(guest_id) == qemu
    successor.close()


def test_two_guests_start_from_one_image_at_once(libvirt_bench: Bench, host: Host) -> None:
    specs = [libvirt_bench.spec() for _ in range(2)]
    for path in (host.directory / "cache").glob("*"):
        path.unlink()
    threads = [
        threading.Thread(target=libvirt_bench.node.ensure_guest, args=(spec,))
        for spec in (*specs, *specs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = libvirt_bench.node.guests()
    assert {guest_id: state.power for guest_id, state in states.items()} == {
        spec.id: "running" for spec in specs
    }
    assert len(list((host.directory / "cache").iterdir())) == 1


def test_an_image_that_nobody_uses_makes_room_for_another(libvirt_bench: Bench, host: Host) -> None:
    image = libvirt_bench.image
    first, second, third = (
        msgspec.structs.replace(image, image_id=new_id(), sha256="") for _ in range(3)
    )
    with clock.CLOCK.held() as held:
        libvirt_bench.node.remove_guest(libvirt_bench.guest(image=first))
        libvirt_bench.guest(image=second)
        held.move(25 * 3600)
        libvirt_bench.guest(image=third)
    kept = {path.stem for path in (host.directory / "cache").iterdir()}
    assert {second.image_id, third.image_id} <= kept
    assert first.image_id not in kept


@pytest.mark.parametrize("declared", ["raw", "qcow2"])
def test_a_malicious_image_starts_no_guest(
    declared: str, libvirt_bench: Bench, tmp_path: Path
) -> None:
    path = with_backing_file(tmp_path / "image")
    truth = image_source(path)
    image = msgspec.structs.replace(truth, image_id=new_id(), disk_format=declared)
    spec = libvirt_bench.spec(image=image)
    with pytest.raises(HostError, match=r"safe|not raw"):
        libvirt_bench.node.ensure_guest(spec)
    assert libvirt_bench.power(spec.id) == "stopped"  # half-made, so that it is not forgotten
    libvirt_bench.node.remove_guest(spec.id)
    assert libvirt_bench.node.guests() == {}
    assert libvirt_bench.leftovers(spec.id) == []


def test_libvirts_reason_is_told(libvirt_bench: Bench) -> None:
    spec = libvirt_bench.spec(memory_mib=2**30)
    with pytest.raises(HostError, match=r"libvirt: .*(memory|allocate)"):
        libvirt_bench.node.ensure_guest(spec)


def test_a_config_drive_reaches_the_guest(libvirt_bench: Bench) -> None:
    meta_data = '{"uuid": "x1", "hostname": "from-drive"}'
    guest_id = libvirt_bench.booted(
        config_drive={"openstack/latest/meta_data.json": meta_data},
        config_drive_bytes={"openstack/latest/user_data": b"#!/bin/sh\necho USER''DATA-RAN\n"},
        ephemeral_disks=[EphemeralDisk(size_gib=1)] * 2,
        swap_mib=8,
    )
    text = libvirt_bench.node.console_log(guest_id)
    assert b"config-drive id=x1" in text
    assert b"hostname=from-drive" in text
    assert b"USERDATA-RAN" in text


def test_the_console_can_be_typed_at(libvirt_bench: Bench, host: Host) -> None:
    guest_id = libvirt_bench.guest()
    path = host.directory / "guests" / guest_id / "console.sock"
    log = libvirt_bench.node.console_log
    eventually(lambda: b"GUEST-LOGIN" in log(guest_id), libvirt_bench.patience_s)
    with socket.socket(socket.AF_UNIX) as console:
        console.connect(str(path))
        console.sendall(b"cirros\n")
        eventually(lambda: b"Password:" in log(guest_id), libvirt_bench.patience_s)
        console.sendall(b"gocubsgo\n")
        eventually(lambda: b"$ " in log(guest_id), libvirt_bench.patience_s)


def test_a_reboot_cut_short_is_finished_but_not_done_twice(
    libvirt_bench: Bench, host: Host
) -> None:
    node = libvirt_bench.node
    guest_id = libvirt_bench.guest()
    record = host.directory / "guests" / guest_id / "guest.json"
    before = msgspec.json.decode(record.read_bytes())
    former_run = run_of(qemu_of(guest_id))
    node.reboot_guest(guest_id, "token", hard=True)
    qemu = qemu_of(guest_id)
    # As if we had been killed after the guest's new start and before that was written down.
    cut_short = {**before, "rebooting": "token", "rebooting_run": former_run}
    record.write_bytes(msgspec.json.encode(cut_short))
    successor = host.hypervisor()
    successor.reboot_guest(guest_id, "token", hard=True)
    assert qemu_of(guest_id) == qemu
    assert successor.guests()[guest_id].boot_token == "token"
    successor.close()
