"""Telling the backend what the database says, change by change.

A change is claimed with its unit's plan, which is handed over and then read again: if it is not
the same any more, somebody may have told the backend something newer in between, and the unit
is told once more.  So whoever is last to speak to the backend has spoken the truth.
"""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple, TypeAlias

from cumulo.db import Tx
from cumulo.kit import clock, log
from cumulo.kit.errors import Unavailable
from cumulo.kit.ids import new_id
from cumulo.services.network import statuses
from cumulo.services.network.drivers.base import (
    BackendError,
    NetworkDriver,
    NetworkPlan,
    PortPlan,
    PortStatus,
    RouterPlan,
    SecurityGroupPlan,
    Unit,
)
from cumulo.services.network.loading import Plan, load
from cumulo.services.network.store import changes
from cumulo.services.network.store.changes import Change
from cumulo.services.network.tools import Tools

LOG = log.get("network")
Key: TypeAlias = tuple[Unit, str]
# As long as the backend may be behind after the death of a process that had claimed a change; to
# tell it twice does no harm.
_BATCH, _LEASE_S = 200, 5.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
# What a unit refers to comes before it, and goes after it.
_ORDER: dict[Unit, int] = {"security_group": 0, "network": 1, "port": 2, "router": 3}


class _Claimed(NamedTuple):
    """Changes that nobody else tells the backend now, and what is to be told."""

    claimant: str
    changes: list[Change]
    keys: list[Key]
    plans: dict[Key, Plan]


def project(tools: Tools) -> int:
    """Tell the backend all changes that are due; return how many there were."""
    count = 0
    while tools.db.read(changes.is_due):
        claimed = tools.db.write(_claim, None)
        _carry_out(tools, claimed)
        count += len(claimed.changes)
    return count


def project_units(tools: Tools, units: Callable[[Tx], Collection[str]]) -> None:
    """Tell the backend the changes of the units that are found, now; raise what it answers."""
    claimed = tools.db.write(_claim, units)
    for error in _carry_out(tools, claimed).values():
        raise error


def _claim(tx: Tx, units: Callable[[Tx], Collection[str]] | None) -> _Claimed:
    me, until = new_id(), clock.timestamp() + _LEASE_S
    if units is None:
        found = changes.claim(tx, me, until, _BATCH)
    else:
        found = changes.claim_of(tx, me, until, units(tx))
    keys = list(dict.fromkeys((change.unit, change.unit_id) for change in found))
    return _Claimed(me, found, keys, load(tx, keys))


Failure: TypeAlias = Unavailable | BackendError


def _carry_out(tools: Tools, claimed: _Claimed) -> dict[Key, Failure]:
    keys, told = claimed.keys, claimed.plans
    if not keys:
        return {}
    failures = _tell(tools.driver, keys, told)
    up = _statuses(tools.driver, {plan.id for plan in told.values() if isinstance(plan, PortPlan)})

    def settle(tx: Tx) -> None:
        now = load(tx, keys)
        _settle(tx, claimed, failures, [key for key in keys if told.get(key) != now.get(key)])
        statuses.record(tx, told.values(), failures, up)

    tools.db.write(settle)
    return failures


def _statuses(driver: NetworkDriver, port_ids: set[str]) -> dict[str, PortStatus]:
    """Return what the backend says of the ports; nothing when it does not answer now."""
    if not port_ids:
        return {}
    try:
        return driver.port_status(port_ids)
    except Unavailable:
        return {}


def _tell(driver: NetworkDriver, keys: Iterable[Key], told: dict[Key, Plan]) -> dict[Key, Failure]:
    failures: dict[Key, Failure] = {}
    gone = [key for key in keys if key not in told]
    here = sorted(told, key=lambda key: _ORDER[key[0]])
    for key in [*here, *sorted(gone, key=lambda key: -_ORDER[key[0]])]:
        try:
            _tell_one(driver, key, told.get(key))
        except (Unavailable, BackendError) as error:
            LOG.warning("backend refused", unit=key[0], unit_id=key[1], reason=error.message)
            failures[key] = error
    return failures


def _tell_one(driver: NetworkDriver, key: Key, plan: Plan | None) -> None:
    match plan:
        case NetworkPlan():
            driver.sync_network(plan)
        case PortPlan():
            driver.sync_port(plan)
        case RouterPlan():
            driver.sync_router(plan)
        case SecurityGroupPlan():
            driver.sync_security_group(plan)
        case None:
            driver.remove(*key)


def _settle(tx: Tx, claimed: _Claimed, failures: Collection[Key], stale: Iterable[Key]) -> None:
    done = [c.id for c in claimed.changes if (c.unit, c.unit_id) not in failures]
    changes.done(tx, claimed.claimant, done)
    for change in claimed.changes:
        if (change.unit, change.unit_id) in failures:
            wait = min(_FIRST_WAIT_S * 2**change.attempts, _LONGEST_WAIT_S)
            changes.postpone(tx, claimed.claimant, [change.id], clock.timestamp() + wait)
    for unit, unit_id in stale:
        changes.mark(tx, unit, [unit_id])
