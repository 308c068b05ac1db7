"""Access rules of a user: made with application credentials, kept until deleted."""

import msgspec

from cumulo.services.identity import access_rules
from cumulo.services.identity.access_rules import AccessRule
from cumulo.services.identity.api.wire import Call, PageQuery, collection, link, listing
from cumulo.web import Routes

routes = Routes()


class AccessRuleQuery(PageQuery, kw_only=True):
    """Which rules."""

    service: str | None = None
    path: str | None = None
    method: str | None = None


class AccessRuleView(msgspec.Struct):
    """An access rule as clients see it."""

    id: str
    path: str
    method: str
    service: str
    links: dict[str, object]


class AccessRuleBody(msgspec.Struct):
    """An access rule in an answer."""

    access_rule: AccessRuleView


@routes.get("/v3/users/{user_id}/access_rules", policy="identity:list_access_rules", on_target=True)
def list_access_rules(call: Call, user_id: str, query: AccessRuleQuery) -> dict[str, object]:
    """List a user's access rules."""
    found = call.db.read(access_rules.rule_list, call.ctx, user_id, listing(call, query))
    return collection(
        call, "access_rules", found, lambda one: msgspec.structs.asdict(_show(call, one))
    )


@routes.get(
    "/v3/users/{user_id}/access_rules/{access_rule_id}",
    policy="identity:get_access_rule",
    on_target=True,
)
def get_access_rule(call: Call, user_id: str, access_rule_id: str) -> AccessRuleBody:
    """Show an access rule."""
    found = call.db.read(access_rules.rule_visible, call.ctx, user_id, access_rule_id)
    return AccessRuleBody(_show(call, found))


@routes.delete(
    "/v3/users/{user_id}/access_rules/{access_rule_id}",
    policy="identity:delete_access_rule",
    status=204,
    on_target=True,
)
def delete_access_rule(call: Call, user_id: str, access_rule_id: str) -> None:
    """Delete an access rule that no application credential uses."""
    call.db.write(access_rules.delete_rule, call.ctx, user_id, access_rule_id)


def _show(call: Call, rule: AccessRule) -> AccessRuleView:
    return AccessRuleView(
        rule.id,
        rule.path,
        rule.method,
        rule.service,
        link(call, "users", rule.user_id, "access_rules", rule.id),
    )
