"""The Fernet keys of tokens: kept in the database, rotated while they are in use.

There is always one staged key, which will sign next, and one primary, which signs now.  A primary
that was replaced only reads, until no token that it signed can be worth anything.
"""

from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.store.generation import generation_advance, generation_get
from cumulo.services.identity.store.keys import (
    Key,
    key_ensure,
    key_list,
    key_move,
    keys_forget,
)

_SLACK = timedelta(hours=1)


class Keyring:
    """The keys as this process knows them; read again when the generation has moved on."""

    def __init__(self) -> None:
        self._loaded: tuple[int, MultiFernet] | None = None

    def seal(self, tx: Tx, payload: bytes, issued_at: int) -> str:
        """Return a token that only holders of the keys can read or make."""
        return self._current(tx).encrypt_at_time(payload, issued_at).decode().rstrip("=")

    def open(self, tx: Tx, token: str) -> bytes | None:
        """Return what is in a token of ours."""
        padded = token + "=" * (-len(token) % 4)
        try:
            return self._current(tx).decrypt(padded.encode())
        except (InvalidToken, ValueError):
            return None

    def _current(self, tx: Tx) -> MultiFernet:
        generation = generation_get(tx)
        loaded = self._loaded
        if loaded is None or loaded[0] != generation:
            order = {"primary": 0, "staged": 1, "secondary": 2}
            keys = sorted(key_list(tx), key=lambda key: order[key.state])
            loaded = self._loaded = (generation, MultiFernet([Fernet(k.secret) for k in keys]))
        return loaded[1]


def ensure_keys(tx: Tx) -> None:
    """Make the first keys, unless there are some."""
    if not key_list(tx):
        key_ensure(tx, _new_key(1, "primary"))
        key_ensure(tx, _new_key(2, "staged"))
        generation_advance(tx)


def rotate(tx: Tx, settings: IdentitySettings) -> None:
    """Let the staged key sign from now on; no token that is worth something loses its worth."""
    generation_advance(tx)  # first, so that two who rotate at once do it one after the other
    now = clock.now()
    newest = key_list(tx)[0].number
    key_move(tx, of="primary", to="secondary", since=now)
    key_move(tx, of="staged", to="primary", since=now)
    key_ensure(tx, _new_key(newest + 1, "staged"))
    keys_forget(tx, now - _reach(settings))


def rotate_if_due(tx: Tx, settings: IdentitySettings) -> bool:
    """Rotate when the primary key has signed for as long as it should; say whether it had."""
    since = next(key.since for key in key_list(tx) if key.state == "primary")
    is_due = clock.now() - since >= timedelta(seconds=settings.key_rotation)
    if is_due:
        rotate(tx, settings)
    return is_due


def _new_key(number: int, state: str) -> Key:
    return Key(number, state, Fernet.generate_key().decode(), clock.now())


def _reach(settings: IdentitySettings) -> timedelta:
    """Return for how long a token may be asked about after it was signed."""
    return timedelta(seconds=settings.expiration + settings.allow_expired_window) + _SLACK
