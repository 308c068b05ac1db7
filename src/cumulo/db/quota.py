"""How much of each resource a project may have, and has.

What is used is a row changed in the transaction that makes or deletes the resource, so it can
neither drift nor be overrun by two requests at once.  A limit of -1 is no limit.

Whose it is, `project_id`, may also be a part of a project, as compute counts for its users.
"""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from cumulo.db.engine import Tx, metadata
from cumulo.db.statements import insert_absent
from cumulo.db.types import text_key
from cumulo.kit.errors import OverQuota

quota_limit = sa.Table(
    "quota_limit",
    metadata,
    sa.Column("service", text_key(32), primary_key=True),
    sa.Column("project_id", text_key(300), primary_key=True),
    sa.Column("resource", text_key(64), primary_key=True),
    sa.Column("hard_limit", sa.BigInteger, nullable=False),
)

quota_usage = sa.Table(
    "quota_usage",
    metadata,
    sa.Column("service", text_key(32), primary_key=True),
    sa.Column("project_id", text_key(300), primary_key=True),
    sa.Column("resource", text_key(64), primary_key=True),
    sa.Column("used", sa.BigInteger, nullable=False),
)


def claim(tx: Tx, service: str, project_id: str, resource: str, amount: int, default: int) -> None:
    """Take `amount` more of `resource`, or raise OverQuota; `default` holds without a limit set.

    Claim several resources in one fixed order, so that two requests do not wait for each other.
    """
    if amount < 0:
        raise ValueError("use release to give back")
    if amount == 0:
        return
    if not _take(tx, service, project_id, resource, amount, default):
        # Either too much, or the project's first: then there is no row to change yet.
        key = {"service": service, "project_id": project_id, "resource": resource}
        insert_absent(tx, quota_usage, **key, used=0)
        if not _take(tx, service, project_id, resource, amount, default):
            _refuse(tx, service, project_id, resource, amount, default)


def count(tx: Tx, service: str, project_id: str, resource: str, amount: int) -> None:
    """Take `amount` more of `resource`, whatever the limit: for what nobody asked for."""
    key = {"service": service, "project_id": project_id, "resource": resource}
    insert_absent(tx, quota_usage, **key, used=0)
    bound = {"of_service": service, "of_project": project_id, "of_resource": resource}
    tx.execute(_COUNT, {**bound, "more": amount})


def release(tx: Tx, service: str, project_id: str, resource: str, amount: int) -> None:
    """Give `amount` back; what is used never falls below nothing."""
    key = {"of_service": service, "of_project": project_id, "of_resource": resource}
    tx.execute(_GIVE_BACK, {**key, "less": amount})


def limits(tx: Tx, service: str, project_id: str, defaults: Mapping[str, int]) -> dict[str, int]:
    """Return every limit that holds for the project: its own, else the default."""
    own = tx.execute(_LIMITS, {"of_service": service, "of_project": project_id})
    return {**defaults, **{row[0]: row[1] for row in own}}


def limits_of_both(
    tx: Tx, service: str, class_id: str, project_id: str, defaults: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the limits of a class, and those of a project in it, by one statement."""
    rows = tx.execute(_LIMITS_OF_BOTH, {"of_service": service, "of": [class_id, project_id]}).all()
    of_class = {**defaults, **{row[1]: row[2] for row in rows if row[0] == class_id}}
    return of_class, {**of_class, **{row[1]: row[2] for row in rows if row[0] == project_id}}


def usage(tx: Tx, service: str, project_id: str, resources: Iterable[str]) -> dict[str, int]:
    """Return how much of each of `resources` the project has."""
    rows = tx.execute(_USED, {"of_service": service, "of_project": project_id})
    used = {row[0]: row[1] for row in rows}
    return {resource: used.get(resource, 0) for resource in resources}


def used_by_all(tx: Tx, service: str, resources: Iterable[str]) -> dict[tuple[str, str], int]:
    """Return how much of some resources anyone has: (whose, resource) -> used."""
    u = quota_usage.c
    query = sa.select(u.project_id, u.resource, u.used).where(
        u.service == service, u.resource.in_(list(resources)), u.used != 0
    )
    return {(row[0], row[1]): row[2] for row in tx.execute(query)}


def set_limits(tx: Tx, service: str, project_id: str, wanted: Mapping[str, int]) -> None:
    """Give the project limits of its own; those not named stay as they are.

    A limit may be lower than what is used: then nothing more can be claimed.
    """
    for resource, hard_limit in sorted(wanted.items()):
        key = {"service": service, "project_id": project_id, "resource": resource}
        insert_absent(tx, quota_limit, **key, hard_limit=hard_limit)
        key = {"of_service": service, "of_project": project_id, "of_resource": resource}
        tx.execute(_SET_LIMIT, {**key, "hard_limit": hard_limit})


def reset(tx: Tx, service: str, project_id: str) -> None:
    """Take the project's own limits away, so that the defaults hold again."""
    q = quota_limit.c
    tx.execute(sa.delete(quota_limit).where(q.service == service, q.project_id == project_id))


def projects_with_limits(tx: Tx, service: str) -> list[str]:
    """Return the projects that have a limit of their own, in order."""
    q = quota_limit.c
    select = sa.select(q.project_id).where(q.service == service).distinct().order_by(q.project_id)
    return list(tx.scalars(select))


def _take(tx: Tx, service: str, project_id: str, resource: str, amount: int, default: int) -> bool:
    key = {"of_service": service, "of_project": project_id, "of_resource": resource}
    return bool(tx.execute(_TAKE, {**key, "more": amount, "otherwise": default}).rowcount)


def _refuse(
    tx: Tx, service: str, project_id: str, resource: str, amount: int, default: int
) -> None:
    """Say why; read with a lock, since MariaDB would otherwise show an older state."""
    key = {"of_service": service, "of_project": project_id, "of_resource": resource}
    used = tx.scalars(_USED_LOCKED, key).one()
    limit = tx.scalars(sa.select(_LIMIT), {**key, "otherwise": default}).one()
    raise OverQuota(
        f"Quota exceeded for {resource}: Requested {amount}, "
        f"but already used {used} of {limit} {resource}",
        resource=resource,
        limit=limit,
        used=used,
        requested=amount,
    )


def _of_owner(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.service == sa.bindparam("of_service"),
        table.c.project_id == sa.bindparam("of_project"),
    )


def _row(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return (*_of_owner(table), table.c.resource == sa.bindparam("of_resource"))


# Built once: each boot takes half a dozen quotas, and to build a statement takes longer than it.
_q, _u = quota_limit.c, quota_usage.c
_LIMITS = sa.select(_q.resource, _q.hard_limit).where(*_of_owner(quota_limit))
_LIMITS_OF_BOTH = sa.select(_q.project_id, _q.resource, _q.hard_limit).where(
    _q.service == sa.bindparam("of_service"), _q.project_id.in_(sa.bindparam("of", expanding=True))
)
_USED = sa.select(_u.resource, _u.used).where(*_of_owner(quota_usage))
_USED_LOCKED = sa.select(_u.used).where(*_row(quota_usage)).with_for_update()
_OWN = sa.select(_q.hard_limit).where(*_row(quota_limit)).scalar_subquery()
_LIMIT = sa.func.coalesce(_OWN, sa.bindparam("otherwise", type_=sa.BigInteger))
_MORE = sa.bindparam("more", type_=sa.BigInteger)
_LESS = sa.bindparam("less", type_=sa.BigInteger)
_TAKE = (
    sa.update(quota_usage)
    .where(*_row(quota_usage), sa.or_(_LIMIT < 0, _u.used + _MORE <= _LIMIT))
    .values(used=_u.used + _MORE)
)
_COUNT = (
    sa.update(quota_usage).where(*_row(quota_usage)).values(used=_u.used + sa.bindparam("more"))
)
_GIVE_BACK = (
    sa.update(quota_usage)
    .where(*_row(quota_usage))
    .values(used=sa.case((_u.used > _LESS, _u.used - _LESS), else_=0))
)
_SET_LIMIT = sa.update(quota_limit).where(*_row(quota_limit))


def usages(tx: Tx) -> dict[tuple[str, str, str], int]:
    """Return what is used of everything, by service, project and resource."""
    used = quota_usage.c
    query = sa.select(used.service, used.project_id, used.resource, used.used).where(used.used > 0)
    return {(row.service, row.project_id, row.resource): row.used for row in tx.execute(query)}
