"""A server's ports: made, taken, bound to a host, released."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.services.network import bandwidth, journal, names, segment_reach, trunk_ports
from cumulo.services.network.addresses import FixedIpSpec
from cumulo.services.network.journal import Caller
from cumulo.services.network.networks import network_get
from cumulo.services.network.port_changes import discard_port
from cumulo.services.network.ports import PortSpec, create_service_port, port_get
from cumulo.services.network.server_networks import Nic, check_port_free
from cumulo.services.network.store import changes, standard, tables
from cumulo.services.network.store import ports as store
from cumulo.services.network.store import qos_policies as qos_store
from cumulo.services.network.store.ports import Port
from cumulo.services.network.tools import Tools

COMPUTE = "compute:"


class Plug(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be plugged into a network."""

    server_id: str
    project_id: str
    zone: str = "nova"
    security_group_ids: Sequence[str] | None = None  # None: the project's default group
    hostname: str = ""


class ServerBinding(NamedTuple):
    """A server's port and the host that it is bound to, if any."""

    port_id: str
    server_id: str
    host: str


def server_bindings(tx: Tx) -> list[ServerBinding]:
    """Return every port of a server with where it is bound."""
    p = tables.port.c
    select = sa.select(p.id, p.device_id, p.host)
    mine = p.device_owner.startswith(COMPUTE, autoescape=True)
    return [ServerBinding(*row) for row in tx.execute(select.where(mine).order_by(p.id))]


def create_server_port(tx: Tx, ctx: Context, tools: Tools, plug: Plug, nic: Nic) -> str:
    """Make a port that belongs to the server and goes with it; return its id."""
    network = network_get(tx, nic.network_id)
    fixed = [FixedIpSpec(ip_address=nic.fixed_ip)] if nic.fixed_ip else msgspec.UNSET
    groups = None if plug.security_group_ids is None else list(plug.security_group_ids)
    spec = PortSpec(
        network_id=network.id,
        project_id=plug.project_id,
        fixed_ips=fixed,
        device_id=plug.server_id,
        device_owner=f"{COMPUTE}{plug.zone}",
        security_groups=groups if network.port_security_enabled else None,
        dns_name=_dns_name(plug),
    )
    return create_service_port(tx, ctx, tools.settings, network, spec, made_for=plug.server_id).id


def _dns_name(plug: Plug) -> str:
    """Return the server's name for those who look it up; without one that can be, none."""
    return plug.hostname if names.is_name(plug.hostname) else ""


def take_port(tx: Tx, ctx: Context, plug: Plug, port_id: str) -> None:
    """Plug the server into a port that somebody else made and that outlives it."""
    port = port_get(tx, port_id)
    check_port_free(port)
    changed = standard.change(
        tx,
        tables.port,
        port_id,
        revision=port.revision_number,
        device_id=plug.server_id,
        device_owner=f"{COMPUTE}{plug.zone}",
        dns_name=port.dns_name or _dns_name(plug),
        plugged_at=clock.now(),
    )
    if not changed:
        raise LostRace
    changes.mark(tx, "port", [port_id])
    journal.updated(tx, ctx, "port", port, port_get(tx, port_id))


def bind_ports(
    tx: Tx, server_id: str, host: str, zone: str = "nova", by: Caller | None = None
) -> None:
    """Say on which host the server's ports are to be plugged in; an empty host is none."""
    for port in _ports(tx, server_id):
        owner = f"{COMPUTE}{zone}"
        if (port.host, port.device_owner) != (host, owner):
            standard.change(
                tx,
                tables.port,
                port.id,
                host=host,
                device_owner=owner,
                status=port.status if host else "DOWN",
                profile=bandwidth.allocation_of(tx, port, host),
            )
            bound = port_get(tx, port.id)
            segment_reach.follow(tx, bound)
            # Who binds ports to a host tells the backend next, and waits for it.
            changes.mark(tx, "port", [port.id], quietly=bool(host))
            journal.updated(tx, by, "port", port, bound)
            trunk_ports.follow(tx, by, port.id, host)


def promise_bandwidth(tx: Tx, server_id: str) -> None:
    """Have the server hold what its bound ports are promised; raise Conflict without room."""
    if qos_store.are_promises(tx):
        bandwidth.follow(tx, [server_id])


def release_ports(tx: Tx, server_id: str, by: Caller | None = None) -> None:
    """Delete the ports that were made for the server, unplug it from those it was given."""
    for port in _ports(tx, server_id):
        _release(tx, by, port, server_id)


def release_port(tx: Tx, server_id: str, port_id: str, by: Caller | None = None) -> None:
    """Release one port of the server, if it still is the server's."""
    for port in _ports(tx, server_id):
        if port.id == port_id:
            _release(tx, by, port, server_id)
            bandwidth.follow(tx, [server_id])


def _release(tx: Tx, by: Caller | None, port: Port, server_id: str) -> None:
    if port.made_for == server_id:
        discard_port(tx, by, port)
        return
    standard.change(
        tx,
        tables.port,
        port.id,
        device_id="",
        device_owner="",
        host="",
        profile={},
        status="DOWN",
        dns_name="",
    )
    changes.mark(tx, "port", [port.id])
    journal.updated(tx, by, "port", port, port_get(tx, port.id))
    trunk_ports.follow(tx, by, port.id, "")


def _ports(tx: Tx, server_id: str) -> list[Port]:
    return store.ports_of_devices(tx, [server_id], COMPUTE)
