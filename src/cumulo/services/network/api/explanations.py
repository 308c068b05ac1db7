"""Explanations over HTTP: the way of a packet, and the whole topology."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cumulo.services.network import topologies
from cumulo.services.network.paths import explanation
from cumulo.services.network.paths.hops import Hop, Outcome, Packet, Path, Question, Way
from cumulo.services.network.spelling import Id
from cumulo.services.network.tools import Tools
from cumulo.services.network.topologies import Topology
from cumulo.web import Call, Routes

routes = Routes()


class PathQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """From where, to where, and with what."""

    origin: Id = msgspec.field(name="from")
    to: str
    protocol: Literal["tcp", "udp", "sctp", "icmp"] = "icmp"
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    source: str | None = None


class HopView(msgspec.Struct, kw_only=True):
    """A station of a packet as clients see it."""

    kind: str
    id: str | None
    name: str
    verdict: str
    detail: str
    rule_id: str | None
    packet: Packet


class WayView(msgspec.Struct, kw_only=True):
    """One direction as clients see it."""

    outcome: Outcome
    reason: str
    hops: list[HopView]


class PathView(WayView, kw_only=True):
    """The way of a packet as clients see it."""

    port_id: str
    packet: Packet
    answer: WayView | None
    backend: str
    trace: str | None


class PathBody(msgspec.Struct):
    """The way of one packet."""

    path: PathView


class TopologyBody(msgspec.Struct):
    """All that the caller has."""

    topology: Topology


@routes.get("/v2.0/explain/path", policy="regular_user")
def explain_path(call: Call[Tools], query: PathQuery) -> PathBody:
    """Say what would become of a packet: where it goes, where it stops, and why.

    `from` is one of the caller's servers or ports, `to` an address, `protocol` tcp, udp, sctp or
    icmp (the default), `port` where it is meant for; `source` makes the packet lie about its
    origin.  `hops` are the stations in order, each with its `kind` (port, port_security,
    security_group, route, network, router, nat, dhcp, metadata, outside, guest), its `id` and
    `name`, its `verdict` (passes, translates, drops, answers, leaves, arrives), a sentence, the
    `rule_id` that admitted the packet, and the packet as it went on.  `outcome` is arrives,
    answered (by the cloud itself), leaves (to where the cloud does not see), stops, or unknown
    (others' affairs); `reason` is the last station's sentence.  `answer` is the same for what the
    guest sends back.  `trace` is the backend's own trace, for who may see it.
    """
    asked = Question(
        origin=query.origin,
        destination_ip=query.to,
        protocol=query.protocol,
        port=query.port,
        source_ip=query.source,
    )
    path = call.db.read(explanation.explain, call.ctx, asked)
    may_see = call.ctx.may("admin_only")
    trace = explanation.backend_trace(call.tools.driver, path) if may_see else None
    return PathBody(_path(path, call.tools.driver.name, trace))


@routes.get("/v2.0/explain/topology", policy="regular_user")
def explain_topology(call: Call[Tools]) -> TopologyBody:
    """Show the caller's networks, routers, servers and what is between them.

    `networks` have their subnets, `routers` their interfaces and external gateways, `servers`
    their ports; an administrator sees those of every project.
    """
    return TopologyBody(call.db.read(topologies.topology, call.ctx))


def _path(path: Path, backend: str, trace: str | None) -> PathView:
    return PathView(
        outcome=path.there.outcome,
        reason=path.there.reason,
        hops=list(map(_hop, path.there.hops)),
        port_id=path.start.port_id,
        packet=path.packet,
        answer=None if path.back is None else _way(path.back),
        backend=backend,
        trace=trace,
    )


def _way(way: Way) -> WayView:
    return WayView(outcome=way.outcome, reason=way.reason, hops=list(map(_hop, way.hops)))


def _hop(hop: Hop) -> HopView:
    return HopView(
        kind=hop.kind,
        id=hop.id,
        name=hop.name,
        verdict=hop.verdict,
        detail=hop.detail,
        rule_id=hop.rule_id,
        packet=hop.packet,
    )
