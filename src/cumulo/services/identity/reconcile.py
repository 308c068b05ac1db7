"""What identity keeps in order: keys that are due, revocations that no longer matter."""

from datetime import timedelta

from cumulo.db import Database, Tx
from cumulo.kit import clock
from cumulo.services.identity.keys import rotate_if_due
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.store.revocations import revocations_forget


def rotate_keys(db: Database, settings: IdentitySettings) -> None:
    """Let a new key sign tokens once the present one has for long enough."""
    db.write(rotate_if_due, settings)


def forget_revocations(db: Database, settings: IdentitySettings) -> None:
    """Drop revocations of tokens that nobody may ask about any more."""
    db.write(_forget, settings)


def _forget(tx: Tx, settings: IdentitySettings) -> None:
    revocations_forget(tx, clock.now() - timedelta(seconds=settings.allow_expired_window))
