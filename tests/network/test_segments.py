"""Segments: a network on several wires, and addresses that work on some hosts only."""

from typing import Any

import pytest

from cumulo.db import Database, Tx
from cumulo.kit.errors import Conflict
from cumulo.services.network import public
from cumulo.services.network.bandwidth_report import report
from cumulo.services.network.drivers.base import HostBandwidth
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.public import Nic, Plug
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.tools import Tools
from tests.network.conftest import NOWHERE, PROJECT, Net, error_of, member

RACKS = ("rack1", "rack2", "rack3")


@pytest.fixture
def settings() -> NetworkSettings:
    return NetworkSettings(network_vlan_ranges=tuple(f"{rack}:100:199" for rack in RACKS))


@pytest.fixture
def hosts(driver: FakeDriver, tools: Tools) -> dict[str, str]:
    """Two hosts, each with a way into its rack, as the backend says."""
    found = {"node1": "rack1", "node2": "rack2"}
    driver._hosts |= found.keys()
    driver.physical_networks = [
        HostBandwidth(host=host, bridge="br-ex", physical_network=rack)
        for host, rack in found.items()
    ]
    report(tools)
    return found


def vlan(net: Net, rack: str, **facts: Any) -> Any:
    provider = {"provider__network_type": "vlan", "provider__physical_network": rack}
    return net.admin.make("network", shared=True, **provider, **facts)


def segment(net: Net, network: Any, rack: str, **facts: Any) -> Any:
    wanted = {"network_id": network["id"], "network_type": "vlan", "physical_network": rack}
    return net.admin.make("segment", **wanted, **facts)


@pytest.fixture
def routed(net: Net, hosts: dict[str, str]) -> dict[str, Any]:
    """A network with a segment and a subnet in each of two racks."""
    network = vlan(net, "rack1")
    [first] = net.admin.list("segment", f"?network_id={network['id']}")
    both = {"rack1": first, "rack2": segment(net, network, "rack2")}
    subnets = {
        rack: net.admin.make(
            "subnet",
            network_id=network["id"],
            cidr=f"10.{number}.0.0/24",
            ip_version=4,
            segment_id=both[rack]["id"],
        )
        for number, rack in enumerate(both)
    }
    return {"network": network, "segments": both, "subnets": subnets}


def test_administrators_give_a_network_segments(net: Net, driver: FakeDriver) -> None:
    network = vlan(net, "rack1")
    [first] = net.admin.list("segment", f"?network_id={network['id']}")
    number = network["provider:segmentation_id"]
    assert (first["network_type"], first["physical_network"]) == ("vlan", "rack1")
    assert (first["segmentation_id"], first["name"], first["description"]) == (number, None, None)
    made = segment(net, network, "rack2", segmentation_id=150, name="second", description="x")
    assert made.keys() == first.keys()
    assert (made["segmentation_id"], made["name"], made["revision_number"]) == (150, "second", 0)
    shown = net.admin.show("network", network["id"])
    assert "provider:network_type" not in shown
    assert [one["provider:physical_network"] for one in shown["segments"]] == ["rack1", "rack2"]
    net.project()
    [more] = driver.networks[network["id"]].more_segments
    assert (more.physical_network, more.segmentation_id) == ("rack2", 150)

    renamed = net.admin.change("segment", made["id"], name="third", description=None)
    assert (renamed["name"], renamed["description"]) == ("third", None)
    assert renamed["revision_number"] == 1
    assert [one["id"] for one in net.admin.list("segment", "?name=third")] == [made["id"]]
    assert net.admin.show("segment", made["id"]) == renamed
    fixed = net.admin.try_change("segment", made["id"], segmentation_id=151)
    assert error_of(fixed) == (400, "HTTPBadRequest")


def test_a_network_becomes_what_is_left_of_its_segments(net: Net, driver: FakeDriver) -> None:
    network = vlan(net, "rack1")
    second = segment(net, network, "rack2", segmentation_id=150)
    by_name = f"?network_id={network['id']}&sort_key=physical_network&sort_dir=asc"
    first, _ = net.admin.list("segment", by_name)
    assert net.admin.delete("segment", first["id"]).status == 204
    shown = net.admin.show("network", network["id"])
    assert shown["provider:physical_network"] == "rack2"
    net.project()
    plan = driver.networks[network["id"]]
    assert (plan.physical_network, plan.segmentation_id, plan.more_segments) == ("rack2", 150, [])
    again = net.admin.try_(
        "network",
        provider__network_type="vlan",
        provider__physical_network="rack2",
        provider__segmentation_id=150,
    )
    assert error_of(again) == (409, "VlanIdInUse")
    assert net.admin.delete("segment", second["id"]).status == 204
    assert net.admin.show("network", network["id"])["provider:network_type"] is None
    net.project()
    tunnel = net.admin.make("segment", network_id=network["id"], network_type="geneve")
    assert net.admin.show("network", network["id"])["provider:network_type"] == "geneve"
    assert net.admin.delete("network", network["id"]).status == 204
    assert error_of(net.admin.http.get(f"/v2.0/segments/{tunnel['id']}"))[0] == 404


def test_segments_that_cannot_be_are_refused(net: Net) -> None:
    network = vlan(net, "rack1", provider__segmentation_id=101)
    base = {"network_id": network["id"], "network_type": "vlan", "physical_network": "rack2"}
    for facts, error in (
        ({"network_id": NOWHERE}, (404, "NetworkNotFound")),
        ({"network_type": "pigeon"}, (400, "InvalidInput")),
        ({"physical_network": "rack1"}, (400, "InvalidInput")),
        ({"physical_network": "rack9"}, (400, "InvalidInput")),
        ({"physical_network": None}, (400, "HTTPBadRequest")),
        ({"segmentation_id": 4095}, (400, "InvalidInput")),
        ({"position": 7}, (400, "HTTPBadRequest")),
    ):
        assert error_of(net.admin.try_("segment", **{**base, **facts})) == error
    other = vlan(net, "rack2", provider__segmentation_id=102)
    assert other["provider:segmentation_id"] == 102
    assert error_of(net.admin.try_("segment", **base, segmentation_id=102))[1] == "VlanIdInUse"
    assert len(net.admin.list("segment", f"?network_id={network['id']}")) == 1


def test_none_but_administrators_know_of_segments(net: Net, hosts: dict[str, str]) -> None:
    network = vlan(net, "rack1")
    made = segment(net, network, "rack2")
    assert net.list("segment") == []
    path = f"/v2.0/segments/{made['id']}"
    for answer in (
        net.http.get(path),
        net.http.put(path, {"segment": {"name": "mine"}}),
        net.http.delete(path),
    ):
        assert error_of(answer) == (404, "SegmentNotFound")
    wanted = {"network_id": network["id"], "network_type": "geneve"}
    assert error_of(net.try_("segment", **wanted))[0] == 403
    own = net.make("network")
    [of_own] = net.admin.list("segment", f"?network_id={own['id']}")
    tied = {"network_id": own["id"], "cidr": "10.0.0.0/24", "ip_version": 4}
    assert error_of(net.try_("subnet", **tied, segment_id=of_own["id"]))[0] == 403
    assert "segment_id" not in net.make("subnet", **tied)


def test_subnets_are_tied_to_segments_all_or_none(net: Net, routed: dict[str, Any]) -> None:
    network, segments = routed["network"], routed["segments"]
    subnet = routed["subnets"]["rack1"]
    assert subnet["segment_id"] == segments["rack1"]["id"]
    assert net.admin.list("subnet", f"?segment_id={segments['rack2']['id']}") == [
        routed["subnets"]["rack2"]
    ]
    new = {"network_id": network["id"], "cidr": "10.9.0.0/24", "ip_version": 4}
    assert error_of(net.admin.try_("subnet", **new)) == (
        400,
        "SubnetsNotAllAssociatedWithSegments",
    )
    gone = net.admin.try_("subnet", **new, segment_id=NOWHERE)
    assert error_of(gone) == (404, "SegmentNotFound")
    other = vlan(net, "rack3")
    [strange] = net.admin.list("segment", f"?network_id={other['id']}")
    mixed = net.admin.try_("subnet", **new, segment_id=strange["id"])
    assert error_of(mixed) == (400, "NetworkIdsDontMatch")
    moved = net.admin.try_change("subnet", subnet["id"], segment_id=segments["rack2"]["id"])
    assert error_of(moved) == (400, "SubnetSegmentAssociationChangeNotAllowed")
    used = net.admin.delete("segment", segments["rack1"]["id"])
    assert error_of(used) == (409, "SegmentInUse")
    assert subnet["id"] in used.text
    assert net.admin.delete("subnet", subnet["id"]).status == 204
    assert net.admin.delete("segment", segments["rack1"]["id"]).status == 204


def test_an_old_subnet_is_tied_while_the_network_has_one_segment(net: Net) -> None:
    network = vlan(net, "rack1")
    [first] = net.admin.list("segment", f"?network_id={network['id']}")
    new = {"network_id": network["id"], "ip_version": 4}
    subnet = net.admin.make("subnet", **new, cidr="10.0.0.0/24")
    other = net.admin.make("subnet", **new, cidr="10.1.0.0/24")
    tie = {"segment_id": first["id"]}
    alone = net.admin.try_change("subnet", subnet["id"], **tie)
    assert error_of(alone) == (400, "SubnetsNotAllAssociatedWithSegments")
    net.admin.delete("subnet", other["id"])
    second = segment(net, network, "rack2")
    several = net.admin.try_change("subnet", subnet["id"], **tie)
    assert error_of(several) == (400, "NoUpdateSubnetWhenMultipleSegmentsOnNetwork")
    net.admin.delete("segment", second["id"])
    assert net.admin.change("subnet", subnet["id"], **tie)["segment_id"] == first["id"]


def test_a_port_waits_for_its_host_and_gets_an_address_that_works_there(
    net: Net, routed: dict[str, Any]
) -> None:
    network, subnets = routed["network"], routed["subnets"]
    port = net.make("port", network_id=network["id"])
    assert port["fixed_ips"] == []
    bound = net.admin.change("port", port["id"], binding__host_id="node2")
    [address] = bound["fixed_ips"]
    assert address["subnet_id"] == subnets["rack2"]["id"]
    away = net.admin.try_change("port", port["id"], binding__host_id="node1")
    assert error_of(away) == (409, "HostNotCompatibleWithFixedIps")
    assert net.show("port", port["id"])["fixed_ips"] == [address]
    at_once = net.admin.make("port", network_id=network["id"], binding__host_id="node1")
    assert [ip["subnet_id"] for ip in at_once["fixed_ips"]] == [subnets["rack1"]["id"]]
    nowhere = net.admin.try_("port", network_id=network["id"], binding__host_id="node9")
    assert error_of(nowhere) == (409, "HostNotConnectedToAnySegment")
    chosen = net.make(
        "port", network_id=network["id"], fixed_ips=[{"subnet_id": subnets["rack1"]["id"]}]
    )
    assert len(chosen["fixed_ips"]) == 1
    without = net.make("port", network_id=network["id"], fixed_ips=[])
    stays = net.admin.change("port", without["id"], binding__host_id="node1")
    assert stays["fixed_ips"] == []
    bound_by = net.admin.delete("segment", routed["segments"]["rack2"]["id"])
    assert error_of(bound_by) == (409, "SegmentInUse")
    for one in (port, at_once, chosen, without):
        assert net.admin.delete("port", one["id"]).status == 204


def test_a_servers_port_gets_its_address_on_the_servers_host(
    net: Net, db: Database, tools: Tools, routed: dict[str, Any]
) -> None:
    def make(tx: Tx) -> str:
        plug = Plug(server_id="s1", project_id=PROJECT)
        nic = Nic(network_id=routed["network"]["id"])
        return public.create_server_port(tx, member(), tools, plug, nic)

    port_id = db.write(make)
    assert net.show("port", port_id)["fixed_ips"] == []
    with pytest.raises(Conflict, match="Host node9 is not connected to any segments"):
        db.write(public.bind_ports, "s1", "node9")
    db.write(public.bind_ports, "s1", "node1")
    db.write(public.bind_ports, "s1", "node1")
    [address] = net.show("port", port_id)["fixed_ips"]
    assert address["subnet_id"] == routed["subnets"]["rack1"]["id"]


def test_a_segment_is_kept_while_ports_reach_the_network_by_it(
    net: Net, hosts: dict[str, str]
) -> None:
    network = vlan(net, "rack1")
    second = segment(net, network, "rack2")
    [first] = net.admin.list("segment", "?physical_network=rack1")
    net.admin.make("port", network_id=network["id"], binding__host_id="node1")
    bound = net.admin.delete("segment", first["id"])
    assert error_of(bound) == (409, "SegmentInUse")
    assert "bound with 1 port" in bound.text
    assert net.admin.delete("segment", second["id"]).status == 204


def test_what_hosts_reach_is_forgotten_when_they_reach_it_no_more(
    net: Net, driver: FakeDriver, tools: Tools, routed: dict[str, Any]
) -> None:
    driver.physical_networks = driver.physical_networks[:1]
    report(tools)
    gone = net.admin.try_("port", network_id=routed["network"]["id"], binding__host_id="node2")
    assert error_of(gone) == (409, "HostNotConnectedToAnySegment")
