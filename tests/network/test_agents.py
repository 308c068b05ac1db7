"""Agents, zones, extensions, versions, addresses left: what operators and clients look up."""

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
    assert not {"trunk", "qos", "address-group", "dns-integration", "segment"} & set(aliases)
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
