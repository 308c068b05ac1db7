"""Security groups over HTTP."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.services.network import revisions, security_group_rules, security_groups
from cumulo.services.network.api.listing import Answer, fields_of, hide, listing_of, page, select
from cumulo.services.network.api.permissions import Sight, check_create, check_update
from cumulo.services.network.api.requests import (
    expected_revision,
    log_create,
    log_delete,
    log_update,
    several,
)
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
    security_groups: list[SecurityGroupSpec] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    security_group: SecurityGroupChange


class SecurityGroupView(msgspec.Struct, kw_only=True):
    """A security group as clients see it."""

    id: str | UnsetType
    name: str | UnsetType
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    description: str | UnsetType
    stateful: bool | UnsetType
    security_group_rules: list[RuleView] | UnsetType
    tags: list[str] | UnsetType
    created_at: str | UnsetType
    updated_at: str | UnsetType
    revision_number: int | UnsetType


@routes.get("/v2.0/security-groups", policy="regular_user")
def list_security_groups(call: Call[Tools]) -> Answer:
    """List the security groups of the project; its default group comes into being with it."""
    _ensure_default(call)
    found = call.db.read(security_groups.list_groups, call.ctx, listing_of(call))
    return page(call, "security_groups", [d.group for d in found], _shown(call, found))


@routes.post("/v2.0/security-groups", policy="create_security_group", status=201)
def create_security_group(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a security group that lets everything out and nothing in."""
    one = body.security_group
    specs = several(one, body.security_groups, "security_group")
    views = _shown(call, call.db.write(_create, call, specs))
    return {"security_groups": views} if one is UNSET else {"security_group": views[0]}


@routes.get("/v2.0/security-groups/{security_group_id}", policy="regular_user")
def show_security_group(call: Call[Tools], security_group_id: str) -> Answer:
    """Show a security group with its rules."""
    views = _shown(call, call.db.read(_details, call, security_group_id))
    if not views:
        raise security_group_not_found(security_group_id)
    return {"security_group": select(views[0], fields_of(call))}


@routes.put("/v2.0/security-groups/{security_group_id}", policy="regular_user")
def update_security_group(call: Call[Tools], security_group_id: str, body: UpdateBody) -> Answer:
    """Change a security group's name, description or statefulness."""
    found = call.db.write(_update, call, security_group_id, body.security_group)
    return {"security_group": _shown(call, found)[0]}


@routes.delete("/v2.0/security-groups/{security_group_id}", policy="regular_user", status=204)
def delete_security_group(call: Call[Tools], security_group_id: str) -> None:
    """Delete a security group that no port is in."""
    call.db.write(_delete, call, security_group_id)


def _ensure_default(call: Call[Tools]) -> None:
    """Make the project its default group when it first looks at its groups; a read, mostly."""
    if not call.db.read(security_groups.has_default, call.ctx):
        call.db.write(security_groups.ensure_own_default, call.ctx, call.tools.settings)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[SecurityGroupSpec]) -> list[Details]:
    made, ctx = [], call.ctx
    for spec in specs:
        check_create(ctx, "security_group", spec, **ctx.own())
        group = security_groups.create_group(tx, ctx, call.tools.settings, spec)
        log_create(tx, ctx, "security_group", group)
        made.append(group)
    return security_groups.details(tx, made)


def _details(tx: Tx, call: Call[Tools], group_id: str) -> list[Details]:
    return security_groups.details(tx, [security_groups.group_visible(tx, call.ctx, group_id)])


def _update(tx: Tx, call: Call[Tools], group_id: str, wanted: SecurityGroupChange) -> list[Details]:
    ctx, revision = call.ctx, expected_revision(call)
    before = security_groups.group_visible(tx, ctx, group_id)
    check_update(ctx, "security_group", wanted, project_id=before.project_id)
    revisions.check(before, revision)
    after = security_groups.update_group(tx, ctx, before, wanted, revision)
    log_update(tx, ctx, "security_group", before, after)
    return security_groups.details(tx, [after])


def _delete(tx: Tx, call: Call[Tools], group_id: str) -> None:
    group = security_groups.group_visible(tx, call.ctx, group_id)
    call.ctx.require("delete_security_group", project_id=group.project_id)
    revisions.check(group, expected_revision(call))
    security_groups.delete_group(tx, call.ctx, group)
    log_delete(tx, call.ctx, "security_group", group)


def _shown(call: Call[Tools], found: Sequence[Details]) -> list[SecurityGroupView]:
    sight, views = Sight(call.ctx, "security_group"), []
    for one in found:
        hidden = sight.hidden(project_id=one.group.project_id)
        if hidden is not None:
            view = _view(one)
            hide(view, hidden)
            views.append(view)
    return views


def _view(found: Details) -> SecurityGroupView:
    group = found.group
    rules = [
        security_group_rules.Details(rule, group.project_id, found.is_default)
        for rule in found.rules
    ]
    return SecurityGroupView(
        id=group.id,
        name=group.name,
        tenant_id=group.project_id,
        project_id=group.project_id,
        description=group.description,
        stateful=group.stateful,
        security_group_rules=[rule_view(rule) for rule in rules],
        tags=found.tags,
        created_at=iso_z(group.created_at),
        updated_at=iso_z(group.updated_at),
        revision_number=group.revision_number,
    )
