"""Checking tokens, many times a second."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from cumulo.auth import Context
from cumulo.db import Database, Tx
from cumulo.services.identity import catalog, tokens
from cumulo.services.identity.catalog import CatalogEntry
from cumulo.services.identity.keys import Keyring
from cumulo.services.identity.refusals import unknown_caller
from cumulo.services.identity.store.generation import generation_get
from cumulo.services.identity.tokens import Token

_MOST_KNOWN = 10_000


@dataclass(slots=True)
class _Known:
    generation: int
    token: Token
    context: Context
    catalog: list[CatalogEntry] | None = None  # once somebody asked for it


class TokenValidator:
    """Says whose a token is.

    What was found out once holds until anything changes that may affect any token: one number in
    the database tells, and it is read each time.  Tokens that are no good are not remembered.
    """

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db, self._keyring = db, keyring
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def remembered(self) -> int:
        """Return how many tokens are remembered; never more than a fixed number."""
        return len(self._known)

    def validate(self, token_id: str) -> Context:
        """Return the owner of a token; raise `Unauthorized`, always in the same words."""
        known = self._db.read(self._look, token_id)
        if known.token.is_expired():
            raise unknown_caller()
        return known.context

    def check(self, token_id: str, *, allowance_s: int = 0) -> Token:
        """Return all that a token is worth, even if it expired less than `allowance_s` ago."""
        known = self._db.read(self._look, token_id)
        if known.token.is_expired(allowance_s):
            raise unknown_caller()
        return known.token

    def catalog(self, token_id: str) -> list[CatalogEntry]:
        """Return the catalog that a token shows, remembered as the token is."""
        return self._db.read(self._look_at_catalog, token_id)

    def _look_at_catalog(self, tx: Tx, token_id: str) -> list[CatalogEntry]:
        known = self._look(tx, token_id)
        if known.catalog is None:
            owner = known.context
            known.catalog = catalog.catalog(tx, user_id=owner.user_id, project_id=owner.project_id)
        return known.catalog

    def _look(self, tx: Tx, token_id: str) -> _Known:
        key = hashlib.sha256(token_id.encode()).digest()
        generation = generation_get(tx)
        known = self._known.get(key)
        if known is not None and known.generation == generation:
            return known
        token = tokens.read(tx, self._keyring, token_id)
        known = _Known(generation, token, token.context())
        with self._lock:
            self._known[key] = known
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return known
