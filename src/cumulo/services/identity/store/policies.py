"""Statements on policies: texts kept for other services, which identity does not read."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import policy


class Policy(msgspec.Struct, frozen=True):
    """A policy as stored."""

    id: str
    type: str
    blob: str
    extra: dict[str, object] = {}


def policy_insert(tx: Tx, new: Policy) -> None:
    """Store a policy."""
    tx.execute(sa.insert(policy).values(**msgspec.structs.asdict(new)))


def policy_find(tx: Tx, policy_id: str) -> Policy | None:
    """Return a policy, if it is there."""
    row = tx.execute(sa.select(policy).where(policy.c.id == policy_id)).one_or_none()
    return _load(row) if row else None


def policy_page(tx: Tx, listing: Listing) -> Page[Policy]:
    """Return policies in the order of their ids."""
    return page(tx, policy, listing, _load)


def policy_change(tx: Tx, before: Policy, **values: Any) -> Policy:
    """Change columns of a policy."""
    tx.execute(sa.update(policy).where(policy.c.id == before.id).values(**values))
    return msgspec.structs.replace(before, **values)


def policy_delete(tx: Tx, policy_id: str) -> None:
    """Take a policy away."""
    tx.execute(sa.delete(policy).where(policy.c.id == policy_id))


def _load(row: "sa.Row[Any]") -> Policy:
    return Policy(*tuple(row))
