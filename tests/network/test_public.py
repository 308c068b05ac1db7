"""What compute does with networks, from a request's networks to a server's end."""

import pytest

from cumulo.auth import Context
from cumulo.db import Database, Tx
from cumulo.kit.errors import Conflict, Forbidden, Invalid
from cumulo.services.network import networks, ports, public, subnets
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.networks import NetworkSpec
from cumulo.services.network.ports import PortSpec
from cumulo.services.network.projection import project
from cumulo.services.network.public import Nic, Plug, RequestedNic, Tools
from cumulo.services.network.store.networks import Network
from cumulo.services.network.subnets import SubnetSpec
from tests.network.conftest import OTHER, PROJECT, admin, member


def new_network(tools: Tools, name: str, cidr: str = "", ctx: Context | None = None) -> Network:
    def make(tx: Tx) -> Network:
        who = ctx or member()
        spec = NetworkSpec(name=name)
        network = networks.create_network(tx, who, tools.settings, spec)
        if cidr:
            wanted = SubnetSpec(network_id=network.id, cidr=cidr, ip_version=4)
            subnets.create_subnet(tx, who, tools.settings, network, wanted)
        return network

    return tools.db.write(make)


def boot(tools: Tools, nics: list[Nic], server_id: str = "s1") -> None:
    def make(tx: Tx) -> None:
        plug = Plug(server_id=server_id, project_id=PROJECT)
        for nic in nics:
            if nic.port_id:
                public.take_port(tx, member(), plug, nic.port_id)
            else:
                public.create_server_port(tx, member(), tools, plug, nic)

    tools.db.write(make)


def test_a_server_gets_the_only_network_there_is(tools: Tools, db: Database) -> None:
    new_network(tools, "theirs", "10.9.0.0/24", member(OTHER))
    assert db.read(public.check_nics, member(), None) == []
    private = new_network(tools, "private", "10.0.0.0/24")
    assert db.read(public.check_nics, member(), None) == [Nic(network_id=private.id)]
    assert db.read(public.check_nics, member(), []) == []
    new_network(tools, "second", "10.1.0.0/24")
    with pytest.raises(Conflict, match="Multiple possible networks"):
        db.read(public.check_nics, member(), None)


def test_networks_that_do_not_do_are_refused(tools: Tools, db: Database) -> None:
    def check(ctx: Context = member(), **wanted: str) -> list[Nic]:  # noqa: B008
        return db.read(public.check_nics, ctx, [RequestedNic(**wanted)])

    theirs = new_network(tools, "theirs", "10.9.0.0/24", member(OTHER))
    empty = new_network(tools, "empty")
    spec = NetworkSpec(external=True)
    outside = db.write(networks.create_network, admin(OTHER), tools.settings, spec)
    for network_id in (theirs.id, "nowhere"):
        with pytest.raises(Invalid, match=f"Network {network_id} could not be found"):
            check(network_id=network_id)
    with pytest.raises(Invalid, match="requires a subnet"):
        check(network_id=empty.id)
    with pytest.raises(Forbidden, match="external network"):
        check(network_id=outside.id)
    with pytest.raises(Invalid, match="Port id nowhere could not be found"):
        check(port_id="nowhere")


def test_a_servers_ports_live_and_go_with_it(
    tools: Tools, db: Database, driver: FakeDriver
) -> None:
    network = new_network(tools, "private", "10.0.0.0/24")
    spec = PortSpec(network_id=network.id, name="given")
    given = db.write(ports.create_port, member(), tools.settings, network, spec).port
    boot(tools, [Nic(network_id=network.id, fixed_ip="10.0.0.77")])
    boot(tools, [Nic(network_id=network.id, port_id=given.id)])
    with pytest.raises(Conflict, match="still in use"):
        db.read(public.check_nics, member(), [RequestedNic(port_id=given.id)])

    db.write(public.bind_ports, "s1", "node-1")
    public.put_in_force(tools, "s1")
    assert public.ports_up(tools, "s1")
    made, mine = db.read(public.ports_of_servers, ["s1"])["s1"]
    assert (mine.id, mine.given, mine.host, mine.status) == (given.id, True, "node-1", "ACTIVE")
    assert [a.address for a in made.addresses] == ["10.0.0.77"]
    assert (made.network_name, made.mtu, made.given) == ("private", 1442, False)
    assert driver.ports.keys() >= {mine.id, made.id}
    assert db.read(public.server_by_address, network.id, "10.0.0.77") == ("s1", PROJECT)
    assert db.read(public.shown_of_servers, ["s1"])[1] == {"s1": ["default"]}

    db.write(public.release_ports, "s1")
    project(tools)
    assert db.read(public.ports_of_servers, ["s1"]) == {}
    assert made.id not in driver.ports
    assert driver.ports[given.id].host == ""
    assert db.read(ports.port_get, given.id).status == "DOWN"


def test_guests_reach_the_metadata_service_at_a_port_of_its_own(tools: Tools, db: Database) -> None:
    network = new_network(tools, "private", "10.0.0.0/24")
    found = db.read(public.metadata_port, network.id)
    assert found is not None
    assert found.cidrs == ["10.0.0.2/24"]
    assert db.read(public.metadata_ports_on_host, "node-1") == []
    boot(tools, [Nic(network_id=network.id)])
    db.write(public.bind_ports, "s1", "node-1")
    assert db.read(public.metadata_ports_on_host, "node-1") == [found]
