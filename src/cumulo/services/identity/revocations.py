"""What was revoked by itself, for whoever keeps a list."""

from cumulo.db import Tx
from cumulo.services.identity.store import revocations as store
from cumulo.services.identity.store.revocations import Revocation as Revocation


def revocation_list(tx: Tx) -> list[Revocation]:
    """Return the tokens that were revoked one by one and may still be asked about."""
    return store.revocation_list(tx)
