"""What is kept in order: the backend has what the database says, and clients see how it fares."""

from cumulo.db import Tx
from cumulo.services.identity.public import PROJECT_GONE
from cumulo.services.network import statuses
from cumulo.services.network.bandwidth_report import report
from cumulo.services.network.departed import clear_away
from cumulo.services.network.projection import project
from cumulo.services.network.store import changes, inventory
from cumulo.services.network.symptoms import UNITS
from cumulo.services.network.symptoms import owned as owned
from cumulo.services.network.tools import Tools
from cumulo.work import Reconciler


def tell(tools: Tools) -> None:
    """Tell the backend every change that is due."""
    project(tools)


def compare(tools: Tools) -> None:
    """Remove from the backend what no row owns, and tell it everything again.

    The backend is read first: what it has and the database then has not is gone for good.
    """
    present = tools.driver.present()
    wanted = tools.db.read(owned)
    for unit, field in UNITS:
        for unit_id in sorted(getattr(present, field) - getattr(wanted, field)):
            tools.driver.remove(unit, unit_id)
    tools.db.write(_mark_all)
    project(tools)


def _mark_all(tx: Tx) -> None:
    wanted = owned(tx)
    for unit, field in reversed(UNITS):
        changes.mark(tx, unit, sorted(getattr(wanted, field)))


def watch(tools: Tools) -> None:
    """Record which ports carry traffic."""
    ports = tools.db.read(inventory.plugged_ports)
    found = tools.driver.port_status(set(ports))
    news = {
        port_id: status
        for port_id, status in found.items()
        if (ports[port_id] == "ACTIVE") != status.up
    }
    if news:
        tools.db.write(statuses.record_ports, news)


RECONCILERS = [
    Reconciler(tell, every_s=2.0, name="network.tell", wake=(changes.TOPIC,)),
    Reconciler(watch, every_s=2.0, name="network.watch"),
    Reconciler(compare, every_s=600.0, name="network.compare"),
    Reconciler(report, every_s=30.0, name="network.bandwidth"),
    Reconciler(clear_away, every_s=600.0, name="network.departed", wake=(PROJECT_GONE,)),
]
