"""/servers/{server_id}/action: to another size or another host, and back."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.compute import moves, new_servers, numa, servers
from cumulo.services.compute.api.server_bodies import Name
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.confirm_resize import CONFIRM_RESIZE
from cumulo.services.compute.workflows.end_resize import EndResize
from cumulo.services.compute.workflows.evacuate_server import EVACUATE_SERVER, EvacuateServer
from cumulo.services.compute.workflows.move_server import MOVE_SERVER, MoveServer
from cumulo.services.compute.workflows.resize_server import RESIZE_SERVER, ResizeServer
from cumulo.services.compute.workflows.revert_resize import REVERT_RESIZE
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Reply, Routes, since, until
from cumulo.work import Workflow, start

Call: TypeAlias = _Call[Tools]
routes = Routes()
_PATH = "/v2.1/servers/{server_id}/action"


class Resize(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The flavor to become."""

    flavor_ref: Annotated[str, Meta(min_length=1, max_length=255)] | int = msgspec.field(
        name="flavorRef"
    )
    disk_config: Literal["AUTO", "MANUAL"] | None = msgspec.field(
        name="OS-DCF:diskConfig", default=None
    )


class Migrate(msgspec.Struct, forbid_unknown_fields=True):
    """Where to go; nowhere in particular by default."""

    host: Annotated[Name | None, since("2.56")] = None


class OldLiveMigrate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where to go, and how the disks do."""

    host: Name | None
    block_migration: LooseBool
    disk_over_commit: LooseBool


class LiveMigrate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where to go, and how the disks do."""

    host: Name | None
    block_migration: LooseBool | Literal["auto"]
    force: Annotated[LooseBool, since("2.30"), until("2.67")] = False


class OldEvacuate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where to go, whether the disks are there, and the new password."""

    host: Name | None = None
    on_shared_storage: LooseBool = msgspec.field(name="onSharedStorage")
    admin_pass: str | None = msgspec.field(name="adminPass", default=None)


class Evacuate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where to go, and the new password."""

    host: Name | None = None
    admin_pass: str | None = msgspec.field(name="adminPass", default=None)
    force: Annotated[LooseBool, since("2.29"), until("2.67")] = False


class Password(msgspec.Struct, kw_only=True):
    """The password of the server made anew."""

    admin_pass: str = msgspec.field(name="adminPass")


@routes.post(_PATH, policy="os_compute_api:servers:resize", status=202, action="resize")
def resize_server(call: Call, server_id: str, body: Resize) -> None:
    """Give a server another flavor, until it is confirmed or reverted."""
    call.db.write(_resize, call.ctx, server_id, body)


def _resize(tx: Tx, ctx: Context, server_id: str, wanted: Resize) -> None:
    server = servers.server_visible(tx, ctx, server_id)
    flavor = new_servers.flavor_of(tx, ctx, str(wanted.flavor_ref))
    if flavor.id == server.flavor["id"]:
        raise Invalid("When resizing, instances must change flavor!", field="flavorRef")
    if flavor.root_gib == 0 and server.flavor["root_gib"] != 0:
        raise Invalid("Resize to zero disk flavor is not allowed.", field="flavorRef")
    kept = new_servers.sizes_of(flavor)["flavor"]
    assert isinstance(kept, dict)
    numa.cells_of(kept, server.image_properties)
    begun = moves.begin(tx, ctx, server_id, moves.RESIZE, flavor=kept)
    if wanted.disk_config is not None:
        servers.update_server(tx, ctx, server_id, {"disk_config": wanted.disk_config})
    _start_resize(tx, ctx, begun, None)


@routes.post(_PATH, policy="os_compute_api:os-migrate-server:migrate", status=202, action="migrate")
def migrate_server(call: Call, server_id: str, body: Migrate | None) -> None:
    """Take a server to another host, stopping it on the way."""
    host = body.host if body else None
    if host is not None:
        call.ctx.require("os_compute_api:os-migrate-server:migrate:host")
    call.db.write(_migrate, call.ctx, server_id, host)


def _migrate(tx: Tx, ctx: Context, server_id: str, host: str | None) -> None:
    moves.check_host(tx, servers.server_visible(tx, ctx, server_id), host)
    _start_resize(tx, ctx, moves.begin(tx, ctx, server_id, moves.MIGRATION), host)


def _start_resize(tx: Tx, ctx: Context, begun: moves.Begun, host: str | None) -> None:
    server_id, uuid = begun.server.id, begun.migration.uuid
    params = ResizeServer(server_id=server_id, action=begun.action, migration=uuid, host=host)
    start(tx, RESIZE_SERVER, params, subject=server_id, ctx=ctx)


@routes.post(
    _PATH, policy="os_compute_api:servers:confirm_resize", status=204, action="confirmResize"
)
def confirm_resize(call: Call, server_id: str) -> None:
    """Keep the flavor or the host that a server was given."""
    call.db.write(_end, call.ctx, server_id, "confirmResize", "resize_confirming", CONFIRM_RESIZE)


@routes.post(
    _PATH, policy="os_compute_api:servers:revert_resize", status=202, action="revertResize"
)
def revert_resize(call: Call, server_id: str) -> None:
    """Give a server back the flavor and the host that it had."""
    call.db.write(_end, call.ctx, server_id, "revertResize", "resize_reverting", REVERT_RESIZE)


def _end(
    tx: Tx,
    ctx: Context,
    server_id: str,
    action: str,
    task: str,
    workflow: Workflow[EndResize, Tools],
) -> None:
    server, number = servers.begin(tx, ctx, server_id, action, task=task)
    migration = moves.move_of(tx, server.id)
    params = EndResize(server_id=server.id, action=number, migration=migration.uuid)
    start(tx, workflow, params, subject=server.id, ctx=ctx)


@routes.post(
    _PATH,
    policy="os_compute_api:os-migrate-server:migrate_live",
    status=202,
    action="os-migrateLive",
    until="2.24",
)
def migrate_live_as_of_old(call: Call, server_id: str, body: OldLiveMigrate) -> None:
    """Take a running server to another host."""
    _move(call, server_id, body.host)


@routes.post(
    _PATH,
    policy="os_compute_api:os-migrate-server:migrate_live",
    status=202,
    action="os-migrateLive",
    since="2.25",
)
def migrate_live(call: Call, server_id: str, body: LiveMigrate) -> None:
    """Take a running server to another host."""
    _check_not_forced(force=body.force)
    _move(call, server_id, body.host)


def _move(call: Call, server_id: str, host: str | None) -> None:
    if host is not None:
        call.ctx.require("os_compute_api:os-migrate-server:migrate_live:host")
    call.db.write(_migrate_live, call.ctx, server_id, host)


def _migrate_live(tx: Tx, ctx: Context, server_id: str, host: str | None) -> None:
    moves.check_host(tx, servers.server_visible(tx, ctx, server_id), host)
    begun = moves.begin(tx, ctx, server_id, moves.LIVE)
    params = MoveServer(
        server_id=server_id, action=begun.action, migration=begun.migration.uuid, host=host
    )
    start(tx, MOVE_SERVER, params, subject=server_id, ctx=ctx)


@routes.post(_PATH, policy="os_compute_api:os-evacuate", action="evacuate", until="2.13")
def evacuate_as_of_old(call: Call, server_id: str, body: OldEvacuate) -> Reply:
    """Make a server anew whose host is dead."""
    if body.on_shared_storage:
        raise Invalid("Hosts share no storage from which a server could be evacuated.")
    password = new_servers.admin_password(body.admin_pass)
    call.db.write(_evacuate, call, server_id, body.host, password)
    return Reply(Password(admin_pass=password))


@routes.post(_PATH, policy="os_compute_api:os-evacuate", action="evacuate", since="2.14")
def evacuate_server(call: Call, server_id: str, body: Evacuate) -> None:
    """Make a server anew whose host is dead."""
    _check_not_forced(force=body.force)
    password = new_servers.admin_password(body.admin_pass)
    call.db.write(_evacuate, call, server_id, body.host, password)


def _evacuate(tx: Tx, call: Call, server_id: str, host: str | None, password: str) -> None:
    server = servers.server_visible(tx, call.ctx, server_id)
    moves.check_host_is_down(tx, server, call.tools.health)
    moves.check_host(tx, server, host)
    begun = moves.begin(tx, call.ctx, server_id, moves.EVACUATION)
    params = EvacuateServer(
        server_id=server_id,
        action=begun.action,
        migration=begun.migration.uuid,
        host=host,
        admin_pass=password if server.config_drive else None,
        stopped=server.vm_state == "stopped" or call.version >= (2, 95),
    )
    start(tx, EVACUATE_SERVER, params, subject=server_id, ctx=call.ctx)


def _check_not_forced(*, force: bool) -> None:
    """Refuse to pass the scheduler over: what it would have found goes wrong on the host."""
    if force:
        raise Invalid("A server cannot be forced onto a host that is not fit: leave force out.")
