"""How much of each kind of resource a project may have."""

import msgspec

from cumulo.db import Tx, quota
from cumulo.kit.errors import OverQuota
from cumulo.services.network.settings import NetworkSettings

SERVICE = "network"


def take(tx: Tx, settings: NetworkSettings, project_id: str, resource: str, count: int = 1) -> None:
    """Count `count` more for the project, or refuse as network does."""
    default = getattr(settings.quota, resource)
    try:
        quota.claim(tx, SERVICE, project_id, resource, count, default)
    except OverQuota as error:
        facts = {**error.data, "type": "OverQuota"}
        raise OverQuota(f"Quota exceeded for resources: ['{resource}'].", **facts) from error


def give_back(tx: Tx, project_id: str, resource: str, count: int = 1) -> None:
    """Count `count` fewer for the project."""
    quota.release(tx, SERVICE, project_id, resource, count)


def defaults(settings: NetworkSettings) -> dict[str, int]:
    """Return the limits of a project without limits of its own."""
    return {
        field: getattr(settings.quota, field) for field in msgspec.structs.asdict(settings.quota)
    }
