"""The log of changes: whoever causes one, it is there."""

from typing import Any

from cumulo.services.network import public
from cumulo.services.network.public import Nic, Plug
from cumulo.services.network.reconcile import watch
from cumulo.work import events
from tests.network.conftest import PROJECT, Net, member


def happened(net: Net, resource_id: str) -> list[Any]:
    found = net.tools.db.read(events.events_since, resource_id=resource_id)
    return [(one.action, one.user_id) for one in found]


def test_what_clients_do_is_logged_with_who_did_it(net: Net) -> None:
    network, subnet = net.network()
    port = net.make("port", network_id=network["id"])
    net.change("port", port["id"], name="p")
    net.delete("port", port["id"])
    assert happened(net, port["id"]) == [("create", "ann"), ("update", "ann"), ("delete", "ann")]
    router = net.make("router")
    net.attach(router["id"], subnet_id=subnet["id"])
    net.attach(router["id"], "remove", subnet_id=subnet["id"])
    assert happened(net, router["id"]) == [("create", "ann"), ("update", "ann"), ("update", "ann")]
    net.http.put(f"/v2.0/networks/{network['id']}/tags/red", {})
    net.delete("network", network["id"])
    assert happened(net, network["id"]) == [
        ("create", "ann"),
        ("update", "ann"),
        ("delete", "ann"),
    ]
    assert happened(net, subnet["id"]) == [("create", "ann"), ("delete", "ann")]


def test_what_servers_and_the_backend_do_is_logged_too(net: Net) -> None:
    network, _ = net.network()
    db, tools = net.tools.db, net.tools
    plug = Plug(server_id="s1", project_id=PROJECT)
    nic = Nic(network_id=network["id"])
    port_id = db.write(public.create_server_port, member(), tools, plug, nic)
    db.write(public.bind_ports, "s1", "host-1")
    net.project()
    watch(tools)
    found = db.read(events.events_since, resource_id=port_id)
    assert [one.action for one in found] == ["create", "update", "update"]
    assert found[1].after["host"] == "host-1"
    assert (found[2].before["status"], found[2].after["status"]) == ("DOWN", "ACTIVE")
    db.write(public.release_ports, "s1")
    assert db.read(events.events_since, resource_id=port_id)[-1].action == "delete"
    assert {one.project_id for one in found} == {PROJECT}
