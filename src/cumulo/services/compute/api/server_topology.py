"""/servers/{server_id}/topology: the memory nodes that a guest was promised."""

from typing import TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.services.compute import numa, servers
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.numa import Cell
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "compute:server:topology"
_PAGE_KIB = 4  # hosts offer no other pages


class NodeView(msgspec.Struct, kw_only=True):
    """A memory node of a guest, with the processors near it."""

    vcpu_set: list[int]
    siblings: list[list[int]] = []
    memory_mb: int
    host_node: int | UnsetType = UNSET
    cpu_pinning: dict[str, int] | UnsetType = UNSET


class TopologyBody(msgspec.Struct):
    """The memory nodes of a guest; none when it was promised nothing."""

    nodes: list[NodeView]
    pagesize_kb: int | None


@routes.get("/v2.1/servers/{server_id}/topology", policy=f"{_RULE}:index", since="2.78")
def show_topology(call: Call, server_id: str) -> TopologyBody:
    """Show the memory nodes of a server's guest."""
    check_known(call, since=(2, 102))
    server = call.db.read(servers.server_visible, call.ctx, server_id)
    cells = numa.cells_of(server.flavor, server.image_properties)
    page = numa.page_size_of(server.flavor, server.image_properties)
    on_host = call.ctx.may(f"{_RULE}:host:index")
    nodes = [_view(cell, on_host=on_host) for cell in cells]
    return TopologyBody(nodes, _PAGE_KIB if page else None)


def _view(cell: Cell, *, on_host: bool) -> NodeView:
    view = NodeView(vcpu_set=cell.cpus, memory_mb=cell.memory_mib)
    if on_host:
        view.host_node, view.cpu_pinning = cell.number, {}
    return view
