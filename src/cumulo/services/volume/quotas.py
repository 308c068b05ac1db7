"""How many volumes, snapshots and gigabytes a project may have, in all and of each type.

Claims are taken in the transaction that makes a resource and given back in the one that deletes
it.  What nobody limited is limited by the quota class `default`, else by the settings.
"""

from collections.abc import Mapping

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx, quota
from cumulo.kit.errors import Invalid, OverQuota
from cumulo.services.volume.settings import Quotas
from cumulo.services.volume.store import types as type_store
from cumulo.work import events

SERVICE = "volume"
COUNTED = ("backup_gigabytes", "backups", "gigabytes", "groups", "snapshots", "volumes")
OF_TYPES = ("gigabytes", "snapshots", "volumes")
RESOURCES = (*COUNTED, "per_volume_gigabytes")
_CLASS = ":class"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """A limit and what is used of it."""

    limit: int
    in_use: int


def claim(
    tx: Tx, defaults: Quotas, project_id: str, wanted: Mapping[str, int], type_id: str | None = None
) -> None:
    """Take `wanted` (volumes, gigabytes, snapshots ...) for a project, and of a type."""
    _claim(tx, class_limits(tx, defaults), project_id, wanted, type_id)


def claim_volume(tx: Tx, defaults: Quotas, project_id: str, size_gib: int, type_id: str) -> None:
    """Take a volume of a size and a type for a project, unless it is larger than one may be."""
    of_class, own = quota.limits_of_both(
        tx, SERVICE, f"{_CLASS}:default", project_id, msgspec.structs.asdict(defaults)
    )
    _check_size(own, size_gib)
    _claim(tx, of_class, project_id, {"volumes": 1, "gigabytes": size_gib}, type_id)


def _claim(
    tx: Tx,
    limits: Mapping[str, int],
    project_id: str,
    wanted: Mapping[str, int],
    type_id: str | None,
) -> None:
    for resource, amount in sorted(wanted.items()):
        try:
            quota.claim(tx, SERVICE, project_id, resource, amount, limits[resource])
            if type_id is not None and resource in OF_TYPES:
                of_type = f"{resource}_{type_id}"
                quota.claim(tx, SERVICE, project_id, of_type, amount, limits.get(of_type, -1))
        except OverQuota as error:
            raise _told(tx, error) from error


def claim_of_type(
    tx: Tx, defaults: Quotas, project_id: str, wanted: Mapping[str, int], type_id: str
) -> None:
    """Take `wanted` of a type, for what is counted in all already."""
    limits = class_limits(tx, defaults)
    for resource, amount in sorted(wanted.items()):
        of_type = f"{resource}_{type_id}"
        try:
            quota.claim(tx, SERVICE, project_id, of_type, amount, limits.get(of_type, -1))
        except OverQuota as error:
            raise _told(tx, error) from error


def release_of_type(tx: Tx, project_id: str, given_back: Mapping[str, int], type_id: str) -> None:
    """Give back what was claimed of a type."""
    for resource, amount in sorted(given_back.items()):
        quota.release(tx, SERVICE, project_id, f"{resource}_{type_id}", amount)


def release(
    tx: Tx, project_id: str, given_back: Mapping[str, int], type_id: str | None = None
) -> None:
    """Give back what was claimed."""
    for resource, amount in sorted(given_back.items()):
        quota.release(tx, SERVICE, project_id, resource, amount)
        if type_id is not None and resource in OF_TYPES:
            quota.release(tx, SERVICE, project_id, f"{resource}_{type_id}", amount)


def check_size(tx: Tx, defaults: Quotas, project_id: str, size_gib: int) -> None:
    """Refuse a volume that is larger than one may be."""
    _check_size(limits(tx, defaults, project_id), size_gib)


def _check_size(found: Mapping[str, int], size_gib: int) -> None:
    limit = found["per_volume_gigabytes"]
    if 0 <= limit < size_gib:
        raise Invalid(
            f"Requested volume size {size_gib}G is larger than maximum allowed limit {limit}G.",
            field="size",
        )


def class_limits(tx: Tx, defaults: Quotas, name: str = "default") -> dict[str, int]:
    """Return the limits of a quota class, those of types by the types' ids."""
    found = quota.limits(tx, SERVICE, f"{_CLASS}:default", msgspec.structs.asdict(defaults))
    if name == "default":
        return found
    return quota.limits(tx, SERVICE, f"{_CLASS}:{name}", found)


def limits(tx: Tx, defaults: Quotas, project_id: str) -> dict[str, int]:
    """Return the limits that hold for a project, those of types by the types' ids."""
    return quota.limits(tx, SERVICE, project_id, class_limits(tx, defaults))


def usages(tx: Tx, defaults: Quotas, project_id: str) -> dict[str, Usage]:
    """Return every limit by the name that clients know, with what is used of it."""
    names = _names(tx)
    found = limits(tx, defaults, project_id)
    used = quota.usage(tx, SERVICE, project_id, names)
    return {
        shown: Usage(limit=found.get(resource, -1), in_use=used.get(resource, 0))
        for resource, shown in names.items()
    }


def shown(tx: Tx, found: Mapping[str, int]) -> dict[str, int]:
    """Return limits by the names that clients know."""
    return {name: found.get(resource, -1) for resource, name in _names(tx).items()}


def set_limits(
    tx: Tx, ctx: Context, defaults: Quotas, project_id: str, wanted: Mapping[str, int]
) -> None:
    """Give a project limits of its own, by the names that clients know."""
    before = limits(tx, defaults, project_id)
    quota.set_limits(tx, SERVICE, project_id, _stored(tx, wanted))
    _record(tx, ctx, "quota_set", project_id, before, limits(tx, defaults, project_id))


def set_class_limits(
    tx: Tx, ctx: Context, defaults: Quotas, name: str, wanted: Mapping[str, int]
) -> None:
    """Change limits of a quota class; those of `default` hold for who has none of its own."""
    before = class_limits(tx, defaults, name)
    quota.set_limits(tx, SERVICE, f"{_CLASS}:{name}", _stored(tx, wanted))
    _record(tx, ctx, "quota_class", name, before, class_limits(tx, defaults, name))


def reset(tx: Tx, ctx: Context, defaults: Quotas, project_id: str) -> None:
    """Let the defaults hold again."""
    before = limits(tx, defaults, project_id)
    quota.reset(tx, SERVICE, project_id)
    _record(tx, ctx, "quota_set", project_id, before, limits(tx, defaults, project_id))


def _names(tx: Tx) -> dict[str, str]:
    """Return every resource with the name that clients know it by."""
    types = type_store.type_list(tx, visible_to=None)
    of_types = {f"{one}_{kind.id}": f"{one}_{kind.name}" for kind in types for one in OF_TYPES}
    return {**{name: name for name in RESOURCES}, **of_types}


def _stored(tx: Tx, wanted: Mapping[str, int]) -> dict[str, int]:
    known = {shown: resource for resource, shown in _names(tx).items()}
    unknown = sorted(wanted.keys() - known.keys())
    if unknown:
        raise Invalid(f"Bad key(s) in quota set: {', '.join(unknown)}.", field=unknown[0])
    return {known[name]: limit for name, limit in wanted.items()}


def _told(tx: Tx, error: OverQuota) -> OverQuota:
    """Say what is too much in the words that clients look for."""
    resource = str(error.data["resource"])
    name = _names(tx).get(resource, resource)
    used, limit, more = error.data["used"], error.data["limit"], error.data["requested"]
    kind = name.partition("_")[0]
    if name == "backup_gigabytes":
        told = (
            f"Requested backup exceeds allowed Backup gigabytes quota. Requested {more}G, "
            f"quota is {limit}G and {used}G has been consumed."
        )
    elif kind == "gigabytes":
        told = (
            f"Requested volume or snapshot exceeds allowed {name} quota. Requested {more}G, "
            f"quota is {limit}G and {used}G has been consumed."
        )
    else:
        told = f"Maximum number of {kind} allowed ({limit}) exceeded for quota '{name}'."
    return OverQuota(told, **error.data)


def _record(
    tx: Tx, ctx: Context, resource: str, name: str, before: dict[str, int], after: dict[str, int]
) -> None:
    events.record(
        tx,
        ctx,
        resource=resource,
        resource_id=name,
        action="update",
        before=before,
        after=after,
    )
