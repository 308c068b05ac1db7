"""What guests are told about themselves, and that nobody else is told."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from cumulo.db import Database
from cumulo.kit.clock import CLOCK
from cumulo.node.signatures import sign
from cumulo.services.compute import config_drives
from cumulo.services.compute.instance_metadata import (
    Device,
    File,
    network_data,
)
from cumulo.services.network import public
from tests.compute.metadata_cloud import IP, IP6, P1, P2, SECRET, VM1, VM2, Cloud


@pytest.fixture
def cloud(db: Database) -> Iterator[Cloud]:
    """The cloud with its time held, so that what is remembered is remembered."""
    made = Cloud(db)
    with CLOCK.held(datetime(2026, 1, 1, tzinfo=UTC)):
        yield made


def test_the_first_level_lists_versions(cloud: Cloud) -> None:
    ec2 = cloud.told("/").split("\n")
    assert (ec2[0], ec2[-2], ec2[-1], len(ec2)) == ("1.0", "2009-04-04", "latest", 10)
    openstack = cloud.told("/openstack").split("\n")
    assert (openstack[0], openstack[-2], openstack[-1]) == ("2012-08-10", "2025-04-04", "latest")


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("2012-08-10", "meta_data.json user_data"),
        ("2013-04-04", "meta_data.json user_data password"),
        ("2013-10-17", "meta_data.json user_data password vendor_data.json"),
        ("2015-10-15", "meta_data.json user_data password vendor_data.json network_data.json"),
        (
            "latest",
            (
                "meta_data.json user_data password vendor_data.json network_data.json "
                "vendor_data2.json"
            ),
        ),
    ],
)
def test_each_version_lists_what_it_has(cloud: Cloud, version: str, names: str) -> None:
    assert cloud.told(f"/openstack/{version}/").split("\n") == names.split()
    for name in names.split():
        assert cloud.ask(f"/openstack/{version}/{name}").status == 200


def test_meta_data_says_who_the_guest_is(cloud: Cloud) -> None:
    told = cloud.json("/openstack/latest/meta_data.json")
    assert len(told.pop("random_seed")) == 684
    assert told == {
        "uuid": VM1,
        "meta": {"role": "web"},
        "public_keys": {"k": "ssh-rsa AAAA k"},
        "keys": [{"name": "k", "type": "ssh", "data": "ssh-rsa AAAA k"}],
        "hostname": "vm.novalocal",
        "name": "vm of a",
        "launch_index": 0,
        "availability_zone": "nova",
        "project_id": P1,
        "devices": [],
        "dedicated_cpus": [],
    }
    answer = cloud.ask("/openstack/latest/meta_data.json")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("version", "gone"),
    [
        ("2012-08-10", {"random_seed", "project_id", "devices", "dedicated_cpus"}),
        ("2013-04-04", {"project_id", "devices", "dedicated_cpus"}),
        ("2015-10-15", {"devices", "dedicated_cpus"}),
        ("2016-06-30", {"dedicated_cpus"}),
        ("2020-10-14", set()),
    ],
)
def test_meta_data_grew_with_versions(cloud: Cloud, version: str, gone: set[str]) -> None:
    everything = {"random_seed", "project_id", "devices", "dedicated_cpus"}
    told = set(cloud.json(f"/openstack/{version}/meta_data.json"))
    assert everything & told == everything - gone


def test_tagged_devices_are_told(cloud: Cloud) -> None:
    cloud.extra["devices"] = [
        Device(type="nic", bus="pci", address="0000:00:03.0", tags=["front"], mac="fa:16:3e:0:0:1"),
        Device(type="disk", bus="scsi", address="0:0:0:0", serial="vol-1", path="/dev/sda"),
        Device(type="share", share_id="sh-1", tag="data"),
    ]
    nic, disk, share = cloud.json("/openstack/latest/meta_data.json")["devices"]
    assert nic == {
        "vf_trusted": False,
        "type": "nic",
        "mac": "fa:16:3e:0:0:1",
        "bus": "pci",
        "address": "0000:00:03.0",
        "tags": ["front"],
    }
    assert (disk["serial"], disk["path"]) == ("vol-1", "/dev/sda")
    assert (share["type"], share["share_id"], share["tag"]) == ("share", "sh-1", "data")
    old = cloud.json("/openstack/2017-02-22/meta_data.json")["devices"]
    assert [device["type"] for device in old] == ["nic", "disk"]
    assert "vf_trusted" not in old[0]


def test_network_data_says_how_the_guest_is_plugged_in(cloud: Cloud) -> None:
    told = cloud.json("/openstack/latest/network_data.json")
    first, second = told["links"]
    assert first["id"] == f"tap{first['vif_id'][:11]}"
    assert (first["type"], first["mtu"]) == ("ovs", 1442)
    assert first["ethernet_mac_address"].startswith("fa:16:3e:")
    network_id = cloud.networks[P1]
    assert told["networks"] == [
        {"id": "network0", "link": first["id"], "type": "ipv4_dhcp", "network_id": network_id},
        {
            "id": "network1",
            "link": second["id"],
            "type": "ipv6",
            "network_id": network_id,
            "ip_address": IP6,
            "netmask": "ffff:ffff:ffff:ffff::",
            "routes": [{"network": "::", "netmask": "::", "gateway": "fd00::1"}],
            "services": [],
        },
    ]
    assert told["services"] == [{"type": "dns", "address": "192.0.2.53"}]


def test_a_guest_without_dhcp_is_told_everything(cloud: Cloud) -> None:
    metadata = cloud.db.read(cloud.metadata, VM1)
    assert metadata is not None
    still = {
        id_: msgspec.structs.replace(
            subnet, enable_dhcp=False, host_routes=[("198.51.100.0/24", "10.0.0.9")]
        )
        for id_, subnet in metadata.subnets.items()
        if subnet.ip_version == 4
    }
    only = [port for port in metadata.ports if port.addresses[0].version == 4]
    (told,) = network_data(msgspec.structs.replace(metadata, ports=only, subnets=still))["networks"]
    assert (told["type"], told["ip_address"], told["netmask"]) == ("ipv4", IP, "255.255.255.0")
    assert told["routes"] == [
        {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"},
        {"network": "198.51.100.0", "netmask": "255.255.255.0", "gateway": "10.0.0.9"},
    ]
    assert told["services"] == [{"type": "dns", "address": "192.0.2.53"}]


def test_vendors_have_nothing_to_say(cloud: Cloud) -> None:
    assert cloud.json("/openstack/latest/vendor_data.json") == {}
    assert cloud.json("/openstack/latest/vendor_data2.json") == {"static": {}}


def test_an_operator_tells_every_guest(cloud: Cloud) -> None:
    cloud.change(vendor_data={"ntp": "192.0.2.1"})
    assert cloud.json("/openstack/latest/vendor_data.json") == {"ntp": "192.0.2.1"}
    assert cloud.json("/openstack/latest/vendor_data2.json") == {"static": {"ntp": "192.0.2.1"}}


def test_files_that_a_server_was_given(cloud: Cloud) -> None:
    assert "files" not in cloud.json("/openstack/latest/meta_data.json")
    cloud.change(files=[File(path="/etc/motd", contents=b"hello\xff")])
    told = cloud.json("/openstack/2012-08-10/meta_data.json")["files"]
    assert told == [{"content_path": "/content/0000", "path": "/etc/motd"}]
    assert cloud.ask("/openstack/content/0000").body == b"hello\xff"
    for path in ("content", "content/0001", "content/0000/x", "content/../content"):
        assert cloud.ask(f"/openstack/{path}").status == 404
    metadata = cloud.db.read(cloud.metadata, VM1)
    assert metadata is not None
    drive = config_drives.files(metadata)
    assert drive["openstack/content/0000"] == b"hello\xff"


def test_a_guest_of_a_kernel_is_told_which(cloud: Cloud) -> None:
    assert cloud.ask("/latest/meta-data/kernel-id").status == 404
    cloud.change(kernel_id="0123abcd-0", ramdisk_id="4567abcd-0")
    assert cloud.ask("/latest/meta-data/kernel-id").text == "aki-0123abcd"
    assert cloud.ask("/latest/meta-data/ramdisk-id").text == "ari-4567abcd"
    assert cloud.ask("/2007-10-10/meta-data/kernel-id").status == 404


def test_user_data_is_told_byte_by_byte_or_not_at_all(cloud: Cloud) -> None:
    for path in ("/openstack/latest/user_data", "/latest/user-data", "/2009-04-04/user-data/"):
        assert cloud.ask(path).body == b"#!/bin/sh\n\xff"
    cloud.change(user_data=None)
    assert cloud.ask("/openstack/latest/user_data").status == 404
    assert cloud.ask("/latest/user-data").status == 404
    assert "user_data" not in cloud.told("/openstack/latest")
    assert cloud.told("/latest") == "meta-data/"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/latest", "meta-data/\nuser-data"),
        ("/ec2/latest", "meta-data/\nuser-data"),
        ("/latest/meta-data/instance-id", "i-11111111"),
        ("/latest/meta-data/ami-id", "ami-abcdef01"),
        ("/latest/meta-data/local-ipv4", IP),
        ("/latest/meta-data/public-ipv4", ""),
        ("/latest/meta-data/hostname", "vm.novalocal"),
        ("/latest/meta-data/instance-type", "m1.tiny"),
        ("/latest/meta-data/reservation-id", "r-12345678"),
        ("/latest/meta-data/security-groups", "default\nweb"),
        ("/latest/meta-data/placement/", "availability-zone"),
        ("/latest/meta-data/placement/availability-zone", "nova"),
        ("/latest/meta-data/public-keys/", "0=k"),
        ("/latest/meta-data/public-keys/0/", "openssh-key"),
        ("/latest//meta-data/public-keys/0/openssh-key", "ssh-rsa AAAA k"),
        ("/latest/meta-data/block-device-mapping/", "ami\nroot"),
        ("/latest/meta-data/block-device-mapping/root", "/dev/vda"),
        ("/latest/meta-data/instance-action", "none"),
    ],
)
def test_the_ec2_tree(cloud: Cloud, path: str, text: str) -> None:
    answer = cloud.ask(path)
    assert (answer.status, answer.text) == (200, text)
    assert answer.headers["content-type"].startswith("text/plain")


def test_the_ec2_tree_grew_with_versions(cloud: Cloud) -> None:
    first = cloud.told("/1.0/meta-data").split("\n")
    assert first == [
        "ami-id",
        "ami-launch-index",
        "ami-manifest-path",
        "hostname",
        "instance-id",
        "local-ipv4",
        "public-keys/",
        "reservation-id",
        "security-groups",
    ]
    assert "instance-action" not in cloud.told("/2008-02-01/meta-data")
    last = cloud.told("/2009-04-04/meta-data/")
    assert "block-device-mapping/" in last
    assert "placement/" in last
    cloud.change(key=None)
    assert "public-keys" not in cloud.told("/latest/meta-data")


@pytest.mark.parametrize(
    "path",
    [
        "/2010-01-01/meta-data",
        "/latest/meta-data/nothing",
        "/latest/meta-data/hostname/more",
        "/latest/meta-data/public-keys/1",
        "/latest/meta-data/public-keys/0/=",
        "/openstack/1999-01-01/meta_data.json",
        "/openstack/latest/nothing.json",
        "/openstack/latest/meta_data.json/more",
        "/openstack/2012-08-10/password",
        "/openstack/2012-08-10/network_data.json",
        "/openstack/content/0000",
        "/latest/../../etc/passwd",
        "/x" * 200,
    ],
)
def test_what_is_not_there(cloud: Cloud, path: str) -> None:
    assert cloud.ask(path).status == 404


def test_each_guest_is_told_of_itself_though_addresses_are_the_same(cloud: Cloud) -> None:
    for address in (IP, IP6, "fd00:0:0::5"):
        assert cloud.json("/openstack/latest/meta_data.json", address=address)["uuid"] == VM1
        other = cloud.json("/openstack/latest/meta_data.json", project=P2, address=address)
        assert other["uuid"] == VM2


def test_who_is_no_guest_is_told_nothing(cloud: Cloud) -> None:
    for address in ("10.0.0.6", "10.0.0.2", "fe80::1", "nonsense", "", "10.0.0.5, 10.0.0.5"):
        assert cloud.ask("/latest/meta-data", address=address).status == 404


@pytest.mark.parametrize(
    "lie",
    [
        {"X-Forwarded-For": "10.0.0.9"},
        {"X-Cumulo-Network-ID": "other"},
        {"X-Cumulo-Network-ID": ""},
        {"X-Cumulo-Network-ID": None},
        {"X-Forwarded-For": None},
        {"X-Cumulo-Signature": None},
        {"X-Cumulo-Signature": ""},
        {"X-Cumulo-Signature": "0" * 64},
        {"X-Cumulo-Signature": "ä"},
    ],
)
def test_what_no_host_signed_is_refused(cloud: Cloud, lie: dict[str, str | None]) -> None:
    answer = cloud.ask("/latest/meta-data/instance-id", more=lie)
    assert answer.status == 403
    assert b"i-" not in answer.body.replace(b"signature", b"")
    posted = cloud.ask("/openstack/latest/password", more=lie, method="POST", body=b"x")
    assert posted.status == 403
    assert cloud.passwords == {}


def test_a_signature_is_good_for_one_network_and_address_only(cloud: Cloud) -> None:
    signature = sign(SECRET, cloud.networks[P1], IP)
    assert cloud.ask("/latest", project=P2, more={"X-Cumulo-Signature": signature}).status == 403
    forged = sign(b"a guess", cloud.networks[P2], IP)
    assert cloud.ask("/latest", project=P2, more={"X-Cumulo-Signature": forged}).status == 403


def test_headers_that_name_a_server_mean_nothing(cloud: Cloud) -> None:
    lies = {"X-Instance-ID": VM2, "X-Tenant-ID": P2, "X-Instance-ID-Signature": "0" * 64}
    assert cloud.json("/openstack/latest/meta_data.json", more=lies)["uuid"] == VM1
    assert cloud.client.get("/latest/meta-data", headers=lies).status == 403


def test_a_port_that_names_another_projects_server_opens_nothing(cloud: Cloud) -> None:
    cloud.extra["project_id"] = P2
    assert cloud.ask("/openstack/latest/meta_data.json").status == 404


def test_a_guest_posts_its_password_once(cloud: Cloud) -> None:
    place = "/openstack/2013-04-04/password"
    assert cloud.told(place) == ""
    assert cloud.ask(place, method="POST", body=b"secret").status == 200
    assert cloud.told(place) == "secret"
    assert cloud.passwords == {VM1: "secret"}
    assert cloud.ask(place, method="POST", body=b"other").status == 409
    assert cloud.told(place, project=P2) == ""


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/openstack/latest/password", b"x" * 1021, 400),
        ("/openstack/latest/password", b"\xff", 400),
        ("/openstack/latest/user_data", b"x", 404),
        ("/openstack/2012-08-10/password", b"x", 404),
        ("/openstack/nothing/password", b"x", 404),
        ("/latest/password", b"x", 404),
    ],
)
def test_nothing_else_is_posted(cloud: Cloud, path: str, body: bytes, status: int) -> None:
    assert cloud.ask(path, method="POST", body=body).status == status
    assert cloud.passwords == {}


def test_a_version_of_the_future_is_not_listed(cloud: Cloud) -> None:
    CLOCK.move(-6 * 365 * 86400)
    assert cloud.told("/openstack/").split("\n")[-2] == "2018-08-27"


def test_a_guest_that_asks_on_costs_little_and_hears_of_changes(cloud: Cloud) -> None:
    for _ in range(25):
        assert cloud.told("/latest/meta-data/instance-type") == "m1.tiny"
    assert cloud.reads == 1
    cloud.extra["flavor_name"] = "m1.small"
    CLOCK.move(6)
    assert cloud.told("/latest/meta-data/instance-type") == "m1.small"


def test_the_next_with_an_address_is_not_told_of_the_last(cloud: Cloud) -> None:
    assert cloud.told("/latest/meta-data/instance-id") == "i-11111111"
    cloud.db.write(public.release_ports, VM1)
    assert cloud.ask("/latest/meta-data/instance-id").status == 404


def test_a_config_drive_tells_the_same(cloud: Cloud) -> None:
    cloud.extra["admin_pass"] = "adm"
    metadata = cloud.db.read(cloud.metadata, VM1)
    assert metadata is not None
    drive = config_drives.files(metadata)
    assert {path.split("/")[1] for path in drive if path.startswith("openstack/")} >= {
        "2012-08-10",
        "2025-04-04",
        "latest",
    }
    told = msgspec.json.decode(drive["openstack/latest/meta_data.json"])
    assert (told["uuid"], told["admin_pass"]) == (VM1, "adm")
    assert drive["openstack/latest/user_data"] == b"#!/bin/sh\n\xff"
    assert msgspec.json.decode(drive["openstack/latest/network_data.json"])["links"]
    assert "openstack/2013-10-17/network_data.json" not in drive
    assert not [path for path in drive if path.endswith("password")]
    ec2 = msgspec.json.decode(drive["ec2/latest/meta-data.json"])
    assert ec2["instance-id"] == "i-11111111"
    assert ec2["public-keys"] == {"0": {"openssh-key": "ssh-rsa AAAA k"}}
    assert drive["ec2/2009-04-04/user-data"] == b"#!/bin/sh\n\xff"
    # Over the network the password of the server is never told.
    cloud.extra.clear()
    assert "admin_pass" not in cloud.told("/openstack/latest/meta_data.json")
