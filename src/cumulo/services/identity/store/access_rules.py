"""Statements on access rules: the requests that application credentials are limited to."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import access_rule, credential_rule


class AccessRule(msgspec.Struct, frozen=True):
    """A kind of request, which any of its user's application credentials may name."""

    id: str
    user_id: str
    service: str
    path: str
    method: str


def access_rule_ensure(tx: Tx, wanted: AccessRule) -> AccessRule:
    """Store a rule, or return the user's own that says the same."""
    insert_absent(tx, access_rule, **msgspec.structs.asdict(wanted))
    r = access_rule.c
    select = sa.select(access_rule).where(
        r.user_id == wanted.user_id,
        r.service == wanted.service,
        r.path == wanted.path,
        r.method == wanted.method,
    )
    return _load(tx.execute(select).one())


def access_rule_find(tx: Tx, rule_id: str) -> AccessRule | None:
    """Return a rule, if it is there."""
    row = tx.execute(sa.select(access_rule).where(access_rule.c.id == rule_id)).one_or_none()
    return _load(row) if row else None


def access_rule_page(tx: Tx, user_id: str, listing: Listing) -> Page[AccessRule]:
    """Return a user's rules in the order of their ids."""
    return page(tx, access_rule, listing, _load, access_rule.c.user_id == user_id)


def access_rules_bind(tx: Tx, credential_id: str, rules: list[AccessRule]) -> None:
    """Limit an application credential to these."""
    for rule in rules:
        pair = {"application_credential_id": credential_id, "access_rule_id": rule.id}
        insert_absent(tx, credential_rule, **pair)


def access_rules_of(tx: Tx, credential_ids: list[str]) -> dict[str, list[AccessRule]]:
    """Return what each of these application credentials is limited to, if it is."""
    pair = credential_rule.c
    select = (
        sa.select(pair.application_credential_id.label("bound_to"), access_rule)
        .join(access_rule, access_rule.c.id == pair.access_rule_id)
        .where(pair.application_credential_id.in_(credential_ids))
        .order_by(access_rule.c.id)
    )
    found: dict[str, list[AccessRule]] = {}
    for row in tx.execute(select):
        values = dict(row._mapping)
        found.setdefault(values.pop("bound_to"), []).append(AccessRule(**values))
    return found


def access_rule_is_used(tx: Tx, rule_id: str) -> bool:
    """Say whether any application credential is limited to it."""
    pair = credential_rule.c
    select = sa.select(pair.access_rule_id).where(pair.access_rule_id == rule_id).limit(1)
    return tx.scalar(select) is not None


def access_rule_delete(tx: Tx, rule_id: str) -> None:
    """Take a rule away that nothing is limited to."""
    tx.execute(sa.delete(access_rule).where(access_rule.c.id == rule_id))


def access_rules_forget_user(tx: Tx, user_id: str) -> None:
    """Take away all that a user has, once its application credentials are gone."""
    tx.execute(sa.delete(access_rule).where(access_rule.c.user_id == user_id))


def _load(row: "sa.Row[Any]") -> AccessRule:
    return AccessRule(**row._mapping)
