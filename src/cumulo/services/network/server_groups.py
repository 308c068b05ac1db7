"""Security groups as Nova speaks of them: by name or id."""

from collections import defaultdict
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.db.statements import among
from cumulo.kit.errors import Conflict, Invalid
from cumulo.services.network import journal, security_groups
from cumulo.services.network.server_ports import COMPUTE
from cumulo.services.network.store import changes, standard, tables
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import security_groups as store
from cumulo.services.network.store.ports import Port
from cumulo.services.network.tools import Tools


def server_group_ids(tx: Tx, ctx: Context, tools: Tools, names: Sequence[str] | None) -> list[str]:
    """Return the ids of the groups that a client named for a server; none named: the default."""
    project_id = ctx.project_id or ""
    default = security_groups.ensure_default(tx, ctx, tools.settings, project_id)
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


def security_groups_of_servers(tx: Tx, server_ids: Collection[str]) -> dict[str, list[str]]:
    """Return the names of the security groups that each server's ports are in."""
    p, m, g = tables.port.c, tables.port_security_group.c, tables.security_group.c
    select = (
        sa.select(p.device_id, g.name)
        .join(tables.port_security_group, m.port_id == p.id)
        .join(tables.security_group, g.id == m.security_group_id)
        .where(
            among(tx, p.device_id, server_ids), p.device_owner.startswith(COMPUTE, autoescape=True)
        )
        .distinct()
        .order_by(p.device_id, g.name)
    )
    found: defaultdict[str, list[str]] = defaultdict(list)
    for server_id, name in tx.execute(select):
        found[server_id].append(name)
    return found


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
