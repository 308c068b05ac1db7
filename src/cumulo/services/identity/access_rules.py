"""Access rules: the kinds of requests that a user's application credentials are limited to."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Forbidden, Invalid
from cumulo.kit.ids import new_hex_id
from cumulo.services.identity.delegations import check_unrestricted
from cumulo.services.identity.journal import note
from cumulo.services.identity.listings import Listing, Page
from cumulo.services.identity.refusals import absent
from cumulo.services.identity.store import access_rules as store
from cumulo.services.identity.store.access_rules import AccessRule as AccessRule
from cumulo.services.identity.store.generation import generation_advance


class RuleSpec(msgspec.Struct, frozen=True):
    """A rule that is wanted: one that the user has, or one to be had."""

    id: str | None = None
    service: str = ""
    path: str = ""
    method: str = ""


def ensure_rules(tx: Tx, user_id: str, wanted: list[RuleSpec]) -> list[AccessRule]:
    """Return a user's rules, made where it has none that says the same."""
    return [_ensure(tx, user_id, spec) for spec in wanted]


def rule_visible(
    tx: Tx, ctx: Context, user_id: str, rule_id: str, rule: str = "identity:get_access_rule"
) -> AccessRule:
    """Return a user's access rule, if `rule` lets the caller reach it."""
    found = store.access_rule_find(tx, rule_id)
    ctx.require(rule, **{"target.user.id": found.user_id if found else user_id})
    if found is None or found.user_id != user_id:
        raise absent("access_rule", rule_id)
    return found


def rule_list(tx: Tx, ctx: Context, user_id: str, listing: Listing) -> Page[AccessRule]:
    """Return a user's access rules."""
    ctx.require("identity:list_access_rules", **{"target.user.id": user_id})
    return store.access_rule_page(tx, user_id, listing)


def delete_rule(tx: Tx, ctx: Context, user_id: str, rule_id: str) -> None:
    """Delete an access rule that no application credential is limited to."""
    found = rule_visible(tx, ctx, user_id, rule_id, "identity:delete_access_rule")
    check_unrestricted(ctx)
    if store.access_rule_is_used(tx, found.id):
        raise Forbidden(
            f"Access rule {found.id} is in use by an application credential: delete that first."
        )
    generation_advance(tx)
    store.access_rule_delete(tx, found.id)
    note(tx, ctx, "delete", before=found)


def _ensure(tx: Tx, user_id: str, spec: RuleSpec) -> AccessRule:
    if spec.id is not None:
        found = store.access_rule_find(tx, spec.id)
        if found is None or found.user_id != user_id:
            raise absent("access_rule", spec.id)
        return found
    if not (spec.service and spec.path and spec.method):
        raise Invalid(
            "An access rule needs service, path and method, or an id.", field="access_rules"
        )
    rule = AccessRule(new_hex_id(), user_id, spec.service, spec.path, spec.method)
    return store.access_rule_ensure(tx, rule)
