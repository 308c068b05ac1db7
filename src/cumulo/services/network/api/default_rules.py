"""Rules that new security groups begin with, over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import default_rules
from cumulo.services.network.api.listing import Answer, fields_of, listing_of, select
from cumulo.services.network.api.requests import several, within
from cumulo.services.network.default_rules import DefaultRule, DefaultRuleSpec
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One rule, or many at once."""

    default_security_group_rule: DefaultRuleSpec | UnsetType = UNSET
    default_security_group_rules: (
        Annotated[list[DefaultRuleSpec], within("default_security_group_rule")] | UnsetType
    ) = UNSET


class DefaultRuleView(msgspec.Struct, kw_only=True):
    """A default rule as clients see it."""

    id: str | UnsetType
    description: str | UnsetType
    direction: str | UnsetType
    ethertype: str | UnsetType
    protocol: str | UnsetType | None
    port_range_min: int | UnsetType | None
    port_range_max: int | UnsetType | None
    remote_ip_prefix: str | UnsetType | None
    remote_group_id: str | UnsetType | None
    remote_address_group_id: str | UnsetType | None
    used_in_default_sg: bool | UnsetType
    used_in_non_default_sg: bool | UnsetType


@routes.get("/v2.0/default-security-group-rules", policy="get_default_security_group_rule")
def list_default_security_group_rules(call: Call[Tools]) -> Answer:
    """List what new security groups begin with."""
    found = call.db.read(default_rules.list_rules, listing_of(call))
    wanted = fields_of(call)
    return {"default_security_group_rules": [select(_view(rule), wanted) for rule in found]}


@routes.post(
    "/v2.0/default-security-group-rules",
    policy="create_default_security_group_rule",
    status=201,
)
def create_default_security_group_rule(call: Call[Tools], body: CreateBody) -> Answer:
    """Let new security groups begin with a rule, or with several."""
    one = body.default_security_group_rule
    many = body.default_security_group_rules
    specs = several(one, many, "default_security_group_rule")
    views = [_view(rule) for rule in call.db.write(_create, call, specs)]
    if one is UNSET:
        return {"default_security_group_rules": views}
    return {"default_security_group_rule": views[0]}


@routes.get(
    "/v2.0/default-security-group-rules/{rule_id}", policy="get_default_security_group_rule"
)
def show_default_security_group_rule(call: Call[Tools], rule_id: str) -> Answer:
    """Show one rule that new security groups begin with."""
    rule = call.db.read(default_rules.default_rule_get, rule_id)
    return {"default_security_group_rule": select(_view(rule), fields_of(call))}


@routes.delete(
    "/v2.0/default-security-group-rules/{rule_id}",
    policy="delete_default_security_group_rule",
    status=204,
)
def delete_default_security_group_rule(call: Call[Tools], rule_id: str) -> None:
    """Let new security groups begin without a rule."""
    call.db.write(_delete, call, rule_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[DefaultRuleSpec]) -> list[DefaultRule]:
    return default_rules.create_rules(tx, call.ctx, specs)


def _delete(tx: Tx, call: Call[Tools], rule_id: str) -> None:
    default_rules.delete_rule(tx, call.ctx, default_rules.default_rule_get(tx, rule_id))


def _view(rule: DefaultRule) -> DefaultRuleView:
    return DefaultRuleView(
        id=rule.id,
        description=rule.description,
        direction=rule.direction,
        ethertype=rule.ethertype,
        protocol=rule.protocol,
        port_range_min=rule.port_range_min,
        port_range_max=rule.port_range_max,
        remote_ip_prefix=rule.remote_ip_prefix,
        remote_group_id=rule.remote_group_id,
        remote_address_group_id=rule.remote_address_group_id,
        used_in_default_sg=rule.used_in_default_sg,
        used_in_non_default_sg=rule.used_in_non_default_sg,
    )
