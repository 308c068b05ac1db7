"""Volumes plugged into guests and out of them."""

import itertools
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cumulo.kit.ids import new_id
from cumulo.kit.units import GIB
from cumulo.node.api import HostError, Volume
from cumulo.services.volume.drivers.file import FileDriver
from tests.hypervisor import Host
from tests.node.bench import Bench
from tests.waiting import eventually

real = [pytest.mark.real, pytest.mark.timeout(300)]


class Files:
    """A back end of files on the host."""

    def __init__(self, directory: Path) -> None:
        self.driver = FileDriver("file", directory)

    def new(self, **more: object) -> Volume:
        """Make a volume and say how it is reached."""
        volume_id = new_id()
        self.driver.create(volume_id, 1)
        return self.of(volume_id, **more)

    def of(self, volume_id: str, **more: object) -> Volume:
        told = self.driver.connect(volume_id).target
        fields: Any = {**told, **more}
        return Volume(volume_id=volume_id, size_gib=1, **fields)


@pytest.fixture
def files(host: Host) -> Files:
    return Files(host.directory / "volumes")


@contextmanager
def shell(bench: Bench, host: Host, guest_id: str) -> Iterator["Shell"]:
    """Log in to a guest on its serial console."""
    log = bench.node.console_log
    eventually(lambda: b"GUEST-LOGIN" in log(guest_id), bench.patience_s)
    with socket.socket(socket.AF_UNIX) as console:
        console.connect(str(host.directory / "guests" / guest_id / "console.sock"))
        shell = Shell(bench, guest_id, console)
        shell.type("cirros", b"Password:")
        shell.type("gocubsgo", b"$ ")
        yield shell


class Shell:
    """Somebody at a guest's console."""

    _numbers = itertools.count()

    def __init__(self, bench: Bench, guest_id: str, console: socket.socket) -> None:
        self._bench, self._guest_id, self._console = bench, guest_id, console

    def type(self, line: str, until: bytes) -> bytes:
        """Type a line and wait for an answer; return all that came."""
        before = len(self._bench.node.console_log(self._guest_id))
        self._console.sendall(line.encode() + b"\n")

        def came() -> bytes:
            return self._bench.node.console_log(self._guest_id)[before:]

        eventually(lambda: until in came(), self._bench.patience_s)
        return came()

    def run(self, command: str) -> str:
        """Run a command and return what it says."""
        mark = f"DONE-{next(self._numbers)}"
        split = f"{mark[:3]}''{mark[3:]}"  # what is typed is echoed, and not to be taken for it
        text = self.type(f"{command}; echo {split}", f"{mark}\r".encode()).decode()
        return text.partition(split)[2].rpartition(mark)[0]


def test_volumes_are_what_was_said_last(bench: Bench, tmp_path: Path) -> None:
    place = Path("/tmp") / f"cumulo-volumes-{new_id()[:8]}"
    files = Files(place)
    try:
        first, second = files.new(), files.new(device="vdz")
        guest_id = bench.guest(volumes=[first])
        for volumes in ([first], [first, second], [second], [second], []):
            bench.node.ensure_power(guest_id, "stopped", 0)
            bench.node.ensure_volumes(guest_id, volumes)
            bench.node.ensure_volumes(guest_id, volumes)
        bench.node.ensure_volumes(guest_id, [first])
        bench.node.ensure_power(guest_id, "running")
        bench.node.remove_guest(guest_id)
        assert Path(first.path).exists()  # it outlives who had it
    finally:
        for one in place.glob("*"):
            one.unlink()
        place.rmdir()


@pytest.mark.real
@pytest.mark.timeout(300)
def test_what_one_guest_wrote_another_reads(libvirt_bench: Bench, host: Host, files: Files) -> None:
    volume = files.new()
    first = libvirt_bench.guest()
    with shell(libvirt_bench, host, first) as there:
        libvirt_bench.node.ensure_volumes(first, [volume])
        where = f"/dev/disk/by-id/virtio-{volume.volume_id[:20]}"
        device = there.run(f"ls {where} /dev/vdb 2>/dev/null | tail -1").strip().split()[-1]
        there.run(f"printf 'from the first' | sudo dd of={device} bs=512 conv=sync,fsync")
        size = volume.size_gib * 2 * GIB
        files.driver.extend(volume.volume_id, 2)
        grown = msgspec.structs.replace(volume, size_gib=2)
        libvirt_bench.node.ensure_volumes(first, [grown])
        assert str(size // 512) in there.run(f"cat /sys/block/{device[5:]}/size")
        libvirt_bench.node.ensure_volumes(first, [])
        assert device[5:] not in there.run("ls /sys/block").split()
    second = libvirt_bench.guest(volumes=[grown])
    with shell(libvirt_bench, host, second) as there:
        assert "from the first" in there.run("sudo dd if=/dev/vdb bs=14 count=1 2>/dev/null")
    libvirt_bench.node.remove_guest(second)
    assert Path(volume.path).exists()


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_guest_boots_from_a_volume(libvirt_bench: Bench, files: Files) -> None:
    from cumulo.services.volume.drivers.base import Content

    image, volume_id = libvirt_bench.image, new_id()
    pieces = [Path(image.path).read_bytes()]
    files.driver.write(volume_id, 1, Content(image.disk_format, pieces))
    volume = files.of(volume_id, is_boot_disk=True)
    guest_id = libvirt_bench.booted(image=None, volumes=[volume])
    libvirt_bench.node.reboot_guest(guest_id, "again", hard=True)
    libvirt_bench.await_boot(guest_id, times=2)


@pytest.mark.real
@pytest.mark.timeout(300)
def test_only_a_file_of_its_own_is_opened_as_a_volume(
    libvirt_bench: Bench, files: Files, host: Host
) -> None:
    """Who may write to the directory must not get root's help with other files."""
    guest_id = libvirt_bench.guest()
    libvirt_bench.node.ensure_power(guest_id, "stopped", 0)
    place = host.directory / "volumes"
    secret = host.directory / "secret"
    secret.write_bytes(b"root's")
    link, hard = place / new_id(), place / new_id()
    link.symlink_to(secret)
    hard.hardlink_to(secret)
    for path in (link, hard):
        volume = Volume(volume_id=path.name, path=str(path), size_gib=1)
        with pytest.raises(HostError):
            libvirt_bench.node.ensure_volumes(guest_id, [volume])
    assert secret.stat().st_uid == 0
    assert secret.stat().st_mode & 0o777 == 0o644
