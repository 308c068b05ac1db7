"""Volumes of servers: plugged in and out, booted from, gone with their server."""

import json
from typing import Any

import pytest

from cumulo.node.api import HostError
from cumulo.services.compute.guest_metadata import metadata_of
from cumulo.services.compute.instance_metadata import document
from cumulo.services.compute.workflows.attach_volume import ATTACH_VOLUME, DETACH_VOLUME
from cumulo.services.compute.workflows.create_server import CREATE_SERVER
from cumulo.work import testing
from tests.client import Client
from tests.cloud import Emulated

S, V = "/v2.1/servers", "/v3/volumes"


class Both:
    """One member's way to compute and to block storage."""

    def __init__(self, cloud: Emulated) -> None:
        self.cloud = cloud
        self.compute = cloud.client("compute", version="compute 2.93")
        self.storage = cloud.client("volume", version="volume 3.71")
        self.image = self.new_image(b"disk" * 200)

    def new_image(self, content: bytes, whose: str = "ann:p1:member", **more: Any) -> str:
        images = self.cloud.client("image", whose)
        spec = {"name": "i", "disk_format": "raw", "container_format": "bare", **more}
        image_id = str(images.post("/v2/images", spec).json()["id"])
        kind = {"content-type": "application/octet-stream"}
        sent = images.put(f"/v2/images/{image_id}/file", body=content, headers=kind)
        assert sent.status == 204
        return image_id

    def server(self, **more: Any) -> str:
        spec = {"name": "s", "flavorRef": "1", "networks": "none", "imageRef": self.image, **more}
        answer = self.compute.post(S, {"server": spec})
        assert answer.status == 202, answer.text
        self.cloud.work()
        return str(answer.json()["server"]["id"])

    def volume(self, client: Client | None = None, **more: Any) -> str:
        answer = (client or self.storage).post(V, {"volume": {"size": 1, **more}})
        assert answer.status == 202, answer.text
        self.cloud.work()
        return str(answer.json()["volume"]["id"])

    def attach(self, server: str, volume: str, **more: Any) -> Any:
        body = {"volumeAttachment": {"volumeId": volume, **more}}
        return self.compute.post(f"{S}/{server}/os-volume_attachments", body)

    def shown(self, volume: str) -> Any:
        return self.storage.get(f"{V}/{volume}").json()["volume"]

    def seen(self, server: str) -> Any:
        return self.compute.get(f"{S}/{server}").json()["server"]

    def plugged(self, server: str) -> list[str]:
        return [one.volume_id for one in self.cloud.nodes["node1"].spec(server).volumes]

    def agree(self) -> None:
        """Rows of both services and what guests have say the same."""
        root = self.cloud.client("volume", "root:p0:admin", "volume 3.71")
        rows = root.get(f"{V}/detail?all_tenants=1").json()["volumes"]
        told = {
            (one["server_id"], volume["id"]) for volume in rows for one in volume["attachments"]
        }
        admin = self.cloud.client("compute", "root:p0:admin", "compute 2.93")
        servers = admin.get(f"{S}/detail?all_tenants=1").json()["servers"]
        recorded = {
            (server["id"], one["id"])
            for server in servers
            for one in server["os-extended-volumes:volumes_attached"]
        }
        guests = {
            (guest_id, one.volume_id)
            for node in self.cloud.nodes.values()
            for guest_id in node.guests()
            for one in node.spec(guest_id).volumes
        }
        assert told == recorded == guests
        for volume in rows:
            assert volume["status"] in ("available", "in-use", "error"), volume["status"]
            assert (volume["status"] == "in-use") == bool(volume["attachments"])


@pytest.fixture
def both(emulated: Emulated) -> Both:
    return Both(emulated)


def test_a_volume_in_error_is_no_obstacle_to_another(both: Both) -> None:
    server, first, second = both.server(), both.volume(), both.volume()
    assert both.attach(server, first).status == 200
    both.cloud.work()
    admin = both.cloud.client("volume", "root:p0:admin")
    reset = {"os-reset_status": {"status": "error"}}
    assert admin.post(f"{V}/{first}/action", reset).status == 202
    assert both.attach(server, second).status == 200
    both.cloud.work()
    assert both.shown(second)["status"] == "in-use"
    assert sorted(both.plugged(server)) == sorted([first, second])


def test_a_tagged_volume_is_told_to_the_guest(both: Both) -> None:
    volume = both.volume()
    disks: list[dict[str, Any]] = [
        {"source_type": "image", "destination_type": "local", "uuid": both.image, "boot_index": 0},
        {"source_type": "volume", "destination_type": "volume", "uuid": volume, "tag": "data"},
    ]
    server = both.server(block_device_mapping_v2=disks)
    metadata = both.cloud.db.read(metadata_of, server, both.cloud.cloud.compute.settings)
    assert metadata is not None
    [device] = json.loads(document(metadata, "latest", "meta_data.json") or b"")["devices"]
    assert (device["type"], device["serial"], device["tags"]) == ("disk", volume, ["data"])
    assert device["path"] == "/dev/vdb"


def test_attach_and_detach(both: Both) -> None:
    server, volume = both.server(), both.volume()
    answer = both.attach(server, volume, delete_on_termination=True, tag="data")
    assert answer.status == 200, answer.text
    attachment = answer.json()["volumeAttachment"]
    assert attachment["device"] == "/dev/vdb"
    assert both.shown(volume)["status"] == "reserved"
    assert both.attach(server, volume).status == 400
    both.cloud.work()
    assert both.plugged(server) == [volume]
    found = both.shown(volume)
    assert found["status"] == "in-use"
    assert found["attachments"][0]["server_id"] == server
    assert both.seen(server)["os-extended-volumes:volumes_attached"] == [
        {"id": volume, "delete_on_termination": True}
    ]
    both.agree()
    assert both.storage.delete(f"{V}/{volume}").status == 400
    where = f"{S}/{server}/os-volume_attachments/{volume}"
    assert both.compute.delete(where).status == 202
    assert both.shown(volume)["status"] == "detaching"
    both.cloud.work()
    assert both.plugged(server) == []
    assert both.shown(volume)["status"] == "available"
    assert both.compute.get(where).status == 404
    both.agree()


def test_nobody_takes_a_volume_from_under_a_server(both: Both) -> None:
    """Its device would appear as somebody else's disk: CVE-2023-2088."""
    server, volume = both.server(), both.volume()
    attachment = both.attach(server, volume).json()["volumeAttachment"]["attachment_id"]
    both.cloud.work()
    action = f"{V}/{volume}/action"
    root = both.cloud.client("volume", "root:p0:admin", "volume 3.71")
    for client in (both.storage, root):
        for answer in (
            client.delete(f"/v3/attachments/{attachment}"),
            client.post(action, {"os-detach": {"attachment_id": attachment}}),
            client.post(action, {"os-terminate_connection": {"connector": {}}}),
        ):
            assert answer.status == 409, answer.text
            assert "using the Compute API" in answer.text
    assert root.post(action, {"os-force_detach": {}}).status == 409
    assert both.plugged(server) == [volume]
    both.agree()


def test_another_projects_volume_does_not_exist(both: Both) -> None:
    server = both.server()
    volume = both.volume(both.storage.as_("ben:p2:member"))
    assert both.attach(server, volume).status == 404
    disk = {"uuid": volume, "source_type": "volume", "destination_type": "volume"}
    spec = {"name": "s", "flavorRef": "1", "networks": "none", "imageRef": ""}
    spec["block_device_mapping_v2"] = [{**disk, "boot_index": 0}]  # type: ignore[assignment]
    assert both.compute.post(S, {"server": spec}).status == 400


def test_boot_from_an_image_in_a_volume(both: Both) -> None:
    disk = {"uuid": both.image, "source_type": "image", "destination_type": "volume"}
    disk |= {"boot_index": 0, "volume_size": 2, "delete_on_termination": True}  # type: ignore[dict-item]
    server = both.server(imageRef="", block_device_mapping_v2=[disk])
    seen = both.seen(server)
    assert (seen["status"], seen["image"]) == ("ACTIVE", "")
    (volume,) = seen["os-extended-volumes:volumes_attached"]
    found = both.shown(volume["id"])
    assert (found["status"], found["bootable"], found["size"]) == ("in-use", "true", 2)
    spec = both.cloud.nodes["node1"].spec(server)
    assert spec.image is None
    assert spec.volumes[0].is_boot_disk
    where = f"{S}/{server}/os-volume_attachments/{volume['id']}"
    assert both.compute.delete(where).status == 403
    both.agree()
    both.compute.delete(f"{S}/{server}")
    both.cloud.work()
    assert both.storage.get(f"{V}/{volume['id']}").status == 404
    both.agree()


def test_an_empty_volume_is_booted_from_where_an_image_says_what_it_holds(both: Both) -> None:
    volume = both.volume()
    disk = {"uuid": volume, "source_type": "volume", "destination_type": "volume", "boot_index": 0}
    spec = {"name": "s", "flavorRef": "1", "networks": "none", "block_device_mapping_v2": [disk]}
    refused = both.compute.post(S, {"server": {**spec, "imageRef": ""}})
    assert refused.status == 400
    assert f"Block Device {volume} is not bootable" in refused.text
    server = both.server(imageRef=both.image, block_device_mapping_v2=[disk])
    assert both.seen(server)["status"] == "ACTIVE"
    assert both.plugged(server) == [volume]
    both.agree()


def test_boot_from_a_volume_and_a_snapshot_with_blank_ones_beside(both: Both) -> None:
    volume = both.volume(imageRef=both.image)
    boot = {"uuid": volume, "source_type": "volume", "destination_type": "volume"}
    blank = {"source_type": "blank", "destination_type": "volume", "volume_size": 3}
    first = both.server(imageRef="", block_device_mapping_v2=[{**boot, "boot_index": 0}, blank])
    assert both.seen(first)["status"] == "ACTIVE"
    assert len(both.plugged(first)) == 2
    both.agree()
    both.compute.delete(f"{S}/{first}")
    both.cloud.work()
    assert both.shown(volume)["status"] == "available"
    taken = both.storage.post("/v3/snapshots", {"snapshot": {"volume_id": volume}})
    both.cloud.work()
    from_snapshot = {"uuid": taken.json()["snapshot"]["id"], "source_type": "snapshot"}
    from_snapshot |= {"destination_type": "volume", "boot_index": 0}
    second = both.server(imageRef="", block_device_mapping_v2=[from_snapshot])
    assert both.seen(second)["status"] == "ACTIVE"
    both.agree()


def test_a_volume_that_cannot_be_made_fails_its_server_and_leaves_nothing(both: Both) -> None:
    (place,) = both.cloud.cloud.volume.places.values()
    place.driver.fails["write"] = HostError("full")  # type: ignore[attr-defined]
    disk = {"uuid": both.image, "source_type": "image", "destination_type": "volume"}
    disk |= {"boot_index": 0, "volume_size": 1, "delete_on_termination": True}  # type: ignore[dict-item]
    server = both.server(imageRef="", block_device_mapping_v2=[disk])
    seen = both.seen(server)
    assert seen["status"] == "ERROR"
    assert "Block Device Mapping is Invalid" in seen["fault"]["message"]
    assert both.storage.get(V).json()["volumes"] == []


def test_wrong_mappings(both: Both) -> None:
    image = {"uuid": both.image, "source_type": "image", "destination_type": "volume"}
    blank = {"source_type": "blank", "destination_type": "volume"}
    for mapping in (
        [{**image, "boot_index": 0}],  # no size
        [{**blank, "boot_index": None}],
        [{**image, "volume_size": 1}],  # nothing to boot from
        [{**image, "volume_size": 1, "boot_index": 0, "uuid": "x"}],
        [{"source_type": "volume", "destination_type": "local", "uuid": "x", "boot_index": 0}],
        [{**blank, "volume_size": 1, "boot_index": 0}] * 2,
    ):
        spec = {"name": "s", "flavorRef": "1", "networks": "none", "imageRef": ""}
        body = {"server": {**spec, "block_device_mapping_v2": mapping}}
        answer = both.compute.post(S, body)
        assert answer.status == 400, (mapping, answer.text)
    assert both.compute.get(S).json()["servers"] == []
    assert both.storage.get(V).json()["volumes"] == []


def test_a_volume_grows_under_its_server(both: Both) -> None:
    server, volume = both.server(), both.volume()
    both.attach(server, volume)
    both.cloud.work()
    extend = {"os-extend": {"new_size": 4}}
    assert both.storage.at("volume 3.41").post(f"{V}/{volume}/action", extend).status == 400
    assert both.storage.post(f"{V}/{volume}/action", extend).status == 202
    both.cloud.work()
    assert both.cloud.nodes["node1"].spec(server).volumes[0].size_gib == 4
    assert both.shown(volume)["size"] == 4
    both.agree()


def test_volumes_wait_for_a_shelved_server(both: Both) -> None:
    server, volume = both.server(), both.volume()
    both.attach(server, volume)
    both.cloud.work()
    both.compute.post(f"{S}/{server}/action", {"shelve": None})
    both.cloud.work()
    assert both.seen(server)["status"] == "SHELVED_OFFLOADED"
    assert both.shown(volume)["status"] == "reserved"
    second = both.volume()
    assert both.attach(server, second).status == 200
    both.compute.post(f"{S}/{server}/action", {"unshelve": None})
    both.cloud.work()
    assert both.seen(server)["status"] == "ACTIVE"
    assert set(both.plugged(server)) == {volume, second}
    both.agree()


@pytest.mark.parametrize("flow", [ATTACH_VOLUME, DETACH_VOLUME], ids=lambda flow: flow.name)
def test_whatever_fails_both_services_and_the_guest_agree(both: Both, flow: Any) -> None:
    tools = both.cloud.cloud.compute

    def begin() -> None:
        server, volume = both.server(), both.volume()
        both.attach(server, volume)
        if flow is DETACH_VOLUME:
            both.cloud.work()
            both.compute.delete(f"{S}/{server}/os-volume_attachments/{volume}")

    begin()
    testing.steps_may_repeat(flow, None, both.cloud.db, tools)
    both.agree()
    for step in flow.steps:
        begin()
        testing.unwinds_from(step.name, flow, None, both.cloud.db, tools)
        both.agree()
        begin()
        testing.crash_at(step.name, flow, None, both.cloud.db, tools)
        both.agree()


def test_whatever_fails_when_a_server_boots_from_a_volume(both: Both) -> None:
    tools = both.cloud.cloud.compute
    disk = {"uuid": both.image, "source_type": "image", "destination_type": "volume"}
    disk |= {"boot_index": 0, "volume_size": 1, "delete_on_termination": True}  # type: ignore[dict-item]
    spec = {"name": "s", "flavorRef": "1", "networks": "none", "imageRef": ""}
    body = {"server": {**spec, "block_device_mapping_v2": [disk]}}

    def begin() -> None:
        assert both.compute.post(S, body).status == 202
        for worker in both.cloud.cloud.workers():
            if "volume.create_volume" in worker._known:
                worker.run_pending()

    begin()
    testing.steps_may_repeat(CREATE_SERVER, None, both.cloud.db, tools)
    both.agree()
    for step in CREATE_SERVER.steps[:-1]:
        begin()
        testing.unwinds_from(step.name, CREATE_SERVER, None, both.cloud.db, tools)
        both.cloud.work()
        both.agree()


def test_an_image_that_says_too_much_of_its_volumes(both: Both) -> None:
    """What its owner wrote there may be nested without end: it is refused, not a failure."""
    deep = '[{"x":' + "[" * 5000 + "]" * 5000 + "}]"
    image = both.new_image(b"disk" * 200, block_device_mapping=deep)
    spec = {"name": "s", "flavorRef": "1", "networks": "none", "imageRef": image}
    answer = both.compute.post(S, {"server": spec})
    assert answer.status == 400, answer.text
    assert "cannot be read" in answer.text
    answer = both.storage.post(V, {"volume": {"size": 1, "imageRef": image}})
    assert answer.status == 202, answer.text


def test_a_silent_host_is_waited_for(both: Both) -> None:
    server, volume = both.server(), both.volume()
    node = both.cloud.nodes["node1"]
    node.script.fail("ensure_volumes")
    both.attach(server, volume)
    both.cloud.work()
    assert both.shown(volume)["status"] == "attaching"
    both.cloud.db.write(testing.end_leases)
    both.cloud.work()
    both.agree()
    assert both.shown(volume)["status"] == "in-use"


def test_boot_from_a_volume_as_ec2_spelled_it(both: Both) -> None:
    volume, second = both.volume(imageRef=both.image), both.volume()
    old = [{"device_name": "vda", "volume_id": volume, "delete_on_termination": "1"}]
    old.append({"device_name": "vdb", "volume_id": second})
    server = both.server(imageRef="", block_device_mapping=old)
    assert both.seen(server)["status"] == "ACTIVE"
    spec = both.cloud.nodes["node1"].spec(server)
    assert [(one.volume_id, one.is_boot_disk) for one in spec.volumes] == [
        (volume, True),
        (second, False),
    ]
    both.agree()
    wanted = {"name": "s", "flavorRef": "1", "networks": "none", "imageRef": ""}
    new = {"uuid": second, "source_type": "volume", "destination_type": "volume"}
    for wrong in (
        {"block_device_mapping": old, "block_device_mapping_v2": [new]},
        {"block_device_mapping": [{"device_name": "vda", "virtual_name": "ephemeral0"}]},
    ):
        assert both.compute.post(S, {"server": {**wanted, **wrong}}).status == 400
