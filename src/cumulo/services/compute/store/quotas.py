"""Limits of the users within a project, kept beside those of the project."""

import sqlalchemy as sa

from cumulo.db import Tx, quota
from cumulo.db.quota import quota_limit

SERVICE = "compute"


def owner(project_id: str, user_id: str | None = None) -> str:
    """Return whose limits and usage they are: a project's, or those of a user within it."""
    return f"{project_id}/{user_id}" if user_id else project_id


def users_limits(tx: Tx, project_id: str) -> dict[str, int]:
    """Return, by resource, the sum of what the project's users have limits for."""
    q = quota_limit.c
    total = sa.func.sum(q.hard_limit).label("total")
    query = sa.select(q.resource, total).where(*_of_users(project_id)).group_by(q.resource)
    return {row.resource: int(row.total) for row in tx.execute(query)}


def users_reset(tx: Tx, project_id: str) -> None:
    """Take away the limits of all users of a project."""
    tx.execute(sa.delete(quota_limit).where(*_of_users(project_id)))


def own_limits(tx: Tx, project_id: str, user_id: str) -> dict[str, int]:
    """Return the limits that were set for a user of a project."""
    return quota.limits(tx, SERVICE, owner(project_id, user_id), {})


def _of_users(project_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    q = quota_limit.c
    return (q.service == SERVICE, q.project_id.startswith(f"{project_id}/", autoescape=True))
