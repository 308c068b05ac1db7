"""Agents: the backend's parts on every host, as it reports them."""

from collections.abc import Iterable

from cumulo.kit.errors import NotFound
from cumulo.services.network.drivers.base import AgentReport as AgentReport
from cumulo.services.network.drivers.base import NetworkDriver


def list_agents(driver: NetworkDriver) -> list[AgentReport]:
    """Return every agent, in order of host and kind."""
    return sorted(driver.agents(), key=lambda one: (one.host, one.agent_type, one.id))


def agent_get(driver: NetworkDriver, agent_id: str) -> AgentReport:
    """Return one agent."""
    for agent in driver.agents():
        if agent.id == agent_id:
            return agent
    raise NotFound(f"Agent {agent_id} could not be found.", type="AgentNotFound")


def zone_resources(agents: Iterable[AgentReport]) -> dict[str, bool]:
    """Return what an availability zone offers, and whether some host of it lives."""
    alive = [agent.alive for agent in agents]
    return {"network": any(alive), "router": any(alive)} if alive else {}
