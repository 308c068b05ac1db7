"""Hypervisors, as their hosts described themselves and as guests use them."""

import msgspec
import pytest

from cumulo.db import Database, Tx
from cumulo.services.compute import hypervisors
from cumulo.services.compute.host_traits import traits_of
from cumulo.services.compute.reconcile import update_hosts
from cumulo.services.compute.tools import Tools
from cumulo.services.placement import public as placement
from cumulo.services.placement import traits as placement_traits
from cumulo.services.placement.public import Inventory
from tests.client import Client
from tests.compute import residents
from tests.compute.conftest import FACTS, Hosts

H = "/v2.1/os-hypervisors"


@pytest.fixture
def one(cloud: Client, db: Database) -> str:
    """The id of the host `one`, on which a server takes some of what there is."""
    residents.put(db, "s1")
    found = db.read(hypervisors.hypervisor_of, "one")
    assert found is not None
    return found.uuid


def test_hypervisors_are_listed_in_short(admin: Client) -> None:
    assert admin.get(H).json() == {
        "hypervisors": [{"id": 1, "hypervisor_hostname": "one", "state": "up", "status": "enabled"}]
    }


def test_users_see_nothing_of_it(cloud: Client) -> None:
    for path in ("", "/detail", "/1", "/statistics", "/1/uptime", "/one/search", "/one/servers"):
        assert cloud.get(f"{H}{path}").status == 403


def test_a_hypervisor_shows_what_it_has_and_what_is_used(admin: Client, one: str) -> None:
    (shown,) = admin.get(f"{H}/detail").json()["hypervisors"]
    cpu_info = msgspec.json.decode(shown.pop("cpu_info"))
    assert (cpu_info["arch"], cpu_info["model"], cpu_info["vendor"]) == ("x86_64", "EPYC", "AMD")
    assert shown == {
        "id": 1,
        "hypervisor_hostname": "one",
        "state": "up",
        "status": "enabled",
        "hypervisor_type": "QEMU",
        "hypervisor_version": 7002000,
        "host_ip": "192.0.2.1",
        "service": {"id": 3, "host": "one", "disabled_reason": None},
        "vcpus": 8,
        "memory_mb": 16384,
        "local_gb": 100,
        "vcpus_used": 2,
        "memory_mb_used": 1024 + 512,
        "local_gb_used": 10,
        "free_ram_mb": 16384 - 1024 - 512,
        "free_disk_gb": 90,
        "current_workload": 0,
        "running_vms": 1,
        "disk_available_least": 60,
    }
    assert admin.get(f"{H}/1").json()["hypervisor"]["vcpus_used"] == 2


def test_cpu_info_is_an_object_from_2_28_on(admin: Client) -> None:
    assert isinstance(admin.at("compute 2.27").get(f"{H}/1").json()["hypervisor"]["cpu_info"], str)
    shown = admin.at("compute 2.28").get(f"{H}/1").json()["hypervisor"]
    assert shown["cpu_info"]["features"] == ["sse2"]


def test_a_server_that_something_is_done_to_is_workload(
    admin: Client, one: str, db: Database
) -> None:
    residents.put(db, "s2")
    residents.change(db, "s2", task_state="rebooting")
    shown = admin.get(f"{H}/1").json()["hypervisor"]
    assert (shown["running_vms"], shown["current_workload"]) == (2, 1)
    residents.take_away(db, "s2")
    shown = admin.get(f"{H}/1").json()["hypervisor"]
    assert (shown["running_vms"], shown["current_workload"], shown["vcpus_used"]) == (1, 0, 2)


def test_uptime_moved_into_the_details_with_2_88(admin: Client, one: str) -> None:
    old, new = admin.at("compute 2.87"), admin.at("compute 2.88")
    assert old.get(f"{H}/{one}/uptime").json() == {
        "hypervisor": {
            "id": one,
            "hypervisor_hostname": "one",
            "state": "up",
            "status": "enabled",
            "uptime": "12:00:00 up 3 days",
        }
    }
    assert "uptime" not in old.get(f"{H}/{one}").json()["hypervisor"]
    assert new.get(f"{H}/{one}/uptime").status == 404
    shown = new.get(f"{H}/{one}").json()["hypervisor"]
    assert shown["uptime"] == "12:00:00 up 3 days"
    assert not {"vcpus", "memory_mb", "cpu_info", "running_vms"} & set(shown)


def test_a_dead_host_tells_no_uptime(admin: Client, one: str) -> None:
    admin.at("compute 2.11").put(
        "/v2.1/os-services/force-down",
        {"host": "one", "binary": "nova-compute", "forced_down": True},
    )
    assert admin.get(f"{H}/1/uptime").status == 400
    assert admin.at("compute 2.88").get(f"{H}/{one}").json()["hypervisor"]["uptime"] is None
    assert admin.get(H).json()["hypervisors"][0]["state"] == "down"


def test_statistics_add_everything_up_until_2_87(
    admin: Client, one: str, hosts: Hosts, tools: Tools
) -> None:
    hosts.add("two")
    update_hosts(tools)
    total = admin.at("compute 2.87").get(f"{H}/statistics").json()["hypervisor_statistics"]
    assert total["count"] == 2
    assert (total["vcpus"], total["vcpus_used"], total["running_vms"]) == (16, 2, 1)
    assert total["free_ram_mb"] == 2 * (16384 - 512) - 1024
    assert admin.at("compute 2.88").get(f"{H}/statistics").status in (400, 404)


def test_ids_are_uuids_from_2_53_on(admin: Client, one: str) -> None:
    old, new = admin.at("compute 2.52"), admin.at("compute 2.53")
    assert old.get(f"{H}/1").json()["hypervisor"]["id"] == 1
    assert old.get(f"{H}/{one}").status == 404
    assert old.get(f"{H}/2").status == 404
    assert new.get(f"{H}/{one}").json()["hypervisor"]["id"] == one
    assert len(new.get(f"{H}/{one}").json()["hypervisor"]["service"]["id"]) == 36
    assert new.get(f"{H}/1").status == 400
    missing = "01234567-89ab-cdef-0123-456789abcdef"
    assert new.get(f"{H}/{missing}").json()["itemNotFound"]["message"] == (
        f"Hypervisor with ID '{missing}' could not be found."
    )


def test_searching_moved_into_the_query_with_2_53(admin: Client, one: str) -> None:
    old, new = admin.at("compute 2.52"), admin.at("compute 2.53")
    assert len(old.get(f"{H}/on/search").json()["hypervisors"]) == 1
    assert old.get(f"{H}/two/search").status == 404
    (found,) = old.get(f"{H}/on/servers").json()["hypervisors"]
    assert found["servers"] == [{"name": "instance-00000001", "uuid": "s1"}]
    assert new.get(f"{H}/on/search").status == 404
    assert new.get(f"{H}/on/servers").status == 404

    pattern = f"{H}?hypervisor_hostname_pattern"
    assert len(new.get(f"{pattern}=on").json()["hypervisors"]) == 1
    assert new.get(f"{pattern}=two").status == 404
    assert new.get(f"{pattern}=on&limit=1").status == 400
    assert new.get(f"{pattern}=o%25").status == 400
    (found,) = new.get(f"{pattern}=on&with_servers=true").json()["hypervisors"]
    assert found["servers"] == [{"name": "instance-00000001", "uuid": "s1"}]
    shown = new.get(f"{H}/{one}?with_servers=true").json()["hypervisor"]
    assert [server["uuid"] for server in shown["servers"]] == ["s1"]
    assert new.get(f"{H}?with_servers=perhaps").status == 400


def test_a_host_without_servers_says_so_from_2_75_on(admin: Client) -> None:
    asked = f"{H}?with_servers=true"
    assert "servers" not in admin.at("compute 2.74").get(asked).json()["hypervisors"][0]
    assert admin.at("compute 2.75").get(asked).json()["hypervisors"][0]["servers"] == []


def test_pages_came_with_2_33(admin: Client, hosts: Hosts, tools: Tools) -> None:
    for name in ("two", "three"):
        hosts.add(name)
        update_hosts(tools)
    assert len(admin.at("compute 2.32").get(f"{H}?limit=1").json()["hypervisors"]) == 3
    for version, ids in (("2.33", (1, 3)), ("2.53", None)):
        api = admin.at(f"compute {version}")
        page = api.get(f"{H}/detail?limit=2").json()
        assert [each["hypervisor_hostname"] for each in page["hypervisors"]] == ["one", "two"]
        (link,) = page["hypervisors_links"]
        rest = api.get(link["href"].removeprefix("http://cloud")).json()
        assert [each["hypervisor_hostname"] for each in rest["hypervisors"]] == ["three"]
        assert "hypervisors_links" not in rest
        assert api.get(f"{H}?marker=77").status == 400
        assert ids is None or rest["hypervisors"][0]["id"] == ids[1]


def test_unknown_parameters_are_refused_from_2_53_on(admin: Client, one: str) -> None:
    assert admin.at("compute 2.52").get(f"{H}?colour=red").status == 200
    assert admin.at("compute 2.53").get(f"{H}?colour=red").status == 400
    assert admin.at("compute 2.53").get(f"{H}/{one}?colour=red").status == 400


def test_what_a_host_has_is_placements_to_give_out(
    cloud: Client, db: Database, hosts: Hosts, tools: Tools
) -> None:
    found = db.read(hypervisors.hypervisor_of, "one")
    assert found is not None
    figures = db.read(placement.figures, [found.uuid])[found.uuid]
    assert {name: (f.total, f.reserved, f.capacity) for name, f in figures.items()} == {
        "VCPU": (8, 0, 32),
        "MEMORY_MB": (16384, 512, 15872),
        "DISK_GB": (100, 0, 100),
    }
    # An administrator's ratio stays; what the host itself says does not.
    stocks = {"VCPU": Inventory(total=8, max_unit=8, allocation_ratio=2.0)}
    db.write(placement.set_inventory, found.uuid, stocks)
    hosts.facts["one"] = msgspec.structs.replace(hosts.facts["one"], vcpus=16)
    update_hosts(tools)
    figures = db.read(placement.figures, [found.uuid])[found.uuid]
    assert (figures["VCPU"].total, figures["VCPU"].capacity) == (16, 32)
    assert figures["MEMORY_MB"].total == 16384
    again = db.read(hypervisors.hypervisor_of, "one")
    assert again is not None
    assert (again.uuid, again.facts.vcpus) == (found.uuid, 16)


def test_hosts_have_traits_that_everybody_agrees_on(tools: Tools) -> None:
    features = ["sse2", "pni", "avx512f", "sha_ni", "x"]
    facts = msgspec.structs.replace(FACTS, accelerator="kvm", cpu_features=features)
    found = traits_of(facts)
    assert found <= placement_traits.standard()
    assert {"HW_CPU_X86_SSE3", "HW_CPU_X86_AVX512F", "HW_CPU_X86_SHA"} <= found
    assert not any(name.startswith("HW_CPU") for name in traits_of(FACTS))

    def reported(tx: Tx) -> set[str]:
        provider = hypervisors.report(tx, facts, tools.settings).uuid
        placement.change_traits(tx, provider, add=["CUSTOM_OWN"])
        hypervisors.report(tx, facts, tools.settings)
        return set(placement_traits.traits_of(tx, provider))

    assert tools.db.write(reported) == found | {"CUSTOM_OWN"}
