"""Rules of security groups over HTTP."""

import ipaddress
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.services.network import security_group_rules, security_groups
from cumulo.services.network.api.listing import Answer, fields_of, hide, listing_of, page, select
from cumulo.services.network.api.permissions import Sight
from cumulo.services.network.api.requests import log_create, log_delete, several
from cumulo.services.network.refusals import rule_not_found
from cumulo.services.network.security_group_rules import Details, RuleSpec
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One rule, or many of one group at once."""

    security_group_rule: RuleSpec | UnsetType = UNSET
    security_group_rules: list[RuleSpec] | UnsetType = UNSET


class RuleView(msgspec.Struct, kw_only=True):
    """A rule as clients see it."""

    id: str | UnsetType
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    security_group_id: str | UnsetType
    direction: str | UnsetType
    ethertype: str | UnsetType
    protocol: str | UnsetType | None
    port_range_min: int | UnsetType | None
    port_range_max: int | UnsetType | None
    remote_ip_prefix: str | UnsetType | None
    remote_group_id: str | UnsetType | None
    normalized_cidr: str | UnsetType | None
    belongs_to_default_sg: bool | UnsetType
    description: str | UnsetType
    created_at: str | UnsetType
    updated_at: str | UnsetType
    revision_number: int | UnsetType


@routes.get("/v2.0/security-group-rules", policy="regular_user")
def list_security_group_rules(call: Call[Tools]) -> Answer:
    """List the rules of the project's security groups."""
    if not call.db.read(security_groups.has_default, call.ctx):
        call.db.write(security_groups.ensure_own_default, call.ctx, call.tools.settings)
    found = call.db.read(security_group_rules.list_rules, call.ctx, listing_of(call))
    return page(call, "security_group_rules", [d.rule for d in found], _shown(call, found))


@routes.post("/v2.0/security-group-rules", policy="regular_user", status=201)
def create_security_group_rule(call: Call[Tools], body: CreateBody) -> Answer:
    """Permit something, for all ports in a group."""
    one = body.security_group_rule
    specs = several(one, body.security_group_rules, "security_group_rule")
    views = _shown(call, call.db.write(_create, call, specs))
    return {"security_group_rules": views} if one is UNSET else {"security_group_rule": views[0]}


@routes.get("/v2.0/security-group-rules/{security_group_rule_id}", policy="regular_user")
def show_security_group_rule(call: Call[Tools], security_group_rule_id: str) -> Answer:
    """Show a rule."""
    views = _shown(call, call.db.read(_details, call, security_group_rule_id))
    if not views:
        raise rule_not_found(security_group_rule_id)
    return {"security_group_rule": select(views[0], fields_of(call))}


@routes.delete(
    "/v2.0/security-group-rules/{security_group_rule_id}", policy="regular_user", status=204
)
def delete_security_group_rule(call: Call[Tools], security_group_rule_id: str) -> None:
    """Permit something no more, open connections included."""
    call.db.write(_delete, call, security_group_rule_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[RuleSpec]) -> list[Details]:
    ctx = call.ctx
    group_id = security_group_rules.only_group(specs)
    group = security_groups.group_visible(tx, ctx, group_id)
    ctx.require(
        "create_security_group_rule",
        **{**ctx.own(), "security_group:project_id": group.project_id},
    )
    made = security_group_rules.create_rules(tx, ctx, call.tools.settings, group, specs)
    for rule in made:
        log_create(tx, ctx, "security_group_rule", rule)
    return security_group_rules.details(tx, made)


def _details(tx: Tx, call: Call[Tools], rule_id: str) -> list[Details]:
    rule = security_group_rules.rule_visible(tx, call.ctx, rule_id)
    return security_group_rules.details(tx, [rule])


def _delete(tx: Tx, call: Call[Tools], rule_id: str) -> None:
    found = _details(tx, call, rule_id)[0]
    call.ctx.require("delete_security_group_rule", **_target(found))
    security_group_rules.delete_rule(tx, found.rule)
    log_delete(tx, call.ctx, "security_group_rule", found.rule)


def _target(found: Details) -> dict[str, object]:
    return {
        "project_id": found.rule.project_id,
        "security_group:project_id": found.group_project_id,
        "belongs_to_default_sg": found.in_default_group,
    }


def _shown(call: Call[Tools], found: Sequence[Details]) -> list[RuleView]:
    sight, views = Sight(call.ctx, "security_group_rule"), []
    for one in found:
        hidden = sight.hidden(**_target(one))
        if hidden is not None:
            view = rule_view(one)
            hide(view, hidden)
            views.append(view)
    return views


def rule_view(found: Details) -> RuleView:
    """Return a rule as clients see it, also inside of its group."""
    rule, prefix = found.rule, found.rule.remote_ip_prefix
    return RuleView(
        id=rule.id,
        tenant_id=rule.project_id,
        project_id=rule.project_id,
        security_group_id=rule.security_group_id,
        direction=rule.direction,
        ethertype=rule.ethertype,
        protocol=rule.protocol,
        port_range_min=rule.port_range_min,
        port_range_max=rule.port_range_max,
        remote_ip_prefix=prefix,
        remote_group_id=rule.remote_group_id,
        normalized_cidr=str(ipaddress.ip_network(prefix, strict=False)) if prefix else None,
        belongs_to_default_sg=found.in_default_group,
        description=rule.description,
        created_at=iso_z(rule.created_at),
        updated_at=iso_z(rule.updated_at),
        revision_number=rule.revision_number,
    )
