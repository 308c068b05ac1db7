"""What every back end must do; the same for all of them."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from cumulo.kit.errors import Unavailable
from cumulo.kit.ids import new_id
from cumulo.kit.units import GIB, MIB
from cumulo.services.volume.drivers.base import (
    Adopts,
    BackendError,
    Content,
    Source,
    VolumeDriver,
)
from cumulo.services.volume.drivers.fake import FakeDriver
from cumulo.services.volume.drivers.file import FileDriver
from cumulo.services.volume.drivers.rbd import RbdDriver, RbdSettings
from tests.ceph import USER, Ceph

Make: TypeAlias = Callable[[pytest.FixtureRequest, Path], VolumeDriver]
REAL = [pytest.mark.real, pytest.mark.timeout(300)]


def fake(_: pytest.FixtureRequest, directory: Path) -> VolumeDriver:
    return FakeDriver("fake", directory=directory)


def file(_: pytest.FixtureRequest, directory: Path) -> VolumeDriver:
    return FileDriver("file", directory)


def rbd(request: pytest.FixtureRequest, directory: Path) -> VolumeDriver:
    """Return a driver that sees nothing of what other tests left in the pool."""
    conf = str(request.getfixturevalue("ceph").conf)
    settings = RbdSettings(pool="volumes", user=USER, conf=conf, owner=new_id())
    return RbdDriver("rbd", settings, directory)


@pytest.fixture(params=[fake, file, pytest.param(rbd, marks=REAL)], ids=lambda make: make.__name__)
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> VolumeDriver:
    make: Make = request.param
    return make(request, tmp_path / "volumes")


def made(driver: VolumeDriver, size_gib: int = 1) -> str:
    volume_id = new_id()
    driver.create(volume_id, size_gib)
    return volume_id


def read(driver: VolumeDriver, volume_id: str, offset: int, length: int) -> bytes:
    return b"".join(driver.read(Source(volume_id=volume_id), offset, length))


def there(driver: VolumeDriver) -> set[tuple[str, str | None, int]]:
    return {(one.volume_id, one.snapshot_id, one.size_gib) for one in driver.present()}


def test_create_and_delete_may_repeat(driver: VolumeDriver) -> None:
    volume_id = made(driver, 2)
    driver.overwrite(volume_id, [(0, b"kept")])
    driver.create(volume_id, 2)
    assert read(driver, volume_id, 0, 4) == b"kept"
    assert there(driver) == {(volume_id, None, 2)}
    driver.delete(volume_id)
    driver.delete(volume_id)
    assert there(driver) == set()


def test_a_new_volume_holds_nothing_of_a_deleted_one(driver: VolumeDriver) -> None:
    secret = b"their secret" * 100_000
    first = made(driver)
    driver.overwrite(first, [(0, secret), (700 * MIB, secret)])
    driver.delete(first)
    second = made(driver)
    assert not any(read(driver, second, 0, 4 * MIB))
    assert not any(read(driver, second, 700 * MIB, 4 * MIB))
    driver.delete(second)
    driver.create(first, 1)  # under the same name
    assert not any(read(driver, first, 0, 4 * MIB))


def test_what_is_written_is_read_and_nothing_behind_the_end(driver: VolumeDriver) -> None:
    volume_id = made(driver)
    driver.overwrite(volume_id, [(65_530, b"across a border"), (GIB - 4, b"last")])
    assert read(driver, volume_id, 65_528, 20) == b"\0\0across a border\0\0\0"
    assert read(driver, volume_id, GIB - 6, 100) == b"\0\0last"
    driver.overwrite(volume_id, [(65_530, bytes(15))])
    assert not any(read(driver, volume_id, 65_528, 20))


def test_a_volume_takes_the_place_of_another(driver: VolumeDriver) -> None:
    old, new = made(driver), made(driver)
    driver.overwrite(old, [(0, b"old"), (MIB, b"old")])
    driver.overwrite(new, [(0, b"new")])
    for _ in range(2):
        driver.replace(old, new)
        assert read(driver, old, 0, 3) == b"new"
        assert not any(read(driver, old, MIB, 3))
        assert there(driver) == {(old, None, 1)}
    driver.delete(old)


def test_copies_are_their_own(driver: VolumeDriver) -> None:
    first = made(driver)
    driver.overwrite(first, [(MIB, b"one")])
    clone = new_id()
    for _ in range(2):
        driver.create_from(clone, 2, Source(volume_id=first))
    driver.overwrite(first, [(MIB, b"two")])
    assert read(driver, clone, MIB, 3) == b"one"
    assert (clone, None, 2) in there(driver)
    driver.delete(first)
    assert read(driver, clone, MIB, 3) == b"one"


def test_snapshots(driver: VolumeDriver) -> None:
    volume_id = made(driver)
    driver.overwrite(volume_id, [(MIB, b"before")])
    kept = Source(volume_id=volume_id, snapshot_id=new_id())
    driver.create_snapshot(kept)
    driver.overwrite(volume_id, [(MIB, b"after.")])
    driver.create_snapshot(kept)  # it is taken already
    assert b"".join(driver.read(kept, MIB, 6)) == b"before"
    other = new_id()
    driver.create_from(other, 1, kept)
    assert read(driver, other, MIB, 6) == b"before"
    for _ in range(2):
        driver.revert(kept)
    assert read(driver, volume_id, MIB, 6) == b"before"
    for _ in range(2):
        driver.delete_snapshot(kept)
    assert there(driver) == {(volume_id, None, 1), (other, None, 1)}


def test_extending_may_repeat_and_never_shrinks(driver: VolumeDriver) -> None:
    volume_id = made(driver)
    driver.overwrite(volume_id, [(0, b"kept")])
    driver.extend(volume_id, 3)
    driver.extend(volume_id, 3)
    driver.extend(volume_id, 2)
    assert there(driver) == {(volume_id, None, 3)}
    assert read(driver, volume_id, 0, 4) == b"kept"
    assert not any(read(driver, volume_id, 3 * GIB - 8, 8))


def test_what_a_guest_wrote_is_never_taken_for_a_format(
    driver: VolumeDriver, tmp_path: Path
) -> None:
    """OSSA-2026-002: nor when it grows, is copied, kept or read to be an image."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"the host's")
    name = str(secret).encode()
    # The head of a qcow2 file whose backing file is the secret.
    head = b"QFI\xfb" + (3).to_bytes(4) + (104).to_bytes(8) + len(name).to_bytes(4)
    head = (head + (16).to_bytes(4) + (8 * GIB).to_bytes(8)).ljust(104, b"\0") + name
    volume_id, copy = made(driver), new_id()
    driver.overwrite(volume_id, [(0, head)])
    driver.extend(volume_id, 2)
    kept = Source(volume_id=volume_id, snapshot_id=new_id())
    driver.create_snapshot(kept)
    driver.create_from(copy, 2, kept)
    driver.revert(kept)
    for one in (volume_id, copy):
        assert read(driver, one, 0, len(head)) == head
        assert not any(read(driver, one, MIB, MIB))
    assert {size for _, _, size in there(driver)} == {2}


def test_an_image_is_written(driver: VolumeDriver) -> None:
    volume_id, image = new_id(), bytes(MIB) + b"image" * 1000
    for _ in range(2):
        driver.write(volume_id, 1, Content("raw", iter([image])))
    assert read(driver, volume_id, 0, len(image)) == image
    assert (volume_id, None, 1) in there(driver)


def test_an_image_that_is_too_large_leaves_nothing(driver: VolumeDriver) -> None:
    with pytest.raises(BackendError):
        driver.write(new_id(), 1, Content("raw", [b"head", bytes(GIB)]))
    assert there(driver) == set()


def test_what_is_not_there_is_said_so(driver: VolumeDriver) -> None:
    for call in (
        lambda: driver.extend(new_id(), 1),
        lambda: driver.connect(new_id()),
        lambda: driver.create_from(new_id(), 1, Source(volume_id=new_id())),
        lambda: driver.create_snapshot(Source(volume_id=new_id(), snapshot_id=new_id())),
        lambda: driver.revert(Source(volume_id=new_id(), snapshot_id=new_id())),
        lambda: list(driver.read(Source(volume_id=new_id()), 0, 1)),
    ):
        with pytest.raises(BackendError):
            call()
    assert there(driver) == set()


def test_what_is_let_go_can_be_taken_in_again(driver: VolumeDriver) -> None:
    assert isinstance(driver, Adopts)
    first, again = made(driver, 2), Source(volume_id=new_id())
    driver.overwrite(first, [(MIB, b"kept")])
    snapshot = Source(volume_id=first, snapshot_id=new_id())
    driver.create_snapshot(snapshot)
    before = {one.name for one in driver.strangers()}
    for _ in range(2):
        driver.release(snapshot)
    (found,) = [one for one in driver.strangers() if one.name not in before]
    assert (found.volume_id, found.size_gib) == (first, 2)
    taken = Source(volume_id=first, snapshot_id=new_id())
    for _ in range(2):
        assert driver.adopt(taken, found.name) == 2
    assert b"".join(driver.read(taken, MIB, 4)) == b"kept"
    driver.delete_snapshot(taken)
    for _ in range(2):
        driver.release(Source(volume_id=first), "theirs")
    assert there(driver) == set()
    with pytest.raises(BackendError):
        driver.adopt(Source(volume_id=new_id()), "no such")
    for _ in range(2):
        assert driver.adopt(again, "theirs") == 2
    assert there(driver) == {(again.volume_id, None, 2)}
    assert read(driver, again.volume_id, MIB, 4) == b"kept"


def test_capacity_is_told(driver: VolumeDriver) -> None:
    room = driver.capacity()
    assert 0 < room.free_gib <= room.total_gib


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
class TestFormats:
    """Images of formats of their own, in files."""

    def image(self, tmp_path: Path, kind: str, *options: str, size: str = "8M") -> bytes:
        path = tmp_path / f"image.{kind}"
        command = ["qemu-img", "create", "-q", "-f", kind, *options, str(path), size]
        subprocess.run(command, check=True)
        return path.read_bytes()

    def test_a_qcow2_is_converted(self, tmp_path: Path) -> None:
        raw = tmp_path / "disk.raw"
        raw.write_bytes(bytes(MIB) + b"payload" * 1000 + bytes(MIB))
        packed = tmp_path / "disk.qcow2"
        convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(packed)]
        subprocess.run(convert, check=True)
        driver, volume_id = FileDriver("file", tmp_path / "volumes"), new_id()
        driver.write(volume_id, 1, Content("qcow2", [packed.read_bytes()]))
        assert read(driver, volume_id, 0, raw.stat().st_size) == raw.read_bytes()
        used = (tmp_path / "volumes" / volume_id).stat().st_blocks * 512
        assert used < 4 * MIB

    def test_a_disk_that_claims_to_be_huge_is_refused(self, tmp_path: Path) -> None:
        driver = FileDriver("file", tmp_path / "volumes")
        bomb = self.image(tmp_path, "qcow2", size="3G")
        with pytest.raises(BackendError):
            driver.write(new_id(), 1, Content("qcow2", [bomb]))
        assert there(driver) == set()

    def test_a_backing_file_is_not_followed(self, tmp_path: Path) -> None:
        """OSSA-2015-011, 2024-001: another's file would be read through the image."""
        secret = tmp_path / "secret"
        secret.write_bytes(b"the operator's secret".ljust(MIB, b"!"))
        options = ["-b", str(secret), "-F", "raw"]
        evil = self.image(tmp_path, "qcow2", *options, size="1M")
        driver, volume_id = FileDriver("file", tmp_path / "volumes"), new_id()
        with pytest.raises(BackendError):
            driver.write(volume_id, 1, Content("qcow2", [evil]))
        assert there(driver) == set()

    def test_raw_is_never_taken_for_something_else(self, tmp_path: Path) -> None:
        packed = self.image(tmp_path, "qcow2")
        driver, volume_id = FileDriver("file", tmp_path / "volumes"), new_id()
        driver.write(volume_id, 1, Content("raw", [packed]))
        assert read(driver, volume_id, 0, 4) == b"QFI\xfb"  # as it is, not as it claims to be


@pytest.mark.real
@pytest.mark.timeout(300)
class TestRbd:
    """What is particular to a pool of Ceph."""

    def driver(self, ceph: Ceph, directory: Path, owner: str) -> RbdDriver:
        settings = RbdSettings(pool="volumes", user=USER, conf=str(ceph.conf), owner=owner)
        return RbdDriver("rbd", settings, directory)

    def test_what_copies_need_goes_with_the_last(self, ceph: Ceph, tmp_path: Path) -> None:
        before = ceph.run("rbd", "ls", "volumes"), ceph.run("rbd", "trash", "ls", "volumes")
        driver = self.driver(ceph, tmp_path, new_id())
        chain = [made(driver)]
        driver.overwrite(chain[0], [(MIB, b"handed on")])
        kept = Source(volume_id=chain[0], snapshot_id=new_id())
        driver.create_snapshot(kept)
        for source in (kept, None, None):
            chain.append(new_id())
            driver.create_from(chain[-1], 1, source or Source(volume_id=chain[-2]))
        driver.delete_snapshot(kept)
        for volume_id in chain[:-1]:
            driver.delete(volume_id)
            assert read(driver, chain[-1], MIB, 9) == b"handed on"
        assert there(driver) == {(chain[-1], None, 1)}
        driver.tidy()
        driver.delete(chain[-1])
        assert before == (
            ceph.run("rbd", "ls", "volumes"),
            ceph.run("rbd", "trash", "ls", "volumes"),
        )

    def test_what_others_have_in_the_pool_is_theirs(self, ceph: Ceph, tmp_path: Path) -> None:
        theirs = made(self.driver(ceph, tmp_path, "another"))
        strange = f"volumes/volume-{new_id()}"
        ceph.run("rbd", "create", "--size", "1G", strange)
        driver = self.driver(ceph, tmp_path, new_id())
        mine = made(driver)
        assert there(driver) == {(mine, None, 1)}
        ceph.run("rbd", "rm", strange)
        for volume_id in (mine, theirs):
            driver.delete(volume_id)

    def test_images_of_every_format(self, ceph: Ceph, tmp_path: Path) -> None:
        raw, packed = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
        raw.write_bytes(bytes(MIB) + b"payload" * 1000 + bytes(MIB))
        convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(packed)]
        subprocess.run(convert, check=True)
        driver, volume_id = self.driver(ceph, tmp_path / "scratch", new_id()), new_id()
        driver.write(volume_id, 1, Content("qcow2", [packed.read_bytes()]))
        assert read(driver, volume_id, 0, raw.stat().st_size) == raw.read_bytes()
        assert not list((tmp_path / "scratch").iterdir())
        driver.delete(volume_id)

    def test_a_cluster_that_is_away_may_come_back(self, tmp_path: Path) -> None:
        conf = tmp_path / "ceph.conf"
        conf.write_text("[global]\nmon host = v2:127.0.0.1:1/0\n")
        settings = RbdSettings(pool="volumes", user=USER, conf=str(conf), owner="o")
        with pytest.raises(Unavailable):
            RbdDriver("rbd", settings, tmp_path).capacity()
