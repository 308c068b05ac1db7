"""Block storage on an emulated cloud with the unmodified `openstack` command."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.walks.client import Client, Refused
from tests.waiting import eventually
from tests.walks.clouds import CommandCloud, QuickClient

pytestmark = [pytest.mark.walk, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def openstack(emulated: CommandCloud) -> Iterator[QuickClient]:
    client = emulated.client()
    yield client
    client.close()


def becomes(openstack: Client, noun: list[str], name: str, status: str) -> None:
    """Wait until something has a status; in error it never will."""

    def is_so() -> bool:
        found = openstack.value("status", *noun, "show", name)
        assert found not in ("error", "ERROR") or status == found
        return found == status

    eventually(is_so, 60)


def gone(openstack: Client, *noun: str) -> None:
    eventually(lambda: openstack.rows(*noun, "list") == [], 60)


def test_walk(openstack: Client, tmp_path: Path) -> None:
    volume, snapshot, backup = ["volume"], ["volume", "snapshot"], ["volume", "backup"]
    openstack.run("volume", "create", "--size", "1", "test-vol")
    becomes(openstack, volume, "test-vol", "available")
    openstack.run("volume", "type", "create", "ceph_vol")
    pool = openstack.rows("volume", "backend", "pool", "list")[0]["Name"]
    backend = pool.partition("#")[2]
    wanted = f"volume_backend_name={backend}"
    openstack.run("volume", "type", "set", "ceph_vol", "--property", wanted)
    openstack.run("volume", "create", "--size", "2", "--type", "ceph_vol", "myvolume")
    becomes(openstack, volume, "myvolume", "available")
    openstack.run("volume", "snapshot", "create", "--volume", "myvolume", "snap")
    becomes(openstack, snapshot, "snap", "available")
    openstack.run("volume", "create", "--snapshot", "snap", "from-snap")
    openstack.run("volume", "create", "--source", "test-vol", "clone")
    for name in ("from-snap", "clone"):
        becomes(openstack, volume, name, "available")
    openstack.run("volume", "set", "--size", "3", "clone")
    becomes(openstack, volume, "clone", "available")
    assert openstack.value("size", "volume", "show", "clone") == "3"
    openstack.run("volume", "backup", "create", "--name", "full", "test-vol")
    becomes(openstack, backup, "full", "available")
    openstack.run("volume", "backup", "create", "--name", "more", "--incremental", "test-vol")
    becomes(openstack, backup, "more", "available")
    openstack.run("volume", "backup", "restore", "more", "clone", "--force")
    becomes(openstack, volume, "clone", "available")
    rows = openstack.rows("volume", "list")
    assert {row["Name"] for row in rows} == {"test-vol", "myvolume", "from-snap", "clone"}
    for name in ("more", "full"):
        openstack.run("volume", "backup", "delete", name)
        eventually(lambda name=name: name not in str(openstack.rows(*backup, "list")), 60)  # type: ignore[misc]
    openstack.run("volume", "snapshot", "delete", "snap")
    gone(openstack, "volume", "snapshot")
    openstack.run("volume", "delete", *[row["ID"] for row in rows])
    gone(openstack, "volume")
    openstack.run("volume", "type", "delete", "ceph_vol")


def test_a_server_and_its_volumes(openstack: Client, tmp_path: Path) -> None:
    header = b"QFI\xfb" + (3).to_bytes(4) + bytes(16) + (1 << 20).to_bytes(8)
    image = tmp_path / "cirros.img"
    image.write_bytes(header.ljust(1 << 16, b"\0"))
    formats = ["--disk-format", "qcow2", "--container-format", "bare", "--file", str(image)]
    openstack.run("image", "create", "cirros-vol", *formats)
    flavor = openstack.rows("flavor", "list")[0]["Name"]
    common = ["--flavor", flavor, "--image", "cirros-vol", "--nic", "none"]
    openstack.run("server", "create", *common, "VM")
    becomes(openstack, ["server"], "VM", "ACTIVE")
    openstack.run("volume", "create", "--size", "1", "data")
    becomes(openstack, ["volume"], "data", "available")
    openstack.run("server", "add", "volume", "VM", "data")
    becomes(openstack, ["volume"], "data", "in-use")
    (row,) = openstack.rows("volume", "list")
    assert row["Attached to"][0]["device"] == "/dev/vdb"
    assert len(openstack.rows("server", "volume", "list", "VM")) == 1
    with pytest.raises(Refused, match="must be available or error"):
        openstack.run("volume", "delete", "data")
    openstack.run("server", "remove", "volume", "VM", "data")
    becomes(openstack, ["volume"], "data", "available")
    openstack.run("server", "create", *common, "--boot-from-volume", "1", "BFV")
    becomes(openstack, ["server"], "BFV", "ACTIVE")
    (attached,) = openstack.rows("server", "volume", "list", "BFV")
    assert attached["Device"] == "/dev/vda"
    openstack.run("server", "delete", "--wait", "VM", "BFV")
    volumes = [row["ID"] for row in openstack.rows("volume", "list")]
    assert len(volumes) == 2  # that of BFV is kept unless asked otherwise
    for one in volumes:
        becomes(openstack, ["volume"], one, "available")
    openstack.run("volume", "delete", *volumes)
    gone(openstack, "volume")
    openstack.run("image", "delete", "cirros-vol")


def test_what_operators_ask(openstack: Client) -> None:
    services = openstack.rows("volume", "service", "list")
    assert {row["Binary"] for row in services} == {"cinder-scheduler", "cinder-volume"}
    openstack.run("volume", "qos", "create", "slow", "--property", "total_iops_sec=100")
    openstack.run("volume", "type", "create", "limited")
    openstack.run("volume", "qos", "associate", "slow", "limited")
    assert openstack.show("volume", "qos", "show", "slow")["name"] == "slow"
    openstack.run("volume", "qos", "disassociate", "slow", "--all")
    openstack.run("volume", "qos", "delete", "slow")
    openstack.run("volume", "type", "delete", "limited")
    assert openstack.rows("availability", "zone", "list", "--volume")
    openstack.run("volume", "create", "--size", "1", "gift")
    becomes(openstack, ["volume"], "gift", "available")
    offer = openstack.show("volume", "transfer", "request", "create", "gift")
    key = ["--auth-key", str(offer["auth_key"])]
    openstack.run("volume", "transfer", "request", "accept", *key, str(offer["id"]))
    openstack.run("volume", "delete", "gift")
    gone(openstack, "volume")
