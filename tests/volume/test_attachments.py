"""Attachments over HTTP, as clients use them that are no part of this cloud."""

from typing import Any

from tests.client import Client
from tests.volume.conftest import Made

A = "/v3/attachments"
SERVER = "00000000-0000-4000-8000-000000000001"


def status_of(client: Client, volume_id: str) -> Any:
    return client.get(f"/v3/volumes/{volume_id}").json()["volume"]["status"]


def test_reserve_connect_complete_delete(made: Made, ann: Client, ben: Client) -> None:
    volume_id = made.volume()
    body = {"attachment": {"volume_uuid": volume_id, "instance_uuid": SERVER}}
    answer = ann.post(A, body)
    assert answer.status == 200, answer.text
    attachment = answer.json()["attachment"]
    assert (attachment["status"], attachment["instance"]) == ("reserved", SERVER)
    assert attachment["connection_info"] == {}
    assert status_of(ann, volume_id) == "reserved"
    assert ann.post(A, body).status == 400
    assert ann.delete(f"/v3/volumes/{volume_id}").status == 400
    one = f"{A}/{attachment['id']}"
    assert ben.get(one).status == 404
    connector = {"connector": {"host": "node9", "mountpoint": "/dev/vdb"}}
    connected = ann.put(one, {"attachment": connector}).json()["attachment"]
    assert connected["connection_info"]["driver_volume_type"] == "fake"
    assert connected["attach_mode"] == "rw"
    assert status_of(ann, volume_id) == "attaching"
    assert ann.post(f"{one}/action", {"os-complete": {}}).status == 204
    volume = ann.get(f"/v3/volumes/{volume_id}").json()["volume"]
    assert volume["status"] == "in-use"
    assert volume["attachments"][0]["device"] == "/dev/vdb"
    assert [x["id"] for x in ann.get(f"{A}?volume_id={volume_id}").json()["attachments"]] == [
        attachment["id"]
    ]
    assert ann.delete(one).json() == {"attachments": []}
    assert status_of(ann, volume_id) == "available"
    assert ann.get(one).status == 404


def test_the_older_way(made: Made, ann: Client) -> None:
    volume_id = made.volume()
    action = f"/v3/volumes/{volume_id}/action"
    assert ann.post(action, {"os-reserve": {}}).status == 202
    assert ann.post(action, {"os-reserve": {}}).status == 400
    assert status_of(ann, volume_id) == "attaching"
    connector = {"connector": {"host": "h"}}
    found = ann.post(action, {"os-initialize_connection": connector}).json()
    assert found["connection_info"]["data"] == {"volume_id": volume_id}
    attach = {"instance_uuid": SERVER, "mountpoint": "/dev/vdc"}
    assert ann.post(action, {"os-attach": attach}).status == 202
    assert status_of(ann, volume_id) == "in-use"
    assert ann.post(action, {"os-begin_detaching": None}).status == 202
    assert status_of(ann, volume_id) == "detaching"
    assert ann.post(action, {"os-roll_detaching": None}).status == 202
    assert ann.post(action, {"os-terminate_connection": connector}).status == 202
    assert ann.post(action, {"os-detach": {}}).status == 202
    assert status_of(ann, volume_id) == "available"


def test_a_read_only_volume_is_attached_read_only(made: Made, ann: Client) -> None:
    volume_id = made.volume()
    action = f"/v3/volumes/{volume_id}/action"
    ann.post(action, {"os-update_readonly_flag": {"readonly": True}})
    attach = {"instance_uuid": SERVER, "mountpoint": "/dev/vdc"}
    assert ann.post(action, {"os-attach": attach}).status == 400
    assert ann.post(action, {"os-attach": {**attach, "mode": "ro"}}).status == 202


def test_a_failed_request_leaves_nothing(made: Made, ann: Client, root: Client) -> None:
    volume_id = made.volume()
    spec = {"volume_uuid": volume_id, "connector": {"host": "h", "mode": "both"}}
    assert ann.post(A, {"attachment": spec}).status == 400
    assert root.get(f"{A}?all_tenants=1").json()["attachments"] == []
    assert status_of(ann, volume_id) == "available"
