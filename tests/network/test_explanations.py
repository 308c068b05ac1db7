"""The way of a packet is told as the backend would carry it, and stops where it would."""

from typing import Any

import pytest

from cumulo.kit.errors import Unavailable
from cumulo.services.network.drivers.base import Flow
from cumulo.services.network.drivers.fake import FakeDriver
from tests.network.conftest import OTHER, Net, error_of


class Land:
    """A router with an inside and an outside, and guests."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.outside, _ = net.outside()
        self.network, self.subnet = net.network("10.0.0.0/24")
        self.router = net.make("router", name="r")
        self.attach(self.router, self.subnet)
        self.web = net.make("security_group", name="web")

    def attach(self, router: Any, subnet: Any) -> None:
        assert self.net.attach(router["id"], subnet_id=subnet["id"]).status == 200

    def open(self, group: Any, **facts: Any) -> Any:
        facts = {"security_group_id": group["id"], "direction": "ingress", **facts}
        return self.net.make("security_group_rule", **facts)

    def lead_out(self) -> None:
        gateway = {"network_id": self.outside["id"]}
        self.net.change("router", self.router["id"], external_gateway_info=gateway)

    def guest(self, network: Any = None, net: Net | None = None, **facts: Any) -> Any:
        facts = {"network_id": (network or self.network)["id"], **facts}
        port = (net or self.net).make("port", device_owner="compute:nova", **facts)
        binding = {"binding:host_id": "h1", "device_id": port["id"]}
        self.net.admin.change("port", port["id"], **binding)
        self.net.project()
        return port

    def path(self, origin: Any, to: str, net: Net | None = None, **query: Any) -> Any:
        asked = "".join(f"&{name}={value}" for name, value in query.items())
        url = f"/v2.0/explain/path?from={origin['id']}&to={to}{asked}"
        answer = (net or self.net).http.get(url)
        assert answer.status == 200, answer.text
        return answer.json()["path"]


@pytest.fixture
def land(net: Net) -> Land:
    return Land(net)


def ip(port: Any) -> str:
    return str(port["fixed_ips"][0]["ip_address"])


def kinds(way: Any) -> list[tuple[str, str]]:
    return [(hop["kind"], hop["verdict"]) for hop in way["hops"]]


def test_a_neighbour_is_reached_if_its_security_group_lets_it_in(land: Land) -> None:
    one, two = land.guest(), land.guest(security_groups=[land.web["id"]])
    path = land.path(one, ip(two), protocol="tcp", port=80)
    assert path["outcome"] == "stops"
    assert "No ingress rule of web admits tcp port 80" in path["reason"]
    assert kinds(path) == [
        ("port", "passes"),
        ("security_group", "passes"),
        ("route", "passes"),
        ("network", "passes"),
        ("port", "passes"),
        ("security_group", "drops"),
    ]
    assert (path["answer"], path["backend"], path["trace"]) == (None, "fake", None)
    rule = land.open(land.web, protocol="tcp", port_range_min=80, port_range_max=90)
    path = land.path(one, ip(two), protocol="tcp", port=80)
    assert (path["outcome"], path["answer"]["outcome"]) == ("arrives", "arrives")
    assert path["hops"][-2]["rule_id"] == rule["id"]
    assert path["answer"]["hops"][-1]["id"] == one["id"]
    assert land.path(one, ip(two), protocol="tcp", port=91)["outcome"] == "stops"
    assert land.path(one, ip(two), protocol="udp", port=80)["outcome"] == "stops"
    assert land.path(one, ip(two))["outcome"] == "stops"


def test_a_rule_for_a_group_admits_its_members_only(land: Land) -> None:
    member, other = land.guest(), land.guest(security_groups=[land.web["id"]])
    target = land.guest()
    assert land.path(member, ip(target))["outcome"] == "arrives"
    assert land.path(other, ip(target))["outcome"] == "stops"


def test_stateless_groups_remember_no_question(land: Land) -> None:
    group = land.net.make("security_group", name="plain", stateful=False)
    one = land.guest(security_groups=[group["id"]])
    two = land.guest(port_security_enabled=False, security_groups=[])
    path = land.path(one, ip(two), protocol="tcp", port=80)
    assert (path["outcome"], path["answer"]["outcome"]) == ("arrives", "stops")
    assert "plain" in path["answer"]["reason"]


def test_another_subnet_is_reached_by_the_router_and_only_by_it(land: Land) -> None:
    far, subnet = land.net.network("10.1.0.0/24")
    one = land.guest()
    two = land.guest(far)
    path = land.path(one, ip(two))
    assert path["outcome"] == "stops"
    assert path["reason"].startswith("The router has no route to 10.1.0.")
    land.attach(land.router, subnet)
    path = land.path(one, ip(two))
    assert (path["outcome"], path["answer"]["outcome"]) == ("arrives", "arrives")
    assert ("router", "passes") in kinds(path)
    land.net.change("router", land.router["id"], admin_state_up=False)
    assert land.path(one, ip(two))["reason"] == "The router is administratively down."
    assert land.path(one, "10.0.0.1")["outcome"] == "stops"
    land.net.change("router", land.router["id"], admin_state_up=True)
    assert land.path(one, "10.0.0.1")["outcome"] == "answered"
    assert land.path(one, "10.0.0.1", protocol="tcp", port=22)["outcome"] == "stops"


def test_a_subnet_without_a_router_says_so(land: Land) -> None:
    alone, _ = land.net.network("10.2.0.0/24")
    path = land.path(land.guest(alone), "192.0.2.1")
    assert path["outcome"] == "stops"
    assert "no router stands in 10.2.0.0/24" in path["reason"]
    bare = land.net.make("network")
    subnet = {"network_id": bare["id"], "ip_version": 4, "gateway_ip": None}
    land.net.make("subnet", cidr="10.3.0.0/24", **subnet)
    path = land.path(land.guest(bare), "192.0.2.1")
    assert "no gateway" in path["reason"]


def test_the_way_out_is_translated(land: Land) -> None:
    one = land.guest()
    assert "no external gateway" in land.path(one, "198.51.100.7")["reason"]
    land.lead_out()
    path = land.path(one, "198.51.100.7", protocol="tcp", port=443)
    assert (path["outcome"], path["hops"][-1]["kind"]) == ("leaves", "outside")
    out = path["hops"][-1]["packet"]
    gateway = land.net.show("router", land.router["id"])["external_gateway_info"]
    assert out["source_ip"] == gateway["external_fixed_ips"][0]["ip_address"]
    facts = {"floating_network_id": land.outside["id"], "port_id": one["id"]}
    floating = land.net.make("floatingip", **facts)
    out = land.path(one, "198.51.100.7")["hops"][-1]["packet"]
    assert out["source_ip"] == floating["floating_ip_address"]


def test_floating_ips_and_forwardings_lead_inside(land: Land) -> None:
    land.lead_out()
    one, two = land.guest(), land.guest(security_groups=[land.web["id"]])
    outside = {"floating_network_id": land.outside["id"]}
    floating = land.net.make("floatingip", **outside)
    address = floating["floating_ip_address"]
    assert "leads to no port" in land.path(one, address)["reason"]
    land.net.change("floatingip", floating["id"], port_id=two["id"])
    land.open(land.web, protocol="tcp", port_range_min=8080, port_range_max=8080)
    path = land.path(one, address, protocol="tcp", port=8080)
    assert (path["outcome"], path["answer"]["outcome"]) == ("arrives", "arrives")
    assert path["answer"]["hops"][-1]["packet"]["source_ip"] == address
    assert kinds(path).count(("nat", "translates")) == 2

    other = land.net.make("floatingip", **outside)
    url = f"/v2.0/floatingips/{other['id']}/port_forwardings"
    made = {"internal_port_id": one["id"], "internal_ip_address": ip(one), "protocol": "tcp"}
    made |= {"external_port": 80, "internal_port": 8000}
    assert land.net.http.post(url, {"port_forwarding": made}).status == 201
    address = other["floating_ip_address"]
    path = land.path(two, address, protocol="tcp", port=80)
    assert path["hops"][-1]["packet"]["destination_port"] == 8000
    assert path["outcome"] == "stops"


def test_what_the_cloud_itself_answers(land: Land) -> None:
    one = land.guest()
    metadata = land.path(one, "169.254.169.254", protocol="tcp", port=80)
    assert (metadata["outcome"], metadata["hops"][-1]["kind"]) == ("answered", "metadata")
    assert land.path(one, "169.254.169.254", protocol="tcp", port=81)["outcome"] == "stops"
    dhcp = land.path(one, "255.255.255.255", protocol="udp", port=67)
    assert (dhcp["outcome"], dhcp["hops"][-1]["kind"]) == ("answered", "dhcp")
    land.net.change("subnet", land.subnet["id"], enable_dhcp=False)
    assert land.path(one, "255.255.255.255", protocol="udp", port=67)["outcome"] == "stops"
    assert land.path(one, "169.254.169.254", protocol="tcp", port=80)["outcome"] == "stops"


def test_lies_and_ports_that_are_down_get_nowhere(land: Land) -> None:
    one, two = land.guest(), land.guest()
    assert "none of the port's addresses" in land.path(one, ip(two), source="10.0.0.99")["reason"]
    pairs = [{"ip_address": "10.0.0.99"}]
    land.net.change("port", one["id"], allowed_address_pairs=pairs)
    path = land.path(one, ip(two), source="10.0.0.99")
    assert path["hops"][0]["verdict"] == "passes"
    land.net.change("port", two["id"], admin_state_up=False)
    assert "administratively down" in land.path(one, ip(two))["reason"]
    assert land.path(one, "10.0.0.77")["reason"] == "No port of the network has 10.0.0.77."
    fresh = land.net.make("port", network_id=land.network["id"], device_owner="compute:nova")
    assert "on no host" in land.path(fresh, ip(one))["reason"]


def test_routes_that_go_round_come_to_an_end(land: Land) -> None:
    between, subnet = land.net.network("10.5.0.0/24")
    other = land.net.make("router")
    land.attach(land.router, subnet)
    fixed = [{"ip_address": "10.5.0.9"}]
    port = land.net.make("port", network_id=between["id"], fixed_ips=fixed)
    assert land.net.attach(other["id"], port_id=port["id"]).status == 200
    for router, via in ((land.router, "10.5.0.9"), (other, "10.5.0.1")):
        routes = [{"destination": "192.0.2.0/24", "nexthop": via}]
        land.net.change("router", router["id"], routes=routes)
    path = land.path(land.guest(), "192.0.2.1")
    assert (path["outcome"], path["reason"]) == ("stops", "It goes round in circles.")


def test_others_affairs_are_not_told(land: Land) -> None:
    shared = land.net.admin.make("network", shared=True)
    facts = {"network_id": shared["id"], "cidr": "10.9.0.0/24", "ip_version": 4}
    land.net.admin.make("subnet", **facts)
    stranger = land.net.stranger
    mine, theirs = land.guest(shared), land.guest(shared, stranger)
    path = land.path(mine, ip(theirs))
    assert (path["outcome"], path["answer"]) == ("unknown", None)
    assert (path["hops"][-1]["id"], path["hops"][-1]["name"]) == (None, "")
    assert theirs["id"] not in str(path["hops"])
    assert stranger.http.get(f"/v2.0/explain/path?from={mine['id']}&to=10.9.0.1").status == 404
    known = land.path(mine, ip(theirs), land.net.admin)
    assert (known["outcome"], known["hops"][-1]["id"]) == (
        "stops",
        theirs["id"],
    )
    assert OTHER not in str(path)


def test_where_others_floating_ips_lead_is_not_told(land: Land) -> None:
    land.lead_out()
    stranger, mine = land.net.stranger, land.guest()
    network, subnet = stranger.network("10.77.0.0/24")
    router = stranger.make("router", external_gateway_info={"network_id": land.outside["id"]})
    assert stranger.attach(router["id"], subnet_id=subnet["id"]).status == 200
    theirs = land.guest(network, stranger)
    facts = {"floating_network_id": land.outside["id"], "port_id": theirs["id"]}
    address = stranger.make("floatingip", **facts)["floating_ip_address"]
    path = land.path(mine, address)
    assert (path["outcome"], path["answer"], path["hops"][-1]["kind"]) == (
        "unknown",
        None,
        "router",
    )
    assert "10.77.0." not in str(path)
    assert router["id"] not in str(path)


def test_questions_that_make_no_sense_are_refused(land: Land) -> None:
    one = land.guest()
    for query in (
        f"from={one['id']}&to=nowhere",
        f"from={one['id']}&to=10.0.0.1&protocol=pigeon",
        f"from={one['id']}&to=10.0.0.1&port=70000",
        f"from={one['id']}&to=fd00::1",
        f"from={one['id']}&to=10.0.0.1&source=me",
        "from=me&to=10.0.0.1",
        "to=10.0.0.1",
    ):
        assert error_of(land.net.http.get(f"/v2.0/explain/path?{query}"))[0] == 400, query
    nowhere = "from=00000000-0000-4000-8000-00000000dead&to=10.0.0.1"
    assert land.net.http.get(f"/v2.0/explain/path?{nowhere}").status == 404


class TracingDriver(FakeDriver):
    """A backend with a tracer."""

    def trace(self, flow: Flow) -> str:
        if self.dead_hosts:
            raise Unavailable("The tracer took too long.")
        return f"{flow.port_id} -> {flow.destination_mac}"


class TestTraces:
    """The backend's own word."""

    @pytest.fixture
    def driver(self) -> FakeDriver:
        return TracingDriver()

    def test_is_for_administrators(self, land: Land) -> None:
        one, two = land.guest(), land.guest()
        trace = land.path(one, ip(two), land.net.admin)["trace"]
        assert trace == f"{one['id']} -> {two['mac_address']}"
        assert land.path(one, ip(two))["trace"] is None

    def test_may_fail_without_harm(self, land: Land, driver: FakeDriver) -> None:
        one, two = land.guest(), land.guest()
        driver.dead_hosts.add("h9")
        path = land.path(one, ip(two), land.net.admin)
        assert path["outcome"] == "arrives"
        assert path["trace"] == "There is no trace: The tracer took too long."


def test_the_topology_is_that_of_the_project(land: Land) -> None:
    land.lead_out()
    one = land.guest(dns_name="web")
    floating = land.net.make(
        "floatingip", floating_network_id=land.outside["id"], port_id=one["id"]
    )
    found = land.net.http.get("/v2.0/explain/topology").json()["topology"]
    networks = {each["id"]: each for each in found["networks"]}
    assert networks.keys() == {land.outside["id"], land.network["id"]}
    assert networks[land.outside["id"]]["external"] is True
    assert networks[land.network["id"]]["subnets"][0]["cidr"] == "10.0.0.0/24"
    (router,) = found["routers"]
    assert router["external_gateways"][0]["network_id"] == land.outside["id"]
    assert router["interfaces"][0]["fixed_ips"][0]["ip_address"] == "10.0.0.1"
    (server,) = found["servers"]
    assert (server["name"], server["ports"][0]["status"]) == ("web", "ACTIVE")
    assert server["ports"][0]["floating_ips"] == [floating["floating_ip_address"]]
    strange = land.net.stranger.http.get("/v2.0/explain/topology").json()["topology"]
    assert [each["id"] for each in strange["networks"]] == [land.outside["id"]]
    assert (strange["routers"], strange["servers"]) == ([], [])
