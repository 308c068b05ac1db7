"""Trunks: ports that carry other ports' frames, each with a tag."""

from typing import Any

import pytest

from cumulo.services.network import public
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.public import Plug
from tests.network.conftest import PROJECT, Net, error_of, member


@pytest.fixture
def parent(net: Net) -> Any:
    network, _ = net.network()
    return net.make("port", network_id=network["id"])


def child(net: Net, cidr: str = "10.1.0.0/24") -> Any:
    network, _ = net.network(cidr)
    return net.make("port", network_id=network["id"])


def carried(port: Any, tag: int) -> dict[str, Any]:
    return {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": tag}


def change(net: Net, trunk: Any, verb: str, *ports: dict[str, Any]) -> Any:
    return net.http.put(f"/v2.0/trunks/{trunk['id']}/{verb}_subports", {"sub_ports": ports})


def test_a_port_carries_others(net: Net, parent: Any, driver: FakeDriver) -> None:
    one, two = child(net), child(net, "10.2.0.0/24")
    trunk = net.make("trunk", port_id=parent["id"], sub_ports=[carried(one, 100)])
    assert (trunk["status"], trunk["sub_ports"]) == ("DOWN", [carried(one, 100)])
    added = change(net, trunk, "add", carried(two, 200))
    assert added.json()["sub_ports"] == [carried(one, 100), carried(two, 200)]
    told = net.http.get(f"/v2.0/trunks/{trunk['id']}/get_subports").json()
    assert told == {"sub_ports": [carried(one, 100), carried(two, 200)]}
    details = net.show("port", parent["id"])["trunk_details"]
    assert details["trunk_id"] == trunk["id"]
    assert details["sub_ports"][0] == {**carried(one, 100), "mac_address": one["mac_address"]}
    sub = net.show("port", one["id"])
    assert (sub["device_owner"], sub["device_id"]) == ("trunk:subport", trunk["id"])
    assert "trunk_details" not in sub
    net.project()
    plan = driver.ports[one["id"]]
    assert (plan.parent_id, plan.tag) == (parent["id"], 100)
    gone = change(net, trunk, "remove", carried(one, 100))
    assert gone.json()["sub_ports"] == [carried(two, 200)]
    net.project()
    assert (driver.ports[one["id"]].parent_id, driver.ports[one["id"]].tag) == ("", None)
    assert net.delete("trunk", trunk["id"]).status == 204
    assert net.show("port", two["id"])["device_owner"] == ""


def test_trunks_that_cannot_be_are_refused(net: Net, parent: Any) -> None:
    one, two = child(net), child(net, "10.2.0.0/24")
    trunk = net.make("trunk", port_id=parent["id"], sub_ports=[carried(one, 100)])
    for port in (parent, one):
        assert net.try_("trunk", port_id=port["id"]).status == 409
        assert net.delete("port", port["id"]).status == 409
    again = change(net, trunk, "add", carried(two, 100))
    assert error_of(again) == (409, "DuplicateSubPort")
    assert error_of(change(net, trunk, "add", carried(one, 101))) == (409, "PortInUseAsSubPort")
    assert change(net, trunk, "add", carried(two, 4095)).status == 400
    assert change(net, trunk, "add", {"port_id": two["id"]}).status == 400
    inherited = {"port_id": two["id"], "segmentation_type": "inherit"}
    assert change(net, trunk, "add", inherited).status == 400
    missing = change(net, trunk, "remove", {"port_id": two["id"]})
    assert error_of(missing) == (404, "SubPortNotFound")
    net.change("trunk", trunk["id"], admin_state_up=False)
    assert error_of(change(net, trunk, "add", carried(two, 200))) == (409, "TrunkDisabled")


def test_subports_go_where_their_trunks_server_goes(net: Net, parent: Any) -> None:
    one = child(net)
    trunk = net.make("trunk", port_id=parent["id"], sub_ports=[carried(one, 100)])
    db = net.tools.db
    db.write(public.take_port, member(), Plug(server_id="s", project_id=PROJECT), parent["id"])
    db.write(public.bind_ports, "s", "host-1")
    net.project()
    db.write(public.bind_ports, "s", "host-1")
    assert net.admin.show("port", one["id"])["binding:host_id"] == "host-1"
    assert net.show("port", one["id"])["status"] == "ACTIVE"
    assert net.show("trunk", trunk["id"])["status"] == "ACTIVE"
    db.write(public.release_ports, "s")
    assert net.admin.show("port", one["id"])["binding:host_id"] == ""


def test_a_trunk_that_is_switched_off_is_not_deleted(net: Net) -> None:
    network, _ = net.network()
    parent = net.make("port", network_id=network["id"])
    trunk = net.make("trunk", port_id=parent["id"], admin_state_up=False)
    assert error_of(net.delete("trunk", trunk["id"])) == (409, "TrunkDisabled")
    net.change("trunk", trunk["id"], admin_state_up=True)
    assert net.delete("trunk", trunk["id"]).status == 204
