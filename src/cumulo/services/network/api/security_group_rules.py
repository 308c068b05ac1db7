"""Rules of security groups over HTTP."""

import ipaddress
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import security_group_rules, security_groups
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.requests import within
from cumulo.services.network.refusals import rule_not_found
from cumulo.services.network.security_group_rules import Details, RuleSpec
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One rule, or many of one group at once."""

    security_group_rule: RuleSpec | UnsetType = UNSET
    security_group_rules: Annotated[list[RuleSpec], within("security_group_rule")] | UnsetType = (
        UNSET
    )


class RuleView(StandardView, kw_only=True, gc=False):
    """A rule as clients see it."""

    security_group_id: str | UnsetType
    direction: str | UnsetType
    ethertype: str | UnsetType
    protocol: str | UnsetType | None
    port_range_min: int | UnsetType | None
    port_range_max: int | UnsetType | None
    remote_ip_prefix: str | UnsetType | None
    remote_group_id: str | UnsetType | None
    remote_address_group_id: str | UnsetType | None
    normalized_cidr: str | UnsetType | None
    belongs_to_default_sg: bool | UnsetType


@routes.get("/v2.0/security-group-rules", policy="regular_user")
def list_security_group_rules(call: Call[Tools]) -> Answer:
    """List the rules of the project's security groups."""
    project_id = call.ctx.project_id
    if project_id and not call.db.read(security_groups.has_default, project_id):
        call.db.write(security_groups.ensure_default, call.ctx, project_id)
    return RULE.listed(call, security_group_rules.list_rules)


@routes.post("/v2.0/security-group-rules", policy="regular_user", status=201)
def create_security_group_rule(call: Call[Tools], body: CreateBody) -> Answer:
    """Permit something, for all ports in a group."""
    return RULE.created(call, body, _create)


@routes.get("/v2.0/security-group-rules/{security_group_rule_id}", policy="regular_user")
def show_security_group_rule(call: Call[Tools], security_group_rule_id: str) -> Answer:
    """Show a rule."""
    return RULE.shown(call, _details, security_group_rule_id)


@routes.delete(
    "/v2.0/security-group-rules/{security_group_rule_id}", policy="regular_user", status=204
)
def delete_security_group_rule(call: Call[Tools], security_group_rule_id: str) -> None:
    """Permit something no more, open connections included."""
    call.db.write(_delete, call, security_group_rule_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[RuleSpec]) -> list[Details]:
    ctx = call.ctx
    group = security_groups.group_visible(tx, ctx, security_group_rules.only_group(specs))
    for spec in specs:
        RULE.check_create(call, spec, **{"security_group:project_id": group.project_id})
    made = security_group_rules.create_rules(tx, ctx, call.tools.settings, group, specs)
    return security_group_rules.details(tx, made)


def _details(tx: Tx, call: Call[Tools], rule_id: str) -> Details:
    rule = security_group_rules.rule_visible(tx, call.ctx, rule_id)
    return security_group_rules.details(tx, [rule])[0]


def _delete(tx: Tx, call: Call[Tools], rule_id: str) -> None:
    found = _details(tx, call, rule_id)
    RULE.check_delete(call, found)
    security_group_rules.delete_rule(tx, call.ctx, found.rule)


def _facts(found: Details) -> dict[str, object]:
    return {
        "security_group:project_id": found.group_project_id,
        "belongs_to_default_sg": found.in_default_group,
    }


def rule_view(call: Call[Tools], found: Details) -> RuleView:
    """Return a rule as clients see it, also inside of its group."""
    rule, prefix = found.rule, found.rule.remote_ip_prefix
    return RuleView(
        **standard(rule),
        security_group_id=rule.security_group_id,
        direction=rule.direction,
        ethertype=rule.ethertype,
        protocol=rule.protocol,
        port_range_min=rule.port_range_min,
        port_range_max=rule.port_range_max,
        remote_ip_prefix=prefix,
        remote_group_id=rule.remote_group_id,
        remote_address_group_id=rule.remote_address_group_id,
        normalized_cidr=str(ipaddress.ip_network(prefix, strict=False)) if prefix else None,
        belongs_to_default_sg=found.in_default_group,
    )


RULE: Noun[Details] = Noun(
    "security_group_rule",
    "security_group_rules",
    lambda found: found.rule,
    rule_view,
    rule_not_found,
    _facts,
)
