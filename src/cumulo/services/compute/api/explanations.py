"""/explain: why a server is where it is or nowhere, and where one would go now."""

from typing import Any, TypeAlias

import msgspec

from cumulo.kit.clock import iso_z
from cumulo.services.compute import explanations
from cumulo.services.compute.api.scheduler_hints import checked_hints
from cumulo.services.compute.explanations import Decision, Wish
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()


class ReasonView(msgspec.Struct):
    """What stands against a host, by whose word, and what would change that."""

    filter: str
    reason: str
    remedy: str


class VerdictView(msgspec.Struct, kw_only=True):
    """One host: what it has free and how it weighs, or what stands against it."""

    host: str
    fits: bool
    weight: float | None
    servers: int
    free: dict[str, int]
    reasons: list[ReasonView]


class DecisionView(msgspec.Struct, kw_only=True):
    """Where a server went; a host of null is none."""

    decided_at: str
    host: str | None
    requested: dict[str, int]
    hosts: list[VerdictView]
    would_fit: list[str]


class ServerExplanation(msgspec.Struct, kw_only=True):
    """Why a server is as it is."""

    id: str
    name: str
    host: str | None
    state: str
    fault: str | None
    decisions: list[DecisionView]


class ExplanationBody(msgspec.Struct):
    """One explanation."""

    explanation: ServerExplanation


class PreviewSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A server that somebody thinks of; without an image it boots from a volume."""

    flavor_ref: str = msgspec.field(name="flavorRef")
    image_ref: str | None = msgspec.field(name="imageRef", default=None)
    availability_zone: str | None = None
    host: str | None = None
    scheduler_hints: dict[str, Any] = {}


class PreviewRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A question."""

    server: PreviewSpec


class PreviewView(DecisionView, kw_only=True):
    """Where it would go, and for how many there is room."""

    room_for: int


class PreviewBody(msgspec.Struct):
    """One answer."""

    preview: PreviewView


@routes.get(
    "/v2.1/explain/servers/{server_id}", policy="os_compute_api:os-extended-server-attributes"
)
def explain_server(call: Call, server_id: str) -> ExplanationBody:
    """Show what the scheduler found out about every host whenever it placed a server."""
    server, found = call.db.read(explanations.decisions_of, call.ctx, server_id)
    return ExplanationBody(
        ServerExplanation(
            id=server.id,
            name=server.name,
            host=server.host,
            state=server.vm_state,
            fault=server.fault_message,
            decisions=[DecisionView(**_facts(one)) for one in found],
        )
    )


@routes.post("/v2.1/explain/scheduling", policy="os_compute_api:os-hypervisors:list-detail")
def preview_scheduling(call: Call, body: PreviewRequest) -> PreviewBody:
    """Say where a server would go now and why not elsewhere; nothing is made or taken."""
    spec = body.server
    wish = Wish(
        flavor_id=spec.flavor_ref,
        image_id=spec.image_ref,
        zone=spec.availability_zone,
        host=spec.host,
        hints=checked_hints(spec.scheduler_hints),
    )
    found = call.db.read(explanations.preview, call.ctx, wish, call.tools.health)
    return PreviewBody(PreviewView(**_facts(found.decision), room_for=found.room_for))


def _facts(decision: Decision) -> dict[str, Any]:
    hosts = [
        VerdictView(
            host=one.host,
            fits=not one.reasons,
            weight=one.weight,
            servers=one.servers,
            free=one.free,
            reasons=[ReasonView(each.filter, each.reason, each.remedy) for each in one.reasons],
        )
        for one in decision.hosts
    ]
    return {
        "decided_at": iso_z(decision.at),
        "host": decision.host,
        "requested": decision.requested,
        "hosts": hosts,
        "would_fit": decision.would_fit,
    }
