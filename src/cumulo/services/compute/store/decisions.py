"""What the scheduler decided, and why; kept for a month."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.compute.store.server_tables import scheduling_decision

_D = scheduling_decision.c
_INSERT = scheduling_decision.insert()
_SHOWN = 20
_AT_ONCE = 500


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a host will not do, by whose word, and what would change that."""

    filter: str
    reason: str
    remedy: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One host: what stands against it, what it has left, and how it weighs if nothing does."""

    host: str
    reasons: list[Reason] = []
    free: dict[str, int] = {}
    servers: int = 0
    weight: float | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server went, or why nowhere: every host, in the order of preference."""

    at: datetime
    host: str | None  # None: no valid host was found
    requested: dict[str, int]
    hosts: list[Verdict]
    would_fit: list[str] = []  # what would make a host fit, the least change first


def decision_insert(tx: Tx, server_id: str, decision: Decision) -> None:
    """Keep a decision."""
    text = msgspec.json.encode(decision).decode()
    values = {"server_id": server_id, "at": decision.at, "decision": text}
    tx.execute(_INSERT, values)


def decisions_of(tx: Tx, server_id: str) -> list[Decision]:
    """Return what was decided about a server, the newest first."""
    query = sa.select(_D.decision).where(_D.server_id == server_id).order_by(_D.number.desc())
    texts = tx.execute(query.limit(_SHOWN)).scalars()
    return [msgspec.json.decode(text, type=Decision) for text in texts]


def decisions_prune(tx: Tx, before: datetime) -> bool:
    """Forget some decisions that are older; say whether there may be more."""
    old = sa.select(_D.number).where(_D.at < before).limit(_AT_ONCE)
    numbers = list(tx.execute(old).scalars())
    tx.execute(sa.delete(scheduling_decision).where(_D.number.in_(numbers)))
    return len(numbers) == _AT_ONCE
