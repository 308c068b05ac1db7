"""QoS policies and their rules as they are stored."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import standard, tables

BANDWIDTH_LIMIT, DSCP_MARKING = "bandwidth_limit", "dscp_marking"
MINIMUM_BANDWIDTH = "minimum_bandwidth"


class QosPolicy(msgspec.Struct, frozen=True, gc=False):
    """How the packets of ports are treated."""

    id: str
    project_id: str
    name: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    is_default: bool = False


class QosRule(msgspec.Struct, frozen=True, gc=False):
    """One thing that a policy says; a policy says it once for each direction."""

    id: str
    project_id: str  # the policy's
    qos_policy_id: str
    kind: str
    direction: str
    max_kbps: int | None = None
    max_burst_kbps: int | None = None
    dscp_mark: int | None = None
    min_kbps: int | None = None


def rules_of(tx: Tx, policy_ids: Collection[str]) -> dict[str, list[QosRule]]:
    """Return the rules of each policy."""
    found: defaultdict[str, list[QosRule]] = defaultdict(list)
    of_them = tables.qos_rule.c.qos_policy_id.in_(policy_ids)
    for rule in standard.where(tx, tables.qos_rule, QosRule, of_them) if policy_ids else []:
        found[rule.qos_policy_id].append(rule)
    return dict(found)


def rules_delete(tx: Tx, policy_id: str) -> None:
    """Forget all that a policy says."""
    tx.execute(sa.delete(tables.qos_rule).where(tables.qos_rule.c.qos_policy_id == policy_id))


_PROMISE = (
    sa.select(tables.qos_rule.c.id).where(tables.qos_rule.c.kind == MINIMUM_BANDWIDTH).limit(1)
)


def are_promises(tx: Tx) -> bool:
    """Say whether any policy promises bandwidth; cheap, since every list of ports asks."""
    return tx.scalar(_PROMISE) is not None


def policies_with(tx: Tx, kind: str) -> list[str]:
    """Return the policies that have a rule of a kind."""
    r = tables.qos_rule.c
    found = sa.select(r.qos_policy_id).where(r.kind == kind).distinct()
    return sorted(tx.scalars(found))


_DEFAULT = sa.select(tables.qos_policy.c.id).where(
    tables.qos_policy.c.project_id == sa.bindparam("of_project"),
    tables.qos_policy.c.is_default.is_(True),
)


def default_of(tx: Tx, project_id: str) -> str | None:
    """Return the policy that is a project's default, if one is."""
    return tx.scalar(_DEFAULT, {"of_project": project_id})


def networks_with(tx: Tx, policy_id: str) -> list[str]:
    """Return the networks whose ports have the policy unless they have their own."""
    n = tables.network.c
    return sorted(tx.scalars(sa.select(n.id).where(n.qos_policy_id == policy_id)))


def ports_with(tx: Tx, policy_id: str) -> list[str]:
    """Return the ports that have the policy, themselves or by their network."""
    p = tables.port.c
    by_network = sa.and_(p.network_id.in_(networks_with(tx, policy_id)), p.qos_policy_id.is_(None))
    found = sa.select(p.id).where(sa.or_(p.qos_policy_id == policy_id, by_network))
    return sorted(tx.scalars(found))


def floatingips_with(tx: Tx, policy_id: str) -> list[str]:
    """Return the floating IPs that have the policy."""
    f = tables.floatingip.c
    return sorted(tx.scalars(sa.select(f.id).where(f.qos_policy_id == policy_id)))


def routers_with(tx: Tx, policy_id: str) -> list[str]:
    """Return the routers that carry floating IPs with the policy."""
    f = tables.floatingip.c
    found = sa.select(f.router_id).where(f.qos_policy_id == policy_id, f.router_id.is_not(None))
    return sorted(tx.scalars(found.distinct()))


def policy_users(tx: Tx, policy_id: str) -> set[str]:
    """Return the projects that have networks, ports or floating IPs with the policy."""
    return {
        project_id
        for table in (tables.port, tables.network, tables.floatingip)
        for project_id in tx.scalars(
            sa.select(table.c.project_id).where(table.c.qos_policy_id == policy_id)
        )
    }
