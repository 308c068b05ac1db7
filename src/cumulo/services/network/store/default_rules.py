"""Rules that new security groups begin with, as they are stored."""

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import standard, tables


class DefaultRule(msgspec.Struct, frozen=True, gc=False):
    """Something that new security groups permit; `removed`: the cloud's own, taken away."""

    id: str
    description: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    remote_address_group_id: str | None
    used_in_default_sg: bool
    used_in_non_default_sg: bool
    sameness: str
    removed: bool


def default_rules_where(tx: Tx, *where: sa.ColumnElement[bool]) -> list[DefaultRule]:
    """Return the rows that fulfil every condition."""
    return standard.where(tx, tables.default_rule, DefaultRule, *where)


def default_rule_insert(tx: Tx, rule: DefaultRule) -> None:
    """Record a new rule, or that one of the cloud's own is gone."""
    standard.insert(tx, tables.default_rule, rule)


def default_rule_delete(tx: Tx, rule_id: str) -> None:
    """Forget a rule."""
    standard.remove(tx, tables.default_rule, rule_id)


def group_exists(tx: Tx, group_id: str) -> bool:
    """Say whether there is such a security group."""
    g = tables.security_group.c
    return tx.scalar(sa.select(g.id).where(g.id == group_id)) is not None


def address_group_exists(tx: Tx, group_id: str) -> bool:
    """Say whether there is such an address group."""
    g = tables.address_group.c
    return tx.scalar(sa.select(g.id).where(g.id == group_id)) is not None
