"""Auto-allocated topologies over HTTP."""

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.network import auto_topologies
from cumulo.services.network.api.listing import Answer, fields_of
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()
_NOBODY = {"null", "None"}  # how clients say: my own


@routes.get("/v2.0/auto-allocated-topology/{project_id}", policy="regular_user")
def show_auto_allocated_topology(call: Call[Tools], project_id: str) -> Answer:
    """Return the project's network with a way out, made now if it has none.

    With `fields=dry-run`, only say whether one could be made.
    """
    whose = _whose(call, project_id)
    if "dry-run" in fields_of(call):
        call.db.read(auto_topologies.means)
        return _answer("dry-run=pass", whose)
    found = call.db.write(_topology, call, whose)
    return _answer(found, whose)


@routes.delete("/v2.0/auto-allocated-topology/{project_id}", policy="regular_user", status=204)
def delete_auto_allocated_topology(call: Call[Tools], project_id: str) -> None:
    """Take the project's network with a way out away."""
    call.db.write(_delete, call, _whose(call, project_id, "delete"))


def _whose(call: Call[Tools], named: str, action: str = "get") -> str:
    own = call.ctx.project_id
    whose = own if named in _NOBODY else named
    if not whose:
        raise Invalid("The request names no project, and is for none.", type="HTTPBadRequest")
    call.ctx.require(f"{action}_auto_allocated_topology", project_id=whose)
    return whose


def _topology(tx: Tx, call: Call[Tools], whose: str) -> str:
    settings = call.tools.settings
    return auto_topologies.topology_of(tx, call.ctx, settings, whose).network_id


def _delete(tx: Tx, call: Call[Tools], whose: str) -> None:
    auto_topologies.delete_topology(tx, call.ctx, call.tools.settings, whose)


def _answer(network_id: str, whose: str) -> Answer:
    facts = {"id": network_id, "tenant_id": whose, "project_id": whose}
    return {"auto_allocated_topology": facts}
