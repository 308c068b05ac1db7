"""Routers: ways in, the way out, and what keeps them."""

from typing import Any

from cumulo.services.network.drivers.fake import FakeDriver
from tests.network.conftest import NOWHERE, PROJECT, Net, error_of


def legs(net: Net, router: Any) -> Any:
    return net.admin.list("port", f"?device_id={router['id']}")


def test_a_router_joins_subnets_at_their_gateways(net: Net) -> None:
    _, one = net.network("10.0.0.0/24")
    _, two = net.network("10.1.0.0/24")
    router = net.make("router", name="r")
    assert (router["status"], router["external_gateway_info"], router["routes"]) == (
        "ACTIVE",
        None,
        [],
    )
    made = net.attach(router["id"], subnet_id=one["id"]).json()
    assert (made["id"], made["subnet_id"]) == (router["id"], one["id"])
    assert (made["subnet_ids"], made["tenant_id"]) == ([one["id"]], PROJECT)
    assert net.attach(router["id"], subnet_id=two["id"]).status == 200
    ips = [port["fixed_ips"][0]["ip_address"] for port in legs(net, router)]
    assert sorted(ips) == ["10.0.0.1", "10.1.0.1"]
    assert {port["device_owner"] for port in legs(net, router)} == {"network:router_interface"}
    assert error_of(net.delete("router", router["id"])) == (409, "RouterInUse")
    assert error_of(net.delete("port", made["port_id"])) == (409, "ServicePortInUse")
    assert error_of(net.delete("subnet", one["id"])) == (409, "SubnetInUse")
    gone = net.attach(router["id"], "remove", subnet_id=one["id"]).json()
    assert gone["port_id"] == made["port_id"]
    assert net.http.get(f"/v2.0/ports/{made['port_id']}").status == 404
    net.attach(router["id"], "remove", port_id=legs(net, router)[0]["id"])
    assert net.delete("router", router["id"]).status == 204


def test_a_router_joins_through_a_port_that_is_there(net: Net) -> None:
    network, subnet = net.network()
    fixed = [{"ip_address": "10.0.0.254"}]
    port = net.make("port", network_id=network["id"], fixed_ips=fixed)
    router = net.make("router")
    made = net.attach(router["id"], port_id=port["id"]).json()
    assert (made["port_id"], made["subnet_ids"]) == (port["id"], [subnet["id"]])
    taken = net.show("port", port["id"])
    assert (taken["device_id"], taken["device_owner"]) == (router["id"], "network:router_interface")
    again = net.attach(net.make("router")["id"], port_id=port["id"])
    assert error_of(again) == (409, "PortInUse")
    empty = net.make("port", network_id=network["id"], fixed_ips=[])
    assert error_of(net.attach(router["id"], port_id=empty["id"])) == (400, "BadRequest")


def test_ways_in_that_cannot_be_are_refused(net: Net) -> None:
    network, subnet = net.network("10.0.0.0/24")
    _, overlapping = net.network("10.0.0.0/16")
    bare = net.make(
        "subnet", network_id=network["id"], cidr="10.9.0.0/24", ip_version=4, gateway_ip=None
    )
    port = net.make("port", network_id=network["id"])
    router = net.make("router")
    net.attach(router["id"], subnet_id=subnet["id"])
    for what in (
        {},
        {"subnet_id": subnet["id"], "port_id": port["id"]},
        {"subnet_id": subnet["id"]},
        {"subnet_id": overlapping["id"]},
        {"subnet_id": bare["id"]},
    ):
        assert error_of(net.attach(router["id"], **what)) == (400, "BadRequest"), what
    assert error_of(net.attach(router["id"], subnet_id=NOWHERE)) == (404, "SubnetNotFound")
    assert error_of(net.attach(router["id"], subnet_id="nowhere")) == (400, "HTTPBadRequest")
    assert error_of(net.attach("nowhere", subnet_id=subnet["id"])) == (404, "RouterNotFound")
    other = net.make("router")
    taken = net.attach(other["id"], subnet_id=subnet["id"])
    assert error_of(taken) == (409, "IpAddressInUse")
    nothing = net.attach(other["id"], "remove", subnet_id=subnet["id"])
    assert error_of(nothing) == (404, "RouterInterfaceNotFoundForSubnet")
    not_mine = net.attach(other["id"], "remove", port_id=legs(net, router)[0]["id"])
    assert error_of(not_mine) == (404, "RouterInterfaceNotFound")


def test_a_guest_of_a_shared_network_does_not_become_its_router(net: Net) -> None:
    network = net.admin.make("network", shared=True)
    subnet = net.admin.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    router = net.make("router")
    assert error_of(net.attach(router["id"], subnet_id=subnet["id"])) == (400, "BadRequest")
    port = net.make("port", network_id=network["id"])
    assert net.attach(router["id"], port_id=port["id"]).status == 200
    _, own = net.network("10.1.0.0/24")
    assert error_of(net.stranger.attach(router["id"], subnet_id=own["id"]))[0] == 404


def test_v6_subnets_of_one_network_share_a_leg(net: Net) -> None:
    network, v4 = net.network()
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac", "ip_version": 6}
    one = net.make("subnet", network_id=network["id"], cidr="fd00:1::/64", **modes)
    two = net.make("subnet", network_id=network["id"], cidr="fd00:2::/64", **modes)
    router = net.make("router")
    made = [net.attach(router["id"], subnet_id=s["id"]).json() for s in (v4, one, two)]
    assert made[1]["port_id"] == made[2]["port_id"] != made[0]["port_id"]
    net.attach(router["id"], "remove", subnet_id=one["id"])
    left = net.admin.show("port", made[1]["port_id"])["fixed_ips"]
    assert [ip["ip_address"] for ip in left] == ["fd00:2::1"]
    net.attach(router["id"], "remove", subnet_id=two["id"])
    assert len(legs(net, router)) == 1


def test_the_way_out_is_an_external_network(net: Net) -> None:
    outside, _ = net.outside()
    private, subnet = net.network()
    router = net.make("router", external_gateway_info={"network_id": outside["id"]})
    gateway = router["external_gateway_info"]
    assert (gateway["network_id"], gateway["enable_snat"]) == (outside["id"], True)
    assert gateway["external_fixed_ips"][0]["ip_address"] == "203.0.113.2"
    (port,) = legs(net, router)
    assert (port["device_owner"], port["project_id"]) == ("network:router_gateway", "")
    assert error_of(net.admin.delete("port", port["id"])) == (409, "ServicePortInUse")
    inside = net.try_change(
        "router", router["id"], external_gateway_info={"network_id": private["id"]}
    )
    assert error_of(inside) == (400, "BadRequest")
    assert (
        net.change("router", router["id"], external_gateway_info={})["external_gateway_info"]
        is None
    )
    assert legs(net, router) == []
    net.change("router", router["id"], external_gateway_info={"network_id": outside["id"]})
    assert net.change("router", router["id"], external_gateway_info=None)["status"] == "ACTIVE"
    net.change("router", router["id"], external_gateway_info={"network_id": outside["id"]})
    net.attach(router["id"], subnet_id=subnet["id"])
    net.attach(router["id"], "remove", subnet_id=subnet["id"])
    assert net.delete("router", router["id"]).status == 204
    assert net.admin.list("port", "?device_owner=network:router_gateway") == []


def test_only_administrators_choose_translation_and_address(net: Net) -> None:
    outside, subnet = net.outside()
    fixed = [{"subnet_id": subnet["id"], "ip_address": "203.0.113.77"}]
    info: dict[str, Any] = {"network_id": outside["id"]}
    for more in ({"enable_snat": False}, {"external_fixed_ips": fixed}):
        answer = net.try_("router", external_gateway_info={**info, **more})
        assert error_of(answer) == (403, "PolicyNotAuthorized")
    wanted = {**info, "enable_snat": False, "external_fixed_ips": fixed}
    router = net.admin.make("router", external_gateway_info=wanted)
    assert router["external_gateway_info"] == wanted
    moved = [{"subnet_id": subnet["id"], "ip_address": "203.0.113.78"}]
    changed = net.admin.change(
        "router", router["id"], external_gateway_info={**info, "external_fixed_ips": moved}
    )
    assert changed["external_gateway_info"]["external_fixed_ips"] == moved
    assert changed["external_gateway_info"]["enable_snat"] is True
    at_gateway = [{"ip_address": "203.0.113.1"}]
    wanted = {**info, "external_fixed_ips": at_gateway}
    refused = net.admin.try_("router", external_gateway_info=wanted)
    assert error_of(refused) == (400, "BadRequest")


def test_a_network_with_a_gateway_stays_external(net: Net) -> None:
    outside, _ = net.outside()
    net.make("router", external_gateway_info={"network_id": outside["id"]})
    answer = net.admin.try_change("network", outside["id"], router__external=False)
    assert answer.status == 409
    assert error_of(net.admin.delete("network", outside["id"])) == (409, "NetworkInUse")


def test_routes_lead_through_neighbours(net: Net) -> None:
    _, subnet = net.network()
    router = net.make("router")
    net.attach(router["id"], subnet_id=subnet["id"])
    route = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.77"}
    assert net.change("router", router["id"], routes=[route])["routes"] == [route]
    for bad in (
        {"destination": "10.9.0.0/16", "nexthop": "10.8.0.77"},
        {"destination": "10.9.0.0/16", "nexthop": "10.0.0.1"},
    ):
        answer = net.try_change("router", router["id"], routes=[bad])
        assert error_of(answer) == (400, "InvalidRoutes")
    twice = net.try_change("router", router["id"], routes=[route, route])
    assert error_of(twice) == (400, "HTTPBadRequest")
    needed = net.attach(router["id"], "remove", subnet_id=subnet["id"])
    assert error_of(needed) == (409, "RouterInterfaceInUseByRoute")
    more = {"destination": "10.7.0.0/16", "nexthop": "10.0.0.78"}
    path = f"/v2.0/routers/{router['id']}"
    added = net.http.put(f"{path}/add_extraroutes", {"router": {"routes": [more, route]}})
    assert added.json()["router"]["routes"] == [route, more]
    left = net.http.put(f"{path}/remove_extraroutes", {"router": {"routes": [route]}})
    assert left.json()["router"]["routes"] == [more]
    assert net.change("router", router["id"], routes=None)["routes"] == []


def test_a_leg_moves_with_its_ports_addresses(net: Net) -> None:
    network, subnet = net.network()
    router = net.make("router")
    port = net.attach(router["id"], subnet_id=subnet["id"]).json()["port_id"]
    second = net.make("subnet", network_id=network["id"], cidr="10.5.0.0/24", ip_version=4)
    net.change("port", port, fixed_ips=[{"subnet_id": second["id"], "ip_address": "10.5.0.1"}])
    assert net.attach(router["id"], "remove", subnet_id=subnet["id"]).status == 404
    assert net.attach(router["id"], "remove", subnet_id=second["id"]).status == 200


def test_routers_of_others_do_not_exist(net: Net) -> None:
    router = net.make("router")
    assert net.stranger.list("router") == []
    assert error_of(net.stranger.delete("router", router["id"])) == (404, "RouterNotFound")
    assert error_of(net.stranger.try_change("router", router["id"], name="x"))[0] == 404
    changed = net.change("router", router["id"], name="x", description="d", admin_state_up=False)
    assert (changed["name"], changed["admin_state_up"]) == ("x", False)
    assert error_of(net.try_("router", availability_zone_hints=["moon"])) == (
        404,
        "AvailabilityZoneNotFound",
    )
    assert net.make("router", availability_zone_hints=["nova"])["availability_zone_hints"] == [
        "nova"
    ]


def test_how_a_router_carries_its_traffic_is_the_operators_to_say(
    net: Net, driver: FakeDriver
) -> None:
    router = net.admin.make("router", ha=False, distributed=False)
    assert (router["ha"], router["distributed"]) == (False, False)
    net.project()
    plan = driver.routers[router["id"]]
    assert (plan.ha, plan.distributed) == (False, False)
    busy = net.admin.try_change("router", router["id"], distributed=True)
    assert error_of(busy) == (400, "BadRequest")
    assert net.admin.change("router", router["id"], distributed=False)["distributed"] is False
    changed = net.admin.change("router", router["id"], distributed=True, admin_state_up=False)
    assert (changed["ha"], changed["distributed"]) == (False, True)
    usual = net.make("router")
    assert "ha" not in usual
    shown = net.admin.show("router", usual["id"])
    assert (shown["ha"], shown["distributed"]) == (True, True)
    assert error_of(net.try_("router", ha=False))[0] == 403
    assert error_of(net.try_change("router", usual["id"], distributed=False))[0] == 403


def ways(router: Any) -> list[str]:
    return [one["network_id"] for one in router["external_gateways"]]


def test_a_router_has_several_ways_out(net: Net, driver: FakeDriver) -> None:
    near, _ = net.outside()
    facts = {"router:external": True, "provider:network_type": "flat"}
    far = net.admin.make("network", **facts, **{"provider:physical_network": "far"})
    net.admin.make("subnet", network_id=far["id"], cidr="198.51.100.0/24", ip_version=4)
    network, subnet = net.network()
    router = net.make("router", external_gateway_info={"network_id": near["id"]})
    net.attach(router["id"], subnet_id=subnet["id"])

    def change(verb: str, *wanted: Any, who: Net = net) -> Any:
        url = f"/v2.0/routers/{router['id']}/{verb}_external_gateways"
        return who.http.put(url, {"router": {"external_gateways": list(wanted)}})

    added = change("add", {"network_id": far["id"]}, {"network_id": near["id"]}).json()["router"]
    assert ways(added) == [near["id"], far["id"], near["id"]]
    assert added["external_gateway_info"] == added["external_gateways"][0]
    port = net.make("port", network_id=network["id"])
    address = net.make("floatingip", floating_network_id=far["id"], port_id=port["id"])
    net.project()
    plan = driver.routers[router["id"]]
    assert [one.network_id for one in plan.more_gateways] == [far["id"], near["id"]]
    assert plan.floating_ips[0].gateway_port_id == plan.more_gateways[0].port_id

    taken = change("remove", {"network_id": far["id"]})
    assert error_of(taken) == (409, "RouterExternalGatewayInUseByFloatingIp")
    net.delete("floatingip", address["id"])
    fixed = [{"ip_address": "198.51.100.77"}]
    moved = {"network_id": far["id"], "external_fixed_ips": fixed}
    assert error_of(change("update", moved))[0] == 403
    after = change("update", moved, who=net.admin).json()["router"]
    assert after["external_gateways"][1]["external_fixed_ips"][0]["ip_address"] == "198.51.100.77"
    third = added["external_gateways"][2]["external_fixed_ips"]
    gone = {"network_id": near["id"], "external_fixed_ips": third}
    assert ways(change("remove", gone, who=net.admin).json()["router"]) == [near["id"], far["id"]]
    cleared = net.change("router", router["id"], external_gateway_info=None)
    assert ways(cleared) == [far["id"]]
    net.attach(router["id"], "remove", subnet_id=subnet["id"])
    assert net.delete("router", router["id"]).status == 204
    assert net.admin.list("port", f"?device_id={router['id']}") == []


def test_an_update_gives_a_router_its_first_way_out(net: Net) -> None:
    near, _ = net.outside()
    router = net.make("router")
    url = f"/v2.0/routers/{router['id']}/update_external_gateways"
    body = {"router": {"external_gateways": [{"network_id": near["id"]}]}}
    for _ in range(2):  # as clients do that set a gateway
        assert ways(net.http.put(url, body).json()["router"]) == [near["id"]]
    assert net.show("router", router["id"])["external_gateway_info"]["network_id"] == near["id"]


def test_ways_out_that_cannot_be_are_refused(net: Net) -> None:
    near, _ = net.outside()
    inside, _ = net.network()
    router = net.make("router")
    url = f"/v2.0/routers/{router['id']}/"

    def change(verb: str, wanted: Any, who: Net = net) -> Any:
        body = {"router": {"external_gateways": [wanted]}}
        return who.http.put(f"{url}{verb}_external_gateways", body)

    assert error_of(change("add", {}))[0] == 400
    assert error_of(change("add", {"network_id": inside["id"]}))[0] == 400
    assert error_of(change("add", {"network_id": NOWHERE}))[0] == 404
    assert error_of(change("remove", {"network_id": near["id"]}))[0] == 400
    other = {"network_id": near["id"], "enable_snat": False}
    assert error_of(change("add", other))[0] == 403
    assert error_of(change("add", {"network_id": near["id"]}, who=net.stranger))[0] == 404
    plain = change("add", other, who=net.admin).json()["router"]
    assert plain["external_gateway_info"]["enable_snat"] is False
    second = {"network_id": near["id"], "enable_snat": True}
    assert error_of(change("add", second, who=net.admin))[0] == 400
    assert error_of(change("add", {"network_id": near["id"]}, who=net.stranger))[0] == 404


def test_ways_out_are_taken_alike_and_watched_where_operators_say_so(
    net: Net, driver: FakeDriver
) -> None:
    usual = net.make("router")
    told = ("enable_default_route_ecmp", "enable_default_route_bfd")
    assert [usual[name] for name in told] == [False, False]
    net.project()
    assert not driver.routers[usual["id"]].spreads
    for name in told:
        assert error_of(net.try_("router", **{name: True}))[0] == 403
        assert error_of(net.try_change("router", usual["id"], **{name: True}))[0] == 403
    made = net.admin.make("router", **dict.fromkeys(told, True))
    net.admin.change("router", usual["id"], enable_default_route_bfd=True)
    net.project()
    found = [driver.routers[one["id"]] for one in (made, usual)]
    assert [(one.spreads, one.probes) for one in found] == [(True, True), (False, True)]
