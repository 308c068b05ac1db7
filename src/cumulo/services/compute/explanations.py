"""Why servers are where they are, why they are nowhere, and where one would go now."""

from typing import Any

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.compute import new_servers, server_groups, servers
from cumulo.services.compute.scheduler import schedule
from cumulo.services.compute.scheduler.hosts import Demand
from cumulo.services.compute.services import Health
from cumulo.services.compute.store.decisions import Decision as Decision
from cumulo.services.compute.store.decisions import Verdict as Verdict
from cumulo.services.compute.store.servers import Server


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A server that somebody thinks of."""

    flavor_id: str
    image_id: str | None = None  # None: it boots from a volume
    zone: str | None = None
    host: str | None = None
    hints: dict[str, Any] = {}


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """Where it would go, and how many of them there is room for."""

    decision: Decision
    room_for: int


def decisions_of(tx: Tx, ctx: Context, server_id: str) -> tuple[Server, list[Decision]]:
    """Return a visible server with what the scheduler decided about it, the newest first."""
    server = servers.server_visible(tx, ctx, server_id)
    return server, schedule.decisions_of(tx, server.id)


def preview(tx: Tx, ctx: Context, wish: Wish, health: Health) -> Preview:
    """Say where a server would go now, and why not elsewhere; nothing is made or taken."""
    flavor = new_servers.flavor_of(tx, ctx, wish.flavor_id)
    properties: dict[str, str] = {}
    if wish.image_id is not None:
        image = new_servers.image_of(tx, ctx, wish.image_id)
        new_servers.check_fit(flavor, image)
        properties = image.properties
    group = wish.hints.get("group")
    facts = msgspec.structs.asdict(flavor)
    required, forbidden = schedule.traits_for(facts, properties)
    demand = Demand(
        server_id="",
        required=required,
        forbidden=forbidden,
        memory_nodes=schedule.memory_nodes_for(facts, properties),
        project_id=ctx.project_id or "",
        resources=schedule.resources_for(facts, boots_from_image=wish.image_id is not None),
        zone=wish.zone,
        host=wish.host,
        extra_specs=flavor.extra_specs,
        image_properties=properties,
        hints=wish.hints,
    )
    named = server_groups.group_visible(tx, ctx, str(group)) if group is not None else None
    demand = schedule.beside(tx, demand, named)
    found = schedule.preview(tx, demand, health)
    return Preview(decision=found, room_for=_room_for(demand, found))


def _room_for(demand: Demand, found: Decision) -> int:
    """Return for how many there is room, should nothing but room stand in the way."""
    amounts = {name: amount for name, amount in demand.resources.items() if amount}
    return sum(
        min(one.free.get(name, 0) // amount for name, amount in amounts.items())
        for one in found.hosts
        if not one.reasons and amounts
    )
