"""Agents, zones, extensions, versions, addresses left: what operators and clients look up."""

from cumulo.services.network.drivers.fake import FakeDriver
from tests.network.conftest import Net, error_of


def test_agents_are_the_backends_parts(net: Net) -> None:
    assert net.list("agent") == []
    agents = net.admin.list("agent")
    assert {a["binary"] for a in agents} == {"ovn-controller", "neutron-ovn-metadata-agent"}
    assert all(a["alive"] and a["host"] == "localhost" for a in agents)
    assert net.admin.show("agent", agents[0]["id"]) == agents[0]
    assert net.admin.list("agent", "?binary=ovn-controller&alive=True") == [
        a for a in agents if a["binary"] == "ovn-controller"
    ]
    assert net.admin.list("agent", "?host=elsewhere") == []
    assert error_of(net.admin.http.get("/v2.0/agents/nowhere")) == (404, "AgentNotFound")
    assert error_of(net.admin.http.get("/v2.0/agents?colour=red"))[0] == 400


def test_no_agent_is_needed_for_dhcp(net: Net) -> None:
    network, _ = net.network("10.0.0.0/24")
    agent = f"/v2.0/agents/{net.admin.list('agent')[0]['id']}"
    hosting = net.admin.http.get(f"/v2.0/networks/{network['id']}/dhcp-agents")
    assert hosting.json() == {"agents": []}
    assert net.admin.http.get(f"{agent}/dhcp-networks").json() == {"networks": []}
    wanted = {"network_id": network["id"]}
    refused = net.admin.http.request("POST", f"{agent}/dhcp-networks", wanted)
    assert error_of(refused) == (404, "InvalidDHCPAgent")
    refused = net.admin.http.request("DELETE", f"{agent}/dhcp-networks/{network['id']}")
    assert error_of(refused) == (409, "NetworkNotHostedByDhcpAgent")
    assert error_of(net.admin.http.get("/v2.0/agents/x/dhcp-networks"))[0] == 404
    assert net.http.get(f"/v2.0/networks/{network['id']}/dhcp-agents").status in (403, 404)


def test_routers_have_a_provider(net: Net) -> None:
    [provider] = net.list("service_provider", "?default=True")
    assert provider == {"service_type": "L3_ROUTER_NAT", "name": "fake", "default": True}
    assert net.list("service_provider", "?service_type=VPN") == []


def test_zones_are_available_while_a_host_lives(net: Net) -> None:
    zones = net.list("availability_zone")
    assert {(z["name"], z["resource"], z["state"]) for z in zones} == {
        ("nova", "network", "available"),
        ("nova", "router", "available"),
    }
    net.tools.driver.dead_hosts.add("localhost")  # type: ignore[attr-defined]
    assert {z["state"] for z in net.list("availability_zone")} == {"unavailable"}


def test_what_is_advertised_has_a_name_and_can_be_asked_for(net: Net) -> None:
    aliases = [e["alias"] for e in net.list("extension")]
    assert len(set(aliases)) == len(aliases)
    assert {"router", "security-group", "provider", "quotas", "binding"} <= set(aliases)
    assert not {"vpnaas", "fwaas_v2", "bgp", "logging"} & set(aliases)
    assert net.show("extension", "router")["name"] == "Neutron L3 Router"
    assert net.http.get("/v2.0/extensions/teleport").status == 404


def test_the_version_lists_its_collections(net: Net) -> None:
    resources = net.as_(None).http.get("/v2.0/").json()["resources"]
    for resource in resources:
        found = net.admin.http.get(resource["links"][0]["href"].removeprefix("http://cloud"))
        assert found.status == 200, resource


def test_addresses_left_are_counted(net: Net) -> None:
    network, subnet = net.network("10.0.0.0/28")
    net.make("port", network_id=network["id"])
    empty = net.http.get("/v2.0/network-ip-availabilities").json()
    assert empty == {"network_ip_availabilities": []}
    path = f"/v2.0/network-ip-availabilities/{network['id']}"
    found = net.admin.http.get(path).json()["network_ip_availability"]
    assert (found["total_ips"], found["used_ips"]) == (13, 2)
    assert found["subnet_ip_availability"][0]["subnet_id"] == subnet["id"]
    listed = net.admin.http.get("/v2.0/network-ip-availabilities?network_name=&ip_version=4")
    assert listed.json()["network_ip_availabilities"] == [found]
    assert error_of(net.admin.http.get("/v2.0/network-ip-availabilities/x"))[0] == 404


def test_agents_are_described_and_dead_ones_forgotten(net: Net, driver: FakeDriver) -> None:
    admin = net.admin
    agent = admin.list("agent", "?binary=ovn-controller")[0]
    path = f"/v2.0/agents/{agent['id']}"
    assert net.http.put(path, {"agent": {"description": "mine"}}).status == 403
    told = admin.change("agent", agent["id"], description="rack 4", admin_state_up=True)
    assert (told["description"], admin.show("agent", agent["id"])) == ("rack 4", told)
    off = admin.try_change("agent", agent["id"], admin_state_up=False)
    assert error_of(off) == (400, "BadRequest")
    assert error_of(admin.delete("agent", agent["id"])) == (409, "AgentInUse")
    driver.dead_hosts.add(agent["host"])
    assert admin.delete("agent", agent["id"]).status == 204
    assert admin.list("agent") == []
    assert admin.http.put(path, {"agent": {"description": "gone"}}).status == 404


def test_routers_are_told_anew_when_a_host_is_gone(net: Net, driver: FakeDriver) -> None:
    router = net.make("router")
    net.project()
    driver.routers.clear()
    agent = net.admin.list("agent")[0]
    driver.dead_hosts.add(agent["host"])
    assert net.admin.delete("agent", agent["id"]).status == 204
    net.project()
    assert driver.routers.keys() == {router["id"]}
