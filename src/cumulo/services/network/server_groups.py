"""Security groups as Nova speaks of them: by name or id."""

from collections.abc import Sequence

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Conflict, Invalid
from cumulo.services.network import journal, security_group_rules, security_groups
from cumulo.services.network.security_group_rules import RuleSpec
from cumulo.services.network.security_groups import Details, SecurityGroupChange
from cumulo.services.network.server_ports import COMPUTE
from cumulo.services.network.store import changes, standard, tables
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import security_groups as store
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.security_groups import Rule
from cumulo.services.network.tools import Tools


def server_group_ids(tx: Tx, ctx: Context, tools: Tools, names: Sequence[str] | None) -> list[str]:
    """Return the ids of the groups that a client named for a server; none named: the default."""
    project_id = ctx.project_id or ""
    default = security_groups.ensure_default(tx, ctx, project_id)
    if not names:
        return [default]
    return list(dict.fromkeys(_group_id(tx, project_id, name, default) for name in names))


def _group_id(tx: Tx, project_id: str, name: str, default: str) -> str:
    if name == security_groups.DEFAULT:
        return default
    g = tables.security_group.c
    own = g.project_id == project_id
    found = store.groups_where(tx, own, g.id == name)
    found = found or store.groups_where(tx, own, g.name == name)
    if not found:
        raise Invalid(f"Security group {name} not found.", field="security_groups")
    if len(found) > 1:
        raise Conflict(
            f"Multiple security groups found matching '{name}'. Use an ID to be more specific."
        )
    return found[0].id


def join_group(tx: Tx, ctx: Context, tools: Tools, server_id: str, name: str) -> None:
    """Put every port of the server that has port security into a group of the caller's project."""
    group_id = server_group_ids(tx, ctx, tools, [name])[0]
    ports = port_store.ports_of_devices(tx, [server_id], COMPUTE)
    have = port_store.groups_map(tx, [port.id for port in ports])
    for port in ports:
        if port.port_security_enabled and group_id not in have.get(port.id, []):
            _set_groups(tx, ctx, port, [*have.get(port.id, []), group_id])


def leave_group(tx: Tx, ctx: Context, tools: Tools, server_id: str, name: str) -> bool:
    """Take every port of the server out of a group; say whether any was in it."""
    group_id = server_group_ids(tx, ctx, tools, [name])[0]
    ports = port_store.ports_of_devices(tx, [server_id], COMPUTE)
    have = port_store.groups_map(tx, [port.id for port in ports])
    within = [port for port in ports if group_id in have.get(port.id, [])]
    for port in within:
        _set_groups(tx, ctx, port, [one for one in have[port.id] if one != group_id])
    return bool(within)


def _set_groups(tx: Tx, ctx: Context, port: Port, group_ids: list[str]) -> None:
    port_store.groups_set(tx, port.id, group_ids)
    standard.change(tx, tables.port, port.id)
    changes.mark(tx, "port", [port.id])
    after = port_store.ports_by_id(tx, [port.id])[port.id]
    journal.updated(tx, ctx, "port", port, after)


def groups_of_project(tx: Tx, ctx: Context, tools: Tools, *, everyones: bool) -> list[Details]:
    """Return the security groups of the caller's project, or of all projects, with their rules."""
    project_id = ctx.project_id or ""
    security_groups.ensure_default(tx, ctx, project_id)
    where = [] if everyones else [tables.security_group.c.project_id == project_id]
    return security_groups.details(tx, ctx, store.groups_where(tx, *where))


def groups_of_server(tx: Tx, ctx: Context, server_id: str) -> list[Details]:
    """Return the security groups that the server's ports are in, with their rules."""
    ports = port_store.ports_of_devices(tx, [server_id], COMPUTE)
    have = port_store.groups_map(tx, [port.id for port in ports])
    ids = {group_id for found in have.values() for group_id in found}
    return security_groups.details(tx, ctx, store.groups_by_id(tx, ids))


def group_shown(tx: Tx, ctx: Context, group_id: str) -> Details:
    """Return a security group the caller may know of, with its rules."""
    group = security_groups.group_visible(tx, ctx, group_id)
    return security_groups.details(tx, ctx, [group])[0]


def remove_group(tx: Tx, ctx: Context, group_id: str) -> None:
    """Forget a security group that no port is in."""
    security_groups.delete_group(tx, ctx, security_groups.group_visible(tx, ctx, group_id))


def rename_group(tx: Tx, ctx: Context, group_id: str, name: str, description: str) -> None:
    """Give a security group another name and description."""
    wanted = SecurityGroupChange(name=name, description=description)
    group = security_groups.group_visible(tx, ctx, group_id)
    security_groups.update_group(tx, ctx, group, wanted, None)


def add_rule(tx: Tx, ctx: Context, tools: Tools, spec: RuleSpec) -> Rule:
    """Let something into the ports of a group."""
    group = security_groups.group_visible(tx, ctx, spec.security_group_id)
    return security_group_rules.create_rules(tx, ctx, tools.settings, group, [spec])[0]


def remove_rule(tx: Tx, ctx: Context, rule_id: str) -> None:
    """Let something in no longer."""
    rule = security_group_rules.rule_visible(tx, ctx, rule_id)
    security_group_rules.delete_rule(tx, ctx, rule)
