"""Floating IPs: addresses outside that lead inside."""

from typing import Any

import pytest

from tests.network.conftest import NOWHERE, OTHER, PROJECT, Net, error_of


@pytest.fixture
def inside(net: Net) -> dict[str, Any]:
    """Return an external network, a router to it, and a port behind that."""
    outside, outside_subnet = net.outside()
    network, subnet = net.network()
    router = net.make("router", external_gateway_info={"network_id": outside["id"]})
    net.attach(router["id"], subnet_id=subnet["id"])
    port = net.make("port", network_id=network["id"], device_id="s", device_owner="compute:nova")
    found = {"outside": outside, "outside_subnet": outside_subnet, "router": router, "port": port}
    return {**found, "network": network, "subnet": subnet}


def test_a_floating_ip_leads_to_a_port_and_away_again(net: Net, inside: dict[str, Any]) -> None:
    made = net.make("floatingip", floating_network_id=inside["outside"]["id"])
    assert made["floating_ip_address"].startswith("203.0.113.")
    assert (made["status"], made["port_id"], made["router_id"]) == ("DOWN", None, None)
    assert made["port_details"] is None
    led = net.change("floatingip", made["id"], port_id=inside["port"]["id"])
    assert led["fixed_ip_address"] == inside["port"]["fixed_ips"][0]["ip_address"]
    assert led["router_id"] == inside["router"]["id"]
    assert led["port_details"]["device_id"] == "s"
    net.project()
    assert net.show("floatingip", made["id"])["status"] == "ACTIVE"
    away = net.change("floatingip", made["id"], port_id=None)
    assert (away["status"], away["port_id"], away["router_id"]) == ("DOWN", None, None)
    assert away["fixed_ip_address"] is None
    assert net.delete("floatingip", made["id"]).status == 204
    assert net.admin.list("port", "?device_owner=network:floatingip") == []


def test_the_backend_is_told_where_it_leads(net: Net, inside: dict[str, Any]) -> None:
    facts = {"floating_network_id": inside["outside"]["id"], "port_id": inside["port"]["id"]}
    made = net.make("floatingip", **facts)
    net.project()
    plan = net.tools.driver.routers[inside["router"]["id"]]  # type: ignore[attr-defined]
    (nat,) = plan.floating_ips
    assert (nat.address, nat.fixed_ip) == (made["floating_ip_address"], made["fixed_ip_address"])
    assert (nat.port_id, plan.gateway.enable_snat) == (inside["port"]["id"], True)
    net.admin.delete("port", inside["port"]["id"])
    assert net.show("floatingip", made["id"])["port_id"] is None
    net.project()
    plan = net.tools.driver.routers[inside["router"]["id"]]  # type: ignore[attr-defined]
    assert plan.floating_ips == []


def test_an_address_is_chosen_by_subnet_or_by_those_who_may(
    net: Net, inside: dict[str, Any]
) -> None:
    outside = inside["outside"]["id"]
    more = net.admin.make(
        "subnet", network_id=outside, cidr="198.51.100.0/24", ip_version=4, enable_dhcp=False
    )
    made = net.make("floatingip", floating_network_id=outside, subnet_id=more["id"])
    assert made["floating_ip_address"].startswith("198.51.100.")
    wanted = {"floating_network_id": outside, "floating_ip_address": "203.0.113.99"}
    assert error_of(net.try_("floatingip", **wanted)) == (403, "PolicyNotAuthorized")
    manager = net.as_(f"mia:{PROJECT}:manager")
    assert manager.make("floatingip", **wanted)["floating_ip_address"] == "203.0.113.99"
    assert error_of(manager.try_("floatingip", **wanted)) == (409, "IpAddressInUse")


def test_floating_ips_that_cannot_be_are_refused(net: Net, inside: dict[str, Any]) -> None:
    outside, port = inside["outside"]["id"], inside["port"]["id"]
    far, _ = net.network("10.7.0.0/24")
    stray = net.make("port", network_id=far["id"])
    net.make("floatingip", floating_network_id=outside, port_id=port)
    for facts, error in (
        ({"floating_network_id": NOWHERE}, (404, "NetworkNotFound")),
        ({"floating_network_id": inside["network"]["id"]}, (400, "BadRequest")),
        ({"fixed_ip_address": "10.0.0.3"}, (400, "BadRequest")),
        ({"port_id": port, "fixed_ip_address": "10.0.0.99"}, (400, "BadRequest")),
        ({"port_id": port, "fixed_ip_address": "fd00::1"}, (400, "BadRequest")),
        ({"port_id": port}, (409, "FloatingIPPortAlreadyAssociated")),
        ({"port_id": NOWHERE}, (404, "PortNotFound")),
        ({"port_id": stray["id"]}, (404, "ExternalGatewayForFloatingIPNotFound")),
    ):
        answer = net.try_("floatingip", **{"floating_network_id": outside, **facts})
        assert error_of(answer) == error, facts
    assert len(net.list("floatingip")) == 1
    theirs = net.stranger.make("floatingip", floating_network_id=outside)
    refused = net.stranger.try_change("floatingip", theirs["id"], port_id=port)
    assert error_of(refused) == (404, "PortNotFound")


def test_what_a_floating_ip_needs_stays(net: Net, inside: dict[str, Any]) -> None:
    facts = {"floating_network_id": inside["outside"]["id"], "port_id": inside["port"]["id"]}
    net.make("floatingip", **facts)
    router = inside["router"]["id"]
    leg = net.attach(router, "remove", subnet_id=inside["subnet"]["id"])
    assert error_of(leg) == (409, "RouterInterfaceInUseByFloatingIP")
    out = net.try_change("router", router, external_gateway_info={})
    assert error_of(out) == (409, "RouterExternalGatewayInUseByFloatingIp")
    moved = [{"ip_address": "10.0.0.222"}]
    assert error_of(net.try_change("port", inside["port"]["id"], fixed_ips=moved)) == (
        400,
        "BadRequest",
    )


def test_of_several_addresses_one_must_be_named(net: Net, inside: dict[str, Any]) -> None:
    fixed = [{"ip_address": "10.0.0.50"}, {"ip_address": "10.0.0.51"}]
    port = net.make("port", network_id=inside["network"]["id"], fixed_ips=fixed)
    facts = {"floating_network_id": inside["outside"]["id"], "port_id": port["id"]}
    assert error_of(net.try_("floatingip", **facts)) == (400, "BadRequest")
    one = net.make("floatingip", **facts, fixed_ip_address="10.0.0.50")
    two = net.make("floatingip", **facts, fixed_ip_address="10.0.0.51")
    assert {one["fixed_ip_address"], two["fixed_ip_address"]} == {"10.0.0.50", "10.0.0.51"}
    clash = net.try_change("floatingip", two["id"], fixed_ip_address="10.0.0.50")
    assert error_of(clash) == (409, "FloatingIPPortAlreadyAssociated")


def test_floating_ips_of_others_do_not_exist(net: Net, inside: dict[str, Any]) -> None:
    made = net.make("floatingip", floating_network_id=inside["outside"]["id"], description="d")
    assert net.stranger.list("floatingip") == []
    for answer in (
        net.stranger.http.get(f"/v2.0/floatingips/{made['id']}"),
        net.stranger.try_change("floatingip", made["id"], description="x"),
        net.stranger.delete("floatingip", made["id"]),
    ):
        assert error_of(answer) == (404, "FloatingIPNotFound")
    given = net.admin.make(
        "floatingip", floating_network_id=inside["outside"]["id"], tenant_id=OTHER
    )
    assert [f["id"] for f in net.stranger.list("floatingip")] == [given["id"]]
    query = f"?floating_ip_address={made['floating_ip_address']}&status=DOWN"
    assert [f["id"] for f in net.list("floatingip", query)] == [made["id"]]


def test_a_network_takes_floating_ips_that_lead_nowhere_with_it(net: Net) -> None:
    outside, _ = net.outside()
    made = net.make("floatingip", floating_network_id=outside["id"])
    assert net.admin.delete("network", outside["id"]).status == 204
    assert net.http.get(f"/v2.0/floatingips/{made['id']}").status == 404
    used = net.http.get(f"/v2.0/quotas/{PROJECT}/details").json()["quota"]["floatingip"]["used"]
    assert used == 0


def test_a_blank_change_leads_nowhere_but_a_description_does_not(
    net: Net, inside: dict[str, Any]
) -> None:
    facts = {"floating_network_id": inside["outside"]["id"], "port_id": inside["port"]["id"]}
    made = net.make("floatingip", **facts)
    assert net.change("floatingip", made["id"], description="d")["port_id"] is not None
    assert net.change("floatingip", made["id"])["port_id"] is None


def test_the_subnets_outside_are_pools(net: Net) -> None:
    outside, subnet = net.outside()
    net.network()
    (pool,) = net.list("floatingip_pool")
    assert (pool["network_id"], pool["subnet_id"]) == (outside["id"], subnet["id"])
    assert (pool["cidr"], pool["project_id"]) == ("203.0.113.0/24", PROJECT)
    assert net.list("floatingip_pool", "?cidr=10.0.0.0/8") == []
