"""/servers/{server_id}/os-instance-actions: what was done with a server."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.services.compute import servers
from cumulo.services.compute.api.server_filters import moment, page_url
from cumulo.services.compute.servers import Action, ActionPage, Event
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes, since
from cumulo.web.paging import Link, following

Call: TypeAlias = _Call[Tools]
routes = Routes()
_MOST = 1000


class EventView(msgspec.Struct, kw_only=True):
    """A part of an action."""

    event: str
    start_time: str
    finish_time: str | None
    result: str | None
    traceback: str | UnsetType | None = UNSET
    host: Annotated[str | UnsetType | None, since("2.62")] = UNSET
    host_id: Annotated[str | UnsetType, since("2.62")] = msgspec.field(name="hostId", default=UNSET)
    details: Annotated[str | None, since("2.84")] = None


class ActionView(msgspec.Struct, kw_only=True):
    """An action."""

    action: str
    instance_uuid: str
    request_id: str
    user_id: str
    project_id: str | None
    start_time: str
    message: str | None
    updated_at: Annotated[str, since("2.58")]
    events: list[EventView] | UnsetType = UNSET


class ActionBody(msgspec.Struct):
    """One action."""

    action: ActionView = msgspec.field(name="instanceAction")


class ActionsBody(msgspec.Struct, kw_only=True):
    """The actions of a server."""

    actions: list[ActionView] = msgspec.field(name="instanceActions")
    links: Annotated[list[Link] | UnsetType, since("2.58")] = UNSET


class ActionQuery(msgspec.Struct, kw_only=True):
    """Which actions to list."""

    limit: Annotated[Annotated[int, Meta(ge=0)] | None, since("2.58")] = None
    marker: Annotated[str | None, since("2.58")] = None
    changes_since: Annotated[str | None, since("2.58")] = msgspec.field(
        name="changes-since", default=None
    )
    changes_before: Annotated[str | None, since("2.66")] = msgspec.field(
        name="changes-before", default=None
    )


@routes.get(
    "/v2.1/servers/{server_id}/os-instance-actions",
    policy="os_compute_api:os-instance-actions:list",
)
def list_actions(call: Call, server_id: str, query: ActionQuery) -> ActionsBody:
    """List what was done with a server, newest first."""
    limit = min(query.limit if query.limit is not None else _MOST, _MOST)
    page = ActionPage(
        since=moment("changes-since", query.changes_since),
        before=moment("changes-before", query.changes_before),
        marker=query.marker,
        limit=limit,
    )
    found = call.db.read(servers.list_actions, call.ctx, server_id, page)
    body = ActionsBody(actions=[_view(action) for action in found])
    if query.limit and len(found) == limit:
        url = page_url(call, f"servers/{server_id}/os-instance-actions")
        body.links = [Link("next", f"{url}?{following(call.filters, found[-1].request_id)}")]
    return body


@routes.get(
    "/v2.1/servers/{server_id}/os-instance-actions/{request_id}",
    policy="os_compute_api:os-instance-actions:show",
)
def show_action(call: Call, server_id: str, request_id: str) -> ActionBody:
    """Show one action with its events."""
    server, action, events = call.db.read(servers.show_action, call.ctx, server_id, request_id)
    view = _view(action)
    told = call.ctx.may("os_compute_api:os-instance-actions:events")
    if told or call.version >= (2, 51):
        view.events = [_event(call, event, server, told=told) for event in events]
    return ActionBody(view)


def _view(action: Action) -> ActionView:
    return ActionView(
        action=action.action,
        instance_uuid=action.server_id,
        request_id=action.request_id,
        user_id=action.user_id,
        project_id=action.project_id,
        start_time=_time(action.started_at),
        message=action.message,
        updated_at=_time(action.updated_at),
    )


def _event(call: Call, event: Event, server: servers.Server, *, told: bool) -> EventView:
    view = EventView(
        event=event.event,
        start_time=_time(event.started_at),
        finish_time=_time(event.finished_at) if event.finished_at else None,
        result=event.result,
        host_id=servers.host_id(server),
        details=event.details,
    )
    if told:
        view.traceback = event.details
        view.host = event.host
    return view


def _time(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%S.%f"))
