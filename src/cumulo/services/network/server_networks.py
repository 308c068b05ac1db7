"""Which networks a server may be plugged into, with Nova's refusals."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Forbidden, Invalid
from cumulo.services.network import addresses, auto_topologies, spelling
from cumulo.services.network.owners import viewer
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.store import allocations, sharing, tables
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.deferred_ports import is_deferred
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.ports import Port


class RequestedNic(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for: a network, perhaps with an address, or a port."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    """A network that a server will be plugged into; with `port_id`, through that port."""

    network_id: str
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


def check_nics(
    tx: Tx, ctx: Context, requested: Sequence[RequestedNic] | None, servers: int = 1
) -> list[Nic]:
    """Return the networks for each of so many new servers, or refuse as Nova does.

    None asks for the one network there is: none at all leaves the server without, several are
    refused.  An empty list asks for no network.
    """
    if requested is None:
        return _only_network(tx, ctx)
    return [_nic(tx, ctx, one, servers) for one in _distinct(requested)]


def allocated_nics(tx: Tx, ctx: Context, settings: NetworkSettings) -> list[Nic]:
    """Return the one network there is, or a new one with a way out for a project without any.

    Refuses when there are several, and when the cloud has no default external network or pool to
    make one of.
    """
    if found := _only_network(tx, ctx):
        return found
    try:
        topology = auto_topologies.topology_of(tx, ctx, settings, ctx.project_id or "")
    except Conflict as error:
        raise Invalid(
            f"Unable to automatically allocate a network for project {ctx.project_id}: "
            f"{error.message}",
            field="networks",
        ) from error
    return [Nic(network_id=topology.network_id)]


def _only_network(tx: Tx, ctx: Context) -> list[Nic]:
    n = tables.network.c
    mine = sa.or_(
        n.project_id == ctx.project_id,
        sharing.shared_condition(tables.network, ctx.project_id or ""),
    )
    found = network_store.networks_where(tx, mine, n.admin_state_up.is_(True))
    if len(found) > 1:
        raise Conflict(
            "Multiple possible networks found, use a Network ID to be more specific.",
            networks=[network.id for network in found],
        )
    for network in found:
        _check_attachable(tx, ctx, network)
        _check_has_subnet(tx, network)
    return [Nic(network_id=network.id) for network in found]


def _distinct(requested: Sequence[RequestedNic]) -> Sequence[RequestedNic]:
    ports = [one.port_id for one in requested if one.port_id]
    for place, port_id in enumerate(ports):
        if port_id in ports[:place]:
            raise Invalid(f"Port {port_id} is requested more than once.", field="networks")
    return requested


def _nic(tx: Tx, ctx: Context, one: RequestedNic, servers: int) -> Nic:
    if one.port_id:
        return _given_port(tx, ctx, one, servers)
    network = network_store.network_find(tx, one.network_id or "", viewer(ctx))
    if network is None:
        raise Invalid(f"Network {one.network_id} could not be found.", field="networks.uuid")
    _check_attachable(tx, ctx, network)
    _check_has_subnet(tx, network)
    fixed_ip = _fixed_ip(tx, one, network, servers) if one.fixed_ip else None
    return Nic(network_id=network.id, fixed_ip=fixed_ip, tag=one.tag)


def _given_port(tx: Tx, ctx: Context, one: RequestedNic, servers: int) -> Nic:
    port = port_store.port_find(tx, one.port_id or "", sharing.ports_seen(viewer(ctx)))
    if port is None:
        raise Invalid(f"Port id {one.port_id} could not be found.", field="networks.port")
    if servers > 1:
        raise Invalid(
            "Failed to launch multiple servers with a port ID. Only one server can be launched "
            "with a specified port.",
            field="networks.port",
        )
    check_port_free(port)
    if ctx.project_id and port.project_id != ctx.project_id:
        raise Invalid(f"Port {port.id} not usable for instance.", field="networks.port")
    if not allocations.allocation_map(tx, [port.id]) and not is_deferred(tx, port.id):
        raise Invalid(
            f"Port {port.id} requires a FixedIP in order to be used.", field="networks.port"
        )
    return Nic(network_id=port.network_id, port_id=port.id, tag=one.tag)


def check_port_free(port: Port) -> None:
    """Refuse a port that something is plugged into."""
    if port.device_id:
        raise Conflict(f"Port {port.id} is still in use.")


def _check_attachable(tx: Tx, ctx: Context, network: Network) -> None:
    if not network.external or ctx.is_admin:
        return
    if network.id not in sharing.shared_with(tx, ctx.project_id or "", [network.id]):
        raise Forbidden(
            f"It is not allowed to create an interface on external network {network.id}"
        )


def _check_has_subnet(tx: Tx, network: Network) -> None:
    if not subnet_store.subnet_ids_of(tx, [network.id]):
        raise Invalid(
            f"Network {network.id} requires a subnet in order to boot instances on.",
            field="networks.uuid",
        )


def _fixed_ip(tx: Tx, one: RequestedNic, network: Network, servers: int) -> str:
    address = spelling.ip_address(one.fixed_ip or "", "fixed_ip")
    if servers > 1:
        raise Invalid(
            "Failed to launch multiple servers with a fixed IP address. Only one server can be "
            "launched with it.",
            field="networks.fixed_ip",
        )
    for subnet in subnet_store.subnets_of(tx, [network.id]):
        if addresses.contains(subnet.cidr, address):
            if allocations.allocation_holder(tx, subnet.id, address):
                raise Invalid(
                    f"Fixed IP address {address} is already in use on network {network.id}.",
                    field="networks.fixed_ip",
                )
            return address
    raise Invalid(
        f"Fixed IP address {address} is not in any subnet of network {network.id}.",
        field="networks.fixed_ip",
    )
