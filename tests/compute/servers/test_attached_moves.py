"""Volumes that go to another back end, or become of another type, while a server has them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cumulo.db import Database
from cumulo.kit import clock
from cumulo.kit.errors import Unavailable
from cumulo.services.volume.drivers.base import Source, VolumeDriver
from cumulo.services.volume.reconcile import remove_orphans, report_backends
from cumulo.services.volume.settings import BackendSettings, VolumeSettings
from cumulo.services.volume.store import tables
from cumulo.services.volume.workflows.move_attached import MOVE_ATTACHED
from cumulo.services.volume.workflows.move_volume import MOVE_VOLUME
from cumulo.settings import Settings
from cumulo.work import Workflow, testing
from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.test_volumes import Both, S, V

FIRST, SECOND = "node1@fake#fake", "node1@other#other"
BACKENDS = tuple(BackendSettings(name=name, driver="fake") for name in ("fake", "other"))


class Scene(Both):
    """A cloud of two back ends, and a server that has a volume of the first."""

    def __init__(self, cloud: Emulated) -> None:
        super().__init__(cloud)
        self.root = cloud.client("volume", "root:p1:admin", "volume 3.71")
        self.admin = cloud.client("compute", "root:p1:admin", "compute 2.93")
        self.drivers: dict[str, VolumeDriver] = {
            f"{host}#{place.settings.name}": place.driver
            for host, place in cloud.cloud.volume.places.items()
        }
        for driver in self.drivers.values():
            driver.reads_gib = 0.005  # type: ignore[attr-defined]
        for name in ("fake", "other"):
            specs = {"volume_backend_name": name}
            self.root.post("/v3/types", {"volume_type": {"name": name, "extra_specs": specs}})

    def filled(self, **more: Any) -> str:
        """Return a volume of the first back end, with something in it."""
        second = {"host": "node1@other", "binary": "cinder-volume"}
        self.root.put("/v3/os-services/disable", second)
        volume = self.volume(**more)
        self.root.put("/v3/os-services/enable", second)
        self.drivers[FIRST].overwrite(volume, [(0, b"kept"), (1 << 20, b"too")])
        return volume

    def held(self, **more: Any) -> tuple[str, str]:
        """Return a server and a volume that it has, with something in it."""
        server, volume = self.server(), self.filled(**more)
        self.attach(server, volume)
        self.cloud.work()
        return server, volume

    def migrate(self, volume: str, host: str = "node1@other", **more: Any) -> Any:
        return self.root.post(f"{V}/{volume}/action", {"os-migrate_volume": {"host": host, **more}})

    def retype(self, volume: str, kind: str = "other", policy: str = "on-demand") -> Any:
        wanted = {"new_type": kind, "migration_policy": policy}
        return self.root.post(f"{V}/{volume}/action", {"os-retype": wanted})

    def shown(self, volume: str) -> Any:
        return self.root.get(f"{V}/{volume}").json()["volume"]

    def consistent(self, server: str, volume: str) -> str:
        """Return where a volume is: for the guest, the rows and the back ends alike."""
        self.agree()
        shown = self.shown(volume)
        pool = str(shown["os-vol-host-attr:host"])
        for name, driver in self.drivers.items():
            present = {one.volume_id for one in driver.present()}
            assert (volume in present) is (name == pool), (name, pool)
        driver = self.drivers[pool]
        assert b"".join(driver.read(Source(volume_id=volume), 0, 4)) == b"kept"
        assert b"".join(driver.read(Source(volume_id=volume), 1 << 20, 3)) == b"too"
        assert shown["status"] == "in-use"
        assert shown["migration_status"] in (None, "success", "error")
        pools = self.root.get("/v3/scheduler-stats/get_pools?detail=true").json()["pools"]
        rows = self.root.get(f"{V}/detail").json()["volumes"]
        for one in pools:
            placed = [row["size"] for row in rows if row["os-vol-host-attr:host"] == one["name"]]
            assert one["capabilities"]["allocated_capacity_gb"] == sum(placed)
        for kind in ("fake", "other"):
            used = self.root.get("/v3/os-quota-sets/p1?usage=True").json()["quota_set"]
            counted = sum(row["volume_type"] == kind for row in rows)
            assert used[f"volumes_{kind}"]["in_use"] == counted
        return pool


@pytest.fixture
def scene(tmp_path: Path, reused: Database) -> Iterator[Scene]:
    settings = Settings(volume=VolumeSettings(backends=BACKENDS))
    cloud = Emulated(tmp_path, db=reused, settings=settings)
    yield Scene(cloud)
    cloud.close()


def test_a_volume_moves_under_its_server(scene: Scene) -> None:
    server, volume = scene.held()
    assert scene.migrate(volume).status == 202
    during = scene.shown(volume)
    assert (during["status"], during["migration_status"]) == ("maintenance", "migrating")
    where = f"{S}/{server}/os-volume_attachments/{volume}"
    assert scene.compute.delete(where).status == 400  # it is to stay until it has arrived
    grown = scene.storage.post(f"{V}/{volume}/action", {"os-extend": {"new_size": 2}})
    assert grown.status == 400
    scene.cloud.work()
    assert scene.consistent(server, volume) == SECOND
    assert scene.shown(volume)["migration_status"] == "success"
    assert scene.migrate(volume, FIRST).status == 202
    scene.cloud.work()
    assert scene.consistent(server, volume) == FIRST
    assert scene.compute.delete(where).status == 202
    scene.cloud.work()
    assert scene.shown(volume)["status"] == "available"


def test_a_volume_becomes_of_another_type_under_its_server(scene: Scene) -> None:
    server, volume = scene.held(volume_type="fake")
    scene.retype(volume, policy="never")
    scene.cloud.work()
    assert (scene.consistent(server, volume), scene.shown(volume)["volume_type"]) == (FIRST, "fake")
    assert scene.shown(volume)["migration_status"] is None
    assert scene.retype(volume).status == 202
    assert scene.shown(volume)["status"] == "retyping"
    scene.cloud.work()
    assert scene.consistent(server, volume) == SECOND
    found = scene.shown(volume)
    assert (found["volume_type"], found["migration_status"]) == ("other", "success")


def test_limits_do_not_change_under_a_server(scene: Scene) -> None:
    _server, volume = scene.held()
    specs = {"name": "slow", "consumer": "front-end", "total_iops_sec": "100"}
    made = scene.root.post("/v3/qos-specs", {"qos_specs": specs}).json()["qos_specs"]
    kinds = scene.root.get("/v3/types").json()["volume_types"]
    (kind,) = [one["id"] for one in kinds if one["name"] == "other"]
    scene.root.get(f"/v3/qos-specs/{made['id']}/associate?vol_type_id={kind}")
    answer = scene.retype(volume)
    assert answer.status == 400
    assert "Retype cannot change front-end qos specs" in answer.text


def test_only_a_guest_that_runs_copies(scene: Scene) -> None:
    server, volume = scene.held()
    scene.compute.post(f"{S}/{server}/action", {"os-stop": None})
    scene.cloud.work()
    assert scene.migrate(volume).status == 202
    scene.cloud.work()
    assert scene.consistent(server, volume) == FIRST
    assert scene.shown(volume)["migration_status"] == "error"
    told = scene.root.get("/v3/messages").json()["messages"]
    assert "while it is in vm_state stopped" in told[0]["user_message"]


def test_what_several_servers_have_stays(scene: Scene) -> None:
    specs = {"name": "multi", "extra_specs": {"multiattach": "<is> True"}}
    scene.root.post("/v3/types", {"volume_type": specs})
    volume = scene.volume(volume_type="multi")
    for _ in range(2):
        scene.attach(scene.server(), volume)
        scene.cloud.work()
    assert scene.migrate(volume).status == 400


def test_a_server_that_is_deleted_takes_its_volume_out_of_the_move(scene: Scene) -> None:
    server, volume = scene.held()
    scene.cloud.nodes["node1"].script.fail("exchange_volume")
    scene.migrate(volume)
    scene.cloud.work()
    assert scene.shown(volume)["status"] == "maintenance"
    assert scene.compute.delete(f"{S}/{server}").status == 204
    scene.cloud.work()
    shown = scene.shown(volume)
    assert (shown["status"], shown["os-vol-host-attr:host"]) == ("available", FIRST)
    assert not scene.drivers[SECOND].present()


def test_a_host_that_died_does_not_keep_the_volume(scene: Scene) -> None:
    server, volume = scene.held()
    node = scene.cloud.nodes["node1"]
    node.script.fail("exchange_volume", times=None)
    node.script.fail("volume_place", times=None)
    service = {"forced_down": True}
    (found,) = [
        one["id"]
        for one in scene.admin.get("/v2.1/os-services?binary=nova-compute").json()["services"]
    ]
    scene.admin.put(f"/v2.1/os-services/{found}", service)
    scene.migrate(volume)
    scene.cloud.work()
    assert scene.consistent(server, volume) == FIRST


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("doing", ["migrate", "retype"])
def test_whatever_fails_the_volume_is_where_its_guest_has_it(
    scene: Scene, doing: str, before: bool
) -> None:
    tools, db = scene.cloud.cloud.volume, scene.cloud.db

    def begin() -> tuple[str, str]:
        server, volume = scene.held(**({"volume_type": "fake"} if doing == "retype" else {}))
        assert getattr(scene, doing)(volume).status == 202
        return server, volume

    def look(server: str, volume: str) -> str:
        pool = scene.consistent(server, volume)
        scene.compute.delete(f"{S}/{server}")
        scene.cloud.work()
        assert scene.root.delete(f"{V}/{volume}").status == 202
        scene.cloud.work()
        assert not any(driver.present() for driver in scene.drivers.values())
        return pool

    held = begin()
    testing.steps_may_repeat(MOVE_ATTACHED, None, db, tools)
    assert look(*held) == SECOND
    for step in MOVE_ATTACHED.steps:
        held = begin()
        testing.unwinds_from(step.name, MOVE_ATTACHED, None, db, tools, before=before)
        look(*held)
        held = begin()
        testing.crash_at(step.name, MOVE_ATTACHED, None, db, tools, before=before)
        assert look(*held) == SECOND


def test_a_server_does_not_wait_for_a_back_end_that_is_away(scene: Scene) -> None:
    server, volume = scene.held()
    driver: Any = scene.drivers[SECOND]
    scene.migrate(volume)
    driver.fails["create"] = Unavailable("the cluster does not answer")
    scene.cloud.work()
    assert scene.shown(volume)["status"] == "maintenance"  # it may come back
    driver.fails["capacity"] = Unavailable("the cluster does not answer")
    report_backends(scene.cloud.cloud.volume)
    scene.cloud.db.write(testing.end_leases)
    scene.cloud.work()
    driver.fails.clear()
    assert scene.consistent(server, volume) == FIRST
    told = scene.root.get("/v3/messages").json()["messages"]
    assert "is down" in told[0]["user_message"]


def test_what_is_on_its_way_is_no_orphan(scene: Scene) -> None:
    """However long it takes: the guest may write there already."""
    server, volume = scene.held()
    node = scene.cloud.nodes["node1"]
    node.script.fail("exchange_volume", moment="after")
    scene.migrate(volume)
    scene.cloud.work()
    assert len(scene.drivers[SECOND].present()) == 1
    with clock.CLOCK.held(clock.now() + timedelta(hours=1)):
        remove_orphans(scene.cloud.cloud.volume)
        assert len(scene.drivers[SECOND].present()) == 1
    scene.cloud.db.write(testing.end_leases)
    scene.cloud.work()
    assert scene.consistent(server, volume) == SECOND


def moved_alone(scene: Scene, volume: str) -> str:
    """Look that a volume that nobody has is in one place, whole; return of which type it is."""
    shown = scene.shown(volume)
    assert shown["status"] == "available"
    pool = shown["os-vol-host-attr:host"]
    found = {name: [one.volume_id for one in driver.present()]
             for name, driver in scene.drivers.items()}  # fmt: skip
    assert found == {FIRST: [], SECOND: []} | {pool: [volume]}
    assert b"".join(scene.drivers[pool].read(Source(volume_id=volume), 0, 4)) == b"kept"
    keys = scene.cloud.db.read(lambda tx: set(tx.scalars(sa.select(tables.key.c.id))))
    assert keys == ({shown["encryption_key_id"]} if shown["encrypted"] else set())
    scene.root.delete(f"{V}/{volume}")
    scene.cloud.work()
    used = scene.root.get("/v3/os-quota-sets/p1?usage=True").json()["quota_set"]
    assert not any(one["in_use"] for name, one in used.items() if name != "id")
    pools = scene.root.get("/v3/scheduler-stats/get_pools?detail=true").json()["pools"]
    assert {one["capabilities"]["allocated_capacity_gb"] for one in pools} == {0}
    return str(shown["volume_type"])


@pytest.mark.parametrize("doing", ["migrate", "retype", "seal", "open"])
def test_whatever_fails_a_volume_that_nobody_has_is_in_one_place(scene: Scene, doing: str) -> None:
    flow: Workflow[Any, Any] = MOVE_VOLUME
    specs = {"name": "sealed", "extra_specs": {"volume_backend_name": "other"}}
    if doing == "open":
        specs["extra_specs"] = {"volume_backend_name": "fake"}
    sealed = scene.root.post("/v3/types", {"volume_type": specs}).json()["volume_type"]["id"]
    encryption = {"provider": "luks", "control_location": "front-end"}
    scene.root.post(f"/v3/types/{sealed}/encryption", {"encryption": encryption})
    old, new = {
        "migrate": ("__DEFAULT__", "__DEFAULT__"),
        "retype": ("fake", "other"),
        "seal": ("fake", "sealed"),
        "open": ("sealed", "other"),
    }[doing]

    def begin() -> str:
        volume = scene.filled(volume_type=old)
        answer = scene.migrate(volume) if doing == "migrate" else scene.retype(volume, new)
        assert answer.status == 202, answer.text
        return volume

    act = (scene.cloud.db, scene.cloud.cloud.volume)
    volume = begin()
    testing.steps_may_repeat(flow, None, *act)
    assert moved_alone(scene, volume) == new
    for step in flow.steps:
        for before in (True, False):
            volume = begin()
            testing.unwinds_from(step.name, flow, None, *act, before=before)
            moved_alone(scene, volume)
            volume = begin()
            testing.crash_at(step.name, flow, None, *act, before=before)
            assert moved_alone(scene, volume) == new


def swap(client: Client, server: str, old: str, new: str) -> Any:
    body = {"volumeAttachment": {"volumeId": new}}
    return client.put(f"{S}/{server}/os-volume_attachments/{old}", body)


@pytest.mark.parametrize("version", ["compute 2.1", "compute 2.84", "compute 2.85", "compute 2.93"])
def test_a_swap_is_asked_for_by_block_storage_only(scene: Scene, version: str) -> None:
    server, volume = scene.held()
    other = scene.volume(volume_type="other")
    member, admin = scene.compute.at(version), scene.admin.at(version)
    assert swap(member, server, volume, other).status == 403
    answer = swap(admin, server, volume, other)
    assert answer.status == 409
    assert "is not migrating" in answer.text
    gone = "10000000-0000-4000-8000-000000000000"
    assert swap(admin, server, gone, other).status == 404
    assert scene.plugged(server) == [volume]
    assert scene.shown(other)["status"] == "available"
