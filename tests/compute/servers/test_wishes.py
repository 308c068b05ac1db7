"""What flavors and images ask of hosts: honoured, or refused with the reason."""

from typing import Any

import pytest

from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.conftest import Boot


@pytest.fixture
def flavor(root: Client) -> Any:
    """Makes a flavor of two processors and 512 MiB with extra specs, and returns its id."""

    def make(**specs: str) -> str:
        named = {name.replace("__", ":"): value for name, value in specs.items()}
        wanted = {"name": "wishes", "ram": 512, "vcpus": 2, "disk": 1, "id": "wishes"}
        assert root.post("/v2.1/flavors", {"flavor": wanted}).status == 200
        place = "/v2.1/flavors/wishes/os-extra_specs"
        answer = root.at("compute 2.86").post(place, {"extra_specs": named})
        assert answer.status == 200, answer.text
        return "wishes"

    return make


def fault(root: Client, server: dict[str, Any]) -> str:
    shown = root.get(f"/v2.1/servers/{server['id']}").json()["server"]
    assert shown["status"] == "ERROR"
    return str(shown["fault"]["message"])


@pytest.mark.parametrize(
    ("specs", "reason"),
    [
        ({"hw__cpu_policy": "dedicated"}, "PCPU"),
        ({"hw__mem_page_size": "2MB"}, "ComputeCapabilitiesFilter: the flavor wants hw:mem_page"),
        ({"hw__tpm_version": "2.0"}, "the flavor wants hw:tpm_version=2.0"),
        ({"os__secure_boot": "required"}, "the flavor wants os:secure_boot=required"),
        ({"quota__vif_inbound_average": "100"}, "QoS policy"),
        ({"pci_passthrough__alias": "gpu:1"}, "the flavor wants pci_passthrough:alias=gpu:1"),
        ({"resources__VGPU": "1"}, "VGPU"),
        ({"trait__CUSTOM_FAST": "required"}, "CUSTOM_FAST"),
        ({"trait1__CUSTOM_FAST": "required", "resources1__VCPU": "1"}, "CUSTOM_FAST"),
    ],
)
def test_what_no_host_offers_is_told(
    root: Client, boot: Boot, flavor: Any, specs: dict[str, str], reason: str
) -> None:
    server = boot(flavorRef=flavor(**specs))
    assert reason in fault(root, server)


def test_more_memory_nodes_than_a_host_has(
    emulated: Emulated, root: Client, boot: Boot, flavor: Any
) -> None:
    server = boot(flavorRef=flavor(hw__numa_nodes="2"))
    nodes = emulated.nodes["node1"].spec(server["id"]).memory_nodes
    assert [(node.cpus, node.memory_mib) for node in nodes] == [([0], 256), ([1], 256)]
    root.delete("/v2.1/flavors/wishes")
    wanted = {"name": "three", "ram": 768, "vcpus": 3, "disk": 1, "id": "three"}
    assert root.post("/v2.1/flavors", {"flavor": wanted}).status == 200
    three = {"extra_specs": {"hw:numa_nodes": "3"}}
    assert root.post("/v2.1/flavors/three/os-extra_specs", three).status == 200
    assert "3 memory nodes are wanted, the host has 2" in fault(root, boot(flavorRef="three"))


def test_a_trait_that_a_host_has_or_should_not_have(
    emulated: Emulated, root: Client, boot: Boot, flavor: Any
) -> None:
    placement = emulated.client("placement", "root:p1:admin", "placement 1.39")
    [provider] = placement.get("/resource_providers").json()["resource_providers"]
    assert placement.put("/traits/CUSTOM_FAST").status == 201
    place = f"/resource_providers/{provider['uuid']}/traits"
    now = placement.get(place).json()
    traits = {
        "traits": [*now["traits"], "CUSTOM_FAST"],
        "resource_provider_generation": now["resource_provider_generation"],
    }
    assert placement.put(place, traits).status == 200
    server = boot(flavorRef=flavor(trait__CUSTOM_FAST="required"))
    assert root.get(f"/v2.1/servers/{server['id']}").json()["server"]["status"] == "ACTIVE"
    specs = {"extra_specs": {"trait:CUSTOM_FAST": "forbidden"}}
    assert root.post("/v2.1/flavors/wishes/os-extra_specs", specs).status == 200
    assert "CUSTOM_FAST" in fault(root, boot(flavorRef="wishes"))


@pytest.mark.parametrize(
    ("specs", "reason"),
    [
        ({"hw:numa_nodes": "3"}, "evenly distributed"),
        ({"hw:numa_nodes": "2", "hw:numa_cpus.0": "0"}, "for all NUMA nodes"),
        (
            {
                "hw:numa_nodes": "2",
                "hw:numa_cpus.0": "0",
                "hw:numa_cpus.1": "0",
                "hw:numa_mem.0": "256",
                "hw:numa_mem.1": "256",
            },
            "assigned to two nodes",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    root: Client, ann: Client, image: str, specs: dict[str, str], reason: str, flavor: Any
) -> None:
    flavor(**{name.replace(":", "__"): value for name, value in specs.items()})
    spec = {"name": "web", "flavorRef": "wishes", "imageRef": image, "networks": "none"}
    answer = ann.at("compute 2.37").post("/v2.1/servers", {"server": spec})
    assert (answer.status, reason in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("hw_disk_bus", "scsi", 202),
        ("hw_disk_bus", "floppy", 400),
        ("hw_qemu_guest_agent", "perhaps", 400),
        ("hw_video_ram", "much", 400),
        ("os_distro", "anything", 202),
    ],
)
def test_properties_of_images(
    emulated: Emulated, ann: Client, image: str, name: str, value: str, status: int
) -> None:
    images = emulated.client("image", "root:p0:admin")
    change = [{"op": "add", "path": f"/{name}", "value": value}]
    kind = {"content-type": "application/openstack-images-v2.1-json-patch"}
    assert images.request("PATCH", f"/v2/images/{image}", change, headers=kind).status == 200
    spec = {"name": "web", "flavorRef": "1", "imageRef": image, "networks": "none"}
    answer = ann.at("compute 2.37").post("/v2.1/servers", {"server": spec})
    assert answer.status == status, answer.text
