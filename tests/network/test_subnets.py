"""Subnets: which ranges may be, what guests are told, what keeps them alive."""

from typing import Any

import pytest

from tests.network.conftest import NOWHERE, Net, error_of


def wanted(network: Any, **facts: Any) -> dict[str, Any]:
    return {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24", **facts}


def test_a_subnet_has_a_gateway_and_gives_out_the_rest(net: Net) -> None:
    network, subnet = net.network()
    assert (subnet["cidr"], subnet["gateway_ip"]) == ("10.0.0.0/24", "10.0.0.1")
    assert subnet["allocation_pools"] == [{"start": "10.0.0.2", "end": "10.0.0.254"}]
    assert (subnet["enable_dhcp"], subnet["ip_version"]) == (True, 4)
    assert subnet["host_routes"] == subnet["dns_nameservers"] == subnet["tags"] == []
    assert subnet["router:external"] is False
    assert net.show("network", network["id"])["subnets"] == [subnet["id"]]
    assert net.stranger.http.get(f"/v2.0/subnets/{subnet['id']}").status == 404


def test_what_a_client_chooses_is_kept_in_one_spelling(net: Net) -> None:
    network = net.make("network")
    subnet = net.make(
        "subnet",
        **wanted(network, cidr="10.0.7.9/24", gateway_ip="10.0.7.254", enable_dhcp="false"),
        dns_nameservers=["8.8.8.8", "1.1.1.1"],
        host_routes=[{"destination": "192.168.0.7/16", "nexthop": "10.0.7.3"}],
        allocation_pools=[
            {"start": "10.0.7.100", "end": "10.0.7.110"},
            {"start": "10.0.7.10", "end": "10.0.7.20"},
        ],
    )
    assert (subnet["cidr"], subnet["gateway_ip"]) == ("10.0.7.0/24", "10.0.7.254")
    assert subnet["host_routes"] == [{"destination": "192.168.0.0/16", "nexthop": "10.0.7.3"}]
    assert [pool["start"] for pool in subnet["allocation_pools"]] == ["10.0.7.10", "10.0.7.100"]
    assert net.make("subnet", **wanted(network, gateway_ip=None))["gateway_ip"] is None


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"cidr": "10.0.0.0/33"}, "HTTPBadRequest"),
        ({"cidr": "ten"}, "HTTPBadRequest"),
        ({"cidr": "0.0.0.0/0"}, "InvalidInput"),
        ({"cidr": "224.0.0.0/24"}, "InvalidInput"),
        ({"cidr": "127.0.0.0/24"}, "InvalidInput"),
        ({"cidr": "10.0.0.0/31"}, "InvalidInput"),
        ({"cidr": "fd00::/64"}, "InvalidInput"),
        ({"ip_version": 5}, "HTTPBadRequest"),
        ({"ip_version": 7}, "HTTPBadRequest"),
        ({"gateway_ip": "10.0.0.255"}, "InvalidInput"),
        ({"gateway_ip": "fd00::1"}, "InvalidInput"),
        ({"gateway_ip": "x"}, "HTTPBadRequest"),
        ({"dns_nameservers": ["x"]}, "HTTPBadRequest"),
        ({"dns_nameservers": ["1.1.1.1"] * 2}, "HTTPBadRequest"),
        ({"dns_nameservers": [f"1.1.1.{i}" for i in range(6)]}, "DNSNameServersExhausted"),
        ({"host_routes": [{"destination": "fd00::/8", "nexthop": "10.0.0.3"}]}, "InvalidInput"),
        ({"host_routes": [{"destination": "10.1.0.0/16"}]}, "HTTPBadRequest"),
        ({"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.8"}]}, "InvalidAllocationPool"),
        (
            {"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.1.8"}]},
            "OutOfBoundsAllocationPool",
        ),
        ({"ipv6_ra_mode": "slaac"}, "InvalidInput"),
        ({"ipv6_ra_mode": "sla"}, "HTTPBadRequest"),
        ({"network_id": NOWHERE}, "NetworkNotFound"),
        ({"colour": "red"}, "HTTPBadRequest"),
    ],
)
def test_subnets_that_cannot_be_are_refused(net: Net, facts: dict[str, Any], kind: str) -> None:
    network = net.make("network")
    status, found = error_of(net.try_("subnet", **wanted(network, **facts)))
    assert (status, found) == (404 if kind == "NetworkNotFound" else 400, kind)
    assert net.list("subnet") == []


def test_pools_may_not_overlap_nor_hold_the_gateway(net: Net) -> None:
    network = net.make("network")
    pools = [{"start": "10.0.0.5", "end": "10.0.0.9"}, {"start": "10.0.0.9", "end": "10.0.0.20"}]
    answer = net.try_("subnet", **wanted(network, allocation_pools=pools))
    assert error_of(answer) == (409, "OverlappingAllocationPools")
    inside = wanted(network, gateway_ip="10.0.0.7", allocation_pools=pools[:1])
    answer = net.try_("subnet", **inside)
    assert error_of(answer) == (409, "GatewayConflictWithAllocationPools")


def test_subnets_of_one_network_may_not_overlap(net: Net) -> None:
    network, _ = net.network("10.0.0.0/24")
    for cidr in ("10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/16"):
        answer = net.try_("subnet", **wanted(network, cidr=cidr))
        assert error_of(answer) == (400, "InvalidInput")
    net.make("subnet", **wanted(network, cidr="10.0.1.0/24"))
    net.network("10.0.0.0/24")  # another network may have the same


def test_a_change_reaches_what_guests_are_told(net: Net) -> None:
    _, subnet = net.network()
    net.make("port", network_id=subnet["network_id"])
    changed = net.change(
        "subnet",
        subnet["id"],
        name="s",
        dns_nameservers=["9.9.9.9"],
        gateway_ip=None,
        allocation_pools=[{"start": "10.0.0.2", "end": "10.0.0.9"}],
        host_routes=[],
    )
    assert (changed["name"], changed["gateway_ip"]) == ("s", None)
    assert changed["revision_number"] == subnet["revision_number"] + 1
    for facts in (
        {"cidr": "10.1.0.0/24"},
        {"gateway_ip": "10.0.0.3"},
        {"dns_nameservers": ["x"]},
        {"allocation_pools": [{"start": "10.0.9.2", "end": "10.0.9.9"}]},
    ):
        assert net.try_change("subnet", subnet["id"], **facts).status in (400, 409)
    assert net.show("subnet", subnet["id"]) == changed


def test_a_subnet_with_ports_is_not_deleted(net: Net) -> None:
    network, subnet = net.network()
    port = net.make("port", network_id=network["id"])
    assert error_of(net.delete("subnet", subnet["id"])) == (409, "SubnetInUse")
    net.delete("port", port["id"])
    assert net.delete("subnet", subnet["id"]).status == 204
    assert error_of(net.delete("subnet", subnet["id"])) == (404, "SubnetNotFound")


def test_only_the_networks_owner_divides_it(net: Net) -> None:
    shared = net.admin.make("network", shared=True)
    answer = net.try_("subnet", **wanted(shared))
    assert error_of(answer) == (403, "PolicyNotAuthorized")
    private = net.make("network")
    assert error_of(net.stranger.try_("subnet", **wanted(private))) == (404, "NetworkNotFound")


def test_guests_of_a_slaac_subnet_have_the_addresses_they_give_themselves(net: Net) -> None:
    network, _ = net.network()
    mac = "fa:16:3e:00:00:01"
    before = net.make("port", network_id=network["id"], mac_address=mac)
    v6 = {"network_id": network["id"], "ip_version": 6, "cidr": "fd00:1::/64"}
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    subnet = net.make("subnet", **v6, **modes)
    assert subnet["gateway_ip"] == "fd00:1::1"
    own = {"subnet_id": subnet["id"], "ip_address": "fd00:1::f816:3eff:fe00:1"}
    assert own in net.show("port", before["id"])["fixed_ips"]
    after = net.make("port", network_id=network["id"])
    assert len(after["fixed_ips"]) == 2
    other = [{"subnet_id": subnet["id"], "ip_address": "fd00:1::9"}]
    refused = net.try_("port", network_id=network["id"], fixed_ips=other)
    assert error_of(refused) == (400, "AllocationOnAutoAddressSubnet")
    wrong = {**v6, "cidr": "fd00:2::/80", **modes}
    assert error_of(net.try_("subnet", **wrong)) == (400, "InvalidInput")
    assert net.delete("subnet", subnet["id"]).status == 204
    assert own not in net.show("port", before["id"])["fixed_ips"]


def test_a_stateful_v6_subnet_gives_addresses_out(net: Net) -> None:
    network = net.make("network")
    modes = {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}
    net.make("subnet", network_id=network["id"], ip_version=6, cidr="fd00::/64", **modes)
    ports = [net.make("port", network_id=network["id"]) for _ in range(2)]
    assert [p["fixed_ips"][0]["ip_address"] for p in ports] == ["fd00::2", "fd00::3"]


def test_lists_find_subnets_by_what_they_are(net: Net) -> None:
    network, subnet = net.network()
    net.outside()
    assert [s["id"] for s in net.list("subnet", f"?network_id={network['id']}")] == [subnet["id"]]
    assert [s["cidr"] for s in net.list("subnet", "?router:external=True")] == ["203.0.113.0/24"]
    assert [s["id"] for s in net.list("subnet", "?cidr=10.0.0.0/24&ip_version=4")] == [subnet["id"]]
    assert net.list("subnet", "?shared=True&gateway_ip=9.9.9.9&enable_dhcp=False") == []
    assert error_of(net.http.get("/v2.0/subnets?enable_dhcp=maybe"))[0] == 400


def test_ipv6_needs_packets_of_1280_bytes(net: Net) -> None:
    small = net.make("network", mtu=1279)
    facts = {"cidr": "fd00::/64", "ip_version": 6}
    refused = net.try_("subnet", network_id=small["id"], **facts)
    assert error_of(refused) == (409, "NetworkMTUSubnetConflict")
    network = net.make("network", mtu=1280)
    net.make("subnet", network_id=network["id"], **facts)
    shrunk = net.try_change("network", network["id"], mtu=1279)
    assert error_of(shrunk) == (409, "NetworkMTUSubnetConflict")
    tiny = net.make("network", mtu=67)
    small4 = net.try_("subnet", network_id=tiny["id"], cidr="10.0.0.0/24", ip_version=4)
    assert error_of(small4) == (409, "NetworkMTUSubnetConflict")
