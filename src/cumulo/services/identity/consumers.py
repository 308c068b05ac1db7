"""Consumers of OAuth 1: registered and shown; no way of logging in asks for them yet."""

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.identity.changes import Changes
from cumulo.services.identity.journal import note
from cumulo.services.identity.listings import Listing, Page
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.store import consumers as store
from cumulo.services.identity.store.consumers import Consumer as Consumer


def consumer_get(tx: Tx, consumer_id: str) -> Consumer:
    """Return a consumer."""
    found = store.consumer_find(tx, consumer_id)
    if found is None:
        raise absent("consumer", consumer_id)
    return found


def consumer_list(tx: Tx, listing: Listing) -> Page[Consumer]:
    """Return consumers."""
    return store.consumer_page(tx, listing)


def create_consumer(tx: Tx, ctx: Context, new: Consumer) -> Consumer:
    """Record a consumer."""
    store.consumer_insert(tx, new)
    note(tx, ctx, "create", after=new)
    return new


def update_consumer(tx: Tx, ctx: Context, consumer_id: str, changes: Changes) -> Consumer:
    """Describe a consumer otherwise."""
    before = consumer_get(tx, consumer_id)
    after = store.consumer_change(tx, before, **changes)
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_consumer(tx: Tx, ctx: Context, consumer_id: str) -> None:
    """Delete a consumer."""
    found = consumer_get(tx, consumer_id)
    store.consumer_delete(tx, found.id)
    note(tx, ctx, "delete", before=found)
