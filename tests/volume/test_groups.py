"""Groups of volumes and their snapshots."""

import pytest

from cumulo.services.volume.drivers.base import BackendError
from cumulo.services.volume.drivers.fake import FakeDriver
from tests.client import Client
from tests.cloud import Emulated
from tests.volume.conftest import Made

G, T = "/v3/groups", "/v3/group_types"


@pytest.fixture
def kinds(root: Client) -> dict[str, object]:
    volume_type = root.get("/v3/types/default").json()["volume_type"]["id"]
    made = root.post(T, {"group_type": {"name": "kind", "group_specs": {"a": "b"}}})
    assert made.status == 202
    return {"group_type": made.json()["group_type"]["id"], "volume_types": [volume_type]}


def test_a_group_from_its_making_to_its_end(
    emulated: Emulated, made: Made, ann: Client, ben: Client, kinds: dict[str, object]
) -> None:
    group_id = ann.post(G, {"group": {"name": "g", **kinds}}).json()["group"]["id"]
    first, second = made.volume(group_id=group_id), made.volume()
    change = {"group": {"add_volumes": second, "name": "renamed"}}
    assert ann.put(f"{G}/{group_id}", change).status == 202
    found = ann.get(f"{G}/{group_id}?list_volume=True").json()["group"]
    assert (found["name"], set(found["volumes"])) == ("renamed", {first, second})
    assert ben.get(f"{G}/{group_id}").status == 404
    assert ann.delete(f"/v3/volumes/{first}").status == 400  # the group has it
    taken = ann.post("/v3/group_snapshots", {"group_snapshot": {"group_id": group_id}})
    snapshot_id = taken.json()["group_snapshot"]["id"]
    emulated.work()
    shown = ann.get(f"/v3/group_snapshots/{snapshot_id}").json()["group_snapshot"]
    assert shown["status"] == "available"
    assert len(ann.get("/v3/snapshots").json()["snapshots"]) == 2
    source = {"create-from-src": {"name": "copy", "group_snapshot_id": snapshot_id}}
    copy_id = ann.post(f"{G}/action", source).json()["group"]["id"]
    assert ann.get(f"{G}/{copy_id}").json()["group"]["status"] == "creating"
    emulated.work()
    assert ann.get(f"{G}/{copy_id}").json()["group"]["status"] == "available"
    assert ann.delete(f"/v3/group_snapshots/{snapshot_id}").status == 202
    emulated.work()
    assert ann.get(f"/v3/group_snapshots/{snapshot_id}").status == 404
    delete = {"delete": {"delete-volumes": False}}
    assert ann.post(f"{G}/{group_id}/action", delete).status == 400
    for one in (group_id, copy_id):
        delete = {"delete": {"delete-volumes": True}}
        assert ann.post(f"{G}/{one}/action", delete).status == 202
        emulated.work()
        assert ann.get(f"{G}/{one}").status == 404
    assert ann.get("/v3/volumes").json()["volumes"] == []
    used = ann.get("/v3/os-quota-sets/p1?usage=True").json()["quota_set"]
    assert used["groups"]["in_use"] == used["volumes"]["in_use"] == 0


def test_what_fails_of_a_group_is_told_and_asked_for_again(
    emulated: Emulated, made: Made, ann: Client, kinds: dict[str, object], driver: FakeDriver
) -> None:
    group_id = ann.post(G, {"group": kinds}).json()["group"]["id"]
    for _ in range(2):
        made.volume(group_id=group_id)
    driver.fails["create_from"] = BackendError("broken")
    source = {"create-from-src": {"source_group_id": group_id}}
    copy_id = ann.post(f"{G}/action", source).json()["group"]["id"]
    emulated.work()
    driver.fails = {"delete": BackendError("broken")}
    assert ann.get(f"{G}/{copy_id}").json()["group"]["status"] == "error"
    for one in (group_id, copy_id):
        delete = {"delete": {"delete-volumes": True}}
        assert ann.post(f"{G}/{one}/action", delete).status == 202
    emulated.work()
    assert ann.get(f"{G}/{group_id}").json()["group"]["status"] == "error_deleting"
    assert ann.get(f"{G}/{copy_id}").status == 404  # there was nothing in any back end
    driver.fails.clear()
    assert ann.post(f"{G}/{group_id}/action", delete).status == 202
    emulated.work()
    assert ann.get(f"{G}/{group_id}").status == 404
    assert ann.get("/v3/volumes").json()["volumes"] == []


def test_types_and_their_specs(ann: Client, root: Client, kinds: dict[str, object]) -> None:
    where = f"{T}/{kinds['group_type']}"
    assert ann.post(T, {"group_type": {"name": "x"}}).status == 403
    assert root.post(f"{where}/group_specs", {"group_specs": {"c": "d"}}).status == 202
    assert root.put(f"{where}/group_specs/c", {"c": "e"}).json() == {"c": "e"}
    assert root.get(f"{where}/group_specs").json() == {"group_specs": {"a": "b", "c": "e"}}
    assert root.delete(f"{where}/group_specs/c").status == 202
    assert root.get(f"{where}/group_specs/c").status == 404
    assert "group_specs" not in ann.get(where).json()["group_type"]
    group_id = ann.post(G, {"group": kinds}).json()["group"]["id"]
    assert root.delete(where).status == 400
    ann.post(f"{G}/{group_id}/action", {"delete": {}})
    assert root.delete(where).status == 202
    assert ann.at("volume 3.10").get(T).status == 404


def test_moves_between_back_ends_and_types(
    emulated: Emulated, made: Made, ann: Client, root: Client
) -> None:
    specs = {"volume_backend_name": "fake"}
    root.post("/v3/types", {"volume_type": {"name": "same", "extra_specs": specs}})
    root.post("/v3/types", {"volume_type": {"name": "other", "extra_specs": {"vendor_name": "x"}}})
    volume_id = made.volume()
    action = f"/v3/volumes/{volume_id}/action"
    assert ann.post(action, {"os-retype": {"new_type": "__DEFAULT__"}}).status == 400
    assert ann.post(action, {"os-retype": {"new_type": "same"}}).status == 202
    emulated.work()
    found = ann.get(f"/v3/volumes/{volume_id}").json()["volume"]
    assert (found["status"], found["volume_type"]) == ("available", "same")
    retype = {"new_type": "other", "migration_policy": "on-demand"}
    assert ann.post(action, {"os-retype": retype}).status == 202
    emulated.work()
    found = ann.get(f"/v3/volumes/{volume_id}").json()["volume"]
    assert (found["status"], found["volume_type"]) == ("available", "same")
    (message,) = ann.get("/v3/messages").json()["messages"]
    assert "No valid backend" in message["user_message"]
