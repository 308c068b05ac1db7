"""How much of compute's resources a project, and each user within it, may have.

Claims are taken in the transaction that makes a resource and given back in the one that deletes
it.  What nobody limited is limited by the quota class `default`.
"""

from collections.abc import Mapping

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx, quota
from cumulo.kit.errors import Invalid, OverQuota
from cumulo.services.compute.store import quotas as store
from cumulo.services.compute.store.quotas import SERVICE, owner
from cumulo.work import events

# What OpenStack gives a project by default; the network's are shown by old versions only.
DEFAULTS: Mapping[str, int] = {
    "instances": 10,
    "cores": 20,
    "ram": 51200,
    "floating_ips": -1,
    "fixed_ips": -1,
    "metadata_items": 128,
    "injected_files": 5,
    "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255,
    "security_groups": -1,
    "security_group_rules": -1,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
}
# Counted a user or a group, not a project: their usage is not part of a project's quota.
_COUNTED = ("cores", "instances", "ram", "server_groups")
DEFAULT_CLASS = "default"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """A limit and what is used of it."""

    limit: int
    in_use: int


def claim(tx: Tx, project_id: str, user_id: str, wanted: Mapping[str, int]) -> None:
    """Take `wanted` (cores, instances, ram, server_groups) for a user of a project."""
    defaults = class_limits(tx)
    for resource, amount in sorted(wanted.items()):
        quota.claim(tx, SERVICE, project_id, resource, amount, defaults[resource])
        quota.claim(tx, SERVICE, owner(project_id, user_id), resource, amount, -1)


def refusal(error: OverQuota, wanted: Mapping[str, int]) -> str:
    """Say what `wanted` is too much of, in the words of servers' refusals."""
    resource, limit, used = error.data["resource"], error.data["limit"], error.data["used"]
    return (
        f"Quota exceeded for {resource}: Requested {wanted[str(resource)]}, "
        f"but already used {used} of {limit} {resource}"
    )


def count(tx: Tx, project_id: str, user_id: str, taken: Mapping[str, int]) -> None:
    """Count what a user of a project has, whatever the limits are."""
    for resource, amount in sorted(taken.items()):
        quota.count(tx, SERVICE, project_id, resource, amount)
        quota.count(tx, SERVICE, owner(project_id, user_id), resource, amount)


def release(tx: Tx, project_id: str, user_id: str, given_back: Mapping[str, int]) -> None:
    """Give back what was claimed for a user of a project."""
    for resource, amount in sorted(given_back.items()):
        quota.release(tx, SERVICE, project_id, resource, amount)
        quota.release(tx, SERVICE, owner(project_id, user_id), resource, amount)


def claim_keypair(tx: Tx, ctx: Context, user_id: str) -> None:
    """Count one more keypair of a user, against the limit of the project it is made from."""
    limit = limits(tx, ctx.project_id or "", user_id)["key_pairs"]
    quota.claim(tx, SERVICE, owner("", user_id), "key_pairs", 1, limit)


def release_keypair(tx: Tx, user_id: str) -> None:
    """Count one keypair less."""
    quota.release(tx, SERVICE, owner("", user_id), "key_pairs", 1)


def claim_member(tx: Tx, project_id: str, group_id: str) -> None:
    """Count one more server in a server group."""
    limit = limits(tx, project_id)["server_group_members"]
    try:
        quota.claim(tx, SERVICE, group_id, "server_group_members", 1, limit)
    except OverQuota as error:
        raise OverQuota("Quota exceeded, too many servers in group", **error.data) from error


def release_member(tx: Tx, group_id: str) -> None:
    """Count one server less in a server group."""
    quota.release(tx, SERVICE, group_id, "server_group_members", 1)


def class_limits(tx: Tx, name: str = DEFAULT_CLASS) -> dict[str, int]:
    """Return the limits of a quota class."""
    found = quota.limits(tx, SERVICE, _class(DEFAULT_CLASS), DEFAULTS)
    return found if name == DEFAULT_CLASS else quota.limits(tx, SERVICE, _class(name), found)


def set_class_limits(tx: Tx, ctx: Context, name: str, wanted: Mapping[str, int]) -> dict[str, int]:
    """Change limits of a quota class; those of `default` hold for every project without its own."""
    before = class_limits(tx, name)
    quota.set_limits(tx, SERVICE, _class(name), wanted)
    after = class_limits(tx, name)
    _record(tx, ctx, "quota_class", name, before, after)
    return after


def limits(tx: Tx, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """Return the limits that hold for a project, or for a user within it."""
    found = quota.limits(tx, SERVICE, project_id, class_limits(tx))
    return quota.limits(tx, SERVICE, owner(project_id, user_id), found) if user_id else found


def usages(tx: Tx, project_id: str, user_id: str | None = None) -> dict[str, Usage]:
    """Return every limit with what is used of it."""
    used = quota.usage(tx, SERVICE, owner(project_id, user_id), _COUNTED)
    return {
        resource: Usage(limit=limit, in_use=used.get(resource, 0))
        for resource, limit in limits(tx, project_id, user_id).items()
    }


def set_limits(
    tx: Tx,
    ctx: Context,
    project_id: str,
    wanted: Mapping[str, int],
    *,
    user_id: str | None = None,
    force: bool = False,
) -> dict[str, int]:
    """Give a project or a user limits; unless forced, not below use nor above what is left."""
    before = limits(tx, project_id, user_id)
    if not force:
        for resource, limit in wanted.items():
            _check_limit(resource, limit, *_settable(tx, project_id, user_id, resource))
    quota.set_limits(tx, SERVICE, owner(project_id, user_id), wanted)
    after = limits(tx, project_id, user_id)
    _record(tx, ctx, "quota_set", owner(project_id, user_id), before, after)
    return after


def reset(tx: Tx, ctx: Context, project_id: str, user_id: str | None = None) -> None:
    """Let the defaults hold again, for a user or for a project and all of its users."""
    before = limits(tx, project_id, user_id)
    quota.reset(tx, SERVICE, owner(project_id, user_id))
    if user_id is None:
        store.users_reset(tx, project_id)
    after = limits(tx, project_id, user_id)
    _record(tx, ctx, "quota_set", owner(project_id, user_id), before, after)


def _settable(tx: Tx, project_id: str, user_id: str | None, resource: str) -> tuple[int, int]:
    """Return the least and the most a limit may be set to; a most of -1 is any."""
    in_use = usages(tx, project_id, user_id)[resource].in_use
    shared_out = store.users_limits(tx, project_id).get(resource, 0)
    if user_id is None:
        return max(in_use, shared_out), -1
    whole = limits(tx, project_id)[resource]
    own = store.own_limits(tx, project_id, user_id).get(resource, 0)
    return in_use, -1 if whole == -1 else whole - shared_out + own


def _check_limit(resource: str, limit: int, least: int, most: int) -> None:
    if limit != -1 and limit < least:
        raise Invalid(
            f"Quota limit {limit} for {resource} must be greater than or equal to already used "
            f"and reserved {least}.",
            field=resource,
        )
    if most != -1 and (limit == -1 or limit > most):
        raise Invalid(
            f"Quota limit {limit} for {resource} must be less than or equal to {most}.",
            field=resource,
        )


def _class(name: str) -> str:
    return f"class/{name}"


def _record(
    tx: Tx, ctx: Context, resource: str, owned_by: str, before: object, after: object
) -> None:
    events.record(
        tx,
        ctx,
        resource=resource,
        resource_id=owned_by,
        action="update",
        before=before,
        after=after,
    )
