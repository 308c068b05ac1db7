"""The ports of servers, plugged in and out."""

import json
from typing import Any

from cumulo.services.compute.guest_metadata import metadata_of
from cumulo.services.compute.instance_metadata import document
from cumulo.services.compute.workflows.plug_interface import ATTACH_INTERFACE, DETACH_INTERFACE
from cumulo.work import testing
from tests.compute.servers.mover import Mover


def attach(one: Mover, version: str | None = None, **wanted: Any) -> Any:
    body = {"interfaceAttachment": wanted}
    answer = one.ann.at(version).post(f"/v2.1/servers/{one.id}/os-interface", body)
    one.cloud.work()
    return answer


def listed(one: Mover) -> list[dict[str, Any]]:
    found = one.ann.at("compute 2.70").get(f"/v2.1/servers/{one.id}/os-interface").json()
    return list(found["interfaceAttachments"])


def second_network(one: Mover) -> str:
    client = one.cloud.client("network")
    made = client.post("/v2.0/networks", {"network": {"name": "second"}}).json()["network"]
    subnet = {"network_id": made["id"], "cidr": "10.2.0.0/24", "ip_version": 4}
    assert client.post("/v2.0/subnets", {"subnet": subnet}).status == 201
    return str(made["id"])


def nics(one: Mover) -> list[str]:
    return [nic.port_id for nic in one.node.spec(one.id).nics]


def test_attach_and_detach(one: Mover) -> None:
    network = second_network(one)
    answer = attach(one, net_id=network)
    assert answer.status == 200
    made = answer.json()["interfaceAttachment"]
    assert made["net_id"] == network
    assert made["fixed_ips"][0]["ip_address"].startswith("10.2.0.")
    assert made["port_id"] in nics(one)
    assert len(listed(one)) == 2
    assert set(one.shown["addresses"]) == {"private", "second"}
    url = f"/v2.1/servers/{one.id}/os-interface/{made['port_id']}"
    assert one.ann.get(url).json()["interfaceAttachment"]["port_id"] == made["port_id"]
    assert one.ann.delete(url).status == 202
    one.cloud.work()
    assert one.ann.get(url).status == 404
    assert one.ann.delete(url).status == 404
    assert (len(nics(one)), len(listed(one))) == (1, 1)
    ports = one.cloud.client("network").get(f"/v2.0/ports?id={made['port_id']}").json()["ports"]
    assert ports == []


def test_a_port_that_was_given_stays(one: Mover) -> None:
    client = one.cloud.client("network")
    spec = {"network_id": second_network(one)}
    port_id = client.post("/v2.0/ports", {"port": spec}).json()["port"]["id"]
    assert attach(one, port_id=port_id).status == 200
    assert one.ann.delete(f"/v2.1/servers/{one.id}/os-interface/{port_id}").status == 202
    one.cloud.work()
    port = client.get(f"/v2.0/ports/{port_id}").json()["port"]
    assert (port["device_id"], port["device_owner"]) == ("", "")


def test_tags_are_told_to_the_guest(one: Mover) -> None:
    made = attach(one, "compute 2.70", net_id=second_network(one), tag="backend")
    port = made.json()["interfaceAttachment"]
    assert port["tag"] == "backend"
    assert {found["tag"] for found in listed(one)} == {None, "backend"}
    metadata = one.cloud.db.read(metadata_of, one.id, one.tools.settings)
    assert metadata is not None
    told = json.loads(document(metadata, "latest", "meta_data.json") or b"")
    [device] = told["devices"]
    assert (device["type"], device["mac"]) == ("nic", port["mac_addr"])
    assert device["tags"] == ["backend"]


def test_interfaces_come_in_the_order_asked_for(one: Mover, image: str, network: str) -> None:
    client = one.cloud.client("network")
    spec = {"network_id": second_network(one)}
    port = client.post("/v2.0/ports", {"port": spec}).json()["port"]
    wanted = [{"uuid": network}, {"port": port["id"]}]
    server = {"name": "db", "flavorRef": "1", "imageRef": image, "networks": wanted}
    made = one.ann.post("/v2.1/servers", {"server": server}).json()["server"]
    one.cloud.work()
    _, second = one.node.spec(made["id"]).nics
    assert second.port_id == port["id"]
    there = one.ann.get(f"/v2.1/servers/{made['id']}/os-interface").json()
    assert there["interfaceAttachments"][1]["port_id"] == port["id"]


def test_a_tag_given_at_creation_is_told_too(one: Mover, image: str, network: str) -> None:
    nics = [{"uuid": network, "tag": "front"}]
    spec = {"name": "db", "flavorRef": "1", "imageRef": image, "networks": nics}
    # Nova's own mistake took tags on networks away from 2.37 to 2.41.
    for version, status in (("2.31", 400), ("2.36", 202), ("2.37", 400), ("2.41", 400)):
        answer = one.ann.at(f"compute {version}").post("/v2.1/servers", {"server": spec})
        assert answer.status == status, version
    made = one.ann.at("compute 2.42").post("/v2.1/servers", {"server": spec}).json()["server"]
    one.cloud.work()
    metadata = one.cloud.db.read(metadata_of, made["id"], one.tools.settings)
    assert metadata is not None
    [device] = json.loads(document(metadata, "latest", "meta_data.json") or b"")["devices"]
    assert device["tags"] == ["front"]


def test_more_addresses_until_2_43(one: Mover, network: str) -> None:
    [first] = one.shown["addresses"]["private"]
    assert one.do("addFixedIp", {"networkId": network}) == 202
    before, second = one.shown["addresses"]["private"]
    assert before["addr"] == first["addr"]
    assert one.do("removeFixedIp", {"address": second["addr"]}) == 202
    assert [one_left["addr"] for one_left in one.shown["addresses"]["private"]] == [first["addr"]]
    assert one.do("removeFixedIp", {"address": second["addr"]}) == 400
    assert one.do("addFixedIp", {"networkId": "11111111-2222-4333-8444-555555555555"}) == 400


def test_wrong_wishes_are_refused(one: Mover) -> None:
    network = second_network(one)
    assert attach(one, net_id=network, port_id=network).status == 400
    assert attach(one, fixed_ips=[{"ip_address": "10.2.0.9"}]).status == 400
    assert attach(one, net_id=network, fixed_ips=[{"ip_address": "10.3.0.9"}]).status == 400
    assert attach(one, net_id=network, tag="x").status == 400
    assert attach(one, port_id="11111111-2222-4333-8444-555555555555").status == 400
    one.do("suspend")
    assert attach(one, net_id=network).status == 409
    assert len(listed(one)) == 1


def test_a_host_that_fails_leaves_no_port(one: Mover) -> None:
    one.node.script.fail("ensure_nics", error="host_error")
    assert attach(one, net_id=second_network(one)).status == 200
    assert (len(nics(one)), len(listed(one))) == (1, 1)


def test_plugging_may_repeat_and_unwinds(one: Mover) -> None:
    body = {"interfaceAttachment": {"net_id": second_network(one)}}
    url = f"/v2.1/servers/{one.id}/os-interface"
    port_id = one.ann.post(url, body).json()["interfaceAttachment"]["port_id"]
    testing.steps_may_repeat(ATTACH_INTERFACE, None, one.cloud.db, one.tools)
    assert port_id in nics(one)
    one.ann.delete(f"{url}/{port_id}")
    testing.steps_may_repeat(DETACH_INTERFACE, None, one.cloud.db, one.tools)
    assert (len(nics(one)), len(listed(one))) == (1, 1)
    one.ann.post(url, body)
    testing.unwinds_from("attach", ATTACH_INTERFACE, None, one.cloud.db, one.tools)
    assert (len(nics(one)), len(listed(one))) == (1, 1)
