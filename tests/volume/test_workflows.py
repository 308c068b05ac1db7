"""What each workflow survives: every step twice, a failure at every step, a dead worker."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from cumulo.services.volume.drivers.fake import FakeDriver
from cumulo.services.volume.workflows import WORKFLOWS
from cumulo.work import Worker, Workflow, testing
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


def image_of(ann: Client, volume_id: str) -> str:
    told = upload_volume(ann, volume_id, "").json()["os-volume_upload_image"]
    return str(told["image_id"])


def create_volume_of_image(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    wanted = {"volume": {"size": 1, "imageRef": image_of(ann, volume_id)}}
    return Later(lambda: ann.post(V, wanted))


def create_volume_of_volume(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    return ann.post(V, {"volume": {"size": 2, "source_volid": volume_id}})


def create_volume_of_backup(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    made = create_backup(ann, volume_id, snapshot_id).json()["backup"]
    return Later(lambda: ann.post(V, {"volume": {"size": 1, "backup_id": made["id"]}}))


def create_backup_of_snapshot(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    wanted = {"volume_id": volume_id, "snapshot_id": snapshot_id}
    return ann.post("/v3/backups", {"backup": wanted})


def create_backup_of_what_changed(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    """Build on a backup that there is."""
    create_backup(ann, volume_id, snapshot_id)
    wanted = {"volume_id": volume_id, "incremental": True}
    return Later(lambda: ann.post("/v3/backups", {"backup": wanted}))


def restore_backup_of_what_changed(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    again = create_backup_of_what_changed(ann, volume_id, snapshot_id)

    def restore() -> Any:
        made = again.begin().json()["backup"]
        into = {"restore": {"volume_id": volume_id}}
        return Later(lambda: ann.post(f"/v3/backups/{made['id']}/restore", into))

    return Later(restore)


def restore_backup_to_another(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    made = create_backup(ann, volume_id, snapshot_id).json()["backup"]
    return Later(lambda: ann.post(f"/v3/backups/{made['id']}/restore", {"restore": {}}))


def group_of(ann: Client, volume_id: str) -> str:
    root = ann.as_("root:p0:admin")
    volume_type = ann.get(f"{V}/{volume_id}").json()["volume"]["volume_type"]
    kinds = root.get("/v3/types").json()["volume_types"]
    kind_id = next(one["id"] for one in kinds if one["name"] == volume_type)
    found = root.get("/v3/group_types").json()["group_types"]
    if not any(one["name"] == "kind" for one in found):
        found = [
            root.post("/v3/group_types", {"group_type": {"name": "kind"}}).json()["group_type"]
        ]
    wanted = {"group_type": found[-1]["id"], "volume_types": [kind_id]}
    group_id = ann.post("/v3/groups", {"group": wanted}).json()["group"]["id"]
    answer = ann.put(f"/v3/groups/{group_id}", {"group": {"add_volumes": volume_id}})
    assert answer.status == 202, answer.text
    return str(group_id)


def create_snapshot_of_group(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    wanted = {"group_snapshot": {"group_id": group_of(ann, volume_id)}}
    return ann.post("/v3/group_snapshots", wanted)


def delete_snapshot_of_group(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    taken = create_snapshot_of_group(ann, volume_id, snapshot_id).json()["group_snapshot"]
    return Later(lambda: ann.delete(f"/v3/group_snapshots/{taken['id']}"))


def create_volume_of_group(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    wanted = {"source_group_id": group_of(ann, volume_id)}
    return ann.post("/v3/groups/action", {"create-from-src": wanted})


def delete_volume_of_group(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    group_id = group_of(ann, volume_id)
    ann.delete(f"/v3/snapshots/{snapshot_id}")
    action = {"delete": {"delete-volumes": True}}
    return Later(lambda: ann.post(f"/v3/groups/{group_id}/action", action))


def delete_volume_transferred(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    """Delete what came from another project."""
    wanted = {"transfer": {"volume_id": volume_id}}
    offered = ann.post("/v3/volume-transfers", wanted).json()["transfer"]
    taken = {"accept": {"auth_key": offered["auth_key"]}}
    ben = ann.as_("ben:p2:member")
    answer = ben.post(f"/v3/volume-transfers/{offered['id']}/accept", taken)
    assert answer.status == 202, answer.text
    return ben.delete(f"{V}/{volume_id}?cascade=true")


def manage_snapshot(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    """Let the snapshot go, for another to be made of it."""
    root = ann.as_("root:p1:admin")
    root.post(f"/v3/snapshots/{snapshot_id}/action", {"os-unmanage": {}})
    wanted = {"volume_id": volume_id, "ref": {"source-name": f"snapshot-{snapshot_id}"}}
    return Later(lambda: root.post("/v3/manageable_snapshots", {"snapshot": wanted}))


def unmanage_volume(ann: Client, volume_id: str, snapshot_id: str) -> Any:
    ann.delete(f"/v3/snapshots/{snapshot_id}")
    root = ann.as_("root:p1:admin")
    return Later(lambda: root.post(f"{V}/{volume_id}/action", {"os-unmanage": {}}))


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
        # And the same on other ways:
        create_volume_of_image,
        create_volume_of_volume,
        create_volume_of_backup,
        create_volume_of_group,
        delete_volume_of_group,
        delete_volume_transferred,
        create_snapshot_of_group,
        delete_snapshot_of_group,
        create_backup_of_snapshot,
        create_backup_of_what_changed,
        restore_backup_of_what_changed,
        restore_backup_to_another,
        manage_snapshot,
        unmanage_volume,
    )
}


def flow_of(name: str) -> Workflow[Any, Any]:
    """Return the workflow that a way of beginning it is named after."""
    return BY_NAME[max((one for one in BY_NAME if name.startswith(one)), key=len)]


def test_every_workflow_is_here() -> None:
    # That of volumes which servers have is in tests/compute/servers/test_attached_moves.py, and
    # moves to another back end are; those to another encryption are in test_recryption.py.
    with_servers = {"move_attached"}
    assert BY_NAME.keys() == BEGIN.keys() & BY_NAME.keys() | with_servers


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
        flow = flow_of(name)
        others = [one for one in WORKFLOWS if one is not flow]
        Worker(self.db, others, self.tools).run_pending()
        return flow

    def work(self) -> None:
        """Let what follows come to its end."""
        self._emulated.work()


@pytest.fixture
def scene(emulated: Emulated, ann: Client, root: Client, made: Made) -> Scene:
    unlimited = {"volumes": -1, "snapshots": -1, "gigabytes": -1}
    unlimited |= {"backups": -1, "backup_gigabytes": -1, "groups": -1}
    for project in ("p1", "p2"):
        root.put(f"/v3/os-quota-sets/{project}", {"quota_set": unlimited})
    return Scene(emulated, ann, made)


def agree(root: Client, driver: FakeDriver) -> None:
    """Whatever happened: no state is left half, and the back end has what the rows say."""
    rows = root.get(f"{V}/detail?all_tenants=1").json()["volumes"]
    snapshots = root.get("/v3/snapshots/detail?all_tenants=1").json()["snapshots"]
    backups = root.get("/v3/backups/detail?all_tenants=1").json()["backups"]
    groups = root.get("/v3/groups/detail?all_tenants=1").json()["groups"]
    taken = root.get("/v3/group_snapshots/detail?all_tenants=1").json()["group_snapshots"]
    states = {one["status"] for one in [*rows, *snapshots, *backups, *groups, *taken]}
    settled = {"available", "error", "error_deleting", "error_unmanaging", "error_extending"}
    settled |= {"error_restoring"}
    assert states <= settled
    known = {one["id"] for one in [*rows, *snapshots]}
    present = {one.snapshot_id or one.volume_id for one in driver.present()}
    assert present <= known
    assert {one["id"] for one in rows if one["status"] == "available"} <= present
    used = root.get("/v3/os-quota-sets/p1?usage=True").json()["quota_set"]
    assert used["groups"]["in_use"] == len(groups)
    for project in ("p1", "p2"):
        agree_on_usage(root, project, rows, snapshots, backups)
    (pool,) = root.get("/v3/scheduler-stats/get_pools?detail=true").json()["pools"]
    placed = [one["size"] for one in rows if one["os-vol-host-attr:host"]]
    assert pool["capabilities"]["allocated_capacity_gb"] == sum(placed)


def agree_on_usage(root: Client, project: str, *found: list[Any]) -> None:
    tenants = ("os-vol-tenant-attr:tenant_id", "os-extended-snapshot-attributes:project_id")
    volumes, snapshots, backups = (
        [one for one in kind if one[tenant] == project]
        for kind, tenant in zip(found, (*tenants, "os-backup-project-attr:project_id"), strict=True)
    )
    used = root.get(f"/v3/os-quota-sets/{project}?usage=True").json()["quota_set"]
    assert used["volumes"]["in_use"] == sum(one["consumes_quota"] for one in volumes)
    assert used["snapshots"]["in_use"] == sum(one["consumes_quota"] for one in snapshots)
    assert used["backups"]["in_use"] == len(backups)
    assert used["backup_gigabytes"]["in_use"] == sum(one["size"] for one in backups)
    counted = [one["size"] for one in [*volumes, *snapshots] if one["consumes_quota"]]
    assert used["gigabytes"]["in_use"] == sum(counted)


@pytest.mark.parametrize("name", BEGIN)
def test_whatever_happens_rows_and_back_end_agree(
    name: str, scene: Scene, root: Client, driver: FakeDriver
) -> None:
    driver.reads_gib = 0.005
    testing.steps_may_repeat(scene.begin(name), None, scene.db, scene.tools)
    scene.work()
    agree(root, driver)
    for step in flow_of(name).steps:
        for before in (True, False):
            for hurt in (testing.unwinds_from, testing.crash_at):
                flow = scene.begin(name)
                hurt(step.name, flow, None, scene.db, scene.tools, before=before)
                scene.work()
                agree(root, driver)
