"""Policies: texts kept for other services, which identity does not read."""

from collections.abc import Mapping

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.identity.changes import Changes
from cumulo.services.identity.journal import note
from cumulo.services.identity.listings import Listing, Page
from cumulo.services.identity.refusals import absent, check_unchanged
from cumulo.services.identity.store import policies as store
from cumulo.services.identity.store.policies import Policy as Policy
from cumulo.services.identity.store.policy_associations import associations_forget


def policy_list(tx: Tx, listing: Listing) -> Page[Policy]:
    """Return policies."""
    return store.policy_page(tx, listing)


def policy_get(tx: Tx, policy_id: str) -> Policy:
    """Return a policy."""
    policy = store.policy_find(tx, policy_id)
    if policy is None:
        raise absent("policy", policy_id)
    return policy


def create_policy(tx: Tx, ctx: Context, new: Policy) -> Policy:
    """Record a policy."""
    store.policy_insert(tx, new)
    note(tx, ctx, "create", after=new)
    return new


def update_policy(tx: Tx, ctx: Context, policy_id: str, changes: Changes) -> Policy:
    """Change a policy."""
    before = policy_get(tx, policy_id)
    check_unchanged("ID", changes.get("id"), before.id)
    values = {name: value for name, value in changes.items() if name != "id"}
    given = values.get("extra")
    if isinstance(given, Mapping):
        values["extra"] = {**before.extra, **given}
    after = store.policy_change(tx, before, **values)
    note(tx, ctx, "update", before=before, after=after)
    return after


def delete_policy(tx: Tx, ctx: Context, policy_id: str) -> None:
    """Delete a policy."""
    policy = policy_get(tx, policy_id)
    associations_forget(tx, policy_id=policy.id)
    store.policy_delete(tx, policy.id)
    note(tx, ctx, "delete", before=policy)
