"""Disks that a server's host makes: smaller than the flavor's, several, and on every way."""

import json
from pathlib import Path
from typing import Any

import pytest

from cumulo.node.api import EphemeralDisk
from cumulo.services.compute.guest_metadata import metadata_of
from cumulo.services.compute.instance_metadata import InstanceMetadata, document
from cumulo.services.compute.settings import ComputeSettings
from cumulo.settings import Settings
from tests.client import Client
from tests.cloud import Emulated

S = "/v2.1/servers"
BLANK: dict[str, Any] = {"source_type": "blank", "destination_type": "local", "boot_index": -1}
SWAP = {**BLANK, "guest_format": "swap"}
HALVES = [EphemeralDisk(size_gib=1), EphemeralDisk(size_gib=2, format="ext2")]


class Owner:
    """A member, and the flavors that its servers are of."""

    def __init__(self, cloud: Emulated) -> None:
        self.cloud = cloud
        self.ann = cloud.client("compute", version="compute 2.79")
        self.root = cloud.client("compute", "root:p1:admin", "compute 2.79")
        images = cloud.client("image")
        spec = {"name": "i", "disk_format": "raw", "container_format": "bare"}
        self.image = str(images.post("/v2/images", spec).json()["id"])
        kind = {"content-type": "application/octet-stream"}
        images.put(f"/v2/images/{self.image}/file", body=b"disk" * 200, headers=kind)
        for name, ephemeral, swap in (("disks", 4, 64), ("more", 8, 128), ("few", 3, 0)):
            size = {"vcpus": 1, "ram": 64, "disk": 1, "OS-FLV-EXT-DATA:ephemeral": ephemeral}
            flavor = {"name": name, "id": name, **size, "swap": swap}
            assert self.root.post("/v2.1/flavors", {"flavor": flavor}).status == 200

    @property
    def root_disk(self) -> dict[str, Any]:
        return {
            "source_type": "image",
            "destination_type": "local",
            "uuid": self.image,
            "boot_index": 0,
        }

    def ask(self, *disks: dict[str, Any], flavor: str = "disks") -> Any:
        wanted = {"block_device_mapping_v2": [self.root_disk, *disks]} if disks else {}
        spec = {"name": "s", "flavorRef": flavor, "networks": "none", "imageRef": self.image}
        answer = self.ann.post(S, {"server": spec | wanted})
        self.cloud.work()
        return answer

    def server(self, *disks: dict[str, Any], flavor: str = "disks") -> str:
        answer = self.ask(*disks, flavor=flavor)
        assert answer.status == 202, answer.text
        return str(answer.json()["server"]["id"])

    def act(self, server: str, action: str, body: Any = None, by: Client | None = None) -> None:
        answer = (by or self.ann).post(f"{S}/{server}/action", {action: body})
        assert answer.status in (200, 202, 204), answer.text
        self.cloud.work()

    def has(self, server: str) -> tuple[list[EphemeralDisk], int]:
        """Return what ephemeral disks and how much swap the server's guest has."""
        host = self.root.get(f"{S}/{server}").json()["server"]["OS-EXT-SRV-ATTR:host"]
        spec = self.cloud.nodes[host].spec(server)
        return spec.ephemeral_disks, spec.swap_mib

    def volume(self) -> str:
        storage = self.cloud.client("volume", version="volume 3.71")
        made = storage.post("/v3/volumes", {"volume": {"size": 1}}).json()["volume"]["id"]
        self.cloud.work()
        return str(made)

    def told(self, server: str) -> InstanceMetadata:
        metadata = self.cloud.db.read(metadata_of, server, self.cloud.cloud.compute.settings)
        assert metadata is not None
        return metadata


@pytest.fixture
def owner(emulated: Emulated) -> Owner:
    return Owner(emulated)


def test_less_than_the_flavor_has_and_in_pieces(tmp_path: Path) -> None:
    compute = ComputeSettings(max_local_block_devices=4)
    cloud = Emulated(tmp_path, settings=Settings(compute=compute))
    owner = Owner(cloud)
    server = owner.server(
        {**SWAP, "volume_size": 32, "tag": "paging"},
        {**BLANK, "volume_size": 1, "tag": "scratch"},
        {**BLANK, "volume_size": 2, "guest_format": "ext2", "tag": "more"},
    )
    assert owner.has(server) == (HALVES, 32)
    devices = json.loads(document(owner.told(server), "latest", "meta_data.json") or b"")["devices"]
    assert [(one["path"], one["tags"]) for one in devices] == [
        ("/dev/vdb", ["scratch"]),
        ("/dev/vdc", ["more"]),
        ("/dev/vdd", ["paging"]),
    ]
    body = {"volumeAttachment": {"volumeId": owner.volume()}}
    answer = owner.ann.post(f"{S}/{server}/os-volume_attachments", body)
    assert answer.json()["volumeAttachment"]["device"] == "/dev/vde"
    assert owner.told(server).block_devices == {
        "ami": "vda",
        "root": "/dev/vda",
        "ephemeral0": "/dev/vdb",
        "ephemeral1": "/dev/vdc",
        "swap": "/dev/vdd",
        "ebs0": "/dev/vde",
    }
    cloud.close()


def test_they_come_after_the_volume_that_a_server_boots_from(owner: Owner) -> None:
    boot = {"source_type": "image", "destination_type": "volume", "boot_index": 0}
    boot |= {"uuid": owner.image, "volume_size": 1, "device_name": "vdc"}
    data = {"source_type": "blank", "destination_type": "volume", "volume_size": 1}
    wanted = [data | {"device_name": "/dev/vdb"}, boot, BLANK | {"tag": "scratch"}]
    spec = {"name": "s", "flavorRef": "disks", "networks": "none", "config_drive": True}
    spec |= {"block_device_mapping_v2": wanted, "imageRef": ""}
    answer = owner.ann.post(S, {"server": spec})
    assert answer.status == 202, answer.text
    server = str(answer.json()["server"]["id"])
    owner.cloud.work()
    volume = owner.volume()
    body = {"volumeAttachment": {"volumeId": volume, "device": "/dev/vda"}}
    assert owner.ann.post(f"{S}/{server}/os-volume_attachments", body).status == 409
    del body["volumeAttachment"]["device"]
    assert owner.ann.post(f"{S}/{server}/os-volume_attachments", body).status == 200
    owner.cloud.work()

    def agree() -> None:
        shown = owner.root.get(f"{S}/{server}").json()["server"]
        assert shown["OS-EXT-SRV-ATTR:root_device_name"] == "/dev/vda"
        listed = owner.ann.get(f"{S}/{server}/os-volume_attachments").json()
        names = [one["device"] for one in listed["volumeAttachments"]]
        assert names == ["/dev/vda", "/dev/vde", "/dev/vdf"]
        disks = owner.cloud.nodes[shown["OS-EXT-SRV-ATTR:host"]].spec(server).volumes
        assert [(one.device, one.is_boot_disk) for one in disks] == [
            ("vda", True),
            ("vde", False),
            ("vdf", False),
        ]
        told = owner.told(server)
        assert told.block_devices == {
            "ami": "vda",
            "root": "/dev/vda",
            "ephemeral0": "/dev/vdb",
            "swap": "/dev/vdc",
            "ebs0": "/dev/vda",
            "ebs1": "/dev/vde",
            "ebs2": "/dev/vdf",
        }
        assert [(one.path, one.tags) for one in told.devices] == [("/dev/vdb", ["scratch"])]

    agree()
    owner.act(server, "shelve")
    owner.act(server, "unshelve")
    agree()
    owner.act(server, "resize", {"flavorRef": "more"})
    owner.act(server, "confirmResize")
    agree()


def test_who_says_nothing_has_what_the_flavor_has(owner: Owner) -> None:
    assert owner.has(owner.server()) == ([EphemeralDisk(size_gib=4)], 64)
    assert owner.has(owner.server(BLANK, SWAP)) == ([EphemeralDisk(size_gib=4)], 64)
    assert owner.has(owner.server(flavor="few")) == ([EphemeralDisk(size_gib=3)], 0)


def test_placement_counts_what_the_flavor_has(owner: Owner) -> None:
    server = owner.server({**SWAP, "volume_size": 1}, {**BLANK, "volume_size": 1})
    held = owner.cloud.client("placement", "root:p1:admin").get(f"/allocations/{server}").json()
    [resources] = [one["resources"] for one in held["allocations"].values()]
    assert resources["DISK_GB"] == 6


@pytest.mark.parametrize(
    ("disks", "why"),
    [
        ([{**BLANK, "volume_size": 5}], "Ephemeral disks requested are larger"),
        ([{**BLANK, "volume_size": 3}, {**BLANK, "volume_size": 2}], "requested are larger"),
        ([BLANK, {**BLANK, "volume_size": 1}], "Ephemeral disks requested are larger"),
        ([{**SWAP, "volume_size": 65}], "Swap drive requested is larger"),
        ([SWAP, SWAP], "More than one swap drive requested"),
        ([{**BLANK, "volume_size": 1}] * 2, "more local devices than the limit allows: 4"),
        ([{**BLANK, "volume_size": 0}], "volume_size"),
        ([{**BLANK, "guest_format": "ntfs"}], "ntfs format is not supported"),
        ([{**BLANK, "uuid": "a0e3f7d4-9d6c-4a39-8f5e-0c2b8b8f8a11"}], "has no uuid"),
    ],
)
def test_what_no_host_makes_is_refused(owner: Owner, disks: list[dict[str, Any]], why: str) -> None:
    refused = owner.ask(*disks)
    assert (refused.status, why in refused.text) == (400, True), refused.text


def test_a_flavor_without_them_has_none_to_give(owner: Owner) -> None:
    assert owner.ask(BLANK, flavor="1").status == 400
    assert owner.ask(SWAP, flavor="few").status == 400


def test_named_disks_stay_in_every_flavor_and_swap_becomes_the_new_one_s(owner: Owner) -> None:
    server = owner.server({**SWAP, "volume_size": 32}, {**BLANK, "volume_size": 3})
    had = owner.has(server)
    owner.act(server, "resize", {"flavorRef": "more"})
    assert owner.has(server) == (had[0], 128)
    owner.act(server, "revertResize")
    assert owner.has(server) == had
    owner.act(server, "resize", {"flavorRef": "few"})
    owner.act(server, "confirmResize")
    assert owner.has(server) == (had[0], 0)


def test_what_the_flavor_gave_grows_with_it_and_never_shrinks(owner: Owner) -> None:
    server = owner.server()
    owner.act(server, "resize", {"flavorRef": "few"})
    shown = owner.ann.get(f"{S}/{server}").json()["server"]
    assert (shown["status"], shown["flavor"]["original_name"]) == ("ACTIVE", "disks")
    owner.act(server, "resize", {"flavorRef": "more"})
    assert owner.has(server) == ([EphemeralDisk(size_gib=8)], 128)


def test_they_are_made_alike_wherever_the_server_is_made_anew(tmp_path: Path) -> None:
    cloud = Emulated(tmp_path, hosts=2)
    owner = Owner(cloud)
    server = owner.server({**SWAP, "volume_size": 32}, {**BLANK, "volume_size": 3})
    had = owner.has(server)
    owner.act(server, "rebuild", {"imageRef": owner.image})
    assert owner.has(server) == had
    owner.act(server, "shelve")
    owner.act(server, "unshelve")
    assert owner.has(server) == had
    owner.act(server, "migrate", by=owner.root)
    owner.act(server, "confirmResize")
    assert owner.has(server) == had
    cloud.close()
