"""What clients see of how the backend fares."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from cumulo.db import Tx
from cumulo.services.network import journal
from cumulo.services.network.drivers.base import NetworkPlan, PortStatus, RouterPlan, Unit
from cumulo.services.network.loading import Plan
from cumulo.services.network.store import statuses as store
from cumulo.services.network.store.statuses import Status


def record(
    tx: Tx,
    told: Iterable[Plan],
    failures: Collection[tuple[Unit, str]],
    up: Mapping[str, PortStatus],
) -> None:
    """Record which networks and routers work, and which ports and floating IPs carry traffic."""
    works: dict[str, list[str]] = {"network": [], "router": []}
    broken: dict[str, list[str]] = {"network": [], "router": []}
    for plan in told:
        if isinstance(plan, RouterPlan):
            (broken if ("router", plan.id) in failures else works)["router"].append(plan.id)
            _record_floating(tx, plan, failed=("router", plan.id) in failures)
        elif isinstance(plan, NetworkPlan):
            (broken if ("network", plan.id) in failures else works)["network"].append(plan.id)
    for unit, ids in works.items():
        _log(tx, unit, store.status_set(tx, unit, ids, "ACTIVE"), "ACTIVE")
        _log(tx, unit, store.status_set(tx, unit, broken[unit], "ERROR"), "ERROR")
    record_ports(tx, up)


def record_ports(tx: Tx, up: Mapping[str, PortStatus]) -> None:
    """Record which ports carry traffic."""
    working = [port_id for port_id, status in up.items() if status.up]
    _log(tx, "port", store.status_set(tx, "port", working, "ACTIVE"), "ACTIVE")
    idle = sorted(up.keys() - set(working))
    _log(tx, "port", store.status_set(tx, "port", idle, "DOWN"), "DOWN")


def _record_floating(tx: Tx, plan: RouterPlan, *, failed: bool) -> None:
    works = plan.admin_state_up and plan.gateway is not None and not failed
    ids = [one.id for one in plan.floating_ips]
    ids += {one.floatingip_id for one in plan.port_forwardings}
    status = "ACTIVE" if works else "DOWN"
    _log(tx, "floatingip", store.floating_status_set(tx, plan.id, ids, status), status)


def _log(tx: Tx, resource: str, news: Iterable[Status], status: str) -> None:
    for before in news:
        journal.updated(tx, None, resource, before, msgspec.structs.replace(before, status=status))
