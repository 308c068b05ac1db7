"""/os-security-groups and their rules, for clients that do not ask Neutron."""

import ipaddress
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.compute import security_groups
from cumulo.services.compute.api.uuids import is_uuid
from cumulo.services.compute.security_groups import Group, Rule, RuleSpec
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, LooseInt, Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-security-groups"
_GROUPS, _RULES = "/v2.1/os-security-groups", "/v2.1/os-security-group-rules"
_EVERYWHERE = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}


class GroupRef(msgspec.Struct, omit_defaults=True):
    """The group whose servers may come in; nothing where an address says who may."""

    name: str = ""
    tenant_id: str = ""


class Range(msgspec.Struct, omit_defaults=True):
    """The addresses that may come in; nothing where a group says who may."""

    cidr: str = ""


class RuleView(msgspec.Struct, kw_only=True):
    """What may come in."""

    id: str
    parent_group_id: str
    ip_protocol: str | None
    from_port: int | None
    to_port: int | None
    group: GroupRef
    ip_range: Range


class GroupView(msgspec.Struct, kw_only=True):
    """A security group."""

    id: str
    name: str
    description: str
    tenant_id: str
    rules: list[RuleView]


class GroupBody(msgspec.Struct):
    """One security group."""

    group: GroupView = msgspec.field(name="security_group")


class GroupsBody(msgspec.Struct):
    """Security groups."""

    groups: list[GroupView] = msgspec.field(name="security_groups")


class RuleBody(msgspec.Struct):
    """One rule."""

    rule: RuleView = msgspec.field(name="security_group_rule")


class GroupSpec(msgspec.Struct, kw_only=True):
    """What a client says about a security group; nova never minded what else it said."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    description: Annotated[str, Meta(max_length=255)] | None = ""


class GroupSpecBody(msgspec.Struct):
    """The body of a request that makes or changes a group."""

    group: GroupSpec = msgspec.field(name="security_group")


class WantedRule(msgspec.Struct, kw_only=True):
    """What a client says about a rule."""

    parent_group_id: str
    ip_protocol: str | None = None
    from_port: LooseInt | None = None
    to_port: LooseInt | None = None
    cidr: str | None = None
    group_id: str | None = None


class WantedRuleBody(msgspec.Struct):
    """The body of a request for a rule."""

    rule: WantedRule = msgspec.field(name="security_group_rule")


class GroupsQuery(msgspec.Struct, kw_only=True):
    """Which groups to list."""

    limit: Annotated[int, Meta(ge=0)] | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    all_tenants: LooseBool = False


@routes.get(_GROUPS, policy=f"{_RULE}:get", until="2.35")
def list_security_groups(call: Call, query: GroupsQuery) -> GroupsBody:
    """List the security groups of the project."""
    everyones = query.all_tenants and call.ctx.is_admin
    found = call.db.write(_list, call.ctx, call.tools, everyones)
    end = None if query.limit is None else query.offset + query.limit
    return GroupsBody(_views(call, found[query.offset : end]))


def _list(tx: Tx, ctx: Context, tools: Tools, everyones: bool) -> list[Group]:
    return security_groups.list_groups(tx, ctx, tools, everyones=everyones)


@routes.post(_GROUPS, policy=f"{_RULE}:create", until="2.35")
def create_security_group(call: Call, body: GroupSpecBody) -> GroupBody:
    """Create a security group that lets everything out and nothing in."""
    spec = body.group
    made = call.db.write(
        security_groups.create_group, call.ctx, call.tools, spec.name, spec.description or ""
    )
    return GroupBody(_views(call, [made])[0])


@routes.get(f"{_GROUPS}/{{group_id}}", policy=f"{_RULE}:show", until="2.35")
def show_security_group(call: Call, group_id: str) -> GroupBody:
    """Show a security group."""
    found = call.db.read(security_groups.show_group, call.ctx, _checked(group_id))
    return GroupBody(_views(call, [found])[0])


@routes.put(f"{_GROUPS}/{{group_id}}", policy=f"{_RULE}:update", until="2.35")
def update_security_group(call: Call, group_id: str, body: GroupSpecBody) -> GroupBody:
    """Give a security group another name and description."""
    spec = body.group
    found = call.db.write(
        security_groups.update_group,
        call.ctx,
        _checked(group_id),
        spec.name,
        spec.description or "",
    )
    return GroupBody(_views(call, [found])[0])


@routes.delete(f"{_GROUPS}/{{group_id}}", policy=f"{_RULE}:delete", status=202, until="2.35")
def delete_security_group(call: Call, group_id: str) -> None:
    """Delete a security group that no server is in."""
    call.db.write(security_groups.delete_group, call.ctx, _checked(group_id))


@routes.get("/v2.1/servers/{server_id}/os-security-groups", policy=f"{_RULE}:list")
def list_security_groups_of_server(call: Call, server_id: str) -> GroupsBody:
    """List the security groups that a server is in."""
    found = call.db.read(security_groups.list_groups_of_server, call.ctx, server_id)
    return GroupsBody(_views(call, found))


@routes.post(_RULES, policy=f"{_RULE}:rule:create", until="2.35")
def create_security_group_rule(call: Call, body: WantedRuleBody) -> RuleBody:
    """Let something into the servers of a security group."""
    rule = call.db.write(security_groups.create_rule, call.ctx, call.tools, _spec(body.rule))
    remote = _remote(call, rule)
    return RuleBody(_rule(rule, {remote.group.id: remote} if remote else {}))


@routes.delete(f"{_RULES}/{{rule_id}}", policy=f"{_RULE}:rule:delete", status=202, until="2.35")
def delete_security_group_rule(call: Call, rule_id: str) -> None:
    """Let something in no longer."""
    call.db.write(security_groups.delete_rule, call.ctx, _checked(rule_id))


def _checked(group_id: str) -> str:
    """Refuse what is no id before anything is looked for."""
    if not is_uuid(group_id):
        raise Invalid(f"Security group id should be uuid: {group_id[:80]}", field="id")
    return group_id


def _spec(wanted: WantedRule) -> RuleSpec:
    """Return a rule as the network is told of it."""
    _checked(wanted.parent_group_id)
    if wanted.group_id is None and wanted.ip_protocol is None:
        raise Invalid("Not enough parameters to build a valid rule.", field="ip_protocol")
    cidr = None if wanted.group_id else _network(wanted.cidr or "0.0.0.0/0")
    low, high = wanted.from_port, wanted.to_port
    return RuleSpec(
        security_group_id=wanted.parent_group_id,
        direction="ingress",
        ethertype="IPv6" if cidr and ":" in cidr else "IPv4",
        protocol=wanted.ip_protocol.lower() if wanted.ip_protocol else None,
        port_range_min=None if low == -1 else low,
        port_range_max=None if high == -1 else high,
        remote_ip_prefix=cidr,
        remote_group_id=_checked(wanted.group_id) if wanted.group_id else None,
    )


def _network(text: str) -> str:
    try:
        return ipaddress.ip_interface(text).with_prefixlen
    except ValueError as error:
        raise Invalid(f"Invalid cidr: {text[:80]}", field="cidr") from error


def _views(call: Call, found: list[Group]) -> list[GroupView]:
    known = {one.group.id: one for one in found}
    for one in found:
        for rule in one.rules:
            if rule.remote_group_id and rule.remote_group_id not in known:
                remote = _remote(call, rule)
                if remote is not None:
                    known[rule.remote_group_id] = remote
    return [_view(one, known) for one in found]


def _remote(call: Call, rule: Rule) -> Group | None:
    """Return the group that a rule names, which lies in the same project or is lent to it."""
    if rule.remote_group_id is None:
        return None
    return call.db.read(security_groups.show_group, call.ctx, rule.remote_group_id)


def _view(one: Group, known: dict[str, Group]) -> GroupView:
    group = one.group
    return GroupView(
        id=group.id,
        name=group.name,
        description=group.description,
        tenant_id=group.project_id,
        rules=[_rule(rule, known) for rule in one.rules if rule.direction == "ingress"],
    )


def _rule(rule: Rule, known: dict[str, Group]) -> RuleView:
    low, high = rule.port_range_min, rule.port_range_max
    if rule.protocol and low is None and high is None:
        low, high = (1, 65535) if rule.protocol in ("tcp", "udp") else (-1, -1)
    remote = known.get(rule.remote_group_id or "")
    group, cidr = GroupRef(), rule.remote_ip_prefix or _EVERYWHERE[rule.ethertype]
    if remote is not None:
        group = GroupRef(remote.group.name, remote.group.project_id)
    return RuleView(
        id=rule.id,
        parent_group_id=rule.security_group_id,
        ip_protocol=rule.protocol,
        from_port=low,
        to_port=high,
        group=group,
        ip_range=Range() if rule.remote_group_id else Range(cidr),
    )
