"""/os-server-external-events: what other services have to tell of servers."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.compute import external_events
from cumulo.services.compute.api.server_bodies import Uuid
from cumulo.services.compute.external_events import Told
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
# name -> the first version that knows it
_SINCE = {
    "volume-extended": (2, 51),
    "power-update": (2, 76),
    "accelerator-request-bound": (2, 82),
    "volume-reimaged": (2, 93),
}


class Event(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What has happened to which server, and to what of it."""

    name: Literal[
        "network-changed",
        "network-vif-plugged",
        "network-vif-unplugged",
        "network-vif-deleted",
        "volume-extended",
        "power-update",
        "accelerator-request-bound",
        "volume-reimaged",
    ]
    server_uuid: Uuid
    status: Literal["failed", "completed", "in-progress"] = "completed"
    tag: Annotated[str, Meta(max_length=255)] | UnsetType = UNSET


class EventsBody(msgspec.Struct, forbid_unknown_fields=True):
    """What has happened."""

    events: Annotated[list[Event], Meta(min_length=1, max_length=1000)]


class AnsweredEvent(msgspec.Struct, kw_only=True):
    """What became of an event: 200 if it was taken, 404 or 422 if not."""

    name: str
    server_uuid: str
    status: str
    tag: str | UnsetType
    code: int


class AnsweredEvents(msgspec.Struct):
    """What became of every event."""

    events: list[AnsweredEvent]


@routes.post(
    "/v2.1/os-server-external-events", policy="os_compute_api:os-server-external-events:create"
)
def create_external_events(call: Call, body: EventsBody) -> Reply:
    """Take what other services tell of servers."""
    for event in body.events:
        if call.version < _SINCE.get(event.name, (2, 1)):
            raise Invalid(f"Event {event.name} is not known at {call.version}.", field="name")
    told = [Told(one.server_uuid, one.name, one.tag or None) for one in body.events]
    codes = call.db.write(external_events.take, call.ctx, told)
    if all(code == 404 for code in codes):
        raise NotFound("No instances found for any event")
    if all(code != 200 for code in codes):
        raise NotFound("None of the servers is on a host.")
    status = 200 if set(codes) == {200} else 207
    return Reply(AnsweredEvents(_answered(body.events, codes)), status=status)


def _answered(events: Sequence[Event], codes: Sequence[int]) -> list[AnsweredEvent]:
    return [
        AnsweredEvent(
            name=event.name,
            server_uuid=event.server_uuid,
            status=event.status if code == 200 else "failed",
            tag=event.tag,
            code=code,
        )
        for event, code in zip(events, codes, strict=True)
    ]
