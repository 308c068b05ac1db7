"""Volumes of a type that is encrypted otherwise: copied under another key, or left as they were."""

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import sqlalchemy as sa

from cumulo.kit.ids import new_id
from cumulo.kit.units import GIB, MIB
from cumulo.services.volume import keys, reconcile
from cumulo.services.volume.drivers import luks
from cumulo.services.volume.drivers.base import Source, VolumeDriver
from cumulo.services.volume.drivers.claims import HEAD, claimed
from cumulo.services.volume.drivers.fake import FakeDriver
from cumulo.services.volume.drivers.file import FileDriver
from cumulo.services.volume.drivers.rbd import RbdDriver, RbdSettings
from cumulo.services.volume.store import tables
from cumulo.services.volume.store.volumes import stand_in
from cumulo.services.volume.workflows.move_volume import MOVE_VOLUME
from cumulo.work import testing
from tests.ceph import USER
from tests.client import Answer, Client
from tests.cloud import Emulated
from tests.volume.conftest import Made
from tests.volume.test_workflows import Scene, agree
from tests.volume.test_workflows import scene as scene

V = "/v3/volumes"
POOL = "node1@fake"
DATA = b"what a guest has written "
Make: TypeAlias = Callable[[pytest.FixtureRequest, Path], VolumeDriver]


@pytest.fixture(autouse=True)
def kinds(root: Client) -> None:
    """Types: open ones, sealed ones, and some sealed by a shorter key."""
    for name, size in (("open", 0), ("sealed", 256), ("weaker", 128)):
        kind = root.post("/v3/types", {"volume_type": {"name": name}}).json()["volume_type"]["id"]
        luks_type = {"provider": "luks", "key_size": size, "control_location": "front-end"}
        if size:
            root.post(f"/v3/types/{kind}/encryption", {"encryption": luks_type})


def retype(client: Client, volume_id: str, kind: str, policy: str = "on-demand") -> Answer:
    wanted = {"os-retype": {"new_type": kind, "migration_policy": policy}}
    return client.post(f"{V}/{volume_id}/action", wanted)


def shown(client: Client, volume_id: str) -> Any:
    return client.get(f"{V}/{volume_id}").json()["volume"]


def message(client: Client, volume_id: str) -> str:
    (told,) = client.get(f"/v3/messages?resource_uuid={volume_id}").json()["messages"]
    return str(told["user_message"])


def key_ids(emulated: Emulated) -> set[str]:
    return emulated.db.read(lambda tx: set(tx.scalars(sa.select(tables.key.c.id))))


def allocated(root: Client) -> int:
    (pool,) = root.get("/v3/scheduler-stats/get_pools?detail=true").json()["pools"]
    return int(pool["capabilities"]["allocated_capacity_gb"])


def put(emulated: Emulated, driver: VolumeDriver) -> None:
    """Let the cloud's back end be another."""
    places: dict[str, Any] = emulated.cloud.volume.places  # type: ignore[assignment]
    places[POOL] = dataclasses.replace(places[POOL], driver=driver)


def file(_: pytest.FixtureRequest, directory: Path) -> VolumeDriver:
    return FileDriver("fake", directory)


def rbd(request: pytest.FixtureRequest, directory: Path) -> VolumeDriver:
    conf = str(request.getfixturevalue("ceph").conf)
    settings = RbdSettings(pool="volumes", user=USER, conf=conf, owner=new_id())
    return RbdDriver("fake", settings, directory)


@pytest.fixture(params=[file, rbd], ids=lambda make: make.__name__)
def sealing(request: pytest.FixtureRequest, emulated: Emulated, tmp_path: Path) -> VolumeDriver:
    """A back end in which volumes are really encrypted."""
    make: Make = request.param
    driver = make(request, tmp_path / "sealed")
    put(emulated, driver)
    return driver


def held(driver: VolumeDriver, volume_id: str, offset: int, length: int) -> bytes:
    return b"".join(driver.read(Source(volume_id=volume_id), offset, length))


def opened(emulated: Emulated, driver: VolumeDriver, volume_id: str, tmp_path: Path) -> int:
    """Return a file with what a guest sees of an encrypted volume."""
    key_id = emulated.db.read(
        lambda tx: tx.scalars(
            sa.select(tables.volume.c.encryption_key_id).where(tables.volume.c.id == volume_id)
        ).one()
    )
    passphrase = emulated.db.read(keys.passphrase_of, emulated.cloud.volume.safe, key_id)
    whole = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR)
    for number, piece in enumerate(driver.read(Source(volume_id=volume_id), 0, GIB)):
        os.pwrite(whole, piece, number * 4 * MIB)
    disk = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR)
    luks.open_into(disk, whole, passphrase)
    os.close(whole)
    return disk


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_volume_is_encrypted_at_last_otherwise_and_no_longer(
    emulated: Emulated, root: Client, ann: Client, made: Made, sealing: VolumeDriver, tmp_path: Path
) -> None:
    volume_id = made.volume(volume_type="open")
    sealing.overwrite(volume_id, [(100 * MIB, DATA)])  # and nothing that counts on the end
    for kind in ("sealed", "weaker"):
        assert retype(ann, volume_id, kind).status == 202
        emulated.work()
        told = shown(ann, volume_id)
        assert (told["status"], told["volume_type"], told["encrypted"]) == ("available", kind, True)
        assert key_ids(emulated) == {told["encryption_key_id"]}
        assert held(sealing, volume_id, 0, 6) == b"LUKS\xba\xbe"
        disk = opened(emulated, sealing, volume_id, tmp_path)
        assert os.pread(disk, len(DATA), 100 * MIB) == DATA
        assert not any(os.pread(disk, MIB, 200 * MIB))
        os.close(disk)
    assert retype(ann, volume_id, "open").status == 202
    emulated.work()
    told = shown(ann, volume_id)
    assert (told["status"], told["encrypted"], key_ids(emulated)) == ("available", False, set())
    assert held(sealing, volume_id, 100 * MIB, len(DATA)) == DATA
    assert not any(held(sealing, volume_id, 0, MIB))
    assert [one.volume_id for one in sealing.present()] == [volume_id]
    assert allocated(root) == 1
    sealing.delete(volume_id)


@pytest.mark.real
@pytest.mark.parametrize(
    ("offset", "data", "why"),
    [
        (GIB - 4, b"tail", "there is data behind"),
        (1080, b"\x53\xef", "an ext file system on it takes"),
        (50, b"of a kind that nobody knows", "something on it does not say"),
    ],
)
def test_what_would_lose_its_end_stays_as_it_was(
    emulated: Emulated, ann: Client, made: Made, offset: int, data: bytes, why: str
) -> None:
    directory = emulated.cloud.state / "sealed"
    driver = FileDriver("fake", directory)
    put(emulated, driver)
    volume_id = made.volume(volume_type="open")
    size = (GIB // 4096).to_bytes(4, "little")  # blocks, and their size: all of the volume
    pieces = [(1028, size), (1048, b"\2\0\0\0")] if offset == 1080 else []
    driver.overwrite(volume_id, [*pieces, (offset, data)])
    retype(ann, volume_id, "sealed")
    emulated.work()
    told = shown(ann, volume_id)
    assert (told["status"], told["volume_type"], told["encrypted"]) == ("available", "open", False)
    assert why in message(ann, volume_id)
    assert "extend the volume by 1 GiB" in message(ann, volume_id)
    assert held(driver, volume_id, offset, len(data)) == data
    assert [path.name for path in directory.iterdir()] == [volume_id]
    assert key_ids(emulated) == set()
    assert allocated(ann.as_("root:p0:admin")) == 1


def test_what_cinder_refuses_is_refused(
    emulated: Emulated, root: Client, ann: Client, made: Made
) -> None:
    never, kept = made.volume(volume_type="open"), made.volume(volume_type="open")
    made.snapshot(kept)
    assert retype(ann, never, "sealed", "never").status == 202
    assert retype(ann, kept, "sealed").status == 202
    emulated.work()
    for volume_id, why in ((never, "requires migration but is not allowed"), (kept, "snapshots")):
        told = shown(ann, volume_id)
        assert (told["status"], told["volume_type"]) == ("available", "open")
        assert why in message(ann, volume_id)
    assert key_ids(emulated) == set()
    root.post(f"{V}/{never}/action", {"os-reset_status": {"status": "in-use"}})
    answer = retype(ann, never, "sealed")
    assert (answer.status, "detach it first" in answer.text) == (400, True)
    several = {"name": "several", "extra_specs": {"multiattach": "<is> True"}}
    kind = root.post("/v3/types", {"volume_type": several}).json()["volume_type"]["id"]
    root.post(f"/v3/types/{kind}/encryption", {"encryption": {"provider": "luks"}})
    answer = retype(root, kept, "several")
    assert (answer.status, "both encryption and multi-attach" in answer.text) == (400, True)


def begun(scene: Scene, ann: Client, made: Made, kind: str = "open") -> str:
    volume_id = made.volume(volume_type=kind)
    assert retype(ann, volume_id, "weaker").status == 202
    return volume_id


@pytest.mark.parametrize("kind", ["open", "sealed"])
def test_whatever_happens_rows_keys_and_back_end_agree(
    scene: Scene, emulated: Emulated, ann: Client, made: Made, driver: FakeDriver, kind: str
) -> None:
    driver.reads_gib, root = 0.005, ann.as_("root:p0:admin")

    def check() -> None:
        agree(root, driver)
        volumes = root.get(f"{V}/detail?all_tenants=1").json()["volumes"]
        used = [one.get("encryption_key_id") for one in volumes if one["encrypted"]]
        assert key_ids(emulated) == set(used)
        assert len(set(used)) == len(used)

    begun(scene, ann, made, kind)
    testing.steps_may_repeat(MOVE_VOLUME, None, scene.db, scene.tools)
    check()
    for step in MOVE_VOLUME.steps:
        for before in (True, False):
            begun(scene, ann, made, kind)
            act = (step.name, MOVE_VOLUME, None, scene.db, scene.tools)
            testing.unwinds_from(*act, before=before)
            check()
            begun(scene, ann, made, kind)
            testing.crash_at(*act, before=before)
            check()


def test_a_volume_whose_copy_is_its_bytes_already_keeps_the_key_to_them(
    scene: Scene, emulated: Emulated, ann: Client, made: Made, driver: FakeDriver
) -> None:
    driver.reads_gib, root = 0.005, ann.as_("root:p0:admin")
    shared = {"name": "shared", "extra_specs": {"multiattach": "<is> True"}}
    root.post("/v3/types", {"volume_type": shared})
    volume_id = begun(scene, ann, made, "shared")
    failing = ("exchange", MOVE_VOLUME, None, scene.db, scene.tools)
    testing.unwinds_from(*failing, before=False)
    told = shown(ann, volume_id)
    assert (told["status"], told["volume_type"], told["encrypted"]) == ("available", "weaker", True)
    assert told["multiattach"] is False
    assert key_ids(emulated) == {told["encryption_key_id"]}


def force_delete(ann: Client, volume_id: str) -> Answer:
    root, action = ann.as_("root:p0:admin"), f"{V}/{volume_id}/action"
    return root.post(action, {"os-force_delete": {}})


def test_a_copy_stops_when_its_volume_is_to_go(
    scene: Scene, emulated: Emulated, ann: Client, made: Made, driver: FakeDriver
) -> None:
    driver.reads_gib = 0.005
    volume_id, read, pieces = begun(scene, ann, made, "sealed"), driver.read, list[int]()

    def watched(*what: Any) -> Iterator[bytes]:
        for number, piece in enumerate(read(*what)):
            if number == 1:
                assert force_delete(ann, volume_id).status == 202
            pieces.append(number)
            yield piece

    driver.read = watched  # type: ignore[method-assign, assignment]
    emulated.work()
    assert ann.get(f"{V}/{volume_id}").status == 404
    assert (pieces, driver.present(), key_ids(emulated)) == ([0, 1], [], set())
    assert allocated(ann.as_("root:p0:admin")) == 0


def test_a_copy_on_its_way_is_no_orphan(
    scene: Scene, emulated: Emulated, ann: Client, made: Made, driver: FakeDriver
) -> None:
    driver.reads_gib = 0.005
    volume_id = begun(scene, ann, made)
    testing.die_at("exchange", MOVE_VOLUME, None, scene.db, scene.tools, before=True)
    for disk in driver._disks.values():
        disk.touched_at = 0
    reconcile.remove_orphans(emulated.cloud.volume)
    present = {one.volume_id for one in driver.present()}
    assert present == {volume_id, stand_in(volume_id)}


@pytest.mark.parametrize(
    ("command", "name", "takes"),
    [
        (["mkfs.ext4", "-q", "-F"], "an ext file system", 500 * MIB),
        (["mkfs.xfs", "-q"], "an XFS file system", 500 * MIB),
        (["mkswap", "-q"], "swap space", 500 * MIB),
        (["sgdisk", "-o"], "partitions", 500 * MIB),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_is_on_a_disk_says_how_much_it_takes(
    tmp_path: Path, command: list[str], name: str, takes: int
) -> None:
    program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    disk = tmp_path / "disk"
    with disk.open("wb") as empty:
        empty.truncate(takes)
    subprocess.run([program, *command[1:], str(disk)], check=True, capture_output=True)
    with disk.open("rb") as file:
        assert claimed(file.read(HEAD)) == (name, takes)


def test_what_other_disks_say() -> None:
    def head(*written: tuple[int, bytes]) -> bytes:
        found = bytearray(HEAD)
        for offset, data in written:
            found[offset : offset + len(data)] = data
        return bytes(found)

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little")

    boot = (510, b"\x55\xaa")
    entry = (446 + 16 + 8, number(2048, 4) + number(10_000, 4))
    for written, expected in (
        ([], ("nothing", 0)),
        ([(9000, b"x")], ("something", None)),
        ([(0, b"LUKS\xba\xbe")], ("something", None)),
        ([boot, entry], ("partitions", 12_048 * 512)),
        ([(65_600, b"_BHRfS_M"), (65_648, number(7 * GIB, 8))], ("a Btrfs file system", 7 * GIB)),
        ([(512, b"LABELONE"), (576, number(GIB, 8))], ("a physical volume of LVM", GIB)),
        ([boot, (3, b"NTFS"), (11, number(512, 2)), (40, number(99, 8))],
         ("an NTFS file system", 51_200)),
        ([boot, (82, b"FAT32"), (11, number(512, 2)), (32, number(99, 4))],
         ("a FAT file system", 50_688)),
        ([boot, (54, b"FAT16"), (11, number(512, 2)), (19, number(9, 2))],
         ("a FAT file system", 4608)),
    ):  # fmt: skip
        assert claimed(head(*written)) == expected
