"""Killed at any moment, a command finds what is left of it when it is given again.

A child process carries the command out and kills itself at one chosen moment, before it opens,
renames or removes a file or starts a program: once for each such moment that there is.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from cumulo.node.api import GuestSpec
from tests.hypervisor import Host
from tests.node.bench import Bench

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

CHILD = """
import os, signal, sys
import msgspec
from pathlib import Path
from cumulo.node.api import GuestSpec
from cumulo.node.drivers.libvirt import HypervisorSettings, LibvirtHypervisor

from cumulo.node.libvirtd import Libvirtd
from cumulo.node.supervise import Supervisor

command, moment, guest_id, directory, spec = sys.argv[1:]
EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chown", "subprocess.Popen"}
left = int(moment)

def die_in_time(event, arguments):
    global left
    mine = event == "subprocess.Popen" or (arguments and directory in str(arguments[0]))
    if event in EVENTS and mine:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

top = Path(directory)
libvirtd = Libvirtd(top / "libvirt", Supervisor(top / "run", top / "log"))
hypervisor = LibvirtHypervisor(HypervisorSettings(name="host-1", directory=top), libvirtd)
hypervisor.guests()
sys.addaudithook(die_in_time)
if command == "ensure":
    hypervisor.ensure_guest(msgspec.json.decode(spec, type=GuestSpec))
elif command == "reboot":
    hypervisor.reboot_guest(guest_id, "token", hard=True)
else:
    hypervisor.remove_guest(guest_id)
os._exit(0)
"""


def killed(host: Host, command: str, moment: int, spec: GuestSpec) -> bool:
    """Carry a command out in a child that dies at a moment; False when it was over before."""
    argv = [command, str(moment), spec.id, str(host.directory)]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *argv, msgspec.json.encode(spec).decode()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert child.returncode in (0, -signal.SIGKILL)
    return child.returncode != 0


@pytest.mark.parametrize("finish", [True, False])
def test_making_a_guest_may_be_cut_short_anywhere(
    finish: bool, libvirt_bench: Bench, host: Host
) -> None:
    node, moment = libvirt_bench.node, 1 if finish else 2
    spec = libvirt_bench.spec(swap_mib=1, config_drive={"openstack/latest/meta_data.json": "{}"})
    while killed(host, "ensure", moment, spec):
        if finish:
            node.ensure_guest(spec)
            assert libvirt_bench.power(spec.id) == "running", moment
            drafts = [*host.directory.glob("guests/*/*.new"), *host.directory.glob("cache/*.new")]
            assert drafts == [], moment
        node.remove_guest(spec.id)
        assert node.guests() == {}, moment
        assert libvirt_bench.leftovers(spec.id) == [], moment
        moment += 2  # the other moments are the other test's
    assert moment > 10


@pytest.mark.parametrize("state", ["running", "suspended"])
def test_removing_a_guest_may_be_cut_short_anywhere(
    state: str, libvirt_bench: Bench, host: Host
) -> None:
    node, moment = libvirt_bench.node, 1
    while True:
        spec = libvirt_bench.spec()
        node.ensure_guest(spec)
        if state == "suspended":
            node.ensure_power(spec.id, "suspended")
        if not killed(host, "remove", moment, spec):
            break
        if Path(host.directory / "guests" / spec.id).exists():
            assert spec.id in node.guests(), moment  # or who would remove the rest?
        node.remove_guest(spec.id)
        assert node.guests() == {}, moment
        assert libvirt_bench.leftovers(spec.id) == [], moment
        moment += 1
    assert moment > 3


def test_a_reboot_may_be_cut_short_anywhere(libvirt_bench: Bench, host: Host) -> None:
    node, moment = libvirt_bench.node, 1
    while True:
        spec = libvirt_bench.spec()
        node.ensure_guest(spec)
        was_killed = killed(host, "reboot", moment, spec)
        successor = host.hypervisor()
        successor.reboot_guest(spec.id, "token", hard=True)
        state = successor.guests()[spec.id]
        assert (state.power, state.boot_token) == ("running", "token"), moment
        successor.remove_guest(spec.id)
        successor.close()
        if not was_killed:
            break
        moment += 1
    assert moment > 2
