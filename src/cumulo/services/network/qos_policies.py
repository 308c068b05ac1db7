"""QoS policies: how the packets of ports are treated, said once for many."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import journal, rbac_policies, tags
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.spelling import LooseBool, Text
from cumulo.services.network.store import listing, sharing, standard, tables
from cumulo.services.network.store import qos_policies as store
from cumulo.services.network.store import tags as tag_store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.qos_policies import QosPolicy, QosRule


class QosPolicySpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a QoS policy it wants."""

    name: Text = ""
    description: Text = ""
    shared: LooseBool = False
    is_default: LooseBool = False
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


class QosPolicyChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a QoS policy."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    shared: LooseBool | UnsetType = UNSET
    is_default: LooseBool | UnsetType = UNSET


class Details(msgspec.Struct, frozen=True):
    """A QoS policy with what is kept outside of its row."""

    policy: QosPolicy
    rules: list[QosRule]
    shared: bool
    tags: list[str]


def not_found(policy_id: str) -> NotFound:
    """Return the error for a QoS policy that is not, or not for this caller."""
    return NotFound(f"QoS policy {policy_id} could not be found.", type="QosPolicyNotFound")


def policy_visible(tx: Tx, ctx: Context, policy_id: str) -> QosPolicy:
    """Return a QoS policy the caller may know of; to anyone else it does not exist."""
    seen = sharing.lent(tables.qos_policy, viewer(ctx))
    found = standard.find(tx, tables.qos_policy, QosPolicy, policy_id, seen)
    if found is None:
        raise not_found(policy_id)
    return found


def policy_get(tx: Tx, policy_id: str) -> QosPolicy:
    """Return a QoS policy, whoever owns it."""
    found = standard.find(tx, tables.qos_policy, QosPolicy, policy_id)
    if found is None:
        raise not_found(policy_id)
    return found


def usable(tx: Tx, ctx: Context, policy_id: str | UnsetType | None) -> str | None:
    """Return the id of a policy that the caller may put on something; None stays none."""
    return policy_visible(tx, ctx, policy_id).id if policy_id else None


def create_policy(tx: Tx, ctx: Context, spec: QosPolicySpec) -> QosPolicy:
    """Record a new QoS policy, which says nothing yet."""
    now = clock.now()
    policy = QosPolicy(
        id=new_id(),
        project_id=owner(ctx, spec.project_id, spec.tenant_id),
        name=spec.name,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        is_default=spec.is_default,
    )
    _check_default(tx, policy)
    standard.insert(tx, tables.qos_policy, policy)
    if spec.shared:
        rbac_policies.grant(tx, ctx, "qos_policy", policy, sharing.SHARED)
    journal.created(tx, ctx, "qos_policy", policy)
    return policy


def default_of(tx: Tx, project_id: str) -> str | None:
    """Return the policy that a project's new networks have when none is named."""
    return store.default_of(tx, project_id)


def _check_default(tx: Tx, policy: QosPolicy) -> None:
    present = default_of(tx, policy.project_id) if policy.is_default else None
    if present not in (None, policy.id):
        raise Conflict(
            f"A default QoS policy exists for project {policy.project_id}: {present}.",
            type="QoSPolicyDefaultAlreadyExists",
        )


def update_policy(
    tx: Tx,
    ctx: Context,
    policy: QosPolicy,
    wanted: QosPolicyChange,
    revision: int | None = None,
) -> QosPolicy:
    """Change a QoS policy as it stands at `revision`, if one is given."""
    values = {
        name: value
        for name, value in msgspec.structs.asdict(wanted).items()
        if value is not UNSET and name != "shared"
    }
    if wanted.shared is True:
        rbac_policies.grant(tx, ctx, "qos_policy", policy, sharing.SHARED)
    elif wanted.shared is False:
        rbac_policies.revoke(tx, ctx, policy)
    _check_default(tx, msgspec.structs.replace(policy, **values))
    if not standard.change(tx, tables.qos_policy, policy.id, revision=revision, **values):
        raise LostRace
    after = policy_visible(tx, ctx, policy.id)
    journal.updated(tx, ctx, "qos_policy", policy, after)
    return after


def delete_policy(tx: Tx, ctx: Context, policy: QosPolicy) -> None:
    """Forget a QoS policy that nothing has."""
    users = [
        *store.networks_with(tx, policy.id),
        *store.ports_with(tx, policy.id),
        *store.floatingips_with(tx, policy.id),
    ]
    if users:
        raise Conflict(
            f"QoS Policy {policy.id} is used by {', '.join(users[:5])}.", type="QosPolicyInUse"
        )
    rbac_policies.forget(tx, ctx, policy.id)
    tags.forget(tx, policy.id)
    store.rules_delete(tx, policy.id)
    if not standard.remove(tx, tables.qos_policy, policy.id):
        raise not_found(policy.id)
    journal.deleted(tx, ctx, "qos_policy", policy)


_SHAPE = listing.Shape(
    tables.qos_policy, listing.columns_of(tables.qos_policy, "name", "is_default")
)


def list_policies(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the QoS policies the caller may know of."""
    eyes = viewer(ctx)
    shape = listing.with_shared(_SHAPE, eyes.project_id)
    rows = listing.rows(tx, shape, sharing.lent(tables.qos_policy, eyes), wanted)
    return details(tx, ctx, [QosPolicy(*row) for row in rows])


def details(tx: Tx, ctx: Context, policies: Sequence[QosPolicy]) -> list[Details]:
    """Return the QoS policies with their rules and tags, and whether others lent them."""
    ids = [policy.id for policy in policies]
    shared = sharing.shared_with(tx, ctx.project_id or "", ids)
    rules, words = store.rules_of(tx, ids), tag_store.tags_map(tx, ids)
    return [
        Details(one, rules.get(one.id, []), one.id in shared, words.get(one.id, []))
        for one in policies
    ]
