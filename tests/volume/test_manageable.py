"""Volumes that a back end holds already: told of, taken in, let go."""

from typing import Any

import pytest

from cumulo.services.volume.drivers.fake import FakeDriver
from tests.client import Client
from tests.cloud import Emulated
from tests.volume.conftest import Made

V, S = "/v3/volumes", "/v3/snapshots"
HOST = "node1@fake#fake"


@pytest.fixture
def boss(root: Client) -> Client:
    """An administrator of the project."""
    return root.as_("root:p1:admin")


def listed(boss: Client, noun: str, path: str = "") -> Any:
    return boss.get(f"/v3/manageable_{noun}{path}?host={HOST}").json()[f"manageable-{noun}"]


def test_let_go_and_taken_in_again(
    emulated: Emulated, boss: Client, ann: Client, made: Made, driver: FakeDriver
) -> None:
    volume_id = made.volume(name="v", size=2)
    driver.overwrite(volume_id, [(0, b"precious")])
    snapshot_id = made.snapshot(volume_id)
    assert ann.post(f"{V}/{volume_id}/action", {"os-unmanage": {}}).status == 403
    assert boss.post(f"{V}/{volume_id}/action", {"os-unmanage": {}}).status == 400  # a snapshot
    assert boss.post(f"{S}/{snapshot_id}/action", {"os-unmanage": {}}).status == 202
    emulated.work()
    assert ann.get(f"{S}/{snapshot_id}").status == 404
    name = f"snapshot-{snapshot_id}"
    (found,) = listed(boss, "snapshots")
    assert (found["reference"], found["size"]) == ({"source-name": name}, 2)
    assert found["source_reference"] == {"source-id": volume_id}
    spec = {"snapshot": {"volume_id": volume_id, "ref": found["reference"], "name": "again"}}
    again = boss.post("/v3/manageable_snapshots", spec).json()["snapshot"]["id"]
    emulated.work()
    assert ann.get(f"{S}/{again}").json()["snapshot"]["status"] == "available"
    ann.delete(f"{S}/{again}")
    emulated.work()
    assert boss.post(f"{V}/{volume_id}/action", {"os-unmanage": {}}).status == 202
    emulated.work()
    assert ann.get(f"{V}/{volume_id}").status == 404
    assert (
        boss.get("/v3/os-quota-sets/p1?usage=True").json()["quota_set"]["gigabytes"]["in_use"] == 0
    )
    (found,) = listed(boss, "volumes", "/detail")
    assert (found["size"], found["safe_to_manage"], found["cinder_id"]) == (2, True, None)
    wanted = {"host": HOST, "ref": found["reference"], "name": "mine", "metadata": {"a": "b"}}
    back = boss.post("/v3/manageable_volumes", {"volume": wanted}).json()["volume"]
    assert (back["status"], back["size"]) == ("creating", 0)
    emulated.work()
    shown = ann.get(f"{V}/{back['id']}").json()["volume"]
    assert (shown["status"], shown["size"], shown["metadata"]) == ("available", 2, {"a": "b"})
    assert listed(boss, "volumes") == []


def test_what_is_not_there_cannot_be_taken_in(
    emulated: Emulated, boss: Client, ann: Client, made: Made
) -> None:
    mine = made.volume()
    for name in (mine, "nothing", "../etc/passwd"):
        wanted = {"host": HOST, "ref": {"source-name": name}}
        answer = boss.post("/v3/os-volume-manage", {"volume": wanted})
        assert answer.status == 202
        emulated.work()
        shown = boss.get(f"{V}/{answer.json()['volume']['id']}").json()["volume"]
        assert shown["status"] == "error"
        assert boss.delete(f"{V}/{shown['id']}").status == 202
        emulated.work()
    assert ann.get(f"{V}/{mine}").json()["volume"]["status"] == "available"
    for wanted in ({"host": "nowhere@x", "ref": {"source-name": "a"}}, {"host": HOST, "ref": {}}):
        assert boss.post("/v3/manageable_volumes", {"volume": wanted}).status in (400, 404)
    assert boss.get("/v3/manageable_volumes").status == 400
    assert ann.get(f"/v3/manageable_volumes?host={HOST}").status == 403
    old = boss.as_("root:p1:admin")
    assert old.get(f"/v3/os-volume-manage?host={HOST}").status == 200
