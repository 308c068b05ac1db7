"""Volumes over HTTP, as their owner and others see them."""

from typing import Any

import pytest

from cumulo.services.volume.drivers.base import BackendError
from cumulo.services.volume.drivers.fake import FakeDriver
from tests.client import Client
from tests.cloud import Emulated
from tests.volume.conftest import Made

V = "/v3/volumes"


def shown(client: Client, volume_id: str) -> Any:
    return client.get(f"{V}/{volume_id}").json()["volume"]


def usage(client: Client, project: str = "p1") -> dict[str, int]:
    found = client.get(f"/v3/os-quota-sets/{project}?usage=True").json()["quota_set"]
    return {k: v["in_use"] for k, v in found.items() if k != "id" and v["in_use"]}


def test_a_volume_from_its_making_to_its_end(
    emulated: Emulated, ann: Client, driver: FakeDriver
) -> None:
    spec = {"size": 2, "name": "data", "metadata": {"a": "b"}}
    made = ann.post(V, {"volume": spec})
    assert made.status == 202
    volume = made.json()["volume"]
    assert volume["status"] == "creating"
    assert volume["volume_type"] == "__DEFAULT__"
    assert volume["bootable"] == "false"
    emulated.work()
    volume = shown(ann, volume["id"])
    assert volume["status"] == "available"
    assert volume["metadata"] == {"a": "b"}
    assert volume["os-vol-tenant-attr:tenant_id"] == "p1"
    assert "os-vol-host-attr:host" not in volume
    assert [one.volume_id for one in driver.present()] == [volume["id"]]
    assert usage(ann) == {
        "volumes": 1,
        "gigabytes": 2,
        "volumes___DEFAULT__": 1,
        "gigabytes___DEFAULT__": 2,
    }
    assert ann.delete(f"{V}/{volume['id']}").status == 202
    assert shown(ann, volume["id"])["status"] == "deleting"
    emulated.work()
    assert ann.get(f"{V}/{volume['id']}").status == 404
    assert driver.present() == []
    assert usage(ann) == {}


def test_others_do_not_know_of_it(made: Made, ben: Client, root: Client) -> None:
    volume_id = made.volume()
    for answer in (
        ben.get(f"{V}/{volume_id}"),
        ben.put(f"{V}/{volume_id}", {"volume": {"name": "mine"}}),
        ben.delete(f"{V}/{volume_id}"),
        ben.get(f"{V}/{volume_id}/metadata"),
        ben.post(f"{V}/{volume_id}/action", {"os-extend": {"new_size": 9}}),
        ben.post("/v3/snapshots", {"snapshot": {"volume_id": volume_id}}),
        ben.post(V, {"volume": {"size": 1, "source_volid": volume_id}}),
        ben.post("/v3/attachments", {"attachment": {"volume_uuid": volume_id}}),
    ):
        assert answer.status == 404, answer.text
        assert answer.json()["itemNotFound"]["code"] == 404
    assert ben.get(f"{V}/detail").json()["volumes"] == []
    assert ben.get(f"{V}/detail?all_tenants=1").json()["volumes"] == []
    assert len(root.get(f"{V}/detail?all_tenants=1").json()["volumes"]) == 1
    assert "os-vol-host-attr:host" in shown(root, volume_id)


@pytest.mark.parametrize(
    "spec",
    [
        {"size": 0},
        {"size": -1},
        {"size": "#$%"},
        {},
        {"size": 1, "name": "x" * 256},
        {"size": 1, "metadata": {"k": "v" * 256}},
        {"size": 1, "snapshot_id": "no-id"},
        {"size": 1, "availability_zone": "nowhere"},
        {"size": 1, "multiattach": True},
        {"size": 1, "surprise": 1},
    ],
)
def test_wrong_volumes_are_refused_and_leave_nothing(ann: Client, spec: dict[str, Any]) -> None:
    answer = ann.post(V, {"volume": spec})
    assert answer.status == 400, answer.text
    assert ann.get(V).json()["volumes"] == []
    assert usage(ann) == {}


def test_what_is_named_must_be_there(ann: Client) -> None:
    nowhere = "00000000-0000-4000-8000-000000000000"
    for key in ("snapshot_id", "source_volid", "volume_type"):
        answer = ann.post(V, {"volume": {"size": 1, key: nowhere}})
        assert answer.status == 404, (key, answer.text)
    assert ann.post(V, {"volume": {"size": 1, "imageRef": nowhere}}).status == 400


def test_copies(emulated: Emulated, made: Made, ann: Client, driver: FakeDriver) -> None:
    first = made.volume(size=2)
    driver.overwrite(first, [(100, b"hello")])
    snapshot = made.snapshot(first)
    driver.overwrite(first, [(100, b"later")])
    from_snapshot = made.volume(size=3, snapshot_id=snapshot)
    clone = made.volume(size=None, source_volid=first)
    assert shown(ann, clone)["size"] == 2
    assert read(driver, from_snapshot, 100, 5) == b"hello"
    assert read(driver, clone, 100, 5) == b"later"
    too_small = ann.post(V, {"volume": {"size": 1, "snapshot_id": snapshot}})
    assert too_small.status == 400
    assert "cannot be smaller than the snapshot size" in too_small.text
    assert ann.delete(f"{V}/{first}").status == 400  # it has a snapshot
    assert ann.delete(f"{V}/{first}?cascade=True").status == 202
    emulated.work()
    assert ann.get("/v3/snapshots").json()["snapshots"] == []
    assert {one.volume_id for one in driver.present()} == {from_snapshot, clone}


def read(driver: FakeDriver, volume_id: str, offset: int, length: int) -> bytes:
    from cumulo.services.volume.drivers.base import Source

    return b"".join(driver.read(Source(volume_id=volume_id), offset, length))


def test_extending(emulated: Emulated, made: Made, ann: Client) -> None:
    volume_id = made.volume()
    action = f"{V}/{volume_id}/action"
    assert ann.post(action, {"os-extend": {"new_size": 1}}).status == 400
    assert ann.post(action, {"os-extend": {"new_size": 2000}}).status == 413
    assert ann.post(action, {"os-extend": {"new_size": 4}}).status == 202
    assert shown(ann, volume_id)["status"] == "extending"
    emulated.work()
    assert (shown(ann, volume_id)["status"], shown(ann, volume_id)["size"]) == ("available", 4)
    assert usage(ann)["gigabytes"] == 4


def test_a_back_end_that_fails_says_why(
    emulated: Emulated, made: Made, ann: Client, root: Client, driver: FakeDriver
) -> None:
    driver.fails["create"] = BackendError("the disk is on fire")
    volume_id = made.volume()
    assert shown(ann, volume_id)["status"] == "error"
    (message,) = ann.get(f"/v3/messages?resource_uuid={volume_id}").json()["messages"]
    assert "the disk is on fire" in message["user_message"]
    del driver.fails["create"]
    driver.fails["delete"] = BackendError("it still is")
    ann.delete(f"{V}/{volume_id}")
    emulated.work()
    assert ann.get(f"{V}/{volume_id}").status == 404  # it never had a place to be removed from
    volume_id = made.volume()
    ann.delete(f"{V}/{volume_id}")
    emulated.work()
    assert shown(ann, volume_id)["status"] == "error_deleting"
    del driver.fails["delete"]
    assert root.post(f"{V}/{volume_id}/action", {"os-force_delete": {}}).status == 202
    emulated.work()
    assert ann.get(f"{V}/{volume_id}").status == 404
    assert usage(ann) == {}


def test_no_back_end_fits(emulated: Emulated, made: Made, ann: Client, root: Client) -> None:
    specs = {"volume_backend_name": "gold"}
    root.post("/v3/types", {"volume_type": {"name": "gold", "extra_specs": specs}})
    volume_id = made.volume(volume_type="gold")
    assert shown(ann, volume_id)["status"] == "error"
    (message,) = ann.get("/v3/messages").json()["messages"]
    assert "CapabilitiesFilter: volume_backend_name is fake" in message["user_message"]
    root.put("/v3/os-services/disable", {"host": "node1@fake", "binary": "cinder-volume"})
    made.volume()
    newest = ann.get("/v3/messages?sort=created_at:desc").json()["messages"][0]
    assert "it is disabled" in newest["user_message"]


def test_the_quota_is_the_limit(ann: Client, root: Client) -> None:
    root.put("/v3/os-quota-sets/p1", {"quota_set": {"volumes": 1, "gigabytes": 5}})
    assert ann.post(V, {"volume": {"size": 6}}).status == 413
    assert ann.post(V, {"volume": {"size": 5}}).status == 202
    refused = ann.post(V, {"volume": {"size": 1}})
    assert refused.status == 413
    assert "gigabytes quota" in refused.json()["overLimit"]["message"]
    root.put("/v3/os-quota-sets/p1", {"quota_set": {"gigabytes": -1}})
    refused = ann.post(V, {"volume": {"size": 1}})
    assert "Maximum number of volumes allowed (1)" in refused.json()["overLimit"]["message"]
    root.put("/v3/os-quota-sets/p1", {"quota_set": {"volumes": -1, "volumes___DEFAULT__": 1}})
    refused = ann.post(V, {"volume": {"size": 1}})
    assert "quota 'volumes___DEFAULT__'" in refused.json()["overLimit"]["message"]


def test_lists(made: Made, ann: Client) -> None:
    ids = [made.volume(name=f"v{number}", metadata={"n": str(number)}) for number in range(3)]
    assert [one["name"] for one in ann.get(V).json()["volumes"]] == ["v2", "v1", "v0"]
    page = ann.get(f"{V}/detail?limit=2&sort=name:asc").json()
    assert [one["name"] for one in page["volumes"]] == ["v0", "v1"]
    rest = ann.get(page["volumes_links"][0]["href"].removeprefix("http://cloud")).json()
    assert [one["name"] for one in rest["volumes"]] == ["v2"]
    assert "volumes_links" not in rest
    found = ann.get(V + "?metadata={'n': '1'}").json()["volumes"]
    assert [one["id"] for one in found] == [ids[1]]
    assert ann.get(f"{V}?name=v2&with_count=True").json()["count"] == 1
    assert ann.get(f"{V}?limit=0").json()["volumes"] == []
    assert len(ann.get(f"{V}?status=available&bootable=false").json()["volumes"]) == 3
    assert len(ann.get(f"{V}?name~=v").json()["volumes"]) == 3
    assert len(ann.get(f"{V}?created_at=gt:2020-01-01T00:00:00Z").json()["volumes"]) == 3
    for wrong in ("limit=x", "sort=colour", "marker=no", "colour=red", "bootable=maybe"):
        assert ann.get(f"{V}?{wrong}").status in (400, 404), wrong
    summary = ann.get(f"{V}/summary").json()["volume-summary"]
    assert summary == {"total_count": 3, "total_size": 3, "metadata": {"n": ["0", "1", "2"]}}


def test_metadata(made: Made, ann: Client) -> None:
    where = f"{V}/{made.volume()}/metadata"
    assert ann.post(where, {"metadata": {"a": "1", "b": "2"}}).json()["metadata"]["b"] == "2"
    assert ann.put(f"{where}/a", {"meta": {"a": "3"}}).json() == {"meta": {"a": "3"}}
    assert ann.put(f"{where}/a", {"meta": {"b": "3"}}).status == 400
    assert ann.delete(f"{where}/b").status == 200
    assert ann.get(where).json() == {"metadata": {"a": "3"}}
    assert ann.get(f"{where}/b").status == 404
    assert ann.put(where, {"metadata": {}}).json() == {"metadata": {}}


def test_flags(made: Made, ann: Client, root: Client) -> None:
    volume_id = made.volume()
    action = f"{V}/{volume_id}/action"
    assert ann.post(action, {"os-set_bootable": {"bootable": "true"}}).status == 200
    assert shown(ann, volume_id)["bootable"] == "true"
    assert ann.post(action, {"os-update_readonly_flag": {"readonly": True}}).status == 202
    assert shown(ann, volume_id)["metadata"] == {"readonly": "True"}
    pairs = {"metadata": {"os_distro": "debian"}}
    assert ann.post(action, {"os-set_image_metadata": pairs}).json() == pairs
    assert shown(ann, volume_id)["volume_image_metadata"] == {"os_distro": "debian"}
    assert ann.post(action, {"os-unset_image_metadata": {"key": "os_distro"}}).status == 200
    assert ann.post(action, {"os-reset_status": {"status": "error"}}).status == 403
    assert root.post(action, {"os-reset_status": {"status": "error"}}).status == 202
    assert root.post(action, {"os-reset_status": {"status": "lost"}}).status == 400
    assert shown(ann, volume_id)["status"] == "error"


def test_fields_come_with_their_versions(made: Made, ann: Client) -> None:
    volume_id = made.volume()
    old, new = shown(ann.at(None), volume_id), shown(ann, volume_id)
    later = {"group_id", "shared_targets", "service_uuid", "volume_type_id", "consumes_quota"}
    assert later.isdisjoint(old)
    assert later <= new.keys()
    assert ann.at(None).get("/v3/attachments").status == 404
    assert ann.at("volume 3.72").get(V).status == 406
    assert ann.at(None).post(V, {"volume": {"size": 1, "surprise": 1}}).status == 202
