"""Security groups and their rules as they are stored."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables
from cumulo.services.network.store.selection import of_some


class SecurityGroup(msgspec.Struct, frozen=True, gc=False):
    """A set of rules that ports are put under."""

    id: str
    project_id: str
    name: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    stateful: bool


class Rule(msgspec.Struct, frozen=True, gc=False):
    """Something that a security group permits."""

    id: str
    project_id: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    security_group_id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    sameness: str
    remote_address_group_id: str | None = None


_g, _r, _d = (
    tables.security_group.c,
    tables.security_group_rule.c,
    tables.default_security_group.c,
)
_GROUPS = sa.select(tables.security_group).order_by(_g.created_at, _g.id)
_RULES = sa.select(tables.security_group_rule).order_by(_r.created_at, _r.id)
_DEFAULT = sa.select(_d.security_group_id).where(_d.project_id == sa.bindparam("of_project"))


def group_find(
    tx: Tx, group_id: str, seen: sa.ColumnElement[bool] | None = None
) -> SecurityGroup | None:
    """Return a security group that fulfils `seen`, or None."""
    where = [tables.security_group.c.id == group_id, *([] if seen is None else [seen])]
    row = tx.execute(sa.select(tables.security_group).where(*where)).one_or_none()
    return SecurityGroup(*row) if row else None


def groups_by_id(tx: Tx, ids: Collection[str]) -> list[SecurityGroup]:
    """Return those of the security groups that are there, in the order of their making."""
    return [SecurityGroup(*row) for row in of_some(tx, _GROUPS, _g.id, ids)]


def groups_where(tx: Tx, *where: sa.ColumnElement[bool]) -> list[SecurityGroup]:
    """Return the security groups that fulfil every condition."""
    return [SecurityGroup(*row) for row in tx.execute(_GROUPS.where(*where))]


def group_insert(tx: Tx, group: SecurityGroup) -> None:
    """Record a new security group."""
    tx.execute(sa.insert(tables.security_group), msgspec.structs.asdict(group))


def default_find(tx: Tx, project_id: str) -> str | None:
    """Return the id of the project's default group, once there is one."""
    return tx.scalar(_DEFAULT, {"of_project": project_id})


def default_insert(tx: Tx, project_id: str, group_id: str) -> None:
    """Make the group the project's default; only one can be."""
    row = {"project_id": project_id, "security_group_id": group_id}
    tx.execute(sa.insert(tables.default_security_group), row)


def default_delete(tx: Tx, group_id: str) -> None:
    """Let the group be no project's default."""
    d = tables.default_security_group
    tx.execute(sa.delete(d).where(d.c.security_group_id == group_id))


def defaults_among(tx: Tx, group_ids: Collection[str]) -> set[str]:
    """Return those of the groups that are some project's default."""
    d = tables.default_security_group.c
    select = sa.select(d.security_group_id).where(d.security_group_id.in_(group_ids))
    return set(tx.scalars(select))


def owners_of(tx: Tx, group_ids: Collection[str]) -> dict[str, str]:
    """Return the project of each group."""
    g = tables.security_group.c
    select = sa.select(g.id, g.project_id).where(g.id.in_(group_ids))
    return {row[0]: row[1] for row in tx.execute(select)}


def group_ports(tx: Tx, group_id: str) -> list[str]:
    """Return the ports in the group."""
    m = tables.port_security_group.c
    return sorted(tx.scalars(sa.select(m.port_id).where(m.security_group_id == group_id)))


def rule_find(tx: Tx, rule_id: str, seen: sa.ColumnElement[bool] | None = None) -> Rule | None:
    """Return a rule that fulfils `seen`, or None."""
    table = tables.security_group_rule
    where = [table.c.id == rule_id, *([] if seen is None else [seen])]
    row = tx.execute(sa.select(table).where(*where)).one_or_none()
    return Rule(*row) if row else None


def rule_same(tx: Tx, group_id: str, sameness: str) -> str | None:
    """Return the id of the group's rule that permits just that, if there is one."""
    r = tables.security_group_rule.c
    where = (r.security_group_id == group_id, r.sameness == sameness)
    return tx.scalar(sa.select(r.id).where(*where))


def rules_insert(tx: Tx, rules: Collection[Rule]) -> None:
    """Record new rules."""
    rows = [msgspec.structs.asdict(rule) for rule in rules]
    if rows:
        tx.execute(sa.insert(tables.security_group_rule), rows)


def rules_delete(tx: Tx, group_id: str) -> int:
    """Forget all rules of the group; return how many there were."""
    table = tables.security_group_rule
    return tx.execute(sa.delete(table).where(table.c.security_group_id == group_id)).rowcount


def rules_map(tx: Tx, group_ids: Collection[str]) -> dict[str, list[Rule]]:
    """Return the rules of each group, oldest first."""
    found: defaultdict[str, list[Rule]] = defaultdict(list)
    for row in of_some(tx, _RULES, _r.security_group_id, group_ids):
        found[row.security_group_id].append(Rule(*row))
    return found


def rules_naming(tx: Tx, remote_group_id: str) -> list[tuple[str, str, str]]:
    """Return (rule, its group, its project) for every rule that admits the group's members."""
    r = tables.security_group_rule.c
    select = sa.select(r.id, r.security_group_id, r.project_id)
    return [tuple(row) for row in tx.execute(select.where(r.remote_group_id == remote_group_id))]
