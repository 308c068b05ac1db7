"""/os-migrations: servers on their way from a host or a size to another, and those that were."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Forbidden, NotFound
from cumulo.services.compute import live_moves, moves, servers
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.api.server_filters import moment, page_url
from cumulo.services.compute.live_moves import Verb
from cumulo.services.compute.moves import Migration, MigrationPage
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.steer_move import STEER_MOVE, SteerMove
from cumulo.web import Call as _Call
from cumulo.web import Routes, since
from cumulo.web.paging import Link, following
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-migrations:index"
_MOST = 1000


class MigrationView(msgspec.Struct, kw_only=True):
    """A move of a server."""

    id: int
    uuid: Annotated[str, since("2.59")]
    status: str
    instance_uuid: str
    source_node: str | None
    source_compute: str | None
    dest_node: str | None
    dest_compute: str | None
    dest_host: str | None
    old_instance_type_id: int | None
    new_instance_type_id: int | None
    created_at: str
    updated_at: str | None
    migration_type: Annotated[str, since("2.23")]
    links: Annotated[list[Link] | UnsetType, since("2.23")] = UNSET
    user_id: Annotated[str, since("2.80")]
    project_id: Annotated[str, since("2.80")]


class MigrationsBody(msgspec.Struct, kw_only=True):
    """Moves of servers."""

    migrations: list[MigrationView]
    links: Annotated[list[Link] | UnsetType, since("2.59")] = msgspec.field(
        name="migrations_links", default=UNSET
    )


class MigrationQuery(msgspec.Struct, kw_only=True):
    """Which moves to list."""

    host: str | None = None
    instance_uuid: str | None = None
    source_compute: str | None = None
    status: str | None = None
    hidden: str | None = None
    migration_type: Literal["evacuation", "live-migration", "migration", "resize"] | None = None
    limit: Annotated[Annotated[int, Meta(ge=0)] | None, since("2.59")] = None
    marker: Annotated[str | None, since("2.59")] = None
    changes_since: Annotated[str | None, since("2.59")] = msgspec.field(
        name="changes-since", default=None
    )
    changes_before: Annotated[str | None, since("2.66")] = msgspec.field(
        name="changes-before", default=None
    )
    user_id: Annotated[str | None, since("2.80")] = None
    project_id: Annotated[str | None, since("2.80")] = None


class ServerMigrationView(msgspec.Struct, kw_only=True):
    """A live move of a server that is under way."""

    id: int
    uuid: Annotated[str, since("2.59")]
    status: str
    server_uuid: str
    source_node: str | None
    source_compute: str | None
    dest_node: str | None
    dest_compute: str | None
    dest_host: str | None
    created_at: str
    updated_at: str | None
    memory_total_bytes: int | None = None
    memory_processed_bytes: int | None = None
    memory_remaining_bytes: int | None = None
    disk_total_bytes: int | None = None
    disk_processed_bytes: int | None = None
    disk_remaining_bytes: int | None = None
    user_id: Annotated[str, since("2.80")]
    project_id: Annotated[str, since("2.80")]


class ServerMigrationsBody(msgspec.Struct):
    """The live moves of a server."""

    migrations: list[ServerMigrationView]


class ServerMigrationBody(msgspec.Struct):
    """One live move of a server."""

    migration: ServerMigrationView


@routes.get("/v2.1/os-migrations", policy=_RULE)
def list_migrations(call: Call, query: MigrationQuery) -> MigrationsBody:
    """List moves of servers, newest first."""
    check_known(call, MigrationQuery, since=(2, 59))
    limit = min(query.limit if query.limit is not None else _MOST, _MOST)
    page = MigrationPage(
        equal=_equal(call, query),
        host=query.host,
        since=moment("changes-since", query.changes_since),
        before=moment("changes-before", query.changes_before),
        marker=query.marker,
        limit=limit,
    )
    found = call.db.read(moves.list_migrations, page)
    body = MigrationsBody(migrations=[_view(call, one) for one in found])
    if query.limit and len(found) == limit:
        url = page_url(call, "os-migrations")
        body.links = [Link("next", f"{url}?{following(call.filters, found[-1].uuid)}")]
    return body


def _equal(call: Call, query: MigrationQuery) -> dict[str, object]:
    """Return what the moves have in common; of other projects' only administrators hear."""
    project_id = query.project_id
    if not call.ctx.may(f"{_RULE}:all_projects"):
        if project_id not in (None, call.ctx.project_id):
            raise Forbidden(f"Policy doesn't allow {_RULE}:all_projects to be performed.")
        project_id = call.ctx.project_id
    wanted = {
        "server_id": query.instance_uuid,
        "source_host": query.source_compute,
        "status": query.status,
        "type": query.migration_type,
        "user_id": query.user_id,
        "project_id": project_id,
    }
    return {name: value for name, value in wanted.items() if value is not None}


@routes.get(
    "/v2.1/servers/{server_id}/migrations",
    policy="os_compute_api:servers:migrations:index",
    since="2.23",
)
def list_server_migrations(call: Call, server_id: str) -> ServerMigrationsBody:
    """List the live moves that a server is on."""
    found = call.db.read(_moves, call.ctx, server_id)
    return ServerMigrationsBody([_server_view(one) for one in found])


@routes.get(
    "/v2.1/servers/{server_id}/migrations/{migration_id}",
    policy="os_compute_api:servers:migrations:show",
    since="2.23",
)
def show_server_migration(call: Call, server_id: str, migration_id: str) -> ServerMigrationBody:
    """Show a live move that a server is on."""
    for one in call.db.read(_moves, call.ctx, server_id):
        if str(one.id) == migration_id:
            return ServerMigrationBody(_server_view(one))
    raise NotFound(
        f"In-progress live migration {migration_id} is not found for server {server_id}."
    )


@routes.delete(
    "/v2.1/servers/{server_id}/migrations/{migration_id}",
    policy="os_compute_api:servers:migrations:delete",
    status=202,
    since="2.24",
)
def abort_server_migration(call: Call, server_id: str, migration_id: str) -> None:
    """Call a live move back; the server stays where it is."""
    queued_too = call.version >= (2, 65)
    call.db.write(_steer, call.ctx, (server_id, migration_id), "abort", queued_too=queued_too)


@routes.post(
    "/v2.1/servers/{server_id}/migrations/{migration_id}/action",
    policy="os_compute_api:servers:migrations:force_complete",
    status=202,
    action="force_complete",
    since="2.22",
)
def force_complete(call: Call, server_id: str, migration_id: str) -> None:
    """Stop a server's guest until it has arrived where it is sent to."""
    call.db.write(_steer, call.ctx, (server_id, migration_id), "force_complete")


def _steer(
    tx: Tx, ctx: Context, ids: tuple[str, str], verb: Verb, *, queued_too: bool = False
) -> None:
    steered = live_moves.steer(tx, ctx, *ids, verb, queued_too=queued_too)
    uuid = steered.migration.uuid
    params = SteerMove(migration=uuid, action=steered.action, verb=verb)
    start(tx, STEER_MOVE, params, subject=uuid, ctx=ctx)


def _moves(tx: Tx, ctx: Context, server_id: str) -> list[Migration]:
    return moves.moves_of(tx, servers.server_visible(tx, ctx, server_id).id)


def _view(call: Call, one: Migration) -> MigrationView:
    is_live = one.is_open and one.type == moves.LIVE
    place = f"servers/{one.server_id}/migrations/{one.id}"
    links = [
        Link("self", f"{call.url}/v2.1/{place}"),
        Link("bookmark", f"{call.url}/{place}"),
    ]
    return MigrationView(
        id=one.id,
        uuid=one.uuid,
        status=one.status,
        instance_uuid=one.server_id,
        source_node=one.source_host,
        source_compute=one.source_host,
        dest_node=one.dest_host,
        dest_compute=one.dest_host,
        dest_host=None,
        old_instance_type_id=one.old_row,
        new_instance_type_id=one.new_row,
        created_at=clock.iso_bare(one.created_at),
        updated_at=clock.iso_bare(one.updated_at),
        migration_type=one.type,
        links=links if is_live else UNSET,
        user_id=one.user_id,
        project_id=one.project_id,
    )


def _server_view(one: Migration) -> ServerMigrationView:
    return ServerMigrationView(
        id=one.id,
        uuid=one.uuid,
        status=one.status,
        server_uuid=one.server_id,
        source_node=one.source_host,
        source_compute=one.source_host,
        dest_node=one.dest_host,
        dest_compute=one.dest_host,
        dest_host=None,
        created_at=clock.iso_bare(one.created_at),
        updated_at=clock.iso_bare(one.updated_at),
        user_id=one.user_id,
        project_id=one.project_id,
    )
