"""What each workflow survives: every step twice, a failure at every step, a dead worker."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from cumulo.services.volume.drivers.fake import FakeDriver
from cumulo.services.volume.workflows import WORKFLOWS
from cumulo.work import Workflow, testing
from tests.client import Client
from tests.cloud import Emulated
from tests.volume.conftest import Made

V = "/v3/volumes"
BY_NAME = {flow.name.removeprefix("volume."): flow for flow in WORKFLOWS}
Begin = Callable[[Client, str, str], Any]


def create_volume(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    return ann.post(V, {"volume": {"size": 1, "snapshot_id": snapshot_id}})


def delete_volume(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    return ann.delete(f"{V}/{volume_id}?cascade=true")


def extend_volume(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    return ann.post(f"{V}/{volume_id}/action", {"os-extend": {"new_size": 3}})


def create_snapshot(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    return ann.post("/v3/snapshots", {"snapshot": {"volume_id": volume_id}})


def delete_snapshot(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    return ann.delete(f"/v3/snapshots/{snapshot_id}")


def revert_volume(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    return ann.post(f"{V}/{volume_id}/action", {"revert": {"snapshot_id": snapshot_id}})


def move_volume(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    root = ann.as_("root:p0:admin")
    root.post("/v3/types", {"volume_type": {"name": "other"}})
    return ann.post(f"{V}/{volume_id}/action", {"os-retype": {"new_type": "other"}})


def upload_volume(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    wanted = {"image_name": "copy"}
    return ann.post(f"{V}/{volume_id}/action", {"os-volume_upload_image": wanted})


def reimage_volume(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    told = upload_volume(ann, volume_id, snapshot_id).json()["os-volume_upload_image"]
    wanted = {"os-reimage": {"image_id": told["image_id"]}}
    return Later(lambda: ann.post(f"{V}/{volume_id}/action", wanted))


def manage(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    """Let the volume go, for another to be made of it."""
    root = ann.as_("root:p1:admin")
    ann.delete(f"/v3/snapshots/{snapshot_id}")

    def take_in() -> Any:
        root.post(f"{V}/{volume_id}/action", {"os-unmanage": {}})
        wanted = {"host": "node1@fake", "ref": {"source-name": f"volume-{volume_id}"}}
        return Later(lambda: root.post("/v3/manageable_volumes", {"volume": wanted}))

    return Later(take_in)


def unmanage(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    root = ann.as_("root:p1:admin")
    return root.post(f"/v3/snapshots/{snapshot_id}/action", {"os-unmanage": {}})


def create_backup(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    return ann.post("/v3/backups", {"backup": {"volume_id": volume_id}})


def delete_backup(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    made = ann.post("/v3/backups", {"backup": {"volume_id": volume_id}}).json()["backup"]
    return Later(lambda: ann.delete(f"/v3/backups/{made['id']}"))


def restore_backup(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    made = ann.post("/v3/backups", {"backup": {"volume_id": volume_id}}).json()["backup"]
    into = {"restore": {"volume_id": volume_id}}
    return Later(lambda: ann.post(f"/v3/backups/{made['id']}/restore", into))


class Later(NamedTuple):
    """What can be begun only when the work before it is done."""

    begin: Callable[[], Any]


BEGIN: dict[str, Begin] = {
    begin.__name__: begin
    for begin in (
        create_volume,
        delete_volume,
        extend_volume,
        create_snapshot,
        delete_snapshot,
        revert_volume,
        move_volume,
        upload_volume,
        reimage_volume,
        manage,
        unmanage,
        create_backup,
        delete_backup,
        restore_backup,
    )
}


def test_every_workflow_is_here() -> None:
    with_servers = {"move_attached"}  # in tests/compute/servers/test_attached_moves.py
    assert BY_NAME.keys() == BEGIN.keys() | with_servers


class Scene:
    """A cloud in which workflows are begun."""

    def __init__(self, emulated: Emulated, ann: Client, made: Made) -> None:
        self.db, self.tools = emulated.db, emulated.cloud.volume
        self._emulated = emulated
        self._ann, self._made = ann, made

    def begin(self, name: str) -> Workflow[Any, Any]:
        volume_id = self._made.volume()
        snapshot_id = self._made.snapshot(volume_id)
        answer = BEGIN[name](self._ann, volume_id, snapshot_id)
        while isinstance(answer, Later):
            self._emulated.work()
            answer = answer.begin()
        assert answer.status == 202, answer.text
        return BY_NAME[name]


@pytest.fixture
def scene(emulated: Emulated, ann: Client, root: Client, made: Made) -> Scene:
    unlimited = {"volumes": -1, "snapshots": -1, "gigabytes": -1}
    unlimited |= {"backups": -1, "backup_gigabytes": -1}
    root.put("/v3/os-quota-sets/p1", {"quota_set": unlimited})
    return Scene(emulated, ann, made)


def agree(root: Client, driver: FakeDriver) -> None:
    """Whatever happened: no state is left half, and the back end has what the rows say."""
    rows = root.get(f"{V}/detail?all_tenants=1").json()["volumes"]
    snapshots = root.get("/v3/snapshots/detail?all_tenants=1").json()["snapshots"]
    backups = root.get("/v3/backups/detail?all_tenants=1").json()["backups"]
    states = {one["status"] for one in [*rows, *snapshots, *backups]}
    settled = {"available", "error", "error_deleting", "error_unmanaging", "error_extending"}
    settled |= {"error_restoring"}
    assert states <= settled
    known = {one["id"] for one in [*rows, *snapshots]}
    present = {one.snapshot_id or one.volume_id for one in driver.present()}
    assert present <= known
    assert {one["id"] for one in rows if one["status"] == "available"} <= present
    used = root.get("/v3/os-quota-sets/p1?usage=True").json()["quota_set"]
    assert used["volumes"]["in_use"] == sum(one["consumes_quota"] for one in rows)
    assert used["snapshots"]["in_use"] == sum(one["consumes_quota"] for one in snapshots)
    assert used["backups"]["in_use"] == len(backups)
    assert used["gigabytes"]["in_use"] == sum(one["size"] for one in [*rows, *snapshots])
    (pool,) = root.get("/v3/scheduler-stats/get_pools?detail=true").json()["pools"]
    placed = [one["size"] for one in rows if one["os-vol-host-attr:host"]]
    assert pool["capabilities"]["allocated_capacity_gb"] == sum(placed)


@pytest.mark.parametrize("name", BEGIN)
def test_whatever_happens_rows_and_back_end_agree(
    name: str, scene: Scene, root: Client, driver: FakeDriver
) -> None:
    driver.reads_gib = 0.005
    testing.steps_may_repeat(scene.begin(name), None, scene.db, scene.tools)
    agree(root, driver)
    for step in BY_NAME[name].steps:
        testing.unwinds_from(step.name, scene.begin(name), None, scene.db, scene.tools)
        agree(root, driver)
        testing.crash_at(step.name, scene.begin(name), None, scene.db, scene.tools)
        agree(root, driver)
