"""Making sure that what was written is what packets meet."""

import functools
from collections.abc import Collection

from cumulo.db import Tx
from cumulo.services.network import statuses
from cumulo.services.network.projection import project_units
from cumulo.services.network.server_ports import COMPUTE
from cumulo.services.network.store import ports as store
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.tools import Tools


def put_in_force(
    tools: Tools, server_id: str, *, without: Collection[str] = (), timeout_s: float = 10.0
) -> None:
    """Return when the backend has all that the server's ports need on every host that lives.

    Hosts of which the caller knows that they are down are not waited for.

    Raises `Unavailable` when that takes longer, `BackendError` when it cannot be.
    """
    project_units(tools, functools.partial(_units, server_id=server_id))
    tools.driver.wait_in_force(timeout_s, without)


def _units(tx: Tx, server_id: str) -> set[str]:
    """Return the server's ports and what they stand on: networks, groups, routers."""
    ports = store.ports_of_devices(tx, [server_id], COMPUTE)
    ids = {port.id for port in ports}
    networks = {port.network_id for port in ports}
    groups = {group for found in store.groups_map(tx, ids).values() for group in found}
    routers = {one for network in networks for one in router_store.routers_on_network(tx, network)}
    return ids | networks | groups | routers


def ports_up(tools: Tools, server_id: str) -> bool:
    """Ask the backend whether every port of the server carries traffic, and record the answer."""
    ports = tools.db.read(store.ports_of_devices, [server_id], COMPUTE)
    wanted = {port.id for port in ports if port.admin_state_up}
    if not wanted:
        return True
    found = tools.driver.port_status(wanted)
    tools.db.write(statuses.record_ports, found)
    return wanted == {port_id for port_id, status in found.items() if status.up}
