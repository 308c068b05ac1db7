"""The Fernet keys: kept in the database, rotated while they are in use.

For tokens there is always one staged key, which will sign next, and one primary, which signs now.
A primary that was replaced only reads, until no token that it signed can be worth anything.
Credentials have one key of their own, which stays: what it sealed is kept for good.
"""

from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.services.identity.settings import IdentitySettings
from cumulo.services.identity.signing import JWS, Signer, new_secret_number
from cumulo.services.identity.store.credentials import sealed_replace
from cumulo.services.identity.store.generation import generation_advance, generation_get
from cumulo.services.identity.store.keys import (
    Key,
    key_ensure,
    key_list,
    key_move,
    keys_forget,
)

TOKEN = "token"  # noqa: S105 - a purpose, not a secret
CREDENTIAL = "credential"
_ROTATED = (TOKEN, JWS)
_SLACK = timedelta(hours=1)
_ORDER = {"primary": 0, "staged": 1, "secondary": 2}


class Keyring:
    """The keys for one purpose as this process knows them; read again when generations move."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self.signer = Signer()
        self._loaded: tuple[int, MultiFernet] | None = None

    def seal(self, tx: Tx, payload: bytes, at: int | None = None) -> str:
        """Return what only holders of the keys can read or make."""
        moment = int(clock.timestamp()) if at is None else at
        return self._current(tx).encrypt_at_time(payload, moment).decode().rstrip("=")

    def open(self, tx: Tx, sealed: str) -> bytes | None:
        """Return what was sealed by us."""
        padded = sealed + "=" * (-len(sealed) % 4)
        try:
            return self._current(tx).decrypt(padded.encode())
        except (InvalidToken, ValueError):
            return None

    def _current(self, tx: Tx) -> MultiFernet:
        generation = generation_get(tx)
        loaded = self._loaded
        if loaded is None or loaded[0] != generation:
            keys = sorted(key_list(tx, self._purpose), key=lambda key: _ORDER[key.state])
            loaded = self._loaded = (generation, MultiFernet([Fernet(k.secret) for k in keys]))
        return loaded[1]


def ensure_keys(tx: Tx) -> None:
    """Make the first keys, unless there are some."""
    lacking = [purpose for purpose in (*_ROTATED, CREDENTIAL) if not key_list(tx, purpose)]
    for purpose in lacking:
        key_ensure(tx, _new_key(purpose, 1, "primary"))
        if purpose in _ROTATED:
            key_ensure(tx, _new_key(purpose, 2, "staged"))
    if lacking:
        generation_advance(tx)


def rotate(tx: Tx, settings: IdentitySettings) -> None:
    """Let the staged key sign from now on; no token that is worth something loses its worth."""
    generation_advance(tx)  # first, so that two who rotate at once do it one after the other
    now = clock.now()
    for purpose in _ROTATED:
        newest = key_list(tx, purpose)[0].number
        key_move(tx, purpose, of="primary", to="secondary", since=now)
        key_move(tx, purpose, of="staged", to="primary", since=now)
        key_ensure(tx, _new_key(purpose, newest + 1, "staged"))
        keys_forget(tx, purpose, now - _reach(settings))


def rotate_credentials(tx: Tx) -> int:
    """Seal every secret that is kept with a new key, and forget the one before."""
    generation_advance(tx)
    (before,) = key_list(tx, CREDENTIAL)
    old = Fernet(before.secret)
    new = _new_key(CREDENTIAL, before.number + 1, "primary")
    count = sealed_replace(tx, lambda sealed: _resealed(sealed, old, Fernet(new.secret)))
    key_move(tx, CREDENTIAL, of="primary", to="secondary", since=new.since)
    keys_forget(tx, CREDENTIAL, new.since + timedelta(seconds=1))
    key_ensure(tx, new)
    return count


def _resealed(sealed: str, old: Fernet, new: Fernet) -> str:
    secret = old.decrypt((sealed + "=" * (-len(sealed) % 4)).encode())
    return new.encrypt(secret).decode().rstrip("=")


def rotate_if_due(tx: Tx, settings: IdentitySettings) -> bool:
    """Rotate when the primary key has signed for as long as it should; say whether it had."""
    since = next(key.since for key in key_list(tx, TOKEN) if key.state == "primary")
    is_due = clock.now() - since >= timedelta(seconds=settings.key_rotation)
    if is_due:
        rotate(tx, settings)
    return is_due


def _new_key(purpose: str, number: int, state: str) -> Key:
    secret = new_secret_number() if purpose == JWS else Fernet.generate_key().decode()
    return Key(purpose, number, state, secret, clock.now())


def _reach(settings: IdentitySettings) -> timedelta:
    """Return for how long a token may be asked about after it was signed."""
    return timedelta(seconds=settings.expiration + settings.allow_expired_window) + _SLACK
