"""Tags: words that whoever owns a resource puts on it."""

from cumulo.db import Tx
from cumulo.services.network.store import tags as store


def forget(tx: Tx, resource_id: str) -> None:
    """Take all tags off a resource that goes away."""
    store.tags_delete(tx, resource_id)
