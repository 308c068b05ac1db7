"""Port forwardings: single ports of a floating IP."""

from typing import Any

import pytest

from cumulo.services.network.drivers.fake import FakeDriver
from tests.network.conftest import NOWHERE, Net, error_of


@pytest.fixture
def inside(net: Net) -> dict[str, Any]:
    """Return an external network, a router to it, a port behind that, and a floating IP."""
    outside, _ = net.outside()
    network, subnet = net.network()
    router = net.make("router", external_gateway_info={"network_id": outside["id"]})
    net.attach(router["id"], subnet_id=subnet["id"])
    port = net.make("port", network_id=network["id"])
    floating = net.make("floatingip", floating_network_id=outside["id"])
    return {
        "router": router,
        "port": port,
        "floating": floating,
        "outside": outside,
        "subnet": subnet,
    }


def path(inside: dict[str, Any]) -> str:
    return f"/v2.0/floatingips/{inside['floating']['id']}/port_forwardings"


def forward(net: Net, inside: dict[str, Any], **facts: Any) -> Any:
    wanted = {"protocol": "tcp", "external_port": 2222, "internal_port": 22, **facts}
    wanted.setdefault("internal_port_id", inside["port"]["id"])
    return net.http.post(path(inside), {"port_forwarding": wanted})


def test_a_port_is_forwarded_and_changed_and_let_go(
    net: Net, inside: dict[str, Any], driver: FakeDriver
) -> None:
    answer = forward(net, inside, description="ssh")
    assert answer.status == 201
    made = answer.json()["port_forwarding"]
    address = inside["port"]["fixed_ips"][0]["ip_address"]
    assert (made["internal_ip_address"], made["description"]) == (address, "ssh")
    floating = net.show("floatingip", inside["floating"]["id"])
    assert (floating["router_id"], floating["port_id"]) == (inside["router"]["id"], None)
    assert [one["id"] for one in floating["port_forwardings"]] == [made["id"]]
    net.project()
    (plan,) = driver.routers[inside["router"]["id"]].port_forwardings
    assert (plan.address, plan.port) == (floating["floating_ip_address"], 2222)
    assert (plan.protocol, plan.fixed_ip, plan.fixed_port) == ("tcp", address, 22)
    assert driver.routers[inside["router"]["id"]].floating_ips == []
    assert net.show("floatingip", floating["id"])["status"] == "ACTIVE"
    one = f"{path(inside)}/{made['id']}"
    changed = net.http.put(one, {"port_forwarding": {"external_port": 2223}})
    assert changed.json()["port_forwarding"]["external_port"] == 2223
    listed = net.http.get(f"{path(inside)}?external_port=2223").json()
    assert [each["id"] for each in listed["port_forwardings"]] == [made["id"]]
    assert net.http.delete(one).status == 204
    assert net.http.get(one).status == 404
    assert net.show("floatingip", floating["id"])["router_id"] is None
    net.project()
    assert driver.routers[inside["router"]["id"]].port_forwardings == []


def test_forwardings_that_cannot_be_are_refused(net: Net, inside: dict[str, Any]) -> None:
    assert forward(net, inside).status == 201
    for facts, status in (
        ({}, 400),
        ({"external_port": 2223}, 400),
        ({"internal_port": 23}, 400),
        ({"external_port": 0}, 400),
        ({"protocol": "icmp"}, 400),
        ({"external_port": 9, "internal_ip_address": "10.0.0.99"}, 400),
        ({"external_port": 9, "internal_port_id": NOWHERE}, 404),
    ):
        assert forward(net, inside, **facts).status == status, facts
    assert forward(net, inside, protocol="udp").status == 201
    whole = {"port_id": inside["port"]["id"]}
    refused = net.try_change("floatingip", inside["floating"]["id"], **whole)
    assert error_of(refused) == (409, "FloatingIPInUseByPortForwarding")
    left = net.attach(inside["router"]["id"], "remove", subnet_id=inside["subnet"]["id"])
    assert error_of(left) == (409, "RouterInterfaceInUseByFloatingIP")
    assert net.stranger.http.get(path(inside)).status == 404


def test_a_floating_ip_that_leads_to_a_port_forwards_none(net: Net, inside: dict[str, Any]) -> None:
    net.change("floatingip", inside["floating"]["id"], port_id=inside["port"]["id"])
    assert error_of(forward(net, inside)) == (409, "FloatingIPPortAlreadyAssociated")
    other = net.make("floatingip", floating_network_id=inside["outside"]["id"])
    second = forward(net, {**inside, "floating": other})
    assert error_of(second) == (409, "PortHasBindingFloatingIP")


def test_forwardings_go_with_their_port_and_their_floating_ip(
    net: Net, inside: dict[str, Any]
) -> None:
    forward(net, inside)
    net.delete("port", inside["port"]["id"])
    assert net.http.get(path(inside)).json() == {"port_forwardings": []}
    assert net.show("floatingip", inside["floating"]["id"])["router_id"] is None
    port = net.make("port", network_id=inside["subnet"]["network_id"])
    assert forward(net, inside, internal_port_id=port["id"]).status == 201
    net.change("port", port["id"], fixed_ips=[{"ip_address": "10.0.0.77"}])
    assert net.http.get(path(inside)).json() == {"port_forwardings": []}
    assert forward(net, inside, internal_port_id=port["id"]).status == 201
    refused = net.delete("floatingip", inside["floating"]["id"])
    assert error_of(refused) == (409, "FipInUseByPortForwarding")
