"""From a question to the way of a packet and of its answer, as far as the caller may see them."""

import ipaddress

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import NotFound, Unavailable
from cumulo.services.network import refusals, spelling
from cumulo.services.network.drivers.base import (
    BackendError,
    Flow,
    NetworkDriver,
    PortPlan,
    Tracing,
)
from cumulo.services.network.owners import viewer
from cumulo.services.network.paths.admission import is_within
from cumulo.services.network.paths.hops import Hop, Kind, Packet, Path, Question, Start, Way
from cumulo.services.network.paths.land import Land
from cumulo.services.network.paths.walk import METADATA, Walk
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import sharing, tables
from cumulo.services.network.store.ports import Port

_EPHEMERAL = 49152  # what a guest's connections come from, or a port like it
_WITH_PORTS = {"tcp", "udp", "sctp"}
_PRIVATE = {"port", "port_security", "security_group", "router", "nat", "guest"}
_FOREIGN = "It is in the hands of another project, whose affair it is what becomes of it."


def explain(tx: Tx, ctx: Context, question: Question) -> Path:
    """Follow a packet from one of the caller's ports, and the answer back if a guest gives it."""
    target = spelling.ip_address(question.destination_ip, "to")
    question = msgspec.structs.replace(question, destination_ip=target)
    land = Land(tx)
    port, source = _origin(tx, ctx, land, question)
    packet = _packet(question, source)
    walk = Walk(land, packet)
    there = walk.way(port)
    back = None
    if walk.arrived_at is not None and there.outcome == "arrives":
        answer = Walk(land, walk.packet.answer(), walk.translations)
        back = answer.way(walk.arrived_at)
        if answer.arrived_at is not None and answer.packet != packet.answer():
            told = f"The answer comes back from {answer.packet.source_ip}, whom nobody asked."
            back = Way(outcome="stops", reason=told, hops=back.hops)
    there = _seen(ctx, there)
    start = Start(
        port_id=port.id,
        network_id=port.network_id,
        source_mac=port.mac,
        destination_mac=walk.first_mac,
    )
    return Path(
        start=start,
        packet=packet,
        there=there,
        back=None if back is None or there.outcome == "unknown" else _seen(ctx, back),
    )


def _packet(question: Question, source: str) -> Packet:
    has_ports = question.protocol in _WITH_PORTS
    return Packet(
        source_ip=source,
        destination_ip=question.destination_ip,
        protocol=question.protocol,
        source_port=_EPHEMERAL if has_ports else None,
        destination_port=question.port if has_ports else None,
    )


def _origin(tx: Tx, ctx: Context, land: Land, question: Question) -> tuple[PortPlan, str]:
    """Return the port that the packet leaves by, and the address that it comes from."""
    ports = [land.port(row.id) for row in _ports(tx, ctx, question.origin)]
    choices = [(port, source) for port in ports for source in _sources(port, question)]
    if not choices:
        version = ipaddress.ip_address(question.destination_ip).version
        raise refusals.bad_request(
            "path", f"{question.origin} has no IPv{version} address to send from"
        )
    on_link = [one for one in choices if _is_beside(land, one, question.destination_ip)]
    return (on_link or choices)[0]


def _ports(tx: Tx, ctx: Context, origin: str) -> list[Port]:
    """Return the one port, or all ports of a server, in the order they were plugged in."""
    seen = sharing.owned(tables.port, viewer(ctx))
    port = port_store.port_find(tx, origin, seen)
    if port is not None:
        return [port] if port.device_owner != "network:floatingip" else []
    found = [
        each
        for each in port_store.ports_of_devices(tx, [origin], "compute:")
        if viewer(ctx).sees_all or each.project_id == ctx.project_id
    ]
    if not found:
        raise NotFound(f"There is no server or port {origin} with a network.", type="PortNotFound")
    return found


def _sources(port: PortPlan, question: Question) -> list[str]:
    if question.source_ip is not None:
        return [spelling.ip_address(question.source_ip, "source")]
    wanted = ":" in question.destination_ip
    return [address for _, address in port.fixed_ips if (":" in address) == wanted]


def _is_beside(land: Land, choice: tuple[PortPlan, str], target: str) -> bool:
    port, _ = choice
    if target in METADATA:
        return any(subnet.metadata_ip for subnet in land.network(port.network_id).subnets)
    return any(is_within(target, subnet.cidr) for subnet, _ in land.subnets(port))


def _is_hidden(ctx: Context, hop: Hop) -> bool:
    """Say whether a station is none of the caller's business."""
    eyes = viewer(ctx)
    return not eyes.sees_all and hop.project_id != eyes.project_id


def _seen(ctx: Context, way: Way) -> Way:
    """Leave out what becomes of the packet once it comes to others' ports and routers."""
    hops: list[Hop] = []
    known = way.hops[0].packet
    for hop in way.hops:
        if hop.kind in _PRIVATE and _is_hidden(ctx, hop):
            kind: Kind = "router" if hop.kind in {"router", "nat"} else "port"
            veiled = Hop(
                kind=kind, id=None, name="", verdict="passes", detail=_FOREIGN, packet=known
            )
            return Way(outcome="unknown", reason=_FOREIGN, hops=[*hops, veiled])
        hops.append(hop)
        known = hop.packet
    return way


def backend_trace(driver: NetworkDriver, path: Path) -> str | None:
    """Return the backend's own word on the packet, or why it says none; None: it never does."""
    if not isinstance(driver, Tracing) or path.start.destination_mac is None:
        return None
    packet = path.packet
    flow = Flow(
        network_id=path.start.network_id,
        port_id=path.start.port_id,
        source_mac=path.start.source_mac,
        destination_mac=path.start.destination_mac,
        source_ip=packet.source_ip,
        destination_ip=packet.destination_ip,
        protocol=packet.protocol,
        source_port=packet.source_port,
        destination_port=packet.destination_port,
    )
    try:
        return driver.trace(flow)
    except (BackendError, Unavailable) as error:
        return f"There is no trace: {error.message}"
