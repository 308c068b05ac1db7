"""Snapshots over HTTP."""

from typing import Any

from tests.client import Client
from tests.cloud import Emulated
from tests.volume.conftest import Made

S = "/v3/snapshots"


def shown(client: Client, snapshot_id: str) -> Any:
    return client.get(f"{S}/{snapshot_id}").json()["snapshot"]


def test_a_snapshot_from_its_making_to_its_end(
    emulated: Emulated, made: Made, ann: Client, ben: Client
) -> None:
    volume_id = made.volume(size=2)
    body = {"volume_id": volume_id, "name": "before", "metadata": {"a": "b"}}
    answer = ann.post(S, {"snapshot": body})
    assert answer.status == 202
    snapshot = answer.json()["snapshot"]
    assert (snapshot["status"], snapshot["size"]) == ("creating", 2)
    emulated.work()
    found = shown(ann, snapshot["id"])
    assert found["status"] == "available"
    assert found["os-extended-snapshot-attributes:progress"] == "100%"
    assert found["os-extended-snapshot-attributes:project_id"] == "p1"
    assert ben.get(f"{S}/{snapshot['id']}").status == 404
    renamed = ann.put(f"{S}/{snapshot['id']}", {"snapshot": {"name": "after"}})
    assert renamed.json()["snapshot"]["name"] == "after"
    assert ann.put(f"{S}/{snapshot['id']}", {"snapshot": {}}).status == 400
    assert [one["name"] for one in ann.get(f"{S}?status=available").json()["snapshots"]] == [
        "after"
    ]
    assert ann.delete(f"{S}/{snapshot['id']}").status == 202
    emulated.work()
    assert ann.get(f"{S}/{snapshot['id']}").status == 404


def test_a_volume_in_use_needs_force_until_3_66(made: Made, ann: Client) -> None:
    volume_id = made.volume()
    ann.post("/v3/attachments", {"attachment": {"volume_uuid": volume_id}})
    body = {"snapshot": {"volume_id": volume_id}}
    assert ann.post(S, body).status == 400  # reserved
    action = f"/v3/volumes/{volume_id}/action"
    other = made.volume()
    attach = {"os-attach": {"mountpoint": "/dev/vdc", "host_name": "elsewhere"}}
    assert ann.post(f"/v3/volumes/{other}/action", attach).status == 202
    body = {"snapshot": {"volume_id": other}}
    assert ann.at("volume 3.65").post(S, body).status == 400
    forced = {"snapshot": {"volume_id": other, "force": True}}
    assert ann.at("volume 3.65").post(S, forced).status == 202
    assert ann.post(S, body).status == 202
    forbidden = {"snapshot": {"volume_id": other, "force": False}}
    assert ann.post(S, forbidden).status == 400
    assert ann.post(action, {"os-unreserve": None}).status == 202


def test_metadata(made: Made, ann: Client) -> None:
    where = f"{S}/{made.snapshot(made.volume())}/metadata"
    assert ann.post(where, {"metadata": {"a": "1"}}).json() == {"metadata": {"a": "1"}}
    assert ann.put(f"{where}/b", {"meta": {"b": "2"}}).json() == {"meta": {"b": "2"}}
    assert ann.delete(f"{where}/a").status == 200
    assert ann.get(where).json() == {"metadata": {"b": "2"}}


def test_statuses_that_administrators_set(made: Made, ann: Client, root: Client) -> None:
    snapshot_id = made.snapshot(made.volume())
    action = f"{S}/{snapshot_id}/action"
    assert ann.post(action, {"os-reset_status": {"status": "error"}}).status == 403
    assert root.post(action, {"os-reset_status": {"status": "creating"}}).status == 202
    report = {"os-update_snapshot_status": {"status": "available", "progress": "80%"}}
    assert ann.post(action, report).status == 202
    assert shown(ann, snapshot_id)["status"] == "available"
    assert ann.post(action, report).status == 400


def test_reverting(emulated: Emulated, made: Made, ann: Client) -> None:
    volume_id = made.volume()
    first, latest = made.snapshot(volume_id), made.snapshot(volume_id)
    action = f"/v3/volumes/{volume_id}/action"
    assert ann.post(action, {"revert": {"snapshot_id": first}}).status == 400
    assert ann.post(action, {"revert": {"snapshot_id": latest}}).status == 202
    assert ann.delete(f"/v3/volumes/{volume_id}").status == 400
    emulated.work()
    found = ann.get(f"/v3/volumes/{volume_id}").json()["volume"]
    assert found["status"] == "available"
