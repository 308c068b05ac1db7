"""Keeping replicas whole, listings true, and what has expired away."""

import contextlib
from typing import Any

from cumulo.auth.context import system
from cumulo.kit import clock
from cumulo.services.objectstore import (
    aging,
    deletions,
    listings,
    mending,
    objects,
    pushing,
    recon,
    sharding,
    updates,
)
from cumulo.services.objectstore.cluster import INTERNAL
from cumulo.services.objectstore.drivers.base import DeviceFailed, Row
from cumulo.services.objectstore.recon import Pass
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
    cluster, indexes = tools.cluster, Pass()
    for device in cluster.devices.values():
        with contextlib.suppress(DeviceFailed):
            device.adopt()
    stale = set(cluster.stale)
    before = spelled(max(0.0, clock.timestamp() - tools.settings.reclaim_age_s))
    listings_left = mending.sweep_indexes(cluster, before)
    took_s, files = indexes.took_s, Pass()
    left = mending.sweep_objects(cluster, before)
    if not left + listings_left:
        cluster.stale -= {name for name in stale if _is_there(tools, name)}
    for device in cluster.devices.values():
        with contextlib.suppress(DeviceFailed):
            device.drop_unfinished(clock.timestamp() - _LONGEST_WRITE_S)
    for kind in cluster.object_kinds:
        for device in cluster.holding(kind).values():
            with contextlib.suppress(DeviceFailed):
                for part in device.parts():
                    device.reclaim(part, before)
    told = _replicated((took_s, listings_left), (files.took_s, left))
    if cluster.schemes:
        told["object_reconstruction_time"] = files.took_s / 60
        told["object_reconstruction_last"] = clock.timestamp()
    recon.remembered(cluster, told)


def _replicated(indexes: tuple[float, int], files: tuple[float, int]) -> dict[str, Any]:
    """Return what Swift's replicators tell; those of objects count in minutes."""
    now, told = clock.timestamp(), dict[str, Any]()
    for kind, (took_s, left) in (("account", indexes), ("container", indexes)):
        told[f"{kind}:replication_time"] = took_s
        told[f"{kind}:replication_last"] = now
        told[f"{kind}:replication_stats"] = {"failure": left}
    minutes = files[0] / 60
    told |= {"object_replication_time": minutes, "object_replication_last": now}
    told |= {"object:replication_time": minutes, "object:replication_last": now}
    return {**told, "object:replication_stats": {"failure": files[1]}}


def audit(tools: Tools) -> None:
    """Read everything again, and put aside what is no longer what was written."""
    cluster = tools.cluster
    for kind in cluster.object_kinds:
        for device in cluster.holding(kind).values():
            one, quarantined = Pass(), 0
            with contextlib.suppress(DeviceFailed):
                quarantined = mending.audit(cluster, kind, device)
            told = {"audit_time": one.took_s, "quarantined": quarantined, "errors": 0}
            recon.remember(device, {"object_auditor_stats_ALL": {device.name: told}})


def update(tools: Tools) -> None:
    """Write rows that had to wait, and tell accounts what their containers sum up to."""
    cluster, one = tools.cluster, Pass()
    for device in cluster.devices.values():
        with contextlib.suppress(DeviceFailed):
            for name, content in device.notes():
                if updates.deliver(cluster, content):
                    device.drop_note(name)
    took_s, changed = one.took_s, {account for account, _ in list(cluster.changed)}
    for account in changed:
        updates.report(cluster, account)
    if changed:
        figures = {"object_updater_sweep": took_s, "object_updater_last": clock.timestamp()}
        recon.remembered(cluster, {**figures, "container_updater_sweep": one.took_s - took_s})


def recount(tools: Tools) -> None:
    """Tell accounts about all containers, also those that changed before a restart."""
    mending.report_all(tools.cluster)


def expire(tools: Tools) -> None:
    """Delete objects whose time is over."""
    visit, now = Visit(tools, system(), "DELETE", {}, {}), int(clock.timestamp())
    one_pass, count = Pass(), 0
    for account, container in mending.containers_of(tools.cluster):
        index = tools.cluster.container(account, container)
        rows: list[Row] = index.read(lambda one: one.expired(now, _AT_ONCE))
        root = listings.root_of(account, container)
        for row in rows:
            if objects.find(visit, *root, row.name) is None:
                objects.remove(visit, *root, row.name)
                count += 1
    figures = {"object_expiration_pass": one_pass.took_s, "expired_last_pass": count}
    recon.remembered(tools.cluster, figures)


def delete_later(tools: Tools) -> None:
    """Delete what requests left to be deleted later."""
    for account in deletions.waiting(tools):
        deletions.carry_out(tools, account)


def shard(tools: Tools) -> None:
    """Cut containers that are long, and take back shards that hold next to nothing."""
    one, found = Pass(), mending.containers_of(tools.cluster)
    done = [
        sharding.tend(tools.cluster, tools.settings, account, container)
        for account, container in found
    ]
    told = {"attempted": len(done), "success": sum(done), "failure": len(done) - sum(done)}
    figures = {"sharding_time": one.took_s, "sharding_last": clock.timestamp()}
    recon.remembered(tools.cluster, {**figures, "sharding_stats": told})


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


def replicate_missed(tools: Tools) -> None:
    """Compare all replicas if a device missed something that this process wrote."""
    if tools.cluster.stale:
        replicate(tools)


# Where several processes serve the same devices, what each knows of alone is its own to tell.
_OF_EACH = [
    Reconciler(repair, every_s=5.0, name="objectstore.repair"),
    Reconciler(update, every_s=1.0, name="objectstore.update"),
]
RECONCILERS = [
    *_OF_EACH,
    Reconciler(expire, every_s=30.0, name="objectstore.expire"),
    Reconciler(shard, every_s=30.0, name="objectstore.shard"),
    Reconciler(delete_later, every_s=15.0, name="objectstore.delete_later"),
    Reconciler(synchronise, every_s=15.0, name="objectstore.synchronise"),
    Reconciler(apply_age_rules, every_s=3600.0, name="objectstore.apply_age_rules"),
    Reconciler(recount, every_s=600.0, name="objectstore.recount"),
    Reconciler(replicate, every_s=300.0, name="objectstore.replicate"),
    Reconciler(audit, every_s=3600.0, name="objectstore.audit"),
]
RECONCILERS_OF_OTHERS = [
    *_OF_EACH,
    Reconciler(replicate_missed, every_s=300.0, name="objectstore.replicate_missed"),
]
