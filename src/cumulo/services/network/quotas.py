"""How much of each kind of resource a project may have."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx, quota
from cumulo.kit.errors import Invalid, NotFound, OverQuota
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import LooseInt

SERVICE = "network"
Limit: TypeAlias = Annotated[LooseInt, Meta(ge=-1, le=2**31 - 1)] | UnsetType


class Limits(msgspec.Struct, kw_only=True):
    """A limit for each kind of resource that is counted; -1 is none."""

    network: Limit = UNSET
    subnet: Limit = UNSET
    port: Limit = UNSET
    router: Limit = UNSET
    floatingip: Limit = UNSET
    security_group: Limit = UNSET
    security_group_rule: Limit = UNSET
    rbac_policy: Limit = UNSET
    subnetpool: Limit = UNSET
    trunk: Limit = UNSET


def take(tx: Tx, settings: NetworkSettings, project_id: str, resource: str, count: int = 1) -> None:
    """Count `count` more for the project, or refuse as network does."""
    default = defaults(settings)[resource]
    try:
        quota.claim(tx, SERVICE, project_id, resource, count, default)
    except OverQuota as error:
        facts = {**error.data, "type": "OverQuota"}
        raise OverQuota(f"Quota exceeded for resources: ['{resource}'].", **facts) from error


def count(tx: Tx, project_id: str, resource: str, number: int = 1) -> None:
    """Count more for the project, which no limit keeps it from: the cloud itself made them."""
    quota.count(tx, SERVICE, project_id, resource, number)


def give_back(tx: Tx, project_id: str, resource: str, count: int = 1) -> None:
    """Count `count` fewer for the project."""
    quota.release(tx, SERVICE, project_id, resource, count)


def defaults(settings: NetworkSettings) -> dict[str, int]:
    """Return the limits of a project without limits of its own."""
    return {name: getattr(settings.quota, name) for name in Limits.__struct_fields__}


def limits(tx: Tx, settings: NetworkSettings, project_id: str) -> dict[str, int]:
    """Return the limits that hold for the project."""
    return quota.limits(tx, SERVICE, project_id, defaults(settings))


def list_limits(tx: Tx, settings: NetworkSettings) -> dict[str, dict[str, int]]:
    """Return the limits of each project that has some of its own."""
    return {
        project_id: limits(tx, settings, project_id)
        for project_id in quota.projects_with_limits(tx, SERVICE)
    }


def details(tx: Tx, settings: NetworkSettings, project_id: str) -> dict[str, dict[str, int]]:
    """Return what the project may have and has."""
    bounds = limits(tx, settings, project_id)
    used = quota.usage(tx, SERVICE, project_id, bounds)
    return {
        name: {"limit": bound, "used": used[name], "reserved": 0} for name, bound in bounds.items()
    }


def set_limits(
    tx: Tx, settings: NetworkSettings, project_id: str, wanted: Mapping[str, int], *, check: bool
) -> dict[str, int]:
    """Give the project limits of its own; with `check`, none below what it has."""
    used = quota.usage(tx, SERVICE, project_id, wanted)
    for name, bound in wanted.items():
        if check and -1 < bound < used[name]:
            raise Invalid(
                f"Quota limit {bound} for {name} must be greater than or equal to already used "
                f"{used[name]}",
                type="HTTPBadRequest",
            )
    quota.set_limits(tx, SERVICE, project_id, wanted)
    return limits(tx, settings, project_id)


def reset(tx: Tx, project_id: str) -> None:
    """Let the defaults hold for the project again."""
    if project_id not in quota.projects_with_limits(tx, SERVICE):
        raise NotFound(
            f"Quota for project {project_id} could not be found.", type="ProjectQuotaNotFound"
        )
    quota.reset(tx, SERVICE, project_id)
