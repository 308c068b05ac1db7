"""Checking tokens, many times a second."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from cumulo.auth import Context
from cumulo.db import Database, Tx
from cumulo.services.identity import tokens
from cumulo.services.identity.keys import Keyring
from cumulo.services.identity.refusals import unknown_caller
from cumulo.services.identity.store.generation import generation_get, generation_peek
from cumulo.services.identity.tokens import Token

_MOST_KNOWN = 10_000


@dataclass(slots=True)
class Known:
    """What is known of a token while the number in the database stands."""

    generation: int
    token: Token
    context: Context
    # What is shown of it, without and with a catalog, once somebody asked for it.
    shown: dict[bool, bytes]


class TokenValidator:
    """Says whose a token is.

    What was found out once holds until anything changes that may affect any token: one number in
    the database tells, and it is read each time.  Tokens that are no good are not remembered.
    """

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db, self._keyring = db, keyring
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def remembered(self) -> int:
        """Return how many tokens are remembered; never more than a fixed number."""
        return len(self._known)

    def validate(self, token_id: str) -> Context:
        """Return the owner of a token; raise `Unauthorized`, always in the same words."""
        return self.check(token_id).context

    def check(self, token_id: str, *, allowance_s: int = 0) -> Known:
        """Return all that a token is worth, even if it expired less than `allowance_s` ago."""
        key = hashlib.sha256(token_id.encode()).digest()
        known = self._known.get(key)
        if known is None or known.generation != generation_peek(self._db):
            known = self._db.read(self._read, token_id)
            self._remember(key, known)
        if known.token.is_expired(allowance_s):
            raise unknown_caller()
        return known

    def _read(self, tx: Tx, token_id: str) -> Known:
        generation = generation_get(tx)
        token = tokens.read(tx, self._keyring, token_id)
        return Known(generation, token, token.context(), {})

    def _remember(self, key: bytes, known: Known) -> None:
        with self._lock:
            self._known[key] = known
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
