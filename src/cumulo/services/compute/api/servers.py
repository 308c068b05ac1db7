"""/servers: make, list, show, change and delete servers."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.compute import availability_zones, networking, new_servers, servers
from cumulo.services.compute.api.server_bodies import CreateBody, ListQuery, UpdateBody
from cumulo.services.compute.api.server_changes import BriefView, brief
from cumulo.services.compute.api.server_filters import page_url, wanted
from cumulo.services.compute.api.server_requests import boot_of, changes_of
from cumulo.services.compute.api.server_views import Bare, GroupName, ServerView, Shower
from cumulo.services.compute.new_servers import Boot
from cumulo.services.compute.services import Health
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows import deletion
from cumulo.services.compute.workflows.create_server import CREATE_SERVER, CreateServer
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes
from cumulo.web.paging import Link, next_link
from cumulo.work import start

Call: TypeAlias = _Call[Tools]
routes = Routes()


class Created(msgspec.Struct, kw_only=True):
    """A server as its creation answers."""

    id: str
    links: list[Link]
    disk_config: str = msgspec.field(name="OS-DCF:diskConfig")
    security_groups: list[GroupName]
    admin_pass: str | msgspec.UnsetType = msgspec.field(name="adminPass", default=msgspec.UNSET)


class CreatedBody(msgspec.Struct):
    """The answer to a create request."""

    server: Created


class ReservationBody(msgspec.Struct):
    """The answer to a create request that asked for its reservation only."""

    reservation_id: str


class BareBody(msgspec.Struct, omit_defaults=True):
    """A short list."""

    servers: list[Bare]
    servers_links: list[Link] = []


class FullBody(msgspec.Struct, omit_defaults=True):
    """A list with details."""

    servers: list[ServerView]
    servers_links: list[Link] = []


class ServerBody(msgspec.Struct):
    """One server."""

    server: ServerView


class BriefBody(msgspec.Struct):
    """One server after a change, before 2.75."""

    server: BriefView


@routes.post("/v2.1/servers", policy="os_compute_api:servers:create", status=202)
def create_server(call: Call, body: CreateBody) -> Reply:
    """Create one or more servers; the answer comes before they run."""
    boot = boot_of(call, body)
    password = new_servers.admin_password(body.server.admin_pass)
    begun = call.db.write(_create, call, boot, password)
    first = begun[0].server
    if body.server.return_reservation_id:
        return Reply(ReservationBody(first.reservation_id))
    created = Created(
        id=first.id,
        links=Shower(call).links(first.id),
        disk_config=first.disk_config,
        security_groups=[GroupName(name) for name in boot.security_groups or ["default"]],
        admin_pass=password,
    )
    return Reply(CreatedBody(created), headers={"Location": created.links[0].href})


def _create(tx: Tx, call: Call, boot: Boot, password: str) -> list[new_servers.Begun]:
    ctx = call.ctx
    begun = new_servers.new_servers(tx, ctx, call.tools, boot)
    if call.version < (2, 72) and networking.ask_for_bandwidth(tx, boot.networks):
        raise Invalid(
            "Creating servers with ports having resource requests, like a port with a QoS minimum "
            "bandwidth policy, is not supported until microversion 2.72."
        )
    for one in begun:
        params = CreateServer(
            server_id=one.server.id,
            action=one.action,
            host=boot.host,
            forced=boot.forced,
            admin_pass=password if one.server.config_drive else None,
        )
        start(tx, CREATE_SERVER, params, subject=one.server.id, ctx=ctx)
    return begun


@routes.get("/v2.1/servers", policy="os_compute_api:servers:index")
def list_servers(call: Call, query: ListQuery) -> BareBody:
    """List the servers of the project, or of all projects."""
    asked = wanted(call, query, "index")
    found = call.db.read(servers.list_servers, asked)
    shower = Shower(call)
    shown = [shower.bare(server) for server in found]
    return BareBody(shown, next_link(page_url(call, "servers"), call.filters, found, asked.limit))


@routes.get("/v2.1/servers/detail", policy="os_compute_api:servers:detail")
def list_servers_detailed(call: Call, query: ListQuery) -> FullBody:
    """List servers with their details."""
    asked = wanted(call, query, "detail")
    seen = call.db.read(_listed, asked, call.tools.health)
    found = [one.server for one in seen]
    url, shower = page_url(call, "servers/detail"), Shower(call)
    return FullBody(
        [shower.full(one) for one in seen], next_link(url, call.filters, found, asked.limit)
    )


def _listed(tx: Tx, asked: servers.Wanted, health: Health) -> list[servers.Seen]:
    return servers.seen_all(tx, servers.list_servers(tx, asked), health)


@routes.get("/v2.1/servers/{server_id}", policy="os_compute_api:servers:show")
def show_server(call: Call, server_id: str) -> ServerBody:
    """Show a server with its details."""
    seen = call.db.read(servers.see, call.ctx, server_id, call.tools.health)
    return ServerBody(Shower(call).full(seen))


@routes.put("/v2.1/servers/{server_id}", policy="os_compute_api:servers:update")
def update_server(call: Call, server_id: str, body: UpdateBody) -> ServerBody | BriefBody:
    """Change a server's name, description, host name, access addresses or zone to stay in."""
    changes = changes_of(body.server)
    call.db.write(_update, call, server_id, changes)
    shown = show_server(call, server_id)
    return shown if call.version >= (2, 75) else BriefBody(brief(shown.server))


def _update(tx: Tx, call: Call, server_id: str, changes: Mapping[str, object]) -> None:
    zone = changes.get("availability_zone")
    if isinstance(zone, str):
        server = servers.server_visible(tx, call.ctx, server_id)
        availability_zones.check_pin(tx, zone, server.host, call.tools.health)
    servers.update_server(tx, call.ctx, server_id, dict(changes))


@routes.delete("/v2.1/servers/{server_id}", policy="os_compute_api:servers:delete", status=204)
def delete_server(call: Call, server_id: str) -> None:
    """Delete a server, whatever state it is in."""
    call.db.write(deletion.delete, call.ctx, call.tools, server_id)
