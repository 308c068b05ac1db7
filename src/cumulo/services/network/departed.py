"""What projects leave behind that are gone: nobody could delete it, or would know of it.

A project's default security group comes unasked with its first port, and its limits are no
resource.  Networks and all else that somebody made stay: they may carry guests' traffic.
"""

import sqlalchemy as sa

from cumulo.auth.context import system
from cumulo.db import Tx, quota
from cumulo.services.network import quotas, security_groups
from cumulo.services.network.store import security_groups as store
from cumulo.services.network.store import tables
from cumulo.services.network.tools import Tools


def clear_away(tools: Tools) -> None:
    """Forget limits and unused default groups of projects that are no more."""
    for project_id in tools.db.read(_gone, tools):
        tools.db.write(_clear, project_id)


def _gone(tx: Tx, tools: Tools) -> list[str]:
    named = set(tx.scalars(sa.select(tables.default_security_group.c.project_id)))
    named |= set(quota.projects_with_limits(tx, quotas.SERVICE))
    return sorted(named - tools.projects_among(tx, named) - {""})


def _clear(tx: Tx, project_id: str) -> None:
    quota.reset(tx, quotas.SERVICE, project_id)
    group_id = store.default_find(tx, project_id)
    if group_id is not None and not store.group_ports(tx, group_id):
        by = system()
        group = security_groups.group_visible(tx, by, group_id)
        security_groups.delete_group(tx, by, group)
