"""Tokens that open consoles, by their hashes."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.node.api import ConsoleKind
from cumulo.services.compute.store.server_tables import console_token, server


class ConsoleToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a token opens, and how long."""

    hash: str
    server_id: str
    host: str
    kind: ConsoleKind
    expires_at: datetime


def console_token_add(tx: Tx, new: ConsoleToken) -> None:
    """Store a new token."""
    tx.execute(sa.insert(console_token).values(msgspec.structs.asdict(new)))


def console_token_find(tx: Tx, hashed: str) -> ConsoleToken | None:
    """Return a token that is good now: its server is still where it was."""
    t, s = console_token.c, server.c
    row = tx.execute(
        sa.select(console_token)
        .join(server, sa.and_(s.id == t.server_id, s.host == t.host))
        .where(t.hash == hashed, t.expires_at > clock.now(), s.is_deleted.is_(False))
    ).one_or_none()
    return ConsoleToken(**row._mapping) if row else None


def console_tokens_delete(tx: Tx, server_id: str) -> None:
    """Remove all tokens of a server."""
    tx.execute(sa.delete(console_token).where(console_token.c.server_id == server_id))


def console_tokens_expire(tx: Tx) -> None:
    """Remove the tokens that are good no more."""
    tx.execute(sa.delete(console_token).where(console_token.c.expires_at <= clock.now()))
