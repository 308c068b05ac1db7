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


def release(tx: Tx, service: str, project_id: str, resource: str, amount: int) -> None:
    """Give `amount` back; what is used never falls below nothing."""
    u = quota_usage.c
    rest = sa.case((u.used > amount, u.used - amount), else_=0)
    tx.execute(
        sa.update(quota_usage).where(*_row(u, service, project_id, resource)).values(used=rest)
    )


def limits(tx: Tx, service: str, project_id: str, defaults: Mapping[str, int]) -> dict[str, int]:
    """Return every limit that holds for the project: its own, else the default."""
    own = sa.select(quota_limit.c.resource, quota_limit.c.hard_limit).where(
        quota_limit.c.service == service, quota_limit.c.project_id == project_id
    )
    return {**defaults, **{row.resource: row.hard_limit for row in tx.execute(own)}}


def usage(tx: Tx, service: str, project_id: str, resources: Iterable[str]) -> dict[str, int]:
    """Return how much of each of `resources` the project has."""
    rows = tx.execute(
        sa.select(quota_usage.c.resource, quota_usage.c.used).where(
            quota_usage.c.service == service, quota_usage.c.project_id == project_id
        )
    )
    used = {row.resource: row.used for row in rows}
    return {resource: used.get(resource, 0) for resource in resources}


def set_limits(tx: Tx, service: str, project_id: str, wanted: Mapping[str, int]) -> None:
    """Give the project limits of its own; those not named stay as they are.

    A limit may be lower than what is used: then nothing more can be claimed.
    """
    for resource, hard_limit in sorted(wanted.items()):
        key = {"service": service, "project_id": project_id, "resource": resource}
        insert_absent(tx, quota_limit, **key, hard_limit=hard_limit)
        row = _row(quota_limit.c, service, project_id, resource)
        tx.execute(sa.update(quota_limit).where(*row).values(hard_limit=hard_limit))


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
    u = quota_usage.c
    limit = _limit(service, project_id, resource, default)
    room = sa.or_(limit < 0, u.used + amount <= limit)
    change = sa.update(quota_usage).where(*_row(u, service, project_id, resource), room)
    return bool(tx.execute(change.values(used=u.used + amount)).rowcount)


def _refuse(
    tx: Tx, service: str, project_id: str, resource: str, amount: int, default: int
) -> None:
    """Say why; read with a lock, since MariaDB would otherwise show an older state."""
    u = quota_usage.c
    row = _row(u, service, project_id, resource)
    used = tx.scalars(sa.select(u.used).where(*row).with_for_update()).one()
    limit = tx.scalars(sa.select(_limit(service, project_id, resource, default))).one()
    raise OverQuota(
        f"Quota exceeded for {resource}: Requested {amount}, "
        f"but already used {used} of {limit} {resource}",
        resource=resource,
        limit=limit,
        used=used,
        requested=amount,
    )


def _limit(service: str, project_id: str, resource: str, default: int) -> sa.ColumnElement[int]:
    row = _row(quota_limit.c, service, project_id, resource)
    own = sa.select(quota_limit.c.hard_limit).where(*row).scalar_subquery()
    return sa.func.coalesce(own, default)


def _row(
    columns: "sa.sql.base.ReadOnlyColumnCollection[str, sa.Column[object]]",
    service: str,
    project_id: str,
    resource: str,
) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        columns.service == service,
        columns.project_id == project_id,
        columns.resource == resource,
    )
