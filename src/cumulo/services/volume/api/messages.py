"""Messages: why work failed after its request was answered."""

from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.kit.clock import iso_bare
from cumulo.services.volume import messages
from cumulo.services.volume.api.links import Link, Place, next_links
from cumulo.services.volume.api.queries import Lists, wanted_of
from cumulo.services.volume.messages import Message
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ONE = "/v3/messages/{message_id}"

LISTS = Lists(
    filters={
        "resource_uuid": "resource_id",
        "resource_type": "resource_type",
        "event_id": "event_id",
        "request_id": "request_id",
        "message_level": "level",
    },
    sort_keys={
        "id": "id",
        "created_at": "created_at",
        "guaranteed_until": "guaranteed_until",
        "event_id": "event_id",
        "resource_type": "resource_type",
        "resource_uuid": "resource_id",
        "request_id": "request_id",
        "message_level": "level",
    },
)


class MessageView(msgspec.Struct, kw_only=True):
    """A message."""

    id: str
    event_id: str
    user_message: str
    message_level: str
    created_at: str
    guaranteed_until: str
    request_id: str | None
    resource_type: str
    resource_uuid: str | None
    links: list[Link]


class MessageBody(msgspec.Struct):
    """A message."""

    message: MessageView


class MessagesBody(msgspec.Struct, kw_only=True):
    """A page of messages."""

    messages: list[MessageView]
    messages_links: list[Link] | UnsetType = UNSET


@routes.get("/v3/messages", policy="message:get_all", since="3.3")
def list_messages(call: Call) -> MessagesBody:
    """List messages."""
    wanted = wanted_of(call, LISTS)
    found = call.db.read(messages.list_messages, wanted)
    return MessagesBody(
        messages=[_show(call, one) for one in found],
        messages_links=next_links(call, "messages", found, wanted.limit),
    )


@routes.get(_ONE, policy="message:get", since="3.3")
def show_message(call: Call, message_id: str) -> MessageBody:
    """Show a message."""
    return MessageBody(_show(call, call.db.read(messages.message_visible, call.ctx, message_id)))


@routes.delete(_ONE, policy="message:delete", status=204, since="3.3")
def delete_message(call: Call, message_id: str) -> None:
    """Delete a message."""
    call.db.write(messages.delete_message, call.ctx, message_id)


def _show(call: _Call[Any], one: Message) -> MessageView:
    return MessageView(
        id=one.id,
        event_id=one.event_id,
        user_message=one.user_message,
        message_level=one.level,
        created_at=iso_bare(one.created_at),
        guaranteed_until=iso_bare(one.guaranteed_until),
        request_id=one.request_id,
        resource_type=one.resource_type,
        resource_uuid=one.resource_id,
        links=Place(call, "messages").links(one.id),
    )
