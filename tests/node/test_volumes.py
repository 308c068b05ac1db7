"""Volumes plugged into guests and out of them."""

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


def script(volume: Volume, *lines: str) -> dict[str, object]:
    """Return what has a guest run a script about a volume, which it finds by its serial number."""
    find = f"grep -l ^{volume.volume_id[:20]} /sys/block/vd*/serial 2>/dev/null | cut -d/ -f4"
    text = ["#!/bin/sh", "{", f'while d=$({find}); [ -z "$d" ]; do sleep 0.2; done', *lines]
    program = "\n".join([*text, "} >/dev/console 2>&1 &", ""]).encode()
    meta_data = '{"uuid": "x1", "hostname": "guest"}'
    return {
        "config_drive": {"openstack/latest/meta_data.json": meta_data},
        "config_drive_bytes": {"openstack/latest/user_data": program},
    }


def says(bench: Bench, guest_id: str, words: bytes) -> None:
    log = bench.node.console_log
    eventually(lambda: words in log(guest_id), bench.patience_s, lambda: log(guest_id)[-600:])


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
    first = libvirt_bench.guest(
        **script(
            volume,
            "printf 'from the first' | dd of=/dev/$d bs=512 conv=sync && sync && echo WRO''TE",
            f"while [ $(cat /sys/block/$d/size) != {2 * GIB // 512} ]; do sleep 0.2; done",
            "echo GRO''WN",
            "while [ -e /sys/block/$d ]; do sleep 0.2; done",
            "echo GO''NE",
        )
    )
    libvirt_bench.await_boot(first)
    node = libvirt_bench.node
    node.ensure_volumes(first, [volume])
    says(libvirt_bench, first, b"WROTE")
    files.driver.extend(volume.volume_id, 2)
    grown = msgspec.structs.replace(volume, size_gib=2)
    node.ensure_volumes(first, [grown])
    says(libvirt_bench, first, b"GROWN")
    copy = Path(volume.path).with_name(f"{volume.volume_id}.{new_id()}")
    assert node.copy_volume(first, volume.volume_id, str(copy))
    assert node.copy_volume(first, volume.volume_id, str(copy))
    with copy.open("rb") as kept:
        assert kept.read(14) == b"from the first"
    assert copy.stat().st_size == 2 * GIB
    node.ensure_volumes(first, [])
    says(libvirt_bench, first, b"GONE")
    read = script(volume, "dd if=/dev/$d bs=14 count=1 2>/dev/null")
    second = libvirt_bench.guest(volumes=[grown], **read)
    says(libvirt_bench, second, b"from the first")
    node.remove_guest(second)
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
