"""Agents: the backend's parts on every host, as it reports them."""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.network.drivers.base import AgentReport as AgentReport
from cumulo.services.network.drivers.base import NetworkDriver
from cumulo.services.network.spelling import LooseBool, Text
from cumulo.services.network.store import agents as store
from cumulo.services.network.store import changes, inventory


class AgentChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What an operator wants changed about an agent."""

    admin_state_up: LooseBool | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET


def list_agents(driver: NetworkDriver) -> list[AgentReport]:
    """Return every agent, in order of host and kind."""
    return sorted(driver.agents(), key=lambda one: (one.host, one.agent_type, one.id))


def agent_get(driver: NetworkDriver, agent_id: str) -> AgentReport:
    """Return one agent."""
    for agent in driver.agents():
        if agent.id == agent_id:
            return agent
    raise NotFound(f"Agent {agent_id} could not be found.", type="AgentNotFound")


def descriptions(tx: Tx) -> dict[str, str]:
    """Return what operators wrote about agents, by their ids."""
    return store.descriptions(tx)


def update_agent(tx: Tx, agent: AgentReport, wanted: AgentChange) -> None:
    """Record what an operator writes about an agent; it cannot be switched off from here."""
    if wanted.admin_state_up is False:
        raise Invalid(
            f"Agent {agent.id} cannot be set administratively down: stop {agent.binary} on "
            f"{agent.host} instead.",
            type="BadRequest",
        )
    if wanted.description is not UNSET:
        store.description_set(tx, agent.id, wanted.description or "")


def check_dead(agent: AgentReport) -> None:
    """Refuse to forget what is alive and would only come back."""
    if agent.alive:
        raise Conflict(
            f"Agent {agent.id} on {agent.host} is alive; stop {agent.binary} there first.",
            type="AgentInUse",
        )


def move_ways_out(tx: Tx) -> None:
    """Have the backend told of all routers anew, for ways out on a host that went."""
    changes.mark(tx, "router", sorted(inventory.ids(tx, "router")))


def zone_resources(agents: Iterable[AgentReport]) -> dict[str, bool]:
    """Return what an availability zone offers, and whether some host of it lives."""
    alive = [agent.alive for agent in agents]
    return {"network": any(alive), "router": any(alive)} if alive else {}
