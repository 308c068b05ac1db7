"""DHCP agents over HTTP: there are none, for OVN answers guests on every host by itself."""

import msgspec

from cumulo.kit.errors import Conflict, NotFound
from cumulo.services.network import agents
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.networks import network_visible
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class NetworkBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which network an agent is to serve."""

    network_id: str


@routes.get("/v2.0/networks/{network_id}/dhcp-agents", policy="get_dhcp-agents")
def list_dhcp_agents(call: Call[Tools], network_id: str) -> Answer:
    """List the agents that serve a network, which needs none."""
    call.db.read(network_visible, call.ctx, network_id)
    return {"agents": []}


@routes.get("/v2.0/agents/{agent_id}/dhcp-networks", policy="get_dhcp-networks")
def list_dhcp_networks(call: Call[Tools], agent_id: str) -> Answer:
    """List the networks that an agent serves; none of them does that."""
    agents.agent_get(call.tools.driver, agent_id)
    return {"networks": []}


@routes.post("/v2.0/agents/{agent_id}/dhcp-networks", policy="create_dhcp-network", status=201)
def add_dhcp_network(call: Call[Tools], agent_id: str, body: NetworkBody) -> Answer:
    """Refuse to give a network to an agent."""
    agent = agents.agent_get(call.tools.driver, agent_id)
    raise NotFound(
        f"Agent {agent.id} is not a valid DHCP Agent or has been disabled: {agent.binary} on "
        f"{agent.host} serves network {body.network_id} by itself as soon as a guest is there.",
        type="InvalidDHCPAgent",
    )


@routes.delete(
    "/v2.0/agents/{agent_id}/dhcp-networks/{network_id}", policy="delete_dhcp-network", status=204
)
def remove_dhcp_network(call: Call[Tools], agent_id: str, network_id: str) -> None:
    """Refuse to take a network from an agent that does not have it."""
    agents.agent_get(call.tools.driver, agent_id)
    raise Conflict(
        f"The network {network_id} is not hosted by the DHCP Agent {agent_id}.",
        type="NetworkNotHostedByDhcpAgent",
    )
