"""Usages: how much projects, and providers, have out."""

from cumulo.db import Tx
from cumulo.services.placement.store import allocations as store


def usage_by_class(tx: Tx, project_id: str, user_id: str | None) -> dict[str, int]:
    """Add up what a project, or one of its users, holds."""
    total: dict[str, int] = {}
    for one in store.usage_by_type(tx, project_id, user_id=user_id):
        total[one.resource_class] = total.get(one.resource_class, 0) + one.used
    return total


def usage_by_type(
    tx: Tx, project_id: str, user_id: str | None, consumer_type: str | None
) -> dict[str, dict[str, int]]:
    """Add up by type of consumer, with how many consumers there are; "all" puts all under one."""
    owner = {"user_id": user_id, "consumer_type": consumer_type}
    counts = store.consumer_count(tx, project_id, **owner)
    found: dict[str, dict[str, int]] = {}
    for one in store.usage_by_type(tx, project_id, **owner):
        name = "all" if consumer_type == "all" else one.consumer_type or "unknown"
        usage = found.setdefault(name, {})
        usage[one.resource_class] = usage.get(one.resource_class, 0) + one.used
        of_type = sum(counts.values()) if name == "all" else counts[one.consumer_type]
        usage["consumer_count"] = of_type
    return found
