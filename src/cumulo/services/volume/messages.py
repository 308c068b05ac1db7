"""Telling users why work failed after their request was answered."""

from datetime import timedelta

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock, ids
from cumulo.kit.errors import NotFound
from cumulo.services.volume.settings import VolumeSettings
from cumulo.services.volume.store import messages as store
from cumulo.services.volume.store.listing import Wanted
from cumulo.services.volume.store.messages import Message as Message
from cumulo.work import Caller


def tell(  # noqa: PLR0913 - a message has this many parts
    tx: Tx,
    caller: Caller,
    settings: VolumeSettings,
    project_id: str,
    what: tuple[str, str],
    *,
    event: str,
    words: str,
) -> None:
    """Leave a message about `what`, kind and id, for its project."""
    now = clock.now()
    message = Message(
        id=ids.new_id(),
        project_id=project_id,
        request_id=caller.request_id,
        resource_type=what[0].upper(),
        resource_id=what[1],
        event_id=f"VOLUME_{event}",
        user_message=words,
        level="ERROR",
        created_at=now,
        guaranteed_until=now + timedelta(seconds=settings.message_ttl),
    )
    store.message_insert(tx, message)


def message_visible(tx: Tx, ctx: Context, message_id: str) -> Message:
    """Return a message to the caller's project; others do not exist."""
    message = store.message_find(tx, message_id)
    if message is None or (message.project_id != ctx.project_id and not ctx.is_admin):
        raise NotFound(f"Message {message_id} could not be found.", message_id=message_id)
    return message


def list_messages(tx: Tx, wanted: Wanted) -> list[Message]:
    """Return a page of messages."""
    return store.message_list(tx, wanted)


def delete_message(tx: Tx, ctx: Context, message_id: str) -> None:
    """Forget a message that was read."""
    store.message_delete(tx, message_visible(tx, ctx, message_id).id)
