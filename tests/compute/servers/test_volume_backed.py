"""What is done with servers that boot from a volume."""

from typing import Any

import pytest

from cumulo.services.compute.workflows.rebuild_server import REBUILD_SERVER
from cumulo.services.compute.workflows.shelve_server import SHELVE_SERVER
from cumulo.services.compute.workflows.snapshot_volumes import SNAPSHOT_VOLUMES
from cumulo.work import testing
from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.test_volumes import Both, S, V


@pytest.fixture
def both(emulated: Emulated) -> Both:
    return Both(emulated)


@pytest.fixture
def server(both: Both) -> str:
    """A server with a disk to boot from and one beside it."""
    disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0}
    disk |= {"uuid": both.image, "volume_size": 1, "delete_on_termination": True}
    made = both.server(imageRef="", block_device_mapping_v2=[disk])
    both.attach(made, both.volume())
    both.cloud.work()
    return made


def act(both: Both, server: str, client: Client | None = None, **action: Any) -> Any:
    answer = (client or both.compute).post(f"{S}/{server}/action", action)
    both.cloud.work()
    return answer


def root_of(both: Both, server: str) -> str:
    (boot,) = [one for one in both.cloud.nodes["node1"].spec(server).volumes if one.is_boot_disk]
    return boot.volume_id


def left(both: Both) -> tuple[int, int, int]:
    """Return how many volumes, snapshots and images there are."""
    images = both.cloud.client("image").get("/v2/images").json()["images"]
    volumes = both.storage.get(V).json()["volumes"]
    return len(volumes), len(both.storage.get("/v3/snapshots").json()["snapshots"]), len(images)


def test_an_image_is_made_of_snapshots_and_servers_of_it(both: Both, server: str) -> None:
    answer = act(both, server, createImage={"name": "copy", "metadata": {"purpose": "golden"}})
    assert answer.status == 202
    image = both.cloud.client("image").get(f"/v2/images/{answer.json()['image_id']}").json()
    assert (image["status"], image["size"], image["purpose"]) == ("active", 0, "golden")
    assert (image["bdm_v2"], image["root_device_name"]) == ("True", "/dev/vda")
    snapshots = both.storage.get("/v3/snapshots/detail").json()["snapshots"]
    assert {one["name"] for one in snapshots} == {"snapshot for copy"}
    assert {one["status"] for one in snapshots} == {"available"}
    assert all(one["id"] in image["block_device_mapping"] for one in snapshots)
    again = both.server(imageRef=image["id"])
    seen = both.seen(again)
    assert (seen["status"], seen["image"]) == ("ACTIVE", "")
    sources = {both.shown(one)["snapshot_id"] for one in both.plugged(again)}
    assert sources == {one["id"] for one in snapshots}
    both.agree()


def test_a_volume_of_such_an_image_is_of_the_snapshot_to_boot_from(both: Both, server: str) -> None:
    image = act(both, server, createImage={"name": "copy"}).json()["image_id"]
    old = {"volume": {"size": 1, "imageRef": image}}
    empty = both.storage.at("volume 3.45").post(V, old)
    assert empty.json()["volume"]["snapshot_id"] is None
    volume = both.volume(imageRef=image)
    snapshot = both.shown(volume)["snapshot_id"]
    told = both.storage.get(f"/v3/snapshots/{snapshot}").json()["snapshot"]
    assert told["volume_id"] == root_of(both, server)
    assert both.shown(volume)["bootable"] == "true"
    mapping = f'[{{"source_type": "snapshot", "boot_index": 0, "snapshot_id": "{snapshot}"}}]'
    theirs = both.new_image(b"", "ben:p2:member", block_device_mapping=mapping)
    stranger = both.storage.as_("ben:p2:member")
    wanted = {"volume": {"size": 1, "imageRef": theirs}}
    assert stranger.post(V, wanted).status == 404  # the snapshot is none of theirs


def test_an_image_with_a_mapping_that_is_none_is_refused(both: Both, server: str) -> None:
    """ATTACKS 9: nor does it make volumes of what another project has."""
    images = both.cloud.client("image")
    for mapping in ("[{}]", "no", '[{"source_type": "snapshot", "boot_index": 0}]'):
        change = [{"op": "add", "path": "/block_device_mapping", "value": mapping}]
        patch = {"content-type": "application/openstack-images-v2.1-json-patch"}
        path = f"/v2/images/{both.image}"
        assert images.request("PATCH", path, change, headers=patch).status == 200
        spec = {"name": "s", "flavorRef": "1", "networks": "none", "imageRef": both.image}
        answer = both.compute.post(S, {"server": spec})
        assert (answer.status, "Block Device Mapping is Invalid" in answer.text) == (400, True)


def test_backups_of_it_are_block_storages(both: Both, server: str) -> None:
    backup = {"name": "b", "backup_type": "daily", "rotation": 1}
    answer = act(both, server, createBackup=backup)
    assert answer.status == 400
    assert "volume-backed" in answer.text
    assert both.seen(server)["OS-EXT-STS:task_state"] is None


def test_it_leaves_its_host_when_shelved_and_comes_back(both: Both, server: str) -> None:
    before = left(both)
    assert act(both, server, shelve=None).status == 202
    assert both.seen(server)["status"] == "SHELVED_OFFLOADED"
    assert left(both) == before  # no image
    assert act(both, server, unshelve=None).status == 202
    assert both.seen(server)["status"] == "ACTIVE"
    assert len(both.plugged(server)) == 2
    both.agree()


def test_it_is_rescued_from_an_image_that_lets_disks_stay(both: Both, server: str) -> None:
    before = act(both, server, both.cloud.client("compute", version="compute 2.86"), rescue={})
    assert before.status == 400
    rescue = {"rescue_image_ref": both.image}
    assert act(both, server, rescue=rescue).status == 400  # its disks would not stay
    change = [{"op": "add", "path": "/hw_rescue_device", "value": "disk"}]
    patch = {"content-type": "application/openstack-images-v2.1-json-patch"}
    images = both.cloud.client("image")
    path = f"/v2/images/{both.image}"
    assert images.request("PATCH", path, change, headers=patch).status == 200
    assert act(both, server, rescue=rescue).status == 200
    assert both.seen(server)["status"] == "RESCUE"
    spec = both.cloud.nodes["node1"].spec(server)
    assert spec.rescue is not None
    assert len(spec.volumes) == 2
    act(both, server, unrescue=None)
    assert both.seen(server)["status"] == "ACTIVE"
    assert both.cloud.nodes["node1"].spec(server).rescue is None


def test_its_volume_is_written_anew(both: Both, server: str) -> None:
    other, root = both.new_image(b"another" * 100), root_of(both, server)
    old = both.cloud.client("compute", version="compute 2.92")
    assert act(both, server, old, rebuild={"imageRef": other}).status == 400
    assert act(both, server, rebuild={"imageRef": other}).status == 202
    seen = both.seen(server)
    assert (seen["status"], seen["image"]) == ("ACTIVE", "")
    assert root_of(both, server) == root
    shown = both.shown(root)
    assert (shown["status"], shown["volume_image_metadata"]["image_id"]) == ("in-use", other)
    both.agree()
    assert act(both, server, old, rebuild={"imageRef": other}).status == 202  # it is of that image


def test_an_image_that_its_volume_cannot_hold_changes_nothing(both: Both, server: str) -> None:
    other = both.new_image(b"x", min_disk=5)
    assert act(both, server, rebuild={"imageRef": other}).status == 400
    assert both.seen(server)["status"] == "ACTIVE"


def begun(both: Both, server: str, **action: Any) -> None:
    """Begin an action, and do what block storage has to do for it."""
    assert both.compute.post(f"{S}/{server}/action", action).status == 202
    for worker in both.cloud.cloud.workers():
        if "volume.create_volume" in worker._known:
            worker.run_pending()


def test_whatever_fails_of_an_image_nothing_is_left(both: Both, server: str) -> None:
    tools, before = both.cloud.cloud.compute, left(both)
    for step in SNAPSHOT_VOLUMES.steps:
        begun(both, server, createImage={"name": "copy"})
        testing.unwinds_from(step.name, SNAPSHOT_VOLUMES, None, both.cloud.db, tools)
        both.cloud.work()
        assert left(both) == before, step.name
        assert both.seen(server)["OS-EXT-STS:task_state"] is None
        both.agree()
    begun(both, server, createImage={"name": "copy"})
    testing.steps_may_repeat(SNAPSHOT_VOLUMES, None, both.cloud.db, tools)
    volumes, snapshots, images = before
    assert left(both) == (volumes, snapshots + 2, images + 1)


def test_whatever_fails_its_volume_is_still_its_servers(both: Both, server: str) -> None:
    tools, other = both.cloud.cloud.compute, both.new_image(b"another" * 100)
    for step in REBUILD_SERVER.steps:
        begun(both, server, rebuild={"imageRef": other})
        testing.unwinds_from(step.name, REBUILD_SERVER, None, both.cloud.db, tools)
        assert both.seen(server)["status"] == "ERROR"
        assert both.shown(root_of_row(both, server))["status"] == "in-use"
        begun(both, server, rebuild={"imageRef": both.image})
        testing.steps_may_repeat(REBUILD_SERVER, None, both.cloud.db, tools)
        assert both.seen(server)["status"] == "ACTIVE"
        both.agree()


def test_whatever_fails_it_is_not_shelved(both: Both, server: str) -> None:
    tools = both.cloud.cloud.compute
    for step in SHELVE_SERVER.steps[:-1]:
        begun(both, server, shelve=None)
        testing.unwinds_from(step.name, SHELVE_SERVER, None, both.cloud.db, tools)
        assert both.seen(server)["status"] == "ACTIVE"
        both.agree()
    begun(both, server, shelve=None)
    testing.steps_may_repeat(SHELVE_SERVER, None, both.cloud.db, tools)
    both.cloud.work()
    assert both.seen(server)["status"] == "SHELVED_OFFLOADED"


def root_of_row(both: Both, server: str) -> str:
    """Return the volume that a server boots from, also while it has no guest."""
    found = both.compute.get(f"{S}/{server}/os-volume_attachments").json()["volumeAttachments"]
    (root,) = [one["volumeId"] for one in found if one["device"] == "/dev/vda"]
    return str(root)


def test_old_clients_ask_compute_for_volumes(both: Both) -> None:
    old = both.cloud.client("compute", version="compute 2.35")
    wanted = {"display_name": "v", "size": 1, "metadata": {"a": "b"}}
    made = old.post("/v2.1/os-volumes", {"volume": wanted})
    assert made.status == 200
    volume_id = made.json()["volume"]["id"]
    assert made.headers["location"].endswith(volume_id)
    both.cloud.work()
    seen = old.get(f"/v2.1/os-volumes/{volume_id}").json()["volume"]
    assert (seen["displayName"], seen["status"]) == ("v", "available")
    assert (seen["metadata"], seen["attachments"]) == ({"a": "b"}, [{}])
    assert old.get("/v2.1/os-volumes").json()["volumes"] == [seen]
    assert old.get("/v2.1/os-volumes/detail?offset=1").json()["volumes"] == []
    server = both.server()
    both.attach(server, volume_id)
    both.cloud.work()
    (attached,) = old.get(f"/v2.1/os-volumes/{volume_id}").json()["volume"]["attachments"]
    assert (attached["serverId"], attached["device"]) == (server, "/dev/vdb")
    spec: Any = {"snapshot": {"volume_id": volume_id, "display_name": "s"}}
    assert old.post("/v2.1/os-snapshots", spec).status == 400  # it is in use
    spec["snapshot"]["force"] = True
    snapshot = old.post("/v2.1/os-snapshots", spec).json()["snapshot"]
    both.cloud.work()
    shown = old.get(f"/v2.1/os-snapshots/{snapshot['id']}").json()["snapshot"]
    assert (shown["volumeId"], shown["status"]) == (volume_id, "available")
    assert old.get("/v2.1/os-snapshots").json()["snapshots"] == [shown]
    theirs = both.cloud.client("compute", "ben:p2:member", "compute 2.35")
    for path in (f"os-volumes/{volume_id}", f"os-snapshots/{snapshot['id']}"):
        assert theirs.get(f"/v2.1/{path}").status == 404
        assert theirs.delete(f"/v2.1/{path}").status == 404
        assert both.compute.get(f"/v2.1/{path}").status == 404  # newer clients ask block storage
    assert old.delete(f"/v2.1/os-snapshots/{snapshot['id']}").status == 202
    assert old.delete(f"/v2.1/os-volumes/{volume_id}").status == 400  # a server has it


def test_an_empty_volume_to_boot_from_goes_before_an_image_that_is_named(both: Both) -> None:
    blank = {"source_type": "blank", "destination_type": "volume", "boot_index": 0}
    server = both.server(block_device_mapping_v2=[{**blank, "volume_size": 1}])
    assert (both.seen(server)["status"], both.seen(server)["image"]) == ("ACTIVE", "")
    assert both.plugged(server) == [root_of(both, server)]
