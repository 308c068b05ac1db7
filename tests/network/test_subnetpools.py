"""Subnet pools and address scopes: ranges that do not collide, and need no translation."""

from typing import Any

import pytest

from cumulo.services.network.drivers.fake import FakeDriver
from tests.network.conftest import NOWHERE, OTHER, Net, error_of


def pool(net: Net, *prefixes: str, **facts: Any) -> Any:
    return net.make("subnetpool", name="p", prefixes=list(prefixes), **facts)


def cut(net: Net, found: Any, **facts: Any) -> Any:
    """Cut a subnet in a network of its own from the pool."""
    network = net.make("network")
    wanted = {"network_id": network["id"], "subnetpool_id": found["id"]}
    return net.try_("subnet", **wanted, ip_version=found["ip_version"], **facts)


def test_subnets_are_cut_from_the_smallest_gap(net: Net) -> None:
    found = pool(net, "10.1.0.0/16", "10.9.0.0/24", default_prefixlen=26)
    assert (found["ip_version"], found["min_prefixlen"], found["max_prefixlen"]) == (4, "8", "32")
    assert (found["shared"], found["is_default"], found["address_scope_id"]) == (False, False, None)
    first, second = (cut(net, found).json()["subnet"] for _ in range(2))
    assert (first["cidr"], second["cidr"]) == ("10.9.0.0/26", "10.9.0.64/26")
    assert first["subnetpool_id"] == found["id"]
    assert cut(net, found, prefixlen=20).json()["subnet"]["cidr"] == "10.1.0.0/20"
    assert cut(net, found, cidr="10.9.0.192/26").json()["subnet"]["cidr"] == "10.9.0.192/26"
    again = cut(net, found, cidr="10.9.0.128/25")
    assert error_of(again) == (409, "SubnetAllocationError")
    assert error_of(cut(net, found, cidr="10.8.0.0/24")) == (409, "SubnetAllocationError")
    assert error_of(net.delete("subnetpool", found["id"])) == (409, "SubnetPoolDeleteError")
    net.delete("subnet", first["id"])
    assert cut(net, found).json()["subnet"]["cidr"] == "10.9.0.0/26"


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"prefixes": []}, "EmptySubnetPoolPrefixList"),
        ({"prefixes": ["10.0.0.0/8", "fd00::/48"]}, "PrefixVersionMismatch"),
        ({"prefixes": ["ten"]}, "HTTPBadRequest"),
        ({"min_prefixlen": 33}, "UnsupportedMinSubnetPoolPrefix"),
        ({"min_prefixlen": 28, "max_prefixlen": 24}, "IllegalSubnetPoolPrefixBounds"),
        ({"default_prefixlen": 7}, "IllegalSubnetPoolPrefixBounds"),
        ({"default_quota": -1}, "HTTPBadRequest"),
        ({"address_scope_id": "foo"}, "HTTPBadRequest"),
    ],
)
def test_pools_that_cannot_be_are_refused(net: Net, facts: dict[str, Any], kind: str) -> None:
    answer = net.try_("subnetpool", **{"name": "p", "prefixes": ["10.0.0.0/8"], **facts})
    assert error_of(answer) == (400, kind)


def test_a_pool_has_bounds_and_gives_each_project_its_share(net: Net) -> None:
    found = pool(net, "10.1.0.0/16", min_prefixlen=24, max_prefixlen=28, default_quota=512)
    assert error_of(cut(net, found, prefixlen=23)) == (400, "MinPrefixSubnetAllocationError")
    assert error_of(cut(net, found, prefixlen=29)) == (400, "MaxPrefixSubnetAllocationError")
    both = cut(net, found, prefixlen=24, cidr="10.1.0.0/24")
    assert error_of(both) == (400, "BadRequest")
    assert [cut(net, found).status for _ in range(3)] == [201, 201, 409]
    wider = net.change("subnetpool", found["id"], default_quota=768, prefixes=["10.0.0.0/15"])
    assert wider["prefixes"] == ["10.0.0.0/15"]
    assert cut(net, found).status == 201
    smaller = net.try_change("subnetpool", found["id"], prefixes=["10.0.0.0/16"])
    assert error_of(smaller) == (400, "IllegalSubnetPoolPrefixUpdate")
    assert net.try_change("subnetpool", found["id"], shared=True).status == 400


def test_prefixes_come_and_go(net: Net) -> None:
    found = pool(net, "10.0.0.0/24")
    path = f"/v2.0/subnetpools/{found['id']}"
    added = net.http.put(f"{path}/add_prefixes", {"prefixes": ["10.0.1.0/24"]})
    assert added.json() == {"prefixes": ["10.0.0.0/23"]}
    cut(net, found, cidr="10.0.1.0/26")
    refused = net.http.put(f"{path}/remove_prefixes", {"prefixes": ["10.0.1.0/24"]})
    assert error_of(refused) == (400, "IllegalSubnetPoolPrefixUpdate")
    left = net.http.put(f"{path}/remove_prefixes", {"prefixes": ["10.0.0.0/24"]})
    assert left.json() == {"prefixes": ["10.0.1.0/24"]}


def test_a_network_takes_from_one_pool(net: Net) -> None:
    found, network = pool(net, "10.1.0.0/16", default_prefixlen=24), net.make("network")
    facts = {"network_id": network["id"], "ip_version": 4}
    net.make("subnet", **facts, subnetpool_id=found["id"])
    other = net.try_("subnet", **facts, cidr="10.7.0.0/24")
    assert error_of(other) == (400, "NetworkSubnetPoolAffinityError")
    neither = net.try_("subnet", network_id=net.make("network")["id"], ip_version=4)
    assert error_of(neither) == (400, "BadRequest")


def test_the_default_pool_serves_who_names_none(net: Net) -> None:
    network = net.make("network")
    wanted = {"network_id": network["id"], "ip_version": 6, "use_default_subnetpool": True}
    assert error_of(net.try_("subnet", **wanted)) == (400, "BadRequest")
    facts = {"name": "p", "prefixes": ["fd00::/48"], "is_default": True}
    assert net.try_("subnetpool", **facts).status == 403
    net.admin.make("subnetpool", **facts, shared=True)
    assert error_of(net.admin.try_("subnetpool", **facts)) == (400, "InvalidInput")
    assert net.make("subnet", **wanted)["cidr"] == "fd00::/64"


def test_within_a_scope_addresses_are_one_and_are_not_translated(
    net: Net, driver: FakeDriver
) -> None:
    scope = net.admin.make("address_scope", name="s", ip_version=4, shared=True)
    facts = {"address_scope_id": scope["id"], "shared": True}
    inner = pool(net.admin, "10.1.0.0/16", default_prefixlen=24, **facts)
    clash = net.admin.try_("subnetpool", name="q", prefixes=["10.1.9.0/24"], **facts)
    assert error_of(clash) == (409, "AddressScopePrefixConflict")
    theirs = net.try_(
        "subnetpool", name="q", prefixes=["10.7.0.0/24"], address_scope_id=scope["id"]
    )
    assert error_of(theirs) == (400, "IllegalSubnetPoolAssociationToAddressScope")
    outer = pool(net.admin, "192.0.2.0/24", default_prefixlen=25, **facts)
    flat = {"router:external": True, "provider:network_type": "flat"}
    outside = net.admin.make("network", **flat, **{"provider:physical_network": "public"})
    net.admin.make("subnet", network_id=outside["id"], ip_version=4, subnetpool_id=outer["id"])
    inside = cut(net, inner).json()["subnet"]
    assert net.show("network", inside["network_id"])["ipv4_address_scope"] == scope["id"]
    plain, plain_subnet = net.network("172.16.0.0/24")
    assert plain["ipv4_address_scope"] is None
    router = net.make("router", external_gateway_info={"network_id": outside["id"]})
    for subnet in (inside, plain_subnet):
        net.attach(router["id"], subnet_id=subnet["id"])
    net.project()
    legs = driver.routers[router["id"]].ports
    assert {leg.cidrs[0]: leg.is_public for leg in legs} == {
        "10.1.0.1/24": True,
        "172.16.0.1/24": False,
    }
    assert error_of(net.admin.delete("address_scope", scope["id"])) == (409, "AddressScopeInUse")
    unshared = net.admin.try_change("address_scope", scope["id"], shared=False)
    assert error_of(unshared) == (400, "AddressScopeUpdateError")


def test_pools_are_lent_by_name(net: Net) -> None:
    found = pool(net, "10.1.0.0/16", default_prefixlen=24)
    assert error_of(cut(net.stranger, found)) == (404, "SubnetPoolNotFound")
    facts = {"object_type": "subnetpool", "object_id": found["id"], "target_tenant": OTHER}
    lent = net.make("rbac_policy", **facts, action="access_as_shared")
    assert cut(net.stranger, found).status == 201
    assert net.stranger.try_change("subnetpool", found["id"], name="x").status == 403
    assert error_of(net.delete("rbac_policy", lent["id"])) == (409, "RbacPolicyInUse")


def test_a_subnet_may_be_for_some_kinds_of_ports(net: Net) -> None:
    network, subnet = net.network()
    assert subnet["service_types"] == []
    facts = {"network_id": network["id"], "cidr": "10.7.0.0/24", "ip_version": 4}
    for_servers = {**facts, "service_types": ["compute:nova"]}
    wrong = net.try_("subnet", **{**for_servers, "service_types": ["x"]})
    assert error_of(wrong) == (400, "InvalidSubnetServiceType")
    served = net.make("subnet", **for_servers)
    fixed = [{"subnet_id": served["id"]}]
    refused = net.try_("port", network_id=network["id"], fixed_ips=fixed)
    assert error_of(refused) == (400, "InvalidInput")
    owner = {"network_id": network["id"], "device_owner": "compute:nova"}
    assert net.make("port", **owner, fixed_ips=fixed)["fixed_ips"][0]["subnet_id"] == served["id"]


def test_subnets_come_to_be_of_a_pool(net: Net, driver: FakeDriver) -> None:
    scope = net.make("address_scope", name="s", ip_version=4)
    found = pool(net, "10.1.0.0/16", default_prefixlen=24, address_scope_id=scope["id"])
    cut(net, found)
    network, subnet = net.network("10.2.0.0/24")
    six = net.make("subnet", network_id=network["id"], cidr="fd00::/64", ip_version=6)
    url = f"/v2.0/subnetpools/{found['id']}/onboard_network_subnets"
    wanted = {"network_id": network["id"]}
    assert net.stranger.http.put(url, wanted).status == 404
    assert net.http.put(url, {"network_id": NOWHERE}).status == 404
    lent, _ = net.admin.network("10.3.0.0/24", shared=True)
    assert error_of(net.http.put(url, {"network_id": lent["id"]})) == (404, "NetworkNotFound")
    assert net.http.put(url, wanted).json() == [{"id": subnet["id"], "cidr": "10.2.0.0/24"}]
    assert net.show("subnetpool", found["id"])["prefixes"] == ["10.1.0.0/16", "10.2.0.0/24"]
    assert net.show("subnet", subnet["id"])["subnetpool_id"] == found["id"]
    assert net.show("subnet", six["id"])["subnetpool_id"] is None
    assert net.show("network", network["id"])["ipv4_address_scope"] == scope["id"]
    again = net.http.put(url, wanted)
    assert error_of(again) == (400, "IllegalSubnetPoolUpdate")
    overlapping, _ = net.network("10.1.0.0/24")
    refused = net.http.put(url, {"network_id": overlapping["id"]})
    assert error_of(refused) == (400, "IllegalSubnetPoolUpdate")
    assert net.delete("subnetpool", found["id"]).status == 409
