"""Killed at every step of what is done with volumes and images, a cloud ends what was begun.

All moments are tried at once: a volume, a backup or an image for each stands still there, then
the process is killed.  Its stores are files, which outlive it.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from cumulo.node import processes
from cumulo.services.compute.public import WORKFLOWS as OF_SERVERS
from cumulo.services.compute.workflows.cache_images import CACHE_IMAGES
from cumulo.services.compute.workflows.create_server import CREATE_SERVER
from cumulo.services.compute.workflows.delete_server import DELETE_SERVER
from cumulo.services.compute.workflows.evacuate_server import EVACUATE_SERVER
from cumulo.services.compute.workflows.steer_move import STEER_MOVE
from cumulo.services.image.workflows import WORKFLOWS as OF_IMAGES
from cumulo.services.image.workflows.add_location import ADD_LOCATION
from cumulo.services.image.workflows.cache_image import CACHE_IMAGE
from cumulo.services.image.workflows.copy_image import COPY_IMAGE, REMOVE_COPY
from cumulo.services.image.workflows.delete_image import DELETE_IMAGE
from cumulo.services.image.workflows.import_image import IMPORT_IMAGE
from cumulo.services.volume.workflows import WORKFLOWS as OF_VOLUMES
from cumulo.services.volume.workflows.create_backup import CREATE_BACKUP
from cumulo.services.volume.workflows.create_snapshot import CREATE_SNAPSHOT
from cumulo.services.volume.workflows.create_volume import CREATE_VOLUME
from cumulo.services.volume.workflows.delete_backup import DELETE_BACKUP
from cumulo.services.volume.workflows.delete_snapshot import DELETE_SNAPSHOT
from cumulo.services.volume.workflows.delete_volume import DELETE_VOLUME
from cumulo.services.volume.workflows.extend_volume import EXTEND_VOLUME
from cumulo.services.volume.workflows.manage import MANAGE, UNMANAGE
from cumulo.services.volume.workflows.move_volume import MOVE_VOLUME
from cumulo.services.volume.workflows.reimage_volume import REIMAGE_VOLUME
from cumulo.services.volume.workflows.restore_backup import RESTORE_BACKUP
from cumulo.services.volume.workflows.revert_volume import REVERT_VOLUME
from cumulo.services.volume.workflows.upload_volume import UPLOAD_VOLUME
from cumulo.work import Workflow, Write
from tests.chaos.conftest import PARKING
from tests.chaos.inside import Speaker
from tests.chaos.machine import rows
from tests.chaos.test_deed_kills import DEEDS as WITH_SERVERS
from tests.chaos.test_kills import PATIENCE_S, eventually
from tests.chaos.test_move_kills import LIVE, RESIZED
from tests.conformance.images_site import images_site
from tests.image import malice
from tests.walks.clouds import CommandCloud, write_ports

SETTINGS = """
[identity]
password_hash_rounds = 4
[worker]
threads = 128
[image.stores.far]
kind = "file"
filesystem_store_datadir = "{state}/far"
[image.stores.web]
kind = "http"
[image.import_filtering_opts]
allowed_ports = [{port}]
allowed_networks = ["127.0.0.1/32"]
[[volume.backends]]
name = "one"
driver = "file"
directory = "{state}/volumes/one"
[[volume.backends]]
name = "two"
driver = "file"
directory = "{state}/volumes/two"
"""
# What a file system would say that takes all of it, and no more: so it can get a header, too.
DISK = b"".join(
    (b"a disk".ljust(65_600, b"\0"), b"_BHRfS_M".ljust(48, b"\0"), (1 << 20).to_bytes(8, "little"))
).ljust(1 << 20, b"\0")
BYTES = {"Content-Type": "application/octet-stream"}
VERSION = {"OpenStack-API-Version": "volume 3.71"}


class Stock:
    """The volumes and images of one cloud."""

    def __init__(self, cloud: CommandCloud, site_port: int) -> None:
        self.cloud, self.url = cloud, f"http://127.0.0.1:{site_port}/disk.img"
        self.speak = Speaker(cloud)
        self.root = f"/v3/{self.speak.project()}"
        unlimited = dict.fromkeys(("volumes", "snapshots", "gigabytes"), -1)
        unlimited |= {"backups": -1, "backup_gigabytes": -1}
        quota = f"{self.root}/os-quota-sets/{self.speak.project()}"
        assert self.speak("PUT", "volume", quota, {"quota_set": unlimited}).status == 200
        sealed = self.make("types", "volume_type", name="sealed")
        encryption = {"provider": "luks", "control_location": "front-end"}
        self.make(f"types/{sealed}/encryption", "encryption", **encryption)
        self.image = self.active("tiny")

    def make(self, path: str, kind: str, **fields: Any) -> str:
        """Make something that volumes are about; return its id."""
        answer = self.speak(
            "POST", "volume", f"{self.root}/{path}", {kind: fields}, headers=VERSION
        )
        assert answer.status in (200, 202), (path, answer.text)
        return str(answer.json()[kind].get("id", ""))

    def all(self, noun: str, detail: str = "/detail") -> list[dict[str, Any]]:
        place = f"{self.root}/{noun}{detail}"
        told = self.speak("GET", "volume", place, headers=VERSION).json()
        return list(told[noun.rpartition("_")[2]])

    def volume(self, name: str) -> str:
        return self.make("volumes", "volume", name=name, size=1, imageRef=self.image)

    def host(self, volume_id: str) -> str:
        """Return the back end that a volume is in."""
        found = self.speak("GET", "volume", f"{self.root}/volumes/{volume_id}").json()["volume"]
        return str(found["os-vol-host-attr:host"])

    def act(self, volume_id: str, action: str, **fields: Any) -> None:
        place = f"{self.root}/volumes/{volume_id}/action"
        answer = self.speak("POST", "volume", place, {action: fields}, headers=VERSION)
        assert answer.status in (200, 202), (action, answer.text)

    def delete(self, noun: str, one: str) -> None:
        self.speak.delete("volume", f"{self.root}/{noun}/{one}")

    def new_image(self, name: str, disk_format: str = "raw") -> str:
        spec = {"name": name, "disk_format": disk_format, "container_format": "bare"}
        return str(self.speak.make("image", "/v2/images", spec)["id"])

    def put(self, path: str, *, body: bytes = b"", **headers: str) -> None:
        answer = self.speak("PUT", "image", path, body=body, headers=BYTES | headers)
        assert answer.status in (202, 204), answer.text

    def active(self, name: str, store: str = "file") -> str:
        image_id = self.new_image(name)
        headers = {"X-Image-Meta-Store": store}
        self.put(f"/v2/images/{image_id}/file", body=DISK, **headers)
        return image_id

    def bring_in(self, image_id: str, method: dict[str, str], *stores: str) -> None:
        wish = {"method": method, "stores": list(stores)}
        answer = self.speak("POST", "image", f"/v2/images/{image_id}/import", wish)
        assert answer.status == 202, answer.text

    def images(self) -> list[dict[str, Any]]:
        return list(self.speak("GET", "image", "/v2/images?limit=500").json()["images"])

    def parked(self) -> set[str]:
        directory = self.cloud.state / "control" / "parked"
        return {path.name for path in directory.iterdir()} if directory.exists() else set()

    def under_way(self) -> list[str]:
        """Return the runs that have not ended, parked ones too."""
        with closing(sqlite3.connect(self.database, timeout=30)) as db:
            query = "select kind from work_run where state in ('running', 'unwinding')"
            return [kind for (kind,) in db.execute(query)]

    @property
    def database(self) -> Path:
        return self.cloud.state / "control" / "cumulo.db"

    def files(self) -> set[str]:
        """Return the files that hold volumes, backups and images, by their places."""
        state = self.cloud.state
        places = (state / "volumes", state / "far", state / "control")
        found = {path for place in places for path in place.rglob("*") if path.is_file()}
        known = {self.database, state / "control" / "volume-keys.secret"}
        kept = ("images", "backups", "volumes", "far")
        return {
            str(path.relative_to(state))
            for path in found - known
            if {*kept} & {*path.relative_to(state).parts}
        }


Deed: TypeAlias = Callable[[Stock, str], Iterator[None]]


def create_volume(stock: Stock, name: str) -> Iterator[None]:
    yield
    stock.volume(name)


def delete_volume(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    stock.delete("volumes", volume)


def extend_volume(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    stock.act(volume, "os-extend", new_size=2)


def create_snapshot(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    stock.make("snapshots", "snapshot", volume_id=volume)


def delete_snapshot(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    snapshot = stock.make("snapshots", "snapshot", volume_id=volume)
    yield
    stock.delete("snapshots", snapshot)


def revert_volume(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    snapshot = stock.make("snapshots", "snapshot", volume_id=volume)
    yield
    stock.act(volume, "revert", snapshot_id=snapshot)


def migrate(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    pools = {one["name"] for one in stock.all("scheduler-stats/get_pools", "")}
    (there,) = pools - {stock.host(volume)}
    stock.act(volume, "os-migrate_volume", host=there)


def seal(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    stock.act(volume, "os-retype", new_type="sealed", migration_policy="on-demand")


def upload_volume(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    stock.act(volume, "os-volume_upload_image", image_name="copy", disk_format="qcow2")


def reimage_volume(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    stock.act(volume, "os-reimage", image_id=stock.image)


def manage(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume("to be let go")
    yield
    host = stock.host(volume)
    stock.act(volume, "os-unmanage")
    yield
    reference = {"source-name": f"volume-{volume}"}
    stock.make("manageable_volumes", "volume", host=host, ref=reference, name=name)


def unmanage(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    stock.act(volume, "os-unmanage")


def create_backup(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume("to be backed up")
    yield
    stock.make("backups", "backup", volume_id=volume, name=name)


def create_incremental(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume("to be backed up twice")
    yield
    stock.make("backups", "backup", volume_id=volume)
    yield
    stock.make("backups", "backup", volume_id=volume, name=name, incremental=True)


def delete_backup(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume("once backed up")
    yield
    backup = stock.make("backups", "backup", volume_id=volume, name=name)
    yield
    stock.delete("backups", backup)


def restore_backup(stock: Stock, name: str) -> Iterator[None]:
    volume = stock.volume(name)
    yield
    backup = stock.make("backups", "backup", volume_id=volume)
    yield
    stock.make(f"backups/{backup}/restore", "restore", volume_id=volume)


def import_staged(stock: Stock, name: str) -> Iterator[None]:
    image = stock.new_image(name)
    stock.put(f"/v2/images/{image}/stage", body=DISK)
    yield
    stock.bring_in(image, {"name": "glance-direct"}, "far")


def download(stock: Stock, name: str) -> Iterator[None]:
    image = stock.new_image(name, "qcow2")
    yield
    stock.bring_in(image, {"name": "web-download", "uri": stock.url}, "file", "far")


def add_location(stock: Stock, name: str) -> Iterator[None]:
    image = stock.new_image(name, "qcow2")
    yield
    answer = stock.speak("POST", "image", f"/v2/images/{image}/locations", {"url": stock.url})
    assert answer.status == 202, answer.text


def copy_image(stock: Stock, name: str) -> Iterator[None]:
    image = stock.active(name)
    yield
    stock.bring_in(image, {"name": "copy-image"}, "far")


def remove_copy(stock: Stock, name: str) -> Iterator[None]:
    image = stock.active(name)
    yield
    stock.bring_in(image, {"name": "copy-image"}, "far")
    yield
    stock.speak.delete("image", f"/v2/stores/file/{image}")


def cache_image(stock: Stock, name: str) -> Iterator[None]:
    image = stock.active(name, "far")
    yield
    stock.put(f"/v2/cache/{image}")


def delete_image(stock: Stock, name: str) -> Iterator[None]:
    image = stock.active(name)
    yield
    stock.speak.delete("image", f"/v2/images/{image}")


DEEDS: list[tuple[Workflow[Any, Any], Deed]] = [
    (CREATE_VOLUME, create_volume),
    (DELETE_VOLUME, delete_volume),
    (EXTEND_VOLUME, extend_volume),
    (CREATE_SNAPSHOT, create_snapshot),
    (DELETE_SNAPSHOT, delete_snapshot),
    (REVERT_VOLUME, revert_volume),
    (MOVE_VOLUME, migrate),
    (MOVE_VOLUME, seal),
    (UPLOAD_VOLUME, upload_volume),
    (REIMAGE_VOLUME, reimage_volume),
    (MANAGE, manage),
    (UNMANAGE, unmanage),
    (CREATE_BACKUP, create_backup),
    (CREATE_BACKUP, create_incremental),
    (DELETE_BACKUP, delete_backup),
    (RESTORE_BACKUP, restore_backup),
    (IMPORT_IMAGE, import_staged),
    (IMPORT_IMAGE, download),
    (ADD_LOCATION, add_location),
    (COPY_IMAGE, copy_image),
    (REMOVE_COPY, remove_copy),
    (CACHE_IMAGE, cache_image),
    (DELETE_IMAGE, delete_image),
]
GONE = (delete_volume, unmanage, delete_image, delete_backup)


def moments() -> dict[str, Deed]:
    """Return where to die: before the first step, and behind each, done and not noted yet."""
    found = {}
    for flow, deed in DEEDS:
        first = f"{flow.name}:{flow.steps[0].name}:before"
        for moment in (first, *(f"{flow.name}:{step.name}:after" for step in flow.steps)):
            found[f"{moment}+{deed.__name__}"] = deed
    return found


def mark(name: str) -> str:
    return f"{name}@{name.partition('+')[0]}"


def test_every_workflow_is_killed_somewhere() -> None:
    """If you are here because there is a new one: let it be killed at each of its steps, too."""
    flows: list[Workflow[Any, Any]] = [*WITH_SERVERS, *LIVE, *RESIZED, CREATE_SERVER, DELETE_SERVER]
    flows += [EVACUATE_SERVER, STEER_MOVE, *(flow for flow, _ in DEEDS)]
    of_no_server = {CACHE_IMAGES.name}  # one step, which servers do too; may only shrink
    every: list[Any] = [*OF_SERVERS, *OF_IMAGES, *OF_VOLUMES]
    assert {flow.name for flow in every} - {flow.name for flow in flows} == of_no_server


@pytest.fixture(scope="module")
def stock(state: Path) -> Iterator[Stock]:
    state.mkdir()
    write_ports(state / "cumulo.toml")
    with images_site() as port:
        with (state / "cumulo.toml").open("a") as settings:
            settings.write(SETTINGS.format(state=state, port=port))
        cloud = CommandCloud(state, beside=PARKING)
        cloud.up("--emulate")
        yield Stock(cloud, port)
        cloud.down("--purge")


@pytest.mark.walk
@pytest.mark.timeout(900)
def test_everything_is_killed_at_every_step(stock: Stock) -> None:
    before = Counter(rows(stock.database)), stock.files()
    wanted = moments()
    bring_to_their_moments(stock, wanted)

    program = processes.notes(stock.cloud.state)["cumulo"].process()
    assert program is not None
    program.end(9, grace_s=10)
    stock.cloud.up("--emulate")
    eventually(lambda: not stock.under_way(), PATIENCE_S, tell=stock.under_way)
    for noun in ("volumes", "snapshots", "backups"):
        assert {one["status"] for one in stock.all(noun)} <= {"available"}, stock.all(noun)
    assert {one["status"] for one in stock.images()} == {"active"}
    there = {one["name"] for noun in ("volumes", "backups") for one in stock.all(noun)}
    there |= {one["name"] for one in stock.images()}
    assert {name for name in wanted if name not in there} == {
        name for name, deed in wanted.items() if deed in GONE
    }
    has_its_bytes(stock)
    delete_all(stock)
    after = Counter(rows(stock.database)), stock.files()
    assert (after[0] - before[0], before[0] - after[0]) == (Counter(), Counter())
    assert after[1] == before[1]


def bring_to_their_moments(stock: Stock, wanted: dict[str, Deed]) -> None:
    """Do all that leads there, each part when what went before is done or stands still."""
    # A last step that is a transaction ends its run.
    lasts = [flow for flow, _ in DEEDS if isinstance(flow.steps[-1], Write)]
    over = {f"{flow.name}:{flow.steps[-1].name}:after" for flow in lasts}

    def standing() -> int:
        return sum(one.rpartition("@")[2] not in over for one in stock.parked())

    going = [deed(stock, name) for name, deed in wanted.items()]
    while going:
        going = [one for one in going if next(one, one) is None]
        eventually(lambda: len(stock.under_way()) == standing(), PATIENCE_S, tell=stock.under_way)
    eventually(lambda: len(stock.parked()) == len(wanted), PATIENCE_S)
    assert stock.parked() == {mark(name) for name in wanted}


def has_its_bytes(stock: Stock) -> None:
    """Look into every volume and every image: each holds what it was made of."""
    for one in stock.all("volumes"):
        pool = one["os-vol-host-attr:host"].rpartition("#")[2]
        with (stock.cloud.state / "volumes" / pool / one["id"]).open("rb") as file:
            begins = file.read(len(DISK))
        assert begins[:6] == b"LUKS\xba\xbe" if one["encrypted"] else begins == DISK, one["name"]
    for image in stock.images():
        answer = stock.speak("GET", "image", f"/v2/images/{image['id']}/file")
        assert answer.status == 200, (image["name"], answer.text)
        packed = image["disk_format"] == "qcow2" and image["name"] != "copy"
        expected = malice.qcow2() if packed else DISK
        assert image["name"] == "copy" or answer.body == expected, image["name"]


def delete_all(stock: Stock) -> None:
    """Take in what was let go, and delete everything, what is built on others first."""
    for host in {one["os-vol-host-attr:host"] for one in stock.all("volumes")}:
        place = f"{stock.root}/manageable_volumes?host={host}"
        found = stock.speak("GET", "volume", place, headers=VERSION).json()["manageable-volumes"]
        for one in found:
            if one["safe_to_manage"]:
                stock.make("manageable_volumes", "volume", host=host, ref=one["reference"])
    eventually(lambda: not stock.under_way(), PATIENCE_S, tell=stock.under_way)
    for noun, is_first in (
        ("backups", lambda one: one["is_incremental"]),
        ("backups", bool),
        ("snapshots", bool),
        ("volumes", bool),
    ):
        for one in filter(is_first, stock.all(noun)):
            stock.delete(noun, one["id"])
        eventually(lambda: not stock.under_way(), PATIENCE_S, tell=stock.under_way)
    for image in stock.images():
        if image["id"] != stock.image:
            stock.speak.delete("image", f"/v2/images/{image['id']}")
    eventually(lambda: not stock.under_way(), PATIENCE_S, tell=stock.under_way)
