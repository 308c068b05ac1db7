"""What compute asks of the network: all of it passes through here."""

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid, NotFound, OverQuota
from cumulo.node.api import MetadataPort, Nic
from cumulo.services.compute.store import nic_tags
from cumulo.services.compute.store.servers import Server
from cumulo.services.network import public as network
from cumulo.services.network.public import RequestedNic as RequestedNic
from cumulo.services.network.public import ServerPort as ServerPort

Tools = network.Tools
Address = network.ShownAddress


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The networks and security groups that new servers get, found fit."""

    nics: list[network.Nic]
    security_group_ids: list[str]


def planned(
    tx: Tx,
    ctx: Context,
    tools: Tools,
    wanted: Sequence[RequestedNic] | Literal["auto"] | None,
    groups: Sequence[str],
    count: int,
) -> Plan:
    """Return what each of `count` new servers is plugged into, or refuse as nova does."""
    if wanted == "auto":
        nics = network.allocated_nics(tx, ctx, tools.settings)
    else:
        nics = network.check_nics(tx, ctx, wanted, count)
    return Plan(nics=nics, security_group_ids=network.server_group_ids(tx, ctx, tools, groups))


def make_ports(tx: Tx, ctx: Context, tools: Tools, server: Server, plan: Plan) -> None:
    """Make or take the server's ports."""
    plug = network.Plug(
        server_id=server.id,
        project_id=server.project_id,
        zone=server.availability_zone or "nova",
        security_group_ids=plan.security_group_ids,
        hostname=server.hostname,
    )
    for nic in plan.nics:
        if nic.port_id:
            network.take_port(tx, ctx, plug, nic.port_id)
        port_id = nic.port_id or _make_port(tx, ctx, tools, plug, nic)
        if nic.tag:
            nic_tags.tag_set(tx, server.id, port_id, nic.tag)


def _make_port(tx: Tx, ctx: Context, tools: Tools, plug: network.Plug, nic: network.Nic) -> str:
    try:
        return network.create_server_port(tx, ctx, tools, plug, nic)
    except OverQuota as error:
        raise OverQuota(f"Maximum number of ports exceeded: {error.message}") from error


def bindings(tx: Tx) -> list[network.ServerBinding]:
    """Return every port of a server with the host that it is bound to."""
    return network.server_bindings(tx)


def bind_ports(tx: Tx, server_id: str, host: str) -> None:
    """Say on which host the server's ports are to be plugged in."""
    network.bind_ports(tx, server_id, host)
    network.promise_bandwidth(tx, server_id)


def out_of_segments(tx: Tx, server_id: str, hosts: Sequence[str]) -> dict[str, str]:
    """Return on which hosts the server's ports would have no address that works, and why."""
    return network.hosts_out_of_segments(tx, server_id, hosts)


def ask_for_bandwidth(tx: Tx, wanted: Sequence[RequestedNic] | Literal["auto"] | None) -> bool:
    """Say whether any of the ports that a server is to be given asks for bandwidth."""
    nics = [] if wanted is None or wanted == "auto" else wanted
    return network.bandwidth_asked_by(tx, [nic.port_id for nic in nics if nic.port_id])


def bandwidth_groups(tx: Tx, server_id: str) -> list[network.ResourceGroup]:
    """Return what the server's ports ask of their host's cards."""
    return network.bandwidth_groups(tx, server_id)


def claimable_bandwidth(
    tx: Tx, provider_id: str, groups: Sequence[network.ResourceGroup]
) -> dict[str, dict[str, int]]:
    """Return what to claim for them on a host; raise Conflict where the host lacks it."""
    return network.claimable_bandwidth(tx, provider_id, groups) if groups else {}


def promised_bandwidth(tx: Tx) -> dict[str, dict[str, dict[str, int]]]:
    """Return what each server is to hold for its ports: server -> provider -> class."""
    return network.promised_bandwidth(tx)


def unbind_ports(tx: Tx, server_id: str) -> None:
    """Say that they are to be plugged in nowhere."""
    network.bind_ports(tx, server_id, "")


def release_ports(tx: Tx, server_id: str) -> None:
    """Delete the ports made for the server; give back those it was lent."""
    network.release_ports(tx, server_id)
    nic_tags.tags_clear(tx, server_id)


def release_port(tx: Tx, server_id: str, port_id: str) -> None:
    """Delete one port made for the server, or give it back; one that is not its is left alone."""
    network.release_port(tx, server_id, port_id)
    nic_tags.tag_clear(tx, server_id, port_id)


def port_of(tx: Tx, server_id: str, port_id: str) -> ServerPort:
    """Return one of a server's ports."""
    for port in ports_of(tx, server_id):
        if port.id == port_id:
            return port
    raise NotFound(f"Instance {server_id} does not have a port with id {port_id}.", port_id=port_id)


def add_port(tx: Tx, ctx: Context, tools: Tools, server: Server, nic: RequestedNic | None) -> str:
    """Make or take one more port of a server; return its id."""
    before = {port.id for port in ports_of(tx, server.id)}
    named = nic is not None and bool(nic.network_id or nic.port_id)
    plan = planned(tx, ctx, tools, [nic] if nic is not None and named else None, [], 1)
    if not plan.nics:
        raise Invalid("There is no network to attach an interface to: name one.", field="net_id")
    make_ports(tx, ctx, tools, server, plan)
    return next(port.id for port in ports_of(tx, server.id) if port.id not in before)


def add_address(tx: Tx, ctx: Context, tools: Tools, server_id: str, network_id: str) -> None:
    """Give a server one more address in a network that it is in."""
    if not network.add_address(tx, ctx, tools, server_id, network_id):
        raise Invalid(f"Network could not be found for instance {server_id}.", field="networkId")


def remove_address(tx: Tx, ctx: Context, tools: Tools, server_id: str, address: str) -> None:
    """Take an address from a server."""
    if not network.remove_address(tx, ctx, tools, server_id, address):
        raise Invalid(f"Fixed IP {address} was not found on instance {server_id}.", field="address")


def put_in_force(tools: Tools, server_id: str, down: Collection[str] = ()) -> None:
    """Return when the network has all that the server's ports need, on hosts that are not down."""
    network.put_in_force(tools, server_id, without=down)


def ports_of(tx: Tx, server_id: str) -> list[ServerPort]:
    """Return a server's ports, oldest first."""
    return network.ports_of_servers(tx, [server_id]).get(server_id, [])


def nics_of(tx: Tx, server_id: str) -> list[Nic]:
    """Return a server's ports as its host makes interfaces of them."""
    return [
        Nic(port_id=port.id, mac=port.mac, mtu=port.mtu)
        for port in ports_of(tx, server_id)
        if port.admin_state_up
    ]


def subnets_of(tx: Tx, ports: Sequence[ServerPort]) -> dict[str, network.ServerSubnet]:
    """Return the subnets that ports have addresses in."""
    return network.subnets_of_ports(tx, ports)


def shown_of(
    tx: Tx, server_ids: Sequence[str]
) -> tuple[dict[str, list[Address]], dict[str, list[str]]]:
    """Return the addresses of servers and the names of their security groups.

    Floating addresses are behind what they lead to.
    """
    return network.shown_of_servers(tx, server_ids)


def floating_ip_pools(tx: Tx, ctx: Context) -> list[str]:
    """Return the names (else the ids) of the external networks the caller may know of."""
    return [each.name or each.id for each in network.external_networks_visible(tx, ctx)]


def networks_visible(tx: Tx, ctx: Context) -> list[tuple[str, str]]:
    """Return id and name of the networks the caller may know of."""
    return [(each.id, each.name) for each in network.networks_visible(tx, ctx)]


def network_visible(tx: Tx, ctx: Context, network_id: str) -> tuple[str, str]:
    """Return id and name of a network the caller may know of."""
    try:
        found = network.network_visible(tx, ctx, network_id)
    except NotFound as error:
        raise NotFound("Network not found", network_id=network_id) from error
    return found.id, found.name


def add_security_group(tx: Tx, ctx: Context, tools: Tools, server_id: str, name: str) -> None:
    """Put every port of a server into a group."""
    network.join_group(tx, ctx, tools, server_id, name)


def remove_security_group(tx: Tx, ctx: Context, tools: Tools, server_id: str, name: str) -> None:
    """Take every port of a server out of a group."""
    if not network.leave_group(tx, ctx, tools, server_id, name):
        raise NotFound(f"Security group {name} not associated with the instance {server_id}")


def servers_with_address(tx: Tx, pattern: str, version: int) -> list[str]:
    """Return the servers that have an address matching a pattern."""
    return network.servers_with_address(tx, pattern, version)


def metadata_ports(tx: Tx, server_id: str) -> list[MetadataPort]:
    """Return where the server's networks answer metadata requests."""
    networks = network.networks_of_server(tx, server_id)
    found = (network.metadata_port(tx, network_id) for network_id in networks)
    return [_metadata(port) for port in found if port is not None]


def metadata_ports_on(tx: Tx, host: str) -> list[MetadataPort]:
    """Return where a host must answer metadata requests."""
    return [_metadata(port) for port in network.metadata_ports_on_host(tx, host)]


def _metadata(port: network.MetadataPort) -> MetadataPort:
    return MetadataPort(
        network_id=port.network_id, port_id=port.port_id, mac=port.mac, cidrs=port.cidrs
    )
