"""Agents and availability zones over HTTP."""

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.services.network import agents
from cumulo.services.network.agents import AgentChange, AgentReport
from cumulo.services.network.api.listing import Answer, fields_of, listing_of, select
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class AgentView(msgspec.Struct, kw_only=True):
    """A part of the backend on a host, as clients see it."""

    id: str
    agent_type: str
    binary: str
    topic: str
    host: str
    alive: bool
    admin_state_up: bool
    availability_zone: str
    description: str | None
    configurations: dict[str, str]


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    agent: AgentChange


class ZoneView(msgspec.Struct, kw_only=True):
    """What an availability zone offers, as clients see it."""

    name: str
    resource: str
    state: str


@routes.get("/v2.0/agents", policy="regular_user")
def list_agents(call: Call[Tools]) -> Answer:
    """List the parts of the network on every host; to most, none."""
    found = agents.list_agents(call.tools.driver) if call.ctx.may("get_agent") else []
    texts = call.db.read(agents.descriptions)
    views = [_view(call, agent, texts) for agent in found]
    return {"agents": matching(call, views, AgentView)}


@routes.get("/v2.0/agents/{agent_id}", policy="get_agent")
def show_agent(call: Call[Tools], agent_id: str) -> Answer:
    """Show one part of the network on one host."""
    view = _one(call, agents.agent_get(call.tools.driver, agent_id))
    return {"agent": select(view, fields_of(call))}


@routes.put("/v2.0/agents/{agent_id}", policy="update_agent")
def update_agent(call: Call[Tools], agent_id: str, body: UpdateBody) -> Answer:
    """Describe one part of the network on one host."""
    agent = agents.agent_get(call.tools.driver, agent_id)
    call.db.write(agents.update_agent, agent, body.agent)
    return {"agent": _one(call, agent)}


@routes.delete("/v2.0/agents/{agent_id}", policy="delete_agent", status=204)
def delete_agent(call: Call[Tools], agent_id: str) -> None:
    """Forget the parts of the network on a host that is gone."""
    agent = agents.agent_get(call.tools.driver, agent_id)
    agents.check_dead(agent)
    call.tools.driver.forget_host(agent.host)
    call.db.write(agents.move_ways_out)


@routes.get("/v2.0/availability_zones", policy="get_availability_zone")
def list_availability_zones(call: Call[Tools]) -> Answer:
    """List where networks and routers may be."""
    found = agents.zone_resources(call.tools.driver.agents())
    views = [
        ZoneView(
            name=call.tools.settings.default_availability_zone,
            resource=resource,
            state="available" if alive else "unavailable",
        )
        for resource, alive in found.items()
    ]
    return {"availability_zones": matching(call, views, ZoneView)}


def _one(call: Call[Tools], agent: AgentReport) -> AgentView:
    return _view(call, agent, call.db.read(agents.descriptions))


def _view(call: Call[Tools], agent: AgentReport, texts: Mapping[str, str]) -> AgentView:
    return AgentView(
        id=agent.id,
        agent_type=agent.agent_type,
        binary=agent.binary,
        topic="n/a",
        host=agent.host,
        alive=agent.alive,
        admin_state_up=True,
        availability_zone=call.tools.settings.default_availability_zone,
        description=texts.get(agent.id, ""),
        configurations=agent.configurations,
    )


def matching(call: Call[Tools], views: list[Any], kind: type[msgspec.Struct]) -> list[Any]:
    """Return what fulfils the query's filters, in the order that it asks for."""
    wanted = listing_of(call)
    names = {field.encode_name for field in msgspec.structs.fields(kind)} - {"configurations"}
    unknown = [name for name in (*wanted.filters, *dict(wanted.sorts)) if name not in names]
    if unknown:
        raise Invalid(f"{unknown} is invalid attribute for filtering", type="HTTPBadRequest")
    found = [
        view
        for view in views
        if all(
            _text(getattr(view, name)) in _texts(values) for name, values in wanted.filters.items()
        )
    ]
    for name, up in reversed(wanted.sorts):
        found.sort(key=lambda view: _text(getattr(view, name)), reverse=not up)
    return [select(view, fields_of(call)) for view in found]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _texts(values: list[str]) -> set[str]:
    return {*values, *(value.lower() for value in values if value.lower() in ("true", "false"))}
