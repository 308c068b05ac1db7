"""What operators of a cloud with several hosts type about compute, as the guides have it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.walks import reach
from cumulo.walks.client import Refused
from tests.chaos.inside import Speaker
from tests.walks.clouds import CommandCloud, QuickClient, write_ports

pytestmark = [pytest.mark.walk, pytest.mark.timeout(240)]
NO_NETWORK = ("--no-network", "--os-compute-api-version", "2.37")
SETTINGS = """
[identity]
password_hash_rounds = 4
[emulated]
hosts = 3
[compute]
initial_cpu_allocation_ratio = 4.0
initial_ram_allocation_ratio = 1.5
"""


@pytest.fixture(scope="module")
def several(state: Path) -> Iterator[CommandCloud]:
    """An emulated cloud of three hosts."""
    cloud = CommandCloud(state)
    state.mkdir()
    path = state / "cumulo.toml"
    write_ports(path)
    path.write_text(path.read_text() + SETTINGS)
    cloud.up("--emulate")
    yield cloud
    cloud.down("--purge")


@pytest.fixture(scope="module")
def openstack(
    several: CommandCloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QuickClient]:
    client = several.client()
    disk = tmp_path_factory.mktemp("image") / "disk"
    disk.write_bytes(bytes(4096))
    formats = ["--disk-format", "raw", "--container-format", "bare", "--public"]
    client.run("image", "create", "tiny", "--file", str(disk), *formats)
    for name in ("m1.usual", "m1.kvm"):
        client.run("flavor", "create", "--ram", "64", "--disk", "1", "--vcpus", "1", name)
    yield client
    client.close()


def boot(openstack: QuickClient, name: str, flavor: str, *more: str) -> dict[str, str]:
    """Create a server; return what is shown of it once it is settled."""
    options = ["--flavor", flavor, "--image", "tiny", *NO_NETWORK, *more]
    openstack.run("server", "create", *options, name)
    shown: dict[str, str] = {}

    def is_settled() -> bool:
        shown.update(openstack.show("server", "show", name))
        return shown["status"] in ("ACTIVE", "ERROR")

    reach.until(f"{name} to be settled", is_settled, 30)
    return shown


def host_of(shown: dict[str, str]) -> str:
    return shown["OS-EXT-SRV-ATTR:host"]


def test_quotas(several: CommandCloud, openstack: QuickClient) -> None:
    limits = ["--instances", "5", "--ram", "16384", "--volumes", "10"]
    openstack.run("quota", "set", *limits, "demo")
    shown = openstack.rows("quota", "show", "demo")
    found = {row["Resource"]: row["Limit"] for row in shown}
    assert (found["instances"], found["ram"], found["volumes"]) == (5, 16384, 10)
    openstack.run("quota", "set", "--instances", "0", "--force", "demo")
    demo = several.client("demo")
    try:
        options = ["--flavor", "m1.usual", "--image", "tiny", *NO_NETWORK]
        with pytest.raises(Refused, match="Quota exceeded for instances: Requested 1, but already"):
            demo.run("server", "create", *options, "one-too-many")
    finally:
        demo.close()


def test_servers_go_where_aggregates_say(several: CommandCloud, openstack: QuickClient) -> None:
    hosts = sorted(row["Hypervisor Hostname"] for row in openstack.rows("hypervisor", "list"))
    assert len(hosts) == 3
    wish = "aggregate_instance_extra_specs:hypervisor_type=KVM"
    openstack.run("flavor", "set", "m1.kvm", "--property", wish)
    refused = boot(openstack, "nowhere", "m1.kvm")
    assert refused["status"] == "ERROR"
    assert "AggregateInstanceExtraSpecsFilter" in str(refused["fault"])
    explained = several.cumulo("explain", "server", "nowhere")
    assert "aggregate" in explained.stdout, explained.stderr
    openstack.run("aggregate", "create", "kvm_hosts")
    openstack.run("aggregate", "set", "--property", "hypervisor_type=KVM", "kvm_hosts")
    openstack.run("aggregate", "add", "host", "kvm_hosts", hosts[1])
    for number in range(3):
        assert host_of(boot(openstack, f"kvm{number}", "m1.kvm")) == hosts[1]
    openstack.run("aggregate", "remove", "host", "kvm_hosts", hosts[1])
    openstack.run("aggregate", "delete", "kvm_hosts")


def test_zones(openstack: QuickClient) -> None:
    hosts = sorted(row["Hypervisor Hostname"] for row in openstack.rows("hypervisor", "list"))
    openstack.run("aggregate", "create", "--zone", "south", "south_hosts")
    openstack.run("aggregate", "add", "host", "south_hosts", hosts[2])
    zones = {
        row["Zone Name"] for row in openstack.rows("availability", "zone", "list", "--compute")
    }
    assert zones == {"internal", "nova", "south"}
    there = boot(openstack, "in-the-south", "m1.usual", "--availability-zone", "south")
    assert host_of(there) == hosts[2]
    assert there["OS-EXT-AZ:availability_zone"] == "south"
    elsewhere = boot(openstack, "elsewhere", "m1.usual", "--availability-zone", "nova")
    assert host_of(elsewhere) in hosts[:2]


def test_hosts_are_shared_out_by_ratios(several: CommandCloud) -> None:
    speak = Speaker(several)
    for provider in speak("GET", "placement", "/resource_providers").json()["resource_providers"]:
        place = f"/resource_providers/{provider['uuid']}/inventories"
        stocks = speak("GET", "placement", place).json()["inventories"]
        assert stocks["VCPU"]["allocation_ratio"] == 4.0
        assert stocks["MEMORY_MB"]["allocation_ratio"] == 1.5


def test_a_host_is_taken_out_and_put_back(openstack: QuickClient) -> None:
    hosts = sorted(row["Hypervisor Hostname"] for row in openstack.rows("hypervisor", "list"))
    out = ["compute", "service", "set"]
    for host in hosts[:2]:
        openstack.run(*out, "--disable", "--disable-reason", "new fan", host, "nova-compute")
    refused = boot(openstack, "no-room", "m1.usual", "--availability-zone", "nova")
    assert "new fan" in str(refused["fault"])
    for host in hosts[:2]:
        openstack.run(*out, "--enable", host, "nova-compute")
    assert boot(openstack, "room", "m1.usual")["status"] == "ACTIVE"
    figures = openstack.show("hypervisor", "show", hosts[0])
    assert figures["state"] == "up"


def test_the_doctor_finds_nothing(several: CommandCloud) -> None:
    told = several.cumulo("doctor", "--dry-run").stdout.splitlines()
    assert [line for line in told if "password_hash_rounds" not in line] == ["1 to look at."]
