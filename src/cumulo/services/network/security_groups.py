"""Security groups: what guests may receive and send."""

from collections.abc import Collection, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict
from cumulo.kit.ids import new_id
from cumulo.services.network import (
    default_rules,
    journal,
    quotas,
    rbac_policies,
    refusals,
    spelling,
    tags,
)
from cumulo.services.network.journal import Caller
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import LooseBool, Text
from cumulo.services.network.store import changes, listing, sharing, standard, tables
from cumulo.services.network.store import security_groups as store
from cumulo.services.network.store import tags as tag_store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.security_groups import Rule, SecurityGroup

DEFAULT = "default"


class SecurityGroupSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a security group it wants."""

    name: Text = ""
    description: Text = ""
    stateful: LooseBool = True
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


class SecurityGroupChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a security group."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    stateful: LooseBool | UnsetType = UNSET


def group_visible(tx: Tx, ctx: Context, group_id: str) -> SecurityGroup:
    """Return a security group the caller may know of; to anyone else it does not exist."""
    found = store.group_find(tx, group_id, sharing.lent(tables.security_group, viewer(ctx)))
    if found is None:
        raise refusals.security_group_not_found(group_id)
    return found


def create_group(
    tx: Tx, ctx: Context, settings: NetworkSettings, spec: SecurityGroupSpec
) -> SecurityGroup:
    """Record a new security group with the rules that groups begin with."""
    project_id = owner(ctx, spec.project_id, spec.tenant_id)
    if spec.name.lower() == DEFAULT:
        raise Conflict(
            "Default security group already exists.", type="SecurityGroupDefaultAlreadyExists"
        )
    quotas.take(tx, settings, project_id, "security_group")
    group, rules = _new_group(tx, ctx, project_id, spec)
    quotas.take(tx, settings, project_id, "security_group_rule", rules)
    ensure_default(tx, ctx, project_id)
    return group


def ensure_default(tx: Tx, by: Caller | None, project_id: str) -> str:
    """Return the project's default group, made on first use."""
    found = store.default_find(tx, project_id)
    if found is not None:
        return found
    spec = SecurityGroupSpec(name=DEFAULT, description="Default security group")
    quotas.count(tx, project_id, "security_group")
    group, rules = _new_group(tx, by, project_id, spec)
    quotas.count(tx, project_id, "security_group_rule", rules)
    store.default_insert(tx, project_id, group.id)
    return group.id


def has_default(tx: Tx, project_id: str | None) -> bool:
    """Say whether the project has its default group, or needs none."""
    return not project_id or store.default_find(tx, project_id) is not None


def _new_group(
    tx: Tx,
    by: Caller | None,
    project_id: str,
    spec: SecurityGroupSpec,
) -> tuple[SecurityGroup, int]:
    """Record a group with the rules that it begins with; return how many these are."""
    now = clock.now()
    group = SecurityGroup(
        id=new_id(),
        project_id=project_id,
        name=spec.name,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        stateful=spec.stateful,
    )
    rules = default_rules.first_rules(tx, group, is_default=spec.name == DEFAULT)
    store.group_insert(tx, group)
    store.rules_insert(tx, rules)
    changes.mark(tx, "security_group", [group.id])
    journal.created(tx, by, "security_group", group)
    return group, len(rules)


def update_group(
    tx: Tx,
    ctx: Context,
    group: SecurityGroup,
    wanted: SecurityGroupChange,
    revision: int | None,
) -> SecurityGroup:
    """Change a security group as it stands at `revision`, if one is given."""
    values = {k: v for k, v in msgspec.structs.asdict(wanted).items() if v is not UNSET}
    _check_name(tx, ctx, group, values.get("name", group.name))
    if values.get("stateful", group.stateful) != group.stateful and store.group_ports(tx, group.id):
        raise Conflict(f"Security Group {group.id} in use.", type="SecurityGroupInUse")
    if not standard.change(tx, tables.security_group, group.id, revision=revision, **values):
        raise LostRace
    changes.mark(tx, "security_group", [group.id])
    found = group_visible(tx, ctx, group.id)
    journal.updated(tx, ctx, "security_group", group, found)
    return found


def _check_name(tx: Tx, ctx: Context, group: SecurityGroup, name: str) -> None:
    is_default = bool(store.defaults_among(tx, [group.id]))
    if is_default and name != group.name:
        raise Conflict(
            "Updating default security group not allowed.", type="SecurityGroupCannotUpdateDefault"
        )
    if not is_default and name.lower() == DEFAULT:
        raise Conflict(
            "Default security group already exists.", type="SecurityGroupDefaultAlreadyExists"
        )


def delete_group(tx: Tx, ctx: Context, group: SecurityGroup) -> None:
    """Forget a security group that no port is in, and rules elsewhere that admit its members."""
    if store.group_ports(tx, group.id):
        raise Conflict(f"Security Group {group.id} in use.", type="SecurityGroupInUse")
    if store.defaults_among(tx, [group.id]) and not ctx.is_admin:
        raise Conflict(
            "Insufficient rights for removing default security group.",
            type="SecurityGroupCannotRemoveDefault",
        )
    store.default_delete(tx, group.id)
    _forget_mentions(tx, group.id)
    count = store.rules_delete(tx, group.id)
    tags.forget(tx, group.id)
    rbac_policies.forget(tx, ctx, group.id)
    if not standard.remove(tx, tables.security_group, group.id):
        raise refusals.security_group_not_found(group.id)
    quotas.give_back(tx, group.project_id, "security_group_rule", count)
    quotas.give_back(tx, group.project_id, "security_group")
    changes.mark(tx, "security_group", [group.id])
    journal.deleted(tx, ctx, "security_group", group)


def _forget_mentions(tx: Tx, group_id: str) -> None:
    for rule_id, its_group, project_id in store.rules_naming(tx, group_id):
        if its_group != group_id:
            standard.remove(tx, tables.security_group_rule, rule_id)
            quotas.give_back(tx, project_id, "security_group_rule")
            changes.mark(tx, "security_group", [its_group])


def usable_groups(
    tx: Tx, ctx: Context, project_id: str, group_ids: Collection[str]
) -> list[SecurityGroup]:
    """Return the groups, if the project may put its ports into all of them."""
    spelling.check_unique(list(group_ids), "security_groups")
    wanted = set(group_ids)
    found = store.groups_by_id(tx, wanted)
    lent = sharing.shared_with(tx, project_id, wanted)
    usable = [
        group
        for group in found
        if ctx.is_admin or group.project_id == project_id or group.id in lent
    ]
    missing = wanted - {group.id for group in usable}
    if missing:
        raise refusals.security_group_not_found(", ".join(sorted(missing)))
    if len({group.stateful for group in usable}) > 1:
        raise Conflict(
            "Error Cannot apply both stateful and stateless security groups on the same port at "
            "the same time while attempting the operation.",
            type="SecurityGroupConflict",
        )
    return usable


class Details(msgspec.Struct, frozen=True):
    """A security group with what is kept outside of its row."""

    group: SecurityGroup
    rules: list[Rule]
    is_default: bool
    shared: bool
    tags: list[str]


_SHAPE = listing.Shape(
    tables.security_group, listing.columns_of(tables.security_group, "name", "stateful")
)


def list_groups(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the security groups the caller may know of."""
    eyes = viewer(ctx)
    shape = listing.with_shared(_SHAPE, eyes.project_id)
    rows = listing.rows(tx, shape, sharing.lent(tables.security_group, eyes), wanted)
    return details(tx, ctx, [SecurityGroup(*row) for row in rows])


def details(tx: Tx, ctx: Context, groups: Sequence[SecurityGroup]) -> list[Details]:
    """Return the security groups with their rules and tags."""
    ids = [group.id for group in groups]
    rules, words = store.rules_map(tx, ids), tag_store.tags_map(tx, ids)
    defaults = store.defaults_among(tx, ids)
    shared = sharing.shared_with(tx, ctx.project_id or "", ids)
    return [
        Details(g, rules.get(g.id, []), g.id in defaults, g.id in shared, words.get(g.id, []))
        for g in groups
    ]
