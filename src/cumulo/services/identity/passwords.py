"""Passwords: hashed with bcrypt, and recognised for a while once they were right.

Checking takes the same time for a user that does not exist, has no password or is disabled, so
that nobody learns from the clock who is there.
"""

import hashlib
import hmac
import threading
from collections import OrderedDict

import bcrypt

from cumulo.kit import clock, processors
from cumulo.kit.ids import new_secret
from cumulo.services.identity.settings import IdentitySettings

# bcrypt looks at no more; Keystone cuts there too, so that hashes can be moved between them.
_BCRYPT_BYTES = 72
_MOST_REMEMBERED = 4096


class Passwords:
    """Hashes and checks passwords for one process."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._settings = settings
        self._secret = new_secret()
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()
        # Any hash will do for users without one: it costs as much to compare with.
        self._nobody = bcrypt.gensalt(settings.password_hash_rounds) + b"." * 31

    def hash(self, password: str) -> str:
        """Return the hash to store; slow on purpose, so never call it inside a transaction."""
        salt = bcrypt.gensalt(self._settings.password_hash_rounds)
        with processors.apart():
            return bcrypt.hashpw(self._cut(password), salt).decode()

    def is_right(self, user_id: str, password_hash: str | None, password: str) -> bool:
        """Say whether `password` is the user's; without a hash it never is, just as slowly."""
        if password_hash is None:
            self._check(password, self._nobody)
            return False
        mark = self._mark(user_id, password_hash, password)
        if self._recognises(mark):
            return True
        if not self._check(password, password_hash.encode()):
            return False
        self._note(mark)
        return True

    def matches(self, password_hash: str, password: str) -> bool:
        """Say whether a password is the one that was hashed; slow, and recognises nothing."""
        return self._check(password, password_hash.encode())

    def remember(self, user_id: str, password_hash: str, password: str) -> None:
        """Recognise a password that was set a moment ago."""
        self._note(self._mark(user_id, password_hash, password))

    def _check(self, password: str, password_hash: bytes) -> bool:
        with processors.apart():
            return bcrypt.checkpw(self._cut(password), password_hash)

    def _cut(self, password: str) -> bytes:
        return password.encode()[: min(_BCRYPT_BYTES, self._settings.max_password_length)]

    def _mark(self, user_id: str, password_hash: str, password: str) -> bytes:
        """Name what was checked without keeping it: a new hash makes a new mark."""
        parts = (user_id.encode(), password_hash.encode(), password.encode())
        text = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hmac.new(self._secret, text, hashlib.sha256).digest()

    def _recognises(self, mark: bytes) -> bool:
        with self._lock:
            return self._known.get(mark, 0.0) > clock.monotonic()

    def _note(self, mark: bytes) -> None:
        if self._settings.remember_password:
            with self._lock:
                self._known[mark] = clock.monotonic() + self._settings.remember_password
                self._known.move_to_end(mark)
                while len(self._known) > _MOST_REMEMBERED:
                    self._known.popitem(last=False)
