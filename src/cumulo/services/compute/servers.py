"""Servers: what may be done with them, and what follows.

Operations change rows and start workflows here, in one transaction; the workflows move the
machines.  What another project owns does not exist.
"""

import functools
import hashlib
from collections.abc import Sequence

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Forbidden, NotFound
from cumulo.services.compute import networking, quotas, server_groups, states
from cumulo.services.compute.networking import Address
from cumulo.services.compute.services import COMPUTE, Health
from cumulo.services.compute.store import actions as action_store
from cumulo.services.compute.store import aggregates as aggregate_rows
from cumulo.services.compute.store import block_devices
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store import services as service_rows
from cumulo.services.compute.store.actions import Action as Action
from cumulo.services.compute.store.actions import ActionPage as ActionPage
from cumulo.services.compute.store.actions import Doer
from cumulo.services.compute.store.actions import Event as Event
from cumulo.services.compute.store.block_devices import BlockDevice
from cumulo.services.compute.store.servers import ListedServer as ListedServer
from cumulo.services.compute.store.servers import Server as Server
from cumulo.services.compute.store.servers import Wanted as Wanted
from cumulo.services.compute.store.servers import server_counts as server_counts
from cumulo.work import Caller, events

ROOT_DEVICE = "/dev/vda"  # whatever it is: a disk that the host makes, or a volume


class Seen(msgspec.Struct, kw_only=True, gc=False):
    """A server with what other tables know of it, ready to be shown."""

    server: ListedServer
    metadata: dict[str, str] = {}
    tags: list[str] = []
    addresses: list[Address] = []
    security_groups: list[str] = []
    zone: str = ""
    volumes: list[BlockDevice] = []
    server_groups: list[str] | None = None
    host_status: str | None = None


def server_visible(tx: Tx, ctx: Context, server_id: str) -> Server:
    """Return a server the caller may know of; to anyone else it does not exist."""
    server = store.server_get(tx, server_id)
    if server.project_id == ctx.project_id or ctx.is_admin:
        return server
    raise NotFound(f"Instance {server_id} could not be found.", server_id=server_id)


def server_of_anyone(tx: Tx, server_id: str) -> Server:
    """Return a server, whoever owns it; for callers who are told no more than that it is."""
    return store.server_get(tx, server_id)


def see(tx: Tx, ctx: Context, server_id: str, health: Health) -> Seen:
    """Return a visible server with everything around it."""
    server = server_visible(tx, ctx, server_id)
    seen = seen_all(tx, [server], health)[0]
    group = server_groups.group_of(tx, server.id)
    seen.server_groups = [group.id] if group else []
    return seen


def seen_all(tx: Tx, found: Sequence[ListedServer], health: Health) -> list[Seen]:
    """Return servers with everything around them, in a handful of queries for any number."""
    ids = [server.id for server in found]
    metadata, tags = store.metadata_of(tx, ids), store.tags_of(tx, ids)
    addresses, groups = networking.shown_of(tx, ids)
    devices = block_devices.devices_map(tx, ids) if ids else {}
    hosts = {server.host for server in found if server.host}
    zones, statuses = aggregate_rows.zones_of_hosts(tx, hosts), _statuses(tx, health)
    return [
        Seen(
            server=server,
            metadata=metadata.get(server.id, {}),
            tags=tags.get(server.id, []),
            addresses=addresses.get(server.id, []),
            security_groups=groups.get(server.id, []),
            volumes=devices.get(server.id, []),
            zone=zones.get(server.host, health.default_zone) if server.host else "",
            host_status=statuses.get(server.host, "UNKNOWN") if server.host else "",
        )
        for server in found
    ]


def _statuses(tx: Tx, health: Health) -> dict[str, str]:
    """Say of each host whether it is UP, DOWN or in MAINTENANCE."""
    return {
        service.host: "MAINTENANCE"
        if service.is_disabled
        else "UP"
        if health.is_up(service)
        else "DOWN"
        for service in service_rows.service_list(tx, binary=COMPUTE)
    }


def list_servers(tx: Tx, wanted: Wanted) -> list[ListedServer]:
    """Return a page of servers; who may ask for which was decided by the operation."""
    return store.server_page(tx, wanted)


def host_id(server: ListedServer) -> str:
    """Return the name of the host as its owner may see it: a hash that differs by project."""
    return _hashed(server.project_id, server.host) if server.host else ""


@functools.lru_cache(maxsize=4096)
def _hashed(project_id: str, host: str) -> str:
    return hashlib.sha224(f"{project_id}{host}".encode()).hexdigest()


def doer(ctx: Context) -> Doer:
    """Return who asks, for the record of an action."""
    return Doer(ctx.request_id, ctx.user_id, ctx.project_id)


def begin(
    tx: Tx, ctx: Context, server_id: str, action: str, *, task: str, log_as: str | None = None
) -> tuple[Server, int]:
    """Check that `action` may be done now, mark the task, and record the action.

    Of two requests at once the second is refused, since it no longer finds the state it saw.
    """
    server = server_visible(tx, ctx, server_id)
    check_unlocked(ctx, server)
    states.check(action, server.id, server.vm_state, server.task_state)
    moved = store.server_move(
        tx, server.id, expected=[server.vm_state], tasks=[server.task_state], task_state=task
    )
    if not moved:
        raise Conflict(f"Instance {server_id} is changed by another request; try again.")
    number = action_store.action_insert(tx, server.id, log_as or action, doer(ctx))
    record(tx, ctx, server, log_as or action)
    return server, number


def begin_delete(tx: Tx, ctx: Context, server_id: str) -> tuple[Server, int]:
    """Mark that a server is being deleted, whatever state it is in, and record the action."""
    server = server_visible(tx, ctx, server_id)
    check_unlocked(ctx, server)
    return server, mark_deleted(tx, ctx, server)


def mark_deleted(tx: Tx, ctx: Context, server: Server) -> int:
    """Mark that a server is being deleted, and record the action."""
    if server.task_state == "restoring":
        # It was counted again to be restored; one that is deleted softly is not.
        quotas.release(tx, server.project_id, server.user_id, _amounts(server))
    store.server_update(tx, server.id, task_state="deleting")
    return action_store.action_insert(tx, server.id, "delete", doer(ctx))


def check_unlocked(ctx: Context, server: Server) -> None:
    """Refuse to change a locked server, unless the caller may override locks."""
    target = {"project_id": server.project_id, "user_id": server.user_id}
    over = ctx.may("os_compute_api:os-lock-server:unlock:unlock_override", **target)
    if server.locked_by and not over:
        raise Conflict(f"Instance {server.id} is locked", server_id=server.id)


def _amounts(server: Server) -> dict[str, int]:
    return {"cores": server.vcpus, "ram": server.memory_mib, "instances": 1}


def record(tx: Tx, ctx: Caller | None, server: Server, action: str, **after: object) -> None:
    """Log a change of a server."""
    events.record(
        tx,
        ctx,
        resource="server",
        resource_id=server.id,
        action=action,
        after=after or None,
        project_id=server.project_id,
    )


def update_server(tx: Tx, ctx: Context, server_id: str, changes: dict[str, object]) -> None:
    """Change the columns of a server that describe it."""
    server = server_visible(tx, ctx, server_id)
    store.server_update(tx, server.id, **changes)
    record(tx, ctx, server, "update", **changes)


def inject_network_info(tx: Tx, ctx: Context, server_id: str) -> None:
    """Record that a guest is to be told of its network, which it always learns by itself."""
    server = server_visible(tx, ctx, server_id)
    check_unlocked(ctx, server)
    action_store.action_insert(tx, server.id, "injectNetworkInfo", doer(ctx))
    record(tx, ctx, server, "inject_network_info")


def lock_server(tx: Tx, ctx: Context, server_id: str, reason: str | None) -> None:
    """Let nobody but the locker's like change the server."""
    server = server_visible(tx, ctx, server_id)
    by = "owner" if server.project_id == ctx.project_id and not ctx.is_admin else "admin"
    store.server_update(tx, server.id, locked_by=by, locked_reason=reason)
    action_store.action_insert(tx, server.id, "lock", doer(ctx))
    record(tx, ctx, server, "lock")


def unlock_server(tx: Tx, ctx: Context, server_id: str) -> None:
    """Let the server be changed again; what an admin locked only an admin unlocks."""
    server = server_visible(tx, ctx, server_id)
    rule = "os_compute_api:os-lock-server:unlock:unlock_override"
    if server.locked_by == "admin" and not ctx.may(rule):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.", rule=rule)
    store.server_update(tx, server.id, locked_by=None, locked_reason=None)
    action_store.action_insert(tx, server.id, "unlock", doer(ctx))
    record(tx, ctx, server, "unlock")


def reset_state(tx: Tx, ctx: Context, server_id: str, state: str) -> None:
    """Call the server active or in error, whatever it was; the machine is not touched."""
    server = server_visible(tx, ctx, server_id)
    if not states.is_counted(server.vm_state, server.task_state):
        quotas.count(tx, server.project_id, server.user_id, _amounts(server))
    store.server_update(tx, server.id, vm_state=state, task_state=None)
    record(tx, ctx, server, "reset_state", vm_state=state)


def list_actions(tx: Tx, ctx: Context, server_id: str, page: ActionPage) -> list[Action]:
    """Return a page of what was done with a server, also with one that is deleted."""
    return action_store.action_list(tx, _even_deleted(tx, ctx, server_id).id, page)


def show_action(
    tx: Tx, ctx: Context, server_id: str, request_id: str
) -> tuple[Server, Action, list[Event]]:
    """Return one action with its events."""
    server = _even_deleted(tx, ctx, server_id)
    action = action_store.action_find(tx, server.id, request_id)
    if action is None:
        raise NotFound(f"Action for request_id {request_id} on instance {server_id} not found")
    return server, action, action_store.events_of(tx, action.number)


def _even_deleted(tx: Tx, ctx: Context, server_id: str) -> Server:
    server = store.server_find(tx, server_id)
    if server is None or not (ctx.is_admin or server.project_id == ctx.project_id):
        raise NotFound(f"Instance {server_id} could not be found.", server_id=server_id)
    return server


def fail(tx: Tx, server: Server, message: str, details: str) -> None:
    """Put a server in error and keep why; the words are for its owner, the details for admins."""
    store.server_update(
        tx,
        server.id,
        vm_state="error",
        task_state=None,
        fault_code=500,
        fault_message=message[:255],
        fault_details=details,
        fault_at=clock.now(),
    )


def note_fault(tx: Tx, server: Server, message: str) -> None:
    """Keep why something failed, of a server that is none the worse for it."""
    store.server_update(
        tx,
        server.id,
        fault_code=500,
        fault_message=message[:255],
        fault_details=message,
        fault_at=clock.now(),
    )
