"""Volume types: what operators offer and who may use it."""

from typing import Any

from tests.client import Client
from tests.volume.conftest import Made

T = "/v3/types"


def new_type(root: Client, name: str = "gold", **more: object) -> str:
    answer = root.post(T, {"volume_type": {"name": name, **more}})
    assert answer.status == 200, answer.text
    return str(answer.json()["volume_type"]["id"])


def test_types_are_made_by_administrators(ann: Client, root: Client) -> None:
    assert ann.post(T, {"volume_type": {"name": "gold"}}).status == 403
    type_id = new_type(root, description="fast")
    assert root.post(T, {"volume_type": {"name": "gold"}}).status == 409
    assert root.post(T, {"volume_type": {"name": " "}}).status == 400
    found = ann.get(f"{T}/{type_id}").json()["volume_type"]
    assert (found["name"], found["description"], found["is_public"]) == ("gold", "fast", True)
    assert "qos_specs_id" not in found
    changed = root.put(f"{T}/{type_id}", {"volume_type": {"name": "silver"}})
    assert changed.json()["volume_type"]["name"] == "silver"
    assert [one["name"] for one in ann.get(T).json()["volume_types"]] == ["silver", "__DEFAULT__"]
    assert root.delete(f"{T}/{type_id}").status == 202
    assert ann.get(f"{T}/{type_id}").status == 404


def test_extra_specs(ann: Client, root: Client) -> None:
    type_id = new_type(root, extra_specs={"multiattach": "<is> True", "volume_backend_name": "x"})
    where = f"{T}/{type_id}/extra_specs"
    assert ann.get(where).json() == {"extra_specs": {"multiattach": "<is> True"}}
    assert root.post(where, {"extra_specs": {"a": "1"}}).json() == {"extra_specs": {"a": "1"}}
    assert root.put(f"{where}/a", {"a": "2"}).json() == {"a": "2"}
    assert root.put(f"{where}/a", {"b": "2"}).status == 400
    assert root.get(f"{where}/a").json() == {"a": "2"}
    assert root.post(where, {"extra_specs": {"k" * 256: "1"}}).status == 400
    assert root.delete(f"{where}/a").status == 202
    assert root.get(f"{where}/a").status == 404
    found = ann.get(T + "?extra_specs={'multiattach': '<is> True'}").json()["volume_types"]
    assert [one["id"] for one in found] == [type_id]


def test_private_types(made: Made, ann: Client, ben: Client, root: Client) -> None:
    private: Any = {"os-volume-type-access:is_public": False}
    type_id = new_type(root, **private)
    assert ann.get(f"{T}/{type_id}").status == 404
    assert ann.post("/v3/volumes", {"volume": {"size": 1, "volume_type": "gold"}}).status == 404
    give = {"addProjectAccess": {"project": "p1"}}
    assert root.post(f"{T}/{type_id}/action", give).status == 202
    assert root.post(f"{T}/{type_id}/action", give).status == 409
    made.volume(volume_type="gold")
    assert ben.get(f"{T}/{type_id}").status == 404
    access = root.get(f"{T}/{type_id}/os-volume-type-access").json()["volume_type_access"]
    assert [one["project_id"] for one in access] == ["p1"]
    take = {"removeProjectAccess": {"project": "p1"}}
    assert root.post(f"{T}/{type_id}/action", take).status == 202
    assert root.post(f"{T}/{type_id}/action", take).status == 404
    assert root.delete(f"{T}/{type_id}").status == 400  # a volume is of it
    assert "still in use" in root.delete(f"{T}/{type_id}").text


def test_default_types(made: Made, ann: Client, root: Client) -> None:
    type_id = new_type(root)
    assert ann.get(f"{T}/default").json()["volume_type"]["name"] == "__DEFAULT__"
    body = {"default_type": {"volume_type": "gold"}}
    assert ann.put("/v3/default-types/p1", body).status == 403
    assert root.put("/v3/default-types/p1", body).json()["default_type"] == {
        "project_id": "p1",
        "volume_type_id": type_id,
    }
    assert ann.get(f"{T}/default").json()["volume_type"]["name"] == "gold"
    volume = ann.get(f"/v3/volumes/{made.volume()}").json()["volume"]
    assert volume["volume_type"] == "gold"
    assert root.delete(f"{T}/{type_id}").status == 400
    assert root.delete("/v3/default-types/p1").status == 204
    assert root.delete("/v3/default-types/p1").status == 404


def test_volumes_that_several_may_have(made: Made, ann: Client, root: Client) -> None:
    new_type(root, "shared", extra_specs={"multiattach": "<is> True"})
    volume = ann.get(f"/v3/volumes/{made.volume(volume_type='shared')}").json()["volume"]
    assert volume["multiattach"] is True
    servers = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(2)]
    for server in servers:
        spec: Any = {"volume_uuid": volume["id"], "instance_uuid": server}
        spec["connector"] = {"host": "h", "mountpoint": "/dev/vdb"}
        made_one = ann.post("/v3/attachments", {"attachment": spec})
        assert made_one.status == 200, made_one.text
        attachment_id = made_one.json()["attachment"]["id"]
        done = ann.post(f"/v3/attachments/{attachment_id}/action", {"os-complete": {}})
        assert done.status == 204
    found = ann.get(f"/v3/volumes/{volume['id']}").json()["volume"]
    assert [one["server_id"] for one in found["attachments"]] == servers
    assert found["status"] == "in-use"
