"""Servers on their way to another size or another host.

While a move is open its server may have a guest on both hosts, and the room and quota of both
sizes are held: those of the size left behind in the name of the move.  Whoever ends a move, one
way or the other, gives back what its server no longer is.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Forbidden, Invalid, NotFound, OverQuota
from cumulo.node.api import HostFacts
from cumulo.node.moving import Place
from cumulo.services.compute import quotas, servers, states, volumes
from cumulo.services.compute.scheduler import schedule
from cumulo.services.compute.scheduler.schedule import Wishes
from cumulo.services.compute.services import COMPUTE, Health
from cumulo.services.compute.settings import ComputeSettings
from cumulo.services.compute.store import flavors as flavor_rows
from cumulo.services.compute.store import hypervisors as hypervisor_rows
from cumulo.services.compute.store import migrations as store
from cumulo.services.compute.store import servers as server_rows
from cumulo.services.compute.store import services as service_rows
from cumulo.services.compute.store.migrations import Migration as Migration
from cumulo.services.compute.store.migrations import MigrationPage as MigrationPage
from cumulo.services.compute.store.servers import Server
from cumulo.services.compute.tools import Tools
from cumulo.services.placement import public as placement

RESIZE, MIGRATION, LIVE, EVACUATION = "resize", "migration", "live-migration", "evacuation"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A move that began, and the action that tells of it."""

    server: Server
    action: int
    migration: Migration


class Kind(msgspec.Struct, frozen=True):
    """What is asked for, and what shows it while it goes on."""

    action: str
    task: str
    type: str
    log_as: str


KINDS = {
    RESIZE: Kind("resize", "resize_prep", RESIZE, "resize"),
    MIGRATION: Kind("migrate", "resize_prep", MIGRATION, "migrate"),
    LIVE: Kind("os-migrateLive", "migrating", LIVE, "live-migration"),
    EVACUATION: Kind("evacuate", "rebuilding", EVACUATION, "evacuate"),
}


def begin(
    tx: Tx,
    ctx: Context,
    server_id: str,
    type: str,
    *,
    flavor: Mapping[str, Any] | None = None,
) -> Begun:
    """Check that the server may go now, count what it will be more, and record the move."""
    kind = KINDS[type]
    server, action = servers.begin(
        tx, ctx, server_id, kind.action, task=kind.task, log_as=kind.log_as
    )
    if server.host is None:
        raise Conflict(f"Instance {server.id} is on no host.", server_id=server.id)
    old = _numbered(tx, server.flavor)
    new = _numbered(tx, flavor) if flavor is not None else old
    _claim(tx, server, new)
    migration = store.migration_insert(
        tx,
        server_id=server.id,
        project_id=server.project_id,
        user_id=ctx.user_id,
        type=type,
        status="queued" if type == LIVE else "accepted" if type == EVACUATION else "pre-migrating",
        source_host=server.host,
        dest_host=None,
        old_flavor=old,
        new_flavor=new,
        old_vm_state=server.vm_state,
    )
    return Begun(server=server, action=action, migration=migration)


def _numbered(tx: Tx, flavor: Mapping[str, Any]) -> dict[str, Any]:
    """Note the number of a flavor, by which lists of moves name it."""
    found = flavor_rows.flavor_find(tx, str(flavor["id"]))
    return {**flavor, "row": found.row if found else None}


def check_host(tx: Tx, server: Server, host: str | None) -> None:
    """Refuse a host to go to that is not there, or that is the one to be left."""
    if host is None:
        return
    if hypervisor_rows.hypervisor_find(tx, host) is None:
        raise Invalid(f"Compute host {host} could not be found.", field="host")
    if host == server.host:
        raise Invalid(f"The target host can't be the same one: {host}.", field="host")


def check_host_is_down(tx: Tx, server: Server, health: Health) -> None:
    """Refuse to rescue servers from a host that lives."""
    service = service_rows.service_find(tx, server.host or "", COMPUTE)
    if service is not None and health.is_up(service):
        raise Invalid(f"Compute service of {server.host} is still in use.", host=server.host)


def moved(server: Server, migration: Migration) -> Server:
    """Return the server as it will be."""
    return msgspec.structs.replace(server, **sized(migration.new_flavor))


def unmoved(server: Server, migration: Migration) -> Server:
    """Return the server as it was."""
    return msgspec.structs.replace(server, **sized(migration.old_flavor))


def sized(flavor: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a server of this size."""
    return {
        "flavor_id": flavor["id"],
        "flavor": {name: value for name, value in flavor.items() if name != "row"},
        "vcpus": flavor["vcpus"],
        "memory_mib": flavor["memory_mib"],
    }


def place(tx: Tx, migration: Migration, host: str | None, tools: Tools) -> str:
    """Choose where the server goes and take the room there, keeping what it has."""
    if migration.dest_host is not None:
        return migration.dest_host
    server = server_rows.server_get(tx, migration.server_id)
    if not placement.allocations_of(tx, migration.uuid):
        placement.move(tx, server.id, migration.uuid)
    excluded = volumes.out_of_reach(tx, tools, server.id)
    excluded |= _excluded(tx, migration, tools.settings)
    wishes = Wishes(host=host, excluded=excluded)
    chosen = schedule.schedule(tx, moved(server, migration), wishes, tools.health).name
    store.migration_update(tx, migration.uuid, dest_host=chosen, status="preparing")
    return chosen


def keep_refusal(
    tx: Tx, migration: Migration, host: str | None, settings: ComputeSettings, health: Health
) -> None:
    """Keep why no host would do for a move."""
    server = server_rows.server_get(tx, migration.server_id)
    wishes = Wishes(host=host, excluded=_excluded(tx, migration, settings))
    schedule.keep_refusal(tx, moved(server, migration), wishes, health)


def _excluded(tx: Tx, migration: Migration, settings: ComputeSettings) -> dict[str, str]:
    """Say of hosts why a server cannot go there from where it is."""
    source = migration.source_host or ""
    excluded: dict[str, str] = {}
    if migration.type != RESIZE:
        excluded[source] = "the server is there"
    elif not settings.allow_resize_to_same_host:
        excluded[source] = "the server is there, and allow_resize_to_same_host is off"
    if migration.type == EVACUATION:
        return excluded
    hosts = hypervisor_rows.hypervisor_list(tx)
    here = next((one.facts for one in hosts if one.name == source), None)
    for one in hosts:
        if one.name != source and not (here is not None and is_way(here, one.facts)):
            excluded[one.name] = f"disks of {source} do not reach it"
    return excluded


def is_way(here: HostFacts, there: HostFacts) -> bool:
    """Say whether disks get from one host to another: both have them, or they are sent."""
    return (here.shares_guests and there.shares_guests) or (here.port > 0 and there.port > 0)


def ways(tx: Tx, source: str, dest: str) -> tuple[Place, Place] | None:
    """Return where two hosts are for each other, for a guest to be sent; None: they share it."""
    found = {one.name: one.facts for one in hypervisor_rows.hypervisor_list(tx)}
    both = [found[name] for name in (source, dest) if name in found]
    if source == dest or len(both) < 2 or all(facts.shares_guests for facts in both):
        return None
    first, second = (Place(name=f.name, address=f.address, port=f.port) for f in both)
    return first, second


def unplace(tx: Tx, migration: Migration) -> None:
    """Give the room there back, and let the server hold again what it held."""
    placement.move(tx, migration.uuid, migration.server_id)
    store.migration_update(tx, migration.uuid, dest_host=None)


def finish(tx: Tx, migration: Migration, status: str, *, kept: Mapping[str, Any]) -> None:
    """End a move: the server is of size `kept` now, and all that is held is held for it."""
    if not migration.is_open:
        return
    server = server_rows.server_get(tx, migration.server_id)
    wanted = most(migration.old_flavor, migration.new_flavor)
    over = {name: amount - _amounts(kept)[name] for name, amount in wanted.items()}
    quotas.release(tx, server.project_id, server.user_id, {k: v for k, v in over.items() if v})
    store.migration_update(tx, migration.uuid, status=status, is_open=False)


def counted(tx: Tx, server: Server) -> dict[str, int]:
    """Return what the server counts for: on a move, the larger of both sizes."""
    if not states.is_counted(server.vm_state, server.task_state):
        return {}
    migration = store.migration_open(tx, server.id)
    if migration is None:
        return {**_amounts(server.flavor), "instances": 1}
    return {**most(migration.old_flavor, migration.new_flavor), "instances": 1}


def release_quota(tx: Tx, server: Server) -> None:
    """Give back what the server counts for."""
    quotas.release(tx, server.project_id, server.user_id, counted(tx, server))


def claim_quota(tx: Tx, server: Server) -> None:
    """Count a server again that is brought back; Forbidden when that is too much."""
    wanted = {**_amounts(server.flavor), "instances": 1}
    try:
        quotas.claim(tx, server.project_id, server.user_id, wanted)
    except OverQuota as error:
        raise Forbidden(quotas.refusal(error, wanted)) from error


def forget(tx: Tx, server_id: str) -> None:
    """Close the move of a server that is deleted, with what is held for it."""
    migration = store.migration_open(tx, server_id)
    if migration is not None:
        placement.release(tx, migration.uuid)
        store.migration_update(tx, migration.uuid, status="error", is_open=False)


def hosts_of(tx: Tx, server: Server) -> set[str]:
    """Return every host that may have a guest of the server."""
    migration = store.migration_open(tx, server.id)
    found = {server.host}
    if migration is not None:
        found |= {migration.source_host, migration.dest_host}
    return {host for host in found if host is not None}


def most(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, int]:
    """Return what is counted while a server may become either size."""
    first, second = _amounts(one), _amounts(other)
    return {name: max(first[name], second[name]) for name in first}


def _amounts(flavor: Mapping[str, Any]) -> dict[str, int]:
    return {"cores": flavor["vcpus"], "ram": flavor["memory_mib"]}


def _claim(tx: Tx, server: Server, new: Mapping[str, Any]) -> None:
    old, wanted = _amounts(server.flavor), _amounts(new)
    more = {name: wanted[name] - old[name] for name in old if wanted[name] > old[name]}
    try:
        quotas.claim(tx, server.project_id, server.user_id, more)
    except OverQuota as error:
        raise Forbidden(quotas.refusal(error, more)) from error


def migration_get(tx: Tx, uuid: str) -> Migration:
    """Return a move, whoever's server it is."""
    return store.migration_get(tx, uuid)


def move_of(tx: Tx, server_id: str) -> Migration:
    """Return the move that a server is on."""
    found = store.migration_open(tx, server_id)
    if found is None:
        raise NotFound(f"Instance {server_id} is not on its way to anywhere.", server_id=server_id)
    return found


def list_migrations(tx: Tx, page: MigrationPage) -> list[Migration]:
    """Return a page of moves; who may ask for which was decided by the operation."""
    return store.migration_list(tx, page)


def moves_of(tx: Tx, server_id: str) -> list[Migration]:
    """Return the live moves that a visible server is on."""
    return store.migrations_of(tx, server_id, [LIVE])
