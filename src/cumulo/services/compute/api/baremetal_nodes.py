"""/os-baremetal-nodes: machines as guests, which compute told of until 2.35."""

from typing import NoReturn, TypeAlias

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes
from cumulo.web.errors import NotBuilt

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-baremetal-nodes"
_PATH = "/v2.1/os-baremetal-nodes"
_LAST = "2.35"


class NodesBody(msgspec.Struct):
    """Machines that are guests."""

    nodes: list[str]


@routes.get(_PATH, policy=f"{_RULE}:list", until=_LAST)
def list_baremetal_nodes(call: Call) -> NodesBody:
    """Refuse to list machines: this cloud has no service for them."""
    _refuse()


@routes.get(f"{_PATH}/{{node_id}}", policy=f"{_RULE}:show", until=_LAST)
def show_baremetal_node(call: Call, node_id: str) -> NodesBody:
    """Refuse to show a machine: this cloud has no service for them."""
    _refuse()


def _refuse() -> NoReturn:
    raise NotBuilt("Ironic client unavailable, cannot access Ironic.")


@routes.post(_PATH, policy="", until=_LAST)
def create_baremetal_node(call: Call) -> None:
    """Refuse to enrol a machine through compute."""
    _refer("node-create")


@routes.delete(f"{_PATH}/{{node_id}}", policy="", until=_LAST)
def delete_baremetal_node(call: Call, node_id: str) -> None:
    """Refuse to remove a machine through compute."""
    _refer("node-delete")


@routes.post(f"{_PATH}/{{node_id}}/action", policy="", until=_LAST, action="add_interface")
def add_interface(call: Call, node_id: str) -> None:
    """Refuse to give a machine an interface through compute."""
    _refer("port-create")


@routes.post(f"{_PATH}/{{node_id}}/action", policy="", until=_LAST, action="remove_interface")
def remove_interface(call: Call, node_id: str) -> None:
    """Refuse to take an interface from a machine through compute."""
    _refer("port-delete")


def _refer(command: str) -> NoReturn:
    raise Invalid(
        f"Command not supported. Please use Ironic command {command} to perform this action."
    )
