"""Security groups over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import security_group_rules, security_groups
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.requests import within
from cumulo.services.network.api.security_group_rules import RuleView, rule_view
from cumulo.services.network.refusals import security_group_not_found
from cumulo.services.network.security_groups import (
    Details,
    SecurityGroupChange,
    SecurityGroupSpec,
)
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One security group, or many at once."""

    security_group: SecurityGroupSpec | UnsetType = UNSET
    security_groups: Annotated[list[SecurityGroupSpec], within("security_group")] | UnsetType = (
        UNSET
    )


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    security_group: SecurityGroupChange


class SecurityGroupView(StandardView, kw_only=True, gc=False):
    """A security group as clients see it."""

    stateful: bool | UnsetType
    shared: bool | UnsetType
    security_group_rules: list[RuleView] | UnsetType


@routes.get("/v2.0/security-groups", policy="regular_user")
def list_security_groups(call: Call[Tools]) -> Answer:
    """List the security groups of the project; its default group comes into being with it."""
    ensure_default(call)
    return SECURITY_GROUP.listed(call, security_groups.list_groups)


@routes.post("/v2.0/security-groups", policy="create_security_group", status=201)
def create_security_group(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a security group that lets everything out and nothing in."""
    return SECURITY_GROUP.created(call, body, _create)


@routes.get("/v2.0/security-groups/{security_group_id}", policy="regular_user")
def show_security_group(call: Call[Tools], security_group_id: str) -> Answer:
    """Show a security group with its rules."""
    return SECURITY_GROUP.shown(call, _details, security_group_id)


@routes.put("/v2.0/security-groups/{security_group_id}", policy="regular_user")
def update_security_group(call: Call[Tools], security_group_id: str, body: UpdateBody) -> Answer:
    """Change a security group's name, description or statefulness."""
    found = call.db.write(_update, call, security_group_id, body.security_group)
    return SECURITY_GROUP.changed(call, found)


@routes.delete("/v2.0/security-groups/{security_group_id}", policy="regular_user", status=204)
def delete_security_group(call: Call[Tools], security_group_id: str) -> None:
    """Delete a security group that no port is in."""
    call.db.write(_delete, call, security_group_id)


def ensure_default(call: Call[Tools]) -> None:
    """Make a project its default group when its groups are first looked at; a read, mostly.

    It is the caller's own, or the one that an administrator asks for.
    """
    asked = call.filters.get("project_id") or call.filters.get("tenant_id")
    project_id = asked[0] if asked and call.ctx.is_admin else call.ctx.project_id
    if project_id and not call.db.read(security_groups.has_default, project_id):
        call.db.write(security_groups.ensure_default, call.ctx, project_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[SecurityGroupSpec]) -> list[Details]:
    made = []
    for spec in specs:
        SECURITY_GROUP.check_create(call, spec)
        made.append(security_groups.create_group(tx, call.ctx, call.tools.settings, spec))
    return security_groups.details(tx, call.ctx, made)


def _details(tx: Tx, call: Call[Tools], group_id: str) -> Details:
    found = security_groups.group_visible(tx, call.ctx, group_id)
    return security_groups.details(tx, call.ctx, [found])[0]


def _update(tx: Tx, call: Call[Tools], group_id: str, wanted: SecurityGroupChange) -> Details:
    ctx, before = call.ctx, _details(tx, call, group_id)
    revision = SECURITY_GROUP.check_update(call, before, wanted)
    after = security_groups.update_group(tx, ctx, before.group, wanted, revision)
    return security_groups.details(tx, ctx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], group_id: str) -> None:
    found = _details(tx, call, group_id)
    SECURITY_GROUP.check_delete(call, found)
    security_groups.delete_group(tx, call.ctx, found.group)


def _view(call: Call[Tools], found: Details) -> SecurityGroupView:
    group = found.group
    rules = [
        security_group_rules.Details(rule, group.project_id, found.is_default)
        for rule in found.rules
    ]
    return SecurityGroupView(
        **standard(group, found.tags),
        stateful=group.stateful,
        shared=found.shared,
        security_group_rules=[rule_view(call, rule) for rule in rules],
    )


SECURITY_GROUP: Noun[Details] = Noun(
    "security_group",
    "security_groups",
    lambda found: found.group,
    _view,
    security_group_not_found,
    lambda found: {"shared": found.shared},
)
