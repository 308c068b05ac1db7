"""The guest itself, built and started: it keeps what is written and obeys the power button."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.guest.build import build_guest

QEMU = "qemu-system-x86_64"
pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
]


class Machine:
    """A QEMU with the guest's serial console at hand."""

    def __init__(self, disk: Path) -> None:
        self._sockets = [socket.socketpair() for _ in range(2)]
        (self._serial, serial), (self._monitor, monitor) = self._sockets
        self.said = b""
        spare = disk.with_name("spare")
        with spare.open("ab") as file:
            file.truncate(16 << 20)
        self.process = subprocess.Popen(
            [
                *(QEMU, "-M", "q35", "-cpu", "max", "-m", "128", "-accel", "tcg,tb-size=32"),
                *("-nodefaults", "-display", "none"),
                *("-chardev", f"socket,id=s,fd={serial.fileno()}", "-serial", "chardev:s"),
                *("-chardev", f"socket,id=m,fd={monitor.fileno()}", "-mon", "m,mode=control"),
                *("-netdev", "user,id=n,restrict=on", "-device", "virtio-net-pci,netdev=n"),
                *("-drive", f"if=virtio,format=qcow2,file={disk}"),
                *("-drive", f"if=virtio,format=raw,file={spare}"),
            ],
            pass_fds=[serial.fileno(), monitor.fileno()],
        )
        serial.close()
        monitor.close()

    def wait_for(self, pattern: str, within_s: float = 60) -> re.Match[bytes]:
        """Return when the console has said something, and forget it."""
        until = time.monotonic() + within_s
        while (found := re.search(pattern.encode(), self.said)) is None:
            self._serial.settimeout(max(0.1, until - time.monotonic()))
            piece = self._serial.recv(4096)
            assert piece, f"the guest is gone: {self.said.decode(errors='replace')}"
            self.said += piece
        self.said = self.said[found.end() :]
        return found

    def run(self, command: str) -> str:
        """Run a command in a shell that is logged in."""
        # The quotes keep the terminal's echo of the command from looking like its output.
        self._serial.sendall(f"echo begin''; {command}; echo end''=$?\n".encode())
        return self.wait_for(r"(?s)begin\r\n(.*?)\s*end=0")[1].decode()

    def log_in(self) -> None:
        """Come from the prompt for a name to a shell."""
        self.wait_for(r"(?s)GUEST-LOGIN .*login: ")
        self._serial.sendall(b"cirros\n")
        self.wait_for("Password: ")
        self._serial.sendall(b"gocubsgo\n")
        self.wait_for(r"\$ ")

    def press_power_button(self) -> None:
        """Send what a host sends that wants the guest to stop."""
        for command in ("qmp_capabilities", "system_powerdown"):
            self._monitor.sendall(json.dumps({"execute": command}).encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._serial.close()
        self._monitor.close()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = Path.home() / ".cache/cumulo-tests/guest"
    cache.mkdir(parents=True, exist_ok=True)
    return build_guest(tmp_path_factory.mktemp("guest"), cache, print)


@pytest.fixture
def disk(image: Path, tmp_path: Path) -> Path:
    path = tmp_path / "disk.qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", "qcow2"]
    subprocess.run([*create, str(path), "5G"], check=True)
    return path


@pytest.fixture
def machine(disk: Path) -> Iterator[Machine]:
    machine = Machine(disk)
    yield machine
    machine.close()


def test_it_keeps_what_is_written(machine: Machine, disk: Path) -> None:
    machine.wait_for(r"GUEST-READY hostname=guest eth0=10\.0\.2\.15/24 +root=/dev/vda2 ")
    machine.log_in()
    machine.run("echo remember > /root/note; rm /etc/shells; touch /usr/mine")
    free_mib = int(machine.run("df -m / | tail -n1 | awk '{print $4}'"))
    assert free_mib > 4500
    machine.press_power_button()
    machine.wait_for("GUEST-POWERBUTTON")
    assert machine.process.wait(120) == 0

    again = Machine(disk)
    try:
        again.log_in()
        assert again.run("cat /root/note; ls /usr/mine") == "remember\r\n/usr/mine"
        assert again.run("test -e /etc/shells || echo gone") == "gone"
        assert again.run("netstat -ltn | grep -c ':22 '") != "0"
    finally:
        again.close()


def test_it_makes_file_systems(machine: Machine) -> None:
    machine.log_in()
    for kind in ("ext4", "vfat"):
        machine.run(f"sudo mkfs -t {kind} /dev/vdb && sudo mount /dev/vdb /mnt")
        assert machine.run("grep -o ' /mnt [a-z0-9]*' /proc/mounts").split() == ["/mnt", kind]
        machine.run("sudo sh -c 'echo kept > /mnt/note' && sudo umount /mnt")
        assert machine.run("sudo mount /dev/vdb /mnt && cat /mnt/note") == "kept"
        machine.run("sudo umount /mnt")
    assert "are known" in machine.run("mkfs -t xfs /dev/vdb 2>&1 || true")


def test_the_same_packages_make_the_same_image(image: Path, tmp_path: Path) -> None:
    cache = Path.home() / ".cache/cumulo-tests/guest"
    assert build_guest(tmp_path, cache, print).read_bytes() == image.read_bytes()
