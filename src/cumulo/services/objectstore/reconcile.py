"""Keeping replicas whole, listings true, and what has expired away."""

import contextlib

from cumulo.auth.context import system
from cumulo.kit import clock
from cumulo.services.objectstore import (
    aging,
    deletions,
    listings,
    mending,
    objects,
    pushing,
    sharding,
    updates,
)
from cumulo.services.objectstore.cluster import INTERNAL
from cumulo.services.objectstore.drivers.base import DeviceFailed, Row
from cumulo.services.objectstore.stamps import spelled
from cumulo.services.objectstore.tools import Tools
from cumulo.services.objectstore.visits import Visit
from cumulo.work import Reconciler

_AT_ONCE = 1000
_LONGEST_WRITE_S = 86400.0


def repair(tools: Tools) -> None:
    """Mend what requests found wanting."""
    cluster = tools.cluster
    for kind, name in list(cluster.repairs):
        cluster.repairs.discard((kind, name))
        if not mending.mended(cluster, cluster.place(kind, *name[1:].split("/", 2))):
            cluster.repairs.add((kind, name))


def replicate(tools: Tools) -> None:
    """Compare all replicas of everything, and bring what is missing."""
    cluster = tools.cluster
    for device in cluster.devices.values():
        with contextlib.suppress(DeviceFailed):
            device.adopt()
    stale = set(cluster.stale)
    before = spelled(max(0.0, clock.timestamp() - tools.settings.reclaim_age_s))
    left = mending.sweep_indexes(cluster, before) + mending.sweep_objects(cluster, before)
    if not left:
        cluster.stale -= {name for name in stale if _is_there(tools, name)}
    for device in cluster.devices.values():
        with contextlib.suppress(DeviceFailed):
            device.drop_unfinished(clock.timestamp() - _LONGEST_WRITE_S)
    for kind in cluster.object_kinds:
        for device in cluster.holding(kind).values():
            with contextlib.suppress(DeviceFailed):
                for part in device.parts():
                    device.reclaim(part, before)


def audit(tools: Tools) -> None:
    """Read everything again, and put aside what is no longer what was written."""
    cluster = tools.cluster
    for kind in cluster.object_kinds:
        for device in cluster.holding(kind).values():
            with contextlib.suppress(DeviceFailed):
                mending.audit(cluster, kind, device)


def update(tools: Tools) -> None:
    """Write rows that had to wait, and tell accounts what their containers sum up to."""
    cluster = tools.cluster
    for device in cluster.devices.values():
        with contextlib.suppress(DeviceFailed):
            for name, content in device.notes():
                if updates.deliver(cluster, content):
                    device.drop_note(name)
    for account in {account for account, _ in list(cluster.changed)}:
        updates.report(cluster, account)


def recount(tools: Tools) -> None:
    """Tell accounts about all containers, also those that changed before a restart."""
    mending.report_all(tools.cluster)


def expire(tools: Tools) -> None:
    """Delete objects whose time is over."""
    visit, now = Visit(tools, system(), "DELETE", {}, {}), int(clock.timestamp())
    for account, container in mending.containers_of(tools.cluster):
        index = tools.cluster.container(account, container)
        rows: list[Row] = index.read(lambda one: one.expired(now, _AT_ONCE))
        root = listings.root_of(account, container)
        for row in rows:
            if objects.find(visit, *root, row.name) is None:
                objects.remove(visit, *root, row.name)


def delete_later(tools: Tools) -> None:
    """Delete what requests left to be deleted later."""
    for account in deletions.waiting(tools):
        deletions.carry_out(tools, account)


def shard(tools: Tools) -> None:
    """Cut containers that are long, and take back shards that hold next to nothing."""
    for account, container in mending.containers_of(tools.cluster):
        sharding.tend(tools.cluster, tools.settings, account, container)


def apply_age_rules(tools: Tools) -> None:
    """Delete what rules of buckets say is too old."""
    for account, container in mending.containers_of(tools.cluster):
        if not container.startswith("\0") and not account.startswith(INTERNAL):
            aging.expire(tools, account, container)


def synchronise(tools: Tools) -> None:
    """Push what changed in containers that another is kept like."""
    for account, container in mending.containers_of(tools.cluster):
        pushing.push(tools, account, container)


def _is_there(tools: Tools, name: str) -> bool:
    device = tools.cluster.devices.get(name)
    try:
        return device is not None and device.is_there()
    except DeviceFailed:
        return False


RECONCILERS = [
    Reconciler(repair, every_s=5.0, name="objectstore.repair"),
    Reconciler(update, every_s=5.0, name="objectstore.update"),
    Reconciler(expire, every_s=30.0, name="objectstore.expire"),
    Reconciler(shard, every_s=30.0, name="objectstore.shard"),
    Reconciler(delete_later, every_s=15.0, name="objectstore.delete_later"),
    Reconciler(synchronise, every_s=15.0, name="objectstore.synchronise"),
    Reconciler(apply_age_rules, every_s=3600.0, name="objectstore.apply_age_rules"),
    Reconciler(recount, every_s=600.0, name="objectstore.recount"),
    Reconciler(replicate, every_s=300.0, name="objectstore.replicate"),
    Reconciler(audit, every_s=3600.0, name="objectstore.audit"),
]
