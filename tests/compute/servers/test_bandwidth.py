"""Servers whose ports are promised bandwidth go where cards have it left, and hold it there."""

from pathlib import Path
from typing import Any

import pytest

from cumulo.services.compute.public import symptoms
from cumulo.services.network.bandwidth_report import report
from cumulo.services.network.drivers.base import HostBandwidth
from cumulo.services.network.projection import project
from tests.audit import disagreements
from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.conftest import Boot, image_in

EGRESS, INGRESS = "NET_BW_EGR_KILOBIT_PER_SEC", "NET_BW_IGR_KILOBIT_PER_SEC"
POLICIES = "/v2.0/qos/policies"
KNOWING = "compute 2.72"


class Cards:
    """A cloud's hosts, each with a card that may promise 1,000 kbit/s, and who sees to them."""

    def __init__(self, emulated: Emulated) -> None:
        self.cloud = emulated
        self.net = emulated.client("network", "root:p1:admin")
        self.placement = emulated.client("placement", "root:p1:admin", "placement 1.36")
        self.promise(1000)
        facts = {"provider:network_type": "flat", "provider:physical_network": "phys-1"}
        self.network = str(self.make("/v2.0/networks", "network", **facts)["id"])
        where = {"cidr": "192.0.2.0/24", "ip_version": 4}
        self.make("/v2.0/subnets", "subnet", network_id=self.network, **where)

    def promise(self, kbps: int) -> None:
        self.cloud.driver.physical_networks = [
            HostBandwidth(
                host=name,
                bridge="br-1",
                physical_network="phys-1",
                egress_kbps=kbps,
                ingress_kbps=kbps,
            )
            for name in self.cloud.names
        ]
        report(self.cloud.cloud.network)

    def make(self, path: str, noun: str, **facts: Any) -> Any:
        answer = self.net.post(path, {noun: facts})
        assert answer.status == 201, answer.text
        return answer.json()[noun]

    def policy(self, kbps: int) -> tuple[str, str]:
        """Return a policy, and where its rule is."""
        policy = self.make(POLICIES, "policy", name=f"{kbps}")
        path = f"{POLICIES}/{policy['id']}/minimum_bandwidth_rules"
        rule = self.make(path, "minimum_bandwidth_rule", min_kbps=kbps)
        return str(policy["id"]), f"{path}/{rule['id']}"

    def port(self, policy_id: str) -> str:
        facts = {"network_id": self.network, "qos_policy_id": policy_id}
        return str(self.make("/v2.0/ports", "port", **facts)["id"])

    def show(self, port_id: str) -> Any:
        return self.net.get(f"/v2.0/ports/{port_id}").json()["port"]

    def held(self, server_id: str) -> dict[str, int]:
        """Return how much of cards the server holds, by class."""
        told = self.placement.get(f"/allocations/{server_id}").json()["allocations"]
        pairs = [pair for one in told.values() for pair in one["resources"].items()]
        return {name: amount for name, amount in pairs if name.startswith("NET_BW")}

    def card_of(self, server_id: str) -> str:
        """Return the card that the server holds bandwidth of."""
        told = self.placement.get(f"/allocations/{server_id}").json()["allocations"]
        (card_id,) = [one for one, has in told.items() if EGRESS in has["resources"]]
        found = self.placement.get(f"/resource_providers/{card_id}").json()
        return str(found["name"])

    def faults(self) -> list[str]:
        """Return what is not right, to the doctor and to the audit."""
        project(self.cloud.cloud.network)
        found = [one.what for one in self.cloud.db.read(symptoms, mend=False)]
        nodes = self.cloud.cloud.outside.nodes
        return found + disagreements(self.cloud.db, nodes, self.cloud.driver)


@pytest.fixture
def ann(emulated: Emulated) -> Client:
    """A member of project p1 whose client knows that ports may ask for bandwidth."""
    return emulated.client("compute", version=KNOWING)


@pytest.fixture
def cards(emulated: Emulated) -> Cards:
    return Cards(emulated)


def test_what_hosts_may_promise_is_told_to_placement(cards: Cards) -> None:
    found = cards.placement.get("/resource_providers").json()["resource_providers"]
    names = {one["name"]: one for one in found}
    card = names["node1:OVN Controller agent:br-1"]
    assert card["parent_provider_uuid"] == names["node1:OVN Controller agent"]["uuid"]
    assert card["root_provider_uuid"] == names["node1"]["uuid"]
    path = f"/resource_providers/{card['uuid']}"
    stocks = cards.placement.get(f"{path}/inventories").json()["inventories"]
    assert {name: one["total"] for name, one in stocks.items()} == {EGRESS: 1000, INGRESS: 1000}
    traits = cards.placement.get(f"{path}/traits").json()["traits"]
    assert sorted(traits) == ["CUSTOM_PHYSNET_PHYS_1", "CUSTOM_VNIC_TYPE_NORMAL"]
    cards.promise(0)
    assert cards.placement.get(path).status == 404


def test_ports_say_what_they_ask_for(cards: Cards) -> None:
    policy_id, _ = cards.policy(600)
    port_id = cards.port(policy_id)
    asked = cards.show(port_id)["resource_request"]
    (group,) = asked["request_groups"]
    assert asked["same_subtree"] == [group["id"]]
    assert group["resources"] == {EGRESS: 600}
    assert sorted(group["required"]) == ["CUSTOM_PHYSNET_PHYS_1", "CUSTOM_VNIC_TYPE_NORMAL"]
    member = cards.cloud.client("network", "ann:p1:member")
    assert "resource_request" not in member.get(f"/v2.0/ports/{port_id}").json()["port"]
    assert cards.net.put(f"/v2.0/ports/{port_id}", {"port": {"qos_policy_id": None}}).status == 200
    assert cards.show(port_id)["resource_request"] is None


def test_a_server_holds_what_its_ports_are_promised(cards: Cards, boot: Boot) -> None:
    policy_id, rule = cards.policy(600)
    first, second = cards.port(policy_id), cards.port(policy_id)
    server = boot(networks=[{"port": first}])
    assert (server["status"], cards.held(server["id"])) == ("ACTIVE", {EGRESS: 600})
    (group,) = cards.show(first)["resource_request"]["request_groups"]
    homes = cards.show(first)["binding:profile"]["allocation"]
    card = cards.placement.get(f"/resource_providers/{homes[group['id']]}").json()
    assert card["name"] == "node1:OVN Controller agent:br-1"
    refused = boot(networks=[{"port": second}])
    assert refused["status"] == "ERROR"
    assert f"{EGRESS}: requested 600, free 400" in refused["fault"]["message"]

    more = cards.net.put(rule, {"minimum_bandwidth_rule": {"min_kbps": 1001}})
    assert more.status == 409
    assert "QosPlacementAllocationUpdateConflict" in more.text
    assert cards.net.put(rule, {"minimum_bandwidth_rule": {"min_kbps": 700}}).status == 200
    assert cards.held(server["id"]) == {EGRESS: 700}
    assert cards.faults() == []
    other, _ = cards.policy(100)
    changed = {"port": {"qos_policy_id": other}}
    assert cards.net.put(f"/v2.0/ports/{first}", changed).status == 200
    assert cards.held(server["id"]) == {EGRESS: 100}
    nova = cards.cloud.client("compute")
    assert nova.delete(f"/v2.1/servers/{server['id']}").status == 204
    cards.cloud.work()
    assert cards.held(server["id"]) == {}
    assert "allocation" not in cards.show(first)["binding:profile"]


def test_interfaces_come_and_go_with_their_bandwidth(cards: Cards, boot: Boot) -> None:
    policy_id, rule = cards.policy(400)
    server = boot()
    path = f"/v2.1/servers/{server['id']}/os-interface"
    nova = cards.cloud.client("compute")
    ports = [cards.port(policy_id) for _ in range(2)]
    for port_id in ports:
        assert nova.post(path, {"interfaceAttachment": {"port_id": port_id}}).status == 200
        cards.cloud.work()
    assert cards.held(server["id"]) == {EGRESS: 800}
    assert cards.faults() == []
    assert nova.delete(f"{path}/{ports[0]}").status == 202
    cards.cloud.work()
    assert cards.held(server["id"]) == {EGRESS: 400}
    assert cards.net.delete(rule).status == 204
    assert cards.held(server["id"]) == {}
    assert cards.faults() == []


@pytest.mark.parametrize("end", ["confirmResize", "revertResize"])
def test_a_server_that_moves_has_its_bandwidth_where_it_is(tmp_path: Path, end: str) -> None:
    cloud = Emulated(tmp_path, hosts=2)
    cards = Cards(cloud)
    policy_id, _ = cards.policy(600)
    nova = cloud.client("compute", "root:p1:admin", KNOWING)
    facts = {"name": "s", "flavorRef": "1", "imageRef": image_in(cloud)}
    wanted = {**facts, "networks": [{"port": cards.port(policy_id)}]}
    server_id = nova.post("/v2.1/servers", {"server": wanted}).json()["server"]["id"]
    cloud.work()
    path, before = f"/v2.1/servers/{server_id}", cards.card_of(server_id)
    assert nova.post(f"{path}/action", {"migrate": None}).status == 202
    cloud.work()
    assert nova.get(path).json()["server"]["status"] == "VERIFY_RESIZE"
    between = cards.card_of(server_id)
    assert between != before
    assert cloud.db.read(symptoms, mend=False) == []
    assert nova.post(f"{path}/action", {end: None}).status in (202, 204)
    cloud.work()
    assert nova.get(path).json()["server"]["status"] == "ACTIVE"
    assert cards.card_of(server_id) == {"confirmResize": between, "revertResize": before}[end]
    assert cloud.db.read(symptoms, mend=False) == []
    cloud.close()


def test_clients_that_know_no_bandwidth_are_refused_ports_that_ask_for_it(
    cards: Cards, image: str
) -> None:
    policy_id, _ = cards.policy(600)
    plain = str(cards.make("/v2.0/ports", "port", network_id=cards.network)["id"])
    wanted = {"name": "s", "imageRef": image, "flavorRef": "1"}
    old = cards.cloud.client("compute", "root:p1:admin").at("compute 2.71")
    ports = [{"port": plain}, {"port": cards.port(policy_id)}]
    refused = old.post("/v2.1/servers", {"server": {**wanted, "networks": ports}})
    assert refused.status == 400
    assert "not supported until microversion 2.72" in refused.json()["badRequest"]["message"]
    assert cards.show(plain)["device_id"] == ""
    for client, networks in ((old, ports[:1]), (old.at(KNOWING), ports[1:])):
        taken = client.post("/v2.1/servers", {"server": {**wanted, "networks": networks}})
        assert taken.status == 202


def test_a_server_has_addresses_that_work_where_it_is(cards: Cards, boot: Boot) -> None:
    [segment] = cards.net.get(f"/v2.0/segments?network_id={cards.network}").json()["segments"]
    [subnet] = cards.net.get(f"/v2.0/subnets?network_id={cards.network}").json()["subnets"]
    path, tie = f"/v2.0/subnets/{subnet['id']}", {"segment_id": segment["id"]}
    assert cards.net.put(path, {"subnet": tie}).status == 200
    given = str(cards.make("/v2.0/ports", "port", network_id=cards.network)["id"])
    assert cards.show(given)["fixed_ips"] == []
    server = boot(networks=[{"uuid": cards.network}, {"port": given}])
    assert server["status"] == "ACTIVE"
    (addresses,) = server["addresses"].values()
    assert len(addresses) == 2
    assert [one["subnet_id"] for one in cards.show(given)["fixed_ips"]] == [subnet["id"]]
    cards.cloud.driver.physical_networks = []
    report(cards.cloud.cloud.network)
    astray = boot(networks=[{"uuid": cards.network}])
    assert astray["status"] == "ERROR"
    assert "is not connected to any segments" in astray["fault"]["message"]
    assert cards.faults() == []
