"""Users of an object store that runs alone: named PROJECT:USER in the settings, each with a key.

Their tokens say who they are until when, under a signature; nothing is kept of them.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping

from cumulo.auth import Context
from cumulo.kit import clock
from cumulo.kit.errors import Unauthorized
from cumulo.services.objectstore.settings import LocalUser

_PREFIX = "AUTH_tk"
LIFE_S = 86400
_REMEMBERED = 1000  # tokens whose signature was found right
_WRONG = "The request you have made requires authentication."


class LocalUsers:
    """Who may come in, by key or by token; `secret` signs tokens."""

    def __init__(self, users: Mapping[str, LocalUser], secret: bytes) -> None:
        self._users, self._secret = users, secret
        self._good: dict[str, tuple[Context, int]] = {}  # by tokens: whose, and until when

    def log_in(self, name: str, key: str) -> tuple[str, str]:
        """Return a token and the project for a user's key."""
        known = self._users.get(name)
        is_right = hmac.compare_digest(
            (known.key if known else self._never()).encode(), key.encode()
        )
        if known is None or not is_right:
            raise Unauthorized(_WRONG)
        text = f"{int(clock.timestamp()) + LIFE_S}.{name.encode().hex()}"
        return f"{_PREFIX}{text}.{self._signature(text, known)}", name.partition(":")[0]

    def validate(self, token: str) -> Context:
        """Return whose token it is; a user whose key changed has none."""
        ctx, until = self._good.get(token) or self._checked(token)
        if until < clock.timestamp():
            raise Unauthorized(_WRONG)
        return ctx

    def _checked(self, token: str) -> tuple[Context, int]:
        text, _, signature = token.removeprefix(_PREFIX).rpartition(".")
        expires, _, coded = text.partition(".")
        try:
            name, until = bytes.fromhex(coded).decode(), int(expires)
        except ValueError as error:
            raise Unauthorized(_WRONG) from error
        known = self._users.get(name)
        if known is None:
            raise Unauthorized(_WRONG)
        right = self._signature(text, known)
        if not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")):
            raise Unauthorized(_WRONG)
        if len(self._good) >= _REMEMBERED:
            self._good.clear()
        self._good[token] = found = _context(name, known), until
        return found

    def sign_in(self, access: str, is_signed: Callable[[str], bool]) -> Context:
        """Return who holds an access key of S3, which is a user's name, with the key as secret."""
        known = self._users.get(access)
        if not is_signed(known.key if known else self._never()) or known is None:
            raise Unauthorized(_WRONG)
        return _context(access, known)

    def _never(self) -> str:
        """Return a key that nobody has, so that who is unknown takes as long as who is wrong."""
        return hmac.new(self._secret, b"nobody", hashlib.sha256).hexdigest()

    def _signature(self, text: str, user: LocalUser) -> str:
        told = f"{text}\n{user.key}".encode()
        return hmac.new(self._secret, told, hashlib.sha256).hexdigest()


def _context(name: str, user: LocalUser) -> Context:
    project, _, _ = name.partition(":")
    roles = frozenset(role.lower() for role in user.roles)
    return Context(user_id=name, user_name=name, project_id=project, roles=roles)
