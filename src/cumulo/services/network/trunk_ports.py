"""Ports in trunks: taken, plugged in with their trunk, released."""

from typing import Any

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.network import journal, quotas, tags
from cumulo.services.network.journal import Caller
from cumulo.services.network.store import changes, standard, tables
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import trunks as store
from cumulo.services.network.store.ports import Port

SUBPORT = "trunk:subport"


def check_unused(tx: Tx, port: Port) -> None:
    """Refuse a port that is a trunk or in one."""
    trunk = store.trunk_of_port(tx, port.id)
    if trunk is not None:
        raise Conflict(
            f"Port {port.id} is currently a parent port for trunk {trunk.id}.",
            type="PortInUseAsTrunkParent",
        )
    subport = store.subport_find(tx, port.id)
    if subport is not None:
        raise Conflict(
            f"Port {port.id} is currently a subport for trunk {subport.trunk_id}.",
            type="PortInUseAsSubPort",
        )


def take(tx: Tx, by: Caller | None, trunk_id: str, port: Port, host: str) -> None:
    """Make a port the trunk's, on the host of the trunk."""
    _change(tx, by, port, device_id=trunk_id, device_owner=SUBPORT, host=host)


def release(tx: Tx, by: Caller | None, port: Port) -> None:
    """Make a port one like others again."""
    store.subport_delete(tx, port.id)
    _change(tx, by, port, device_id="", device_owner="", host="", status="DOWN")


def follow(tx: Tx, by: Caller | None, parent_id: str, host: str) -> None:
    """Plug the subports of a trunk in where its port is."""
    trunk = store.trunk_of_port(tx, parent_id)
    found = store.subports_of(tx, [trunk.id]).get(trunk.id, []) if trunk else []
    ports = port_store.ports_by_id(tx, [one.port_id for one in found])
    for port in ports.values():
        _change(tx, by, port, host=host, **({} if host else {"status": "DOWN"}))


def _change(tx: Tx, by: Caller | None, port: Port, **values: Any) -> None:
    standard.change(tx, tables.port, port.id, **values)
    changes.mark(tx, "port", [port.id])
    journal.updated(tx, by, "port", port, msgspec.structs.replace(port, **values))


def forget(tx: Tx, by: Caller | None, port_id: str) -> None:
    """Take a port that goes away out of its trunk, and end the trunk that it is."""
    store.subport_delete(tx, port_id)
    trunk = store.trunk_of_port(tx, port_id)
    if trunk is None:
        return
    for one in store.subports_of(tx, [trunk.id]).get(trunk.id, []):
        release(tx, by, port_store.ports_by_id(tx, [one.port_id])[one.port_id])
    tags.forget(tx, trunk.id)
    standard.remove(tx, tables.trunk, trunk.id)
    quotas.give_back(tx, trunk.project_id, "trunk")
    journal.deleted(tx, by, "trunk", trunk)
