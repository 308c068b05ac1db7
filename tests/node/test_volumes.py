"""Volumes plugged into guests and out of them."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cumulo.kit.ids import new_id
from cumulo.kit.units import GIB
from cumulo.node.api import EphemeralDisk, HostError, Volume, place_of
from cumulo.services.volume.drivers import luks
from cumulo.services.volume.drivers.base import (
    Content,
    LocalFiles,
    Locked,
    Seals,
    Source,
    VolumeDriver,
)
from cumulo.services.volume.drivers.file import FileDriver
from cumulo.services.volume.drivers.rbd import RbdDriver, RbdSettings
from tests.ceph import USER, Ceph
from tests.hypervisor import Host
from tests.node.bench import Bench
from tests.waiting import eventually


class Store:
    """A back end that guests on the host reach."""

    def __init__(self, driver: VolumeDriver) -> None:
        self.driver = driver

    def new(self, **more: object) -> Volume:
        """Make a volume and say how it is reached."""
        volume_id = new_id()
        self.driver.create(volume_id, 1)
        return self.of(volume_id, **more)

    def of(self, volume_id: str, **more: object) -> Volume:
        told = self.driver.connect(volume_id).target
        opens = {"ceph": self.driver.key()} if isinstance(self.driver, Locked) else {}
        fields: Any = {"secrets": opens, **told, **more}
        return Volume(volume_id=volume_id, size_gib=1, **fields)

    def kept(self, bench: Bench, guest_id: str, volume: Volume) -> Source:
        """Keep what a volume of a running guest holds."""
        kept = Source(volume_id=volume.volume_id, snapshot_id=new_id())
        if isinstance(self.driver, LocalFiles):
            path = self.driver.snapshot_path(kept)
            for _ in range(2):
                assert bench.node.copy_volume(guest_id, volume.volume_id, path)
        else:
            self.driver.create_snapshot(kept)
        return kept


@pytest.fixture
def files(host: Host) -> Store:
    return Store(FileDriver("file", host.directory / "volumes"))


@pytest.fixture
def rbd(ceph: Ceph, tmp_path: Path) -> Store:
    settings = RbdSettings(pool="volumes", user=USER, conf=str(ceph.conf), owner=new_id())
    return Store(RbdDriver("rbd", settings, tmp_path))


@pytest.fixture(params=["files", "rbd"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found


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
    files = Store(FileDriver("file", place))
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
def test_what_one_guest_wrote_another_reads(libvirt_bench: Bench, host: Host, store: Store) -> None:
    volume = store.new()
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
    store.driver.extend(volume.volume_id, 2)
    grown = msgspec.structs.replace(volume, size_gib=2)
    node.ensure_volumes(first, [grown])
    says(libvirt_bench, first, b"GROWN")
    kept = store.kept(libvirt_bench, first, volume)
    assert b"".join(store.driver.read(kept, 0, 14)) == b"from the first"
    assert store.driver.present()[-1].size_gib == 2
    node.ensure_volumes(first, [])
    says(libvirt_bench, first, b"GONE")
    read = script(volume, "dd if=/dev/$d bs=14 count=1 2>/dev/null")
    second = libvirt_bench.guest(volumes=[grown], **read)
    says(libvirt_bench, second, b"from the first")
    assert not leaks(host, volume)
    node.remove_guest(second)
    assert b"".join(store.driver.read(Source(volume_id=volume.volume_id), 0, 4)) == b"from"
    assert not list(host.directory.glob("libvirt/etc/secrets/*"))


def leaks(host: Host, volume: Volume) -> list[Path]:
    """Return where what opens a volume is written that others than root read, or we keep."""
    words = [value.encode() for value in volume.secrets.values()]
    found = [path for path in host.directory.rglob("*") if path.is_file()]
    places = [path for path in found if "/etc/secrets/" not in str(path)]
    return [path for path in places if any(word in path.read_bytes() for word in words)]


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_guest_boots_from_a_volume(libvirt_bench: Bench, store: Store) -> None:
    image, volume_id = libvirt_bench.image, new_id()
    pieces = [Path(image.path).read_bytes()]
    store.driver.write(volume_id, 1, Content(image.disk_format, pieces))
    volume = store.of(volume_id, is_boot_disk=True)
    guest_id = libvirt_bench.booted(
        image=None,
        volumes=[volume],
        ephemeral_disks=[EphemeralDisk(size_gib=1)],
        swap_mib=8,
        **script(volume, "echo DISKS $d $(cat /sys/block/vd[bc]/size) E''ND"),
    )
    says(libvirt_bench, guest_id, b"DISKS vda 2097152 16384 END")
    says(libvirt_bench, guest_id, b" root=/dev/vda2 ")
    libvirt_bench.node.reboot_guest(guest_id, "again", hard=True)
    libvirt_bench.await_boot(guest_id, times=2)
    assert libvirt_bench.node.console_log(guest_id).count(b" root=/dev/vda2 ") == 2


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_guest_boots_from_an_encrypted_volume(
    libvirt_bench: Bench, store: Store, host: Host
) -> None:
    """OSSA-2018-001: what is in the back end cannot be read without the key."""
    image, volume_id, passphrase = libvirt_bench.image, new_id(), "of 64 letters".ljust(64, "!")
    assert isinstance(store.driver, Seals)
    content = Content(image.disk_format, [Path(image.path).read_bytes()])
    sealing = luks.container(content, 1, passphrase, luks.Cipher(), store.driver.scratch())
    with sealing as pieces:
        store.driver.create(volume_id, 1)
        store.driver.overwrite(volume_id, pieces)
    source = Source(volume_id=volume_id)
    header = luks.header_size(b"".join(store.driver.read(source, 0, luks.HEAD)))
    volume = store.of(volume_id, is_boot_disk=True, header=header)
    told = msgspec.structs.replace(volume, secrets={**volume.secrets, "luks": passphrase})
    mark = "a line that nobody else may read"
    grown = (2 * GIB - header) // 512
    guest_id = libvirt_bench.guest(
        image=None,
        volumes=[told],
        **script(
            volume,
            f"printf '{mark}' > /root/secret; sync; echo WRO''TE",
            f"while [ $(cat /sys/block/$d/size) != {grown} ]; do sleep 0.2; done",
            "echo GRO''WN",
        ),
    )
    says(libvirt_bench, guest_id, b"WROTE")
    everything = b"".join(store.driver.read(source, 0, GIB))
    assert b"nobody else may" not in everything
    assert b"vmlinuz" not in everything
    store.driver.extend(volume_id, 2)
    libvirt_bench.node.ensure_volumes(guest_id, [msgspec.structs.replace(told, size_gib=2)])
    says(libvirt_bench, guest_id, b"GROWN")
    assert not leaks(host, told)
    libvirt_bench.node.reboot_guest(guest_id, "again", hard=True)
    libvirt_bench.await_boot(guest_id, times=2)
    libvirt_bench.node.remove_guest(guest_id)
    assert not list(host.directory.glob("libvirt/etc/secrets/*"))


@pytest.mark.real
@pytest.mark.timeout(300)
@pytest.mark.parametrize("passphrase", ["", "of 64 letters".ljust(64, "!")], ids=["open", "luks"])
def test_a_volume_goes_elsewhere_while_its_guest_writes(
    libvirt_bench: Bench, store: Store, host: Host, passphrase: str
) -> None:
    """Whoever asks twice, or dies meanwhile, finds it done; the guest keeps what it wrote."""
    others = Store(FileDriver("others", host.directory / "others"))
    volume_id = new_id()
    old, new = (sealed(one, volume_id, passphrase) for one in (store, others))
    guest_id = libvirt_bench.guest(
        volumes=[old],
        **script(
            old,
            "printf 'from before' | dd of=/dev/$d bs=512 conv=sync && sync && echo WRO''TE",
            "i=0; while i=$((i+1)); do",
            "echo count $i | dd of=/dev/$d bs=512 seek=2048 conv=sync 2>/dev/null; sync",
            "echo wr''ote $i.; done",
        ),
    )
    says(libvirt_bench, guest_id, b"WROTE")
    node = libvirt_bench.node
    for _ in range(2):
        node.exchange_volume(guest_id, new)
        assert node.volume_place(guest_id, volume_id) == place_of(new)
    # What is in the old place is nobody's any more.
    store.driver.delete(volume_id)
    count = counted(libvirt_bench, guest_id)
    eventually(lambda: counted(libvirt_bench, guest_id) > count, libvirt_bench.patience_s)
    assert not leaks(host, old)
    node.ensure_power(guest_id, "stopped", 0)
    assert node.volume_place(guest_id, volume_id) == place_of(new)
    store.driver.create(volume_id, 1)
    with pytest.raises(HostError, match="is off"):
        node.exchange_volume(guest_id, old)
    node.exchange_volume(guest_id, new)
    if not passphrase:
        source, last = Source(volume_id=volume_id), counted(libvirt_bench, guest_id)
        assert b"".join(others.driver.read(source, 0, 11)) == b"from before"
        held = b"".join(others.driver.read(source, 2048 * 512, 32)).rstrip(b"\0\n")
        assert int(held.removeprefix(b"count ")) >= last
    node.ensure_power(guest_id, "running")
    node.remove_guest(guest_id)


def sealed(store: Store, volume_id: str, passphrase: str) -> Volume:
    """Make a volume, encrypted if there is a passphrase, and say how it is reached."""
    store.driver.create(volume_id, 1)
    if not passphrase:
        return store.of(volume_id)
    assert isinstance(store.driver, Seals)
    sealing = luks.container(None, 1, passphrase, luks.Cipher(), store.driver.scratch())
    with sealing as pieces:
        store.driver.overwrite(volume_id, pieces)
    head = b"".join(store.driver.read(Source(volume_id=volume_id), 0, luks.HEAD))
    told = store.of(volume_id, header=luks.header_size(head))
    return msgspec.structs.replace(told, secrets={**told.secrets, "luks": passphrase})


def counted(bench: Bench, guest_id: str) -> int:
    """Return how often the guest has written."""
    numbers = re.findall(rb"wrote (\d+)\.", bench.node.console_log(guest_id))
    return int(numbers[-1]) if numbers else 0


@pytest.mark.real
@pytest.mark.timeout(300)
def test_only_a_file_of_its_own_is_opened_as_a_volume(
    libvirt_bench: Bench, files: Store, host: Host
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
