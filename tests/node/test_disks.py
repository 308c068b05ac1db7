"""Images are what they were said to be, or no guest starts from them."""

import hashlib
import os
import shutil
import struct
import subprocess
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from cumulo.kit import clock, ids
from cumulo.node import disks
from cumulo.node.api import EphemeralDisk, GuestSpec, HostError, ImageSource
from cumulo.node.guest_files import GuestFiles

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img")
OWNER = (os.geteuid(), os.getegid())
MIB = 2**20


@pytest.fixture
def cache(tmp_path: Path) -> disks.ImageCache:
    return disks.ImageCache(tmp_path / "cache", OWNER)


def image_img(*arguments: str) -> None:
    subprocess.run(["qemu-img", *arguments], check=True, capture_output=True)


def source(file: Path, **changes: object) -> ImageSource:
    """Describe a file truly, as a qcow2 of 1 MiB."""
    said = ImageSource(
        image_id=ids.new_id(),
        path=str(file),
        disk_format="qcow2",
        size=file.stat().st_size,
        virtual_size=MIB,
    )
    return msgspec.structs.replace(said, **changes)


def qcow2(path: Path, *options: str) -> Path:
    image_img("create", "-q", "-f", "qcow2", *options, str(path), "1M")
    return path


def with_backing_file(path: Path) -> Path:
    image_img(
        "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw", str(path), "1M"
    )
    return path


def with_data_file(path: Path) -> Path:
    return qcow2(path, "-o", f"data_file={path}.data,data_file_raw=on")


def with_unknown_feature(path: Path) -> Path:
    raw = bytearray(qcow2(path).read_bytes())
    raw[0x48:0x50] = struct.pack(">Q", 1 << 40)
    path.write_bytes(raw)
    return path


def as_vmdk(path: Path) -> Path:
    image_img("create", "-q", "-f", "vmdk", str(path), "1M")
    return path


def test_an_image_is_copied_once(cache: disks.ImageCache, tmp_path: Path) -> None:
    image = source(qcow2(tmp_path / "image"))
    first = cache.ensure(image)
    (tmp_path / "image").unlink()
    assert cache.ensure(image) == first
    assert first.path.stat().st_mode & 0o777 == 0o444
    assert [path.name for path in first.path.parent.iterdir()] == [f"{image.image_id}.qcow2"]


def test_many_guests_may_want_one_image_at_once(cache: disks.ImageCache, tmp_path: Path) -> None:
    image = source(qcow2(tmp_path / "image"))
    found: list[disks.CachedImage] = []
    threads = [threading.Thread(target=lambda: found.append(cache.ensure(image))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("declared", ["raw", "qcow2"])
@pytest.mark.parametrize("make", [with_backing_file, with_data_file, with_unknown_feature, as_vmdk])
def test_an_image_that_leads_elsewhere_is_refused(
    make: Callable[[Path], Path], declared: str, cache: disks.ImageCache, tmp_path: Path
) -> None:
    image = source(make(tmp_path / "image"), disk_format=declared)
    image = msgspec.structs.replace(image, virtual_size=image.size)
    with pytest.raises(HostError, match=r"safe|not raw|not qcow2"):
        cache.ensure(image)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        ({"size": 1}, "instead of 1"),
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"virtual_size": 512}, "instead of 512"),
        ({"disk_format": "raw"}, "is qcow2, not raw"),
        ({"path": "/nowhere"}, "No such file"),
        ({"image_id": "../../etc/passwd"}, "no usable id"),
    ],
)
def test_an_image_unlike_its_description_is_refused(
    lie: dict[str, object], told: str, cache: disks.ImageCache, tmp_path: Path
) -> None:
    with pytest.raises(HostError, match=told):
        cache.ensure(source(qcow2(tmp_path / "image"), **lie))


def test_a_raw_disk_with_a_partition_table_is_raw(cache: disks.ImageCache, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(446) + b"\x80\0\0\0\x06\0\0\0\1\0\0\0\1\0\0\0" + bytes(48) + b"\x55\xaa")
    os.truncate(path, MIB)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    base = cache.ensure(source(path, disk_format="raw", sha256=digest))
    assert base.path.name == f"{digest}.raw"


def test_images_that_nobody_uses_go_after_a_while(cache: disks.ImageCache, tmp_path: Path) -> None:
    images = [source(qcow2(tmp_path / name)) for name in ("used", "unused")]
    with clock.CLOCK.held() as held:
        used, unused = (cache.ensure(image).path for image in images)
        held.move(timedelta(hours=1).total_seconds())
        cache.remove_unused({images[0].image_id}, older_than_s=3601)
        assert unused.exists()
        cache.remove_unused({images[0].image_id}, older_than_s=3599)
    assert used.exists()
    assert not unused.exists()


@pytest.fixture
def files(tmp_path: Path) -> GuestFiles:
    files = GuestFiles(tmp_path, ids.new_id())
    files.make(OWNER)
    return files


def spec_of(files: GuestFiles, image: ImageSource, **changes: object) -> GuestSpec:
    spec = GuestSpec(
        id=files.directory.name,
        name="instance-00000001",
        vcpus=1,
        memory_mib=128,
        root_gib=0,
        image=image,
    )
    return msgspec.structs.replace(spec, **changes)


def info(path: Path) -> dict[str, object]:
    told = subprocess.run(
        ["qemu-img", "info", "--output=json", str(path)], check=True, capture_output=True
    )
    return msgspec.json.decode(told.stdout, type=dict[str, object])


@pytest.mark.parametrize(("root_gib", "size"), [(0, MIB), (2, 2048 * MIB)])
def test_a_root_disk_is_as_large_as_its_flavor_and_never_cuts_its_image(
    root_gib: int, size: int, files: GuestFiles, cache: disks.ImageCache, tmp_path: Path
) -> None:
    image = source(qcow2(tmp_path / "image"))
    base = cache.ensure(image)
    disk = disks.root_disk(files, spec_of(files, image, root_gib=root_gib), base, OWNER)
    told = info(disk)
    assert told["virtual-size"] == size
    assert told["backing-filename"] == str(base.path)
    assert told["backing-filename-format"] == "qcow2"


def test_what_a_guest_wrote_is_not_made_anew(
    files: GuestFiles, cache: disks.ImageCache, tmp_path: Path
) -> None:
    image = source(qcow2(tmp_path / "image"))
    base, spec = cache.ensure(image), spec_of(files, image)
    disk = disks.root_disk(files, spec, base, OWNER)
    image_img("resize", "-q", "-f", "qcow2", str(disk), "5M")
    assert disks.root_disk(files, spec, base, OWNER) == disk
    assert info(disk)["virtual-size"] == 5 * MIB


def test_a_disk_whose_making_was_cut_short_is_made_anew(
    files: GuestFiles, cache: disks.ImageCache, tmp_path: Path
) -> None:
    image = source(qcow2(tmp_path / "image"))
    (files.directory / "root.qcow2.new").write_text("half a disk")
    disk = disks.root_disk(files, spec_of(files, image), cache.ensure(image), OWNER)
    assert info(disk)["format"] == "qcow2"
    assert not (files.directory / "root.qcow2.new").exists()


def test_ephemeral_and_swap_disks_are_ready_for_use(files: GuestFiles, tmp_path: Path) -> None:
    wanted = [EphemeralDisk(size_gib=1), EphemeralDisk(size_gib=2, format="ext2")]
    image = source(qcow2(tmp_path / "image"))
    spec = spec_of(files, image, ephemeral_disks=wanted, swap_mib=8)
    ephemeral = disks.ephemeral_disk(files, spec, 0, OWNER)
    second = disks.ephemeral_disk(files, spec, 1, OWNER)
    swap = disks.swap_disk(files, spec, OWNER)
    assert ephemeral.stat().st_size == 1024 * MIB
    assert ephemeral.stat().st_blocks * 512 < 100 * MIB
    with ephemeral.open("rb") as disk:
        head = disk.read(2048)
    assert (head[1080:1082], head[1144:1154]) == (b"\x53\xef", b"ephemeral0")  # ext4
    assert second.stat().st_size == 2048 * MIB
    with second.open("rb") as disk:
        head = disk.read(2048)
    assert (head[1144:1154], head[1116] & 4) == (b"ephemeral1", 0)  # ext2 has no journal
    assert swap.read_bytes()[4086:4096] == b"SWAPSPACE2"


@pytest.mark.skipif(shutil.which("genisoimage") is None, reason="needs genisoimage")
def test_a_config_drive_carries_text_and_bytes(files: GuestFiles) -> None:
    contents = {"openstack/latest/meta_data.json": b"{}", "openstack/latest/user_data": b"\xff"}
    drive = disks.config_drive(files, contents, OWNER).read_bytes()
    assert drive[32808:32816] == b"config-2"
    assert b"meta_data.json" in drive
    assert [
        path.name for path in files.directory.iterdir() if path.name.startswith("config-")
    ] == []


@pytest.mark.parametrize("name", ["../escaped", "/etc/cron.d/escaped", ""])
def test_a_config_drive_has_no_files_elsewhere(name: str, files: GuestFiles) -> None:
    with pytest.raises(HostError, match="no path on a config drive"):
        disks.config_drive(files, {name: b"x"}, OWNER)
    assert not files.config_drive.exists()
