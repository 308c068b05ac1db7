"""Ports as they are stored, and the security groups they are in."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import tables
from cumulo.services.network.store.selection import Ids, of_some
from cumulo.services.network.store.values import AddressPair, DhcpOption


class Port(msgspec.Struct, frozen=True, gc=False):
    """A place in a network that something is plugged into."""

    id: str
    project_id: str
    name: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    network_id: str
    mac_address: str
    admin_state_up: bool
    status: str
    device_id: str
    device_owner: str
    host: str
    vnic_type: str
    profile: dict[str, object]
    made_for: str
    port_security_enabled: bool
    allowed_address_pairs: list[AddressPair]
    extra_dhcp_opts: list[DhcpOption]
    dns_name: str
    plugged_at: datetime  # into its device; a server's first interface was plugged in first
    qos_policy_id: str | None = None
    dns_domain: str = ""


_p, _m = tables.port.c, tables.port_security_group.c
_BY_ID = sa.select(tables.port).where(_p.id == sa.bindparam("of_id"))
_IN_ORDER = sa.select(tables.port).order_by(_p.created_at, _p.id)
_PLUGGED = sa.select(tables.port).order_by(_p.plugged_at, _p.id)
_OWN = (
    sa.select(tables.port)
    .where(_p.network_id == sa.bindparam("of_network"), _p.made_for == sa.bindparam("of_network"))
    .order_by(_p.created_at, _p.id)
)
_INSERT, _JOIN = sa.insert(tables.port), sa.insert(tables.port_security_group)
_GROUPS = sa.select(_m.port_id, _m.security_group_id).order_by(_m.port_id, _m.security_group_id)


def port_find(tx: Tx, port_id: str, seen: sa.ColumnElement[bool] | None = None) -> Port | None:
    """Return a port that fulfils `seen`, or None."""
    select = _BY_ID if seen is None else _BY_ID.where(seen)
    row = tx.execute(select, {"of_id": port_id}).one_or_none()
    return Port(*row) if row else None


def ports_where(tx: Tx, *where: sa.ColumnElement[bool]) -> list[Port]:
    """Return the ports that fulfil every condition, oldest first."""
    p = tables.port.c
    select = sa.select(tables.port).where(*where).order_by(p.created_at, p.id)
    return [Port(*row) for row in tx.execute(select)]


def ports_by_id(tx: Tx, port_ids: Collection[str]) -> dict[str, Port]:
    """Return those of the ports that there are."""
    rows = of_some(tx, _IN_ORDER, _p.id, port_ids)
    return {row[0]: Port(*row) for row in rows}


def ports_of_devices(tx: Tx, device_ids: Collection[str], owner_prefix: str) -> list[Port]:
    """Return the ports plugged into the devices, whose owner begins with `owner_prefix`."""
    found = of_some(tx, _PLUGGED, _p.device_id, device_ids)
    return [port for row in found if (port := Port(*row)).device_owner.startswith(owner_prefix)]


def port_made_for(tx: Tx, network_id: str) -> Port | None:
    """Return the first port in a network that was made for the network itself."""
    row = tx.execute(_OWN, {"of_network": network_id}).first()
    return Port(*row) if row else None


def ports_of_network(tx: Tx, network_id: str) -> list[Port]:
    """Return the ports of a network."""
    return ports_where(tx, tables.port.c.network_id == network_id)


def port_with_mac(tx: Tx, network_id: str, mac: str) -> bool:
    """Say whether some port of the network has that MAC address."""
    p = tables.port.c
    found = sa.select(p.id).where(p.network_id == network_id, p.mac_address == mac)
    return tx.execute(found).first() is not None


def port_insert(tx: Tx, port: Port) -> None:
    """Record a new port."""
    tx.execute(_INSERT, msgspec.structs.asdict(port))


def port_delete(tx: Tx, port_id: str) -> bool:
    """Forget a port with its addresses and memberships; say whether there was one."""
    for table in (tables.allocation, tables.port_security_group, tables.deferred_port):
        tx.execute(sa.delete(table).where(table.c.port_id == port_id))
    return bool(tx.execute(sa.delete(tables.port).where(tables.port.c.id == port_id)).rowcount)


def groups_set(tx: Tx, port_id: str, group_ids: Sequence[str]) -> None:
    """Put the port into these security groups, and no others."""
    table = tables.port_security_group
    tx.execute(sa.delete(table).where(table.c.port_id == port_id))
    groups_add(tx, port_id, group_ids)


def groups_add(tx: Tx, port_id: str, group_ids: Sequence[str]) -> None:
    """Put the port into security groups that it is not in."""
    rows = [{"port_id": port_id, "security_group_id": group_id} for group_id in group_ids]
    if rows:
        tx.execute(_JOIN, rows)


def groups_map(tx: Tx, port_ids: Ids) -> dict[str, list[str]]:
    """Return the security groups of each port."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for port_id, group_id in of_some(tx, _GROUPS, _m.port_id, port_ids):
        found[port_id].append(group_id)
    return found


def status_set(tx: Tx, port_ids: Collection[str], status: str) -> list[str]:
    """Record what the backend says of ports; return those for which that was new."""
    p = tables.port.c
    stale = list(tx.scalars(sa.select(p.id).where(p.id.in_(port_ids), p.status != status)))
    if stale:
        tx.execute(sa.update(tables.port).where(p.id.in_(stale)).values(status=status))
    return stale


def foreign_projects(tx: Tx, network_id: str, owner: str) -> set[str]:
    """Return the projects besides the owner that have ports in the network."""
    p = tables.port.c
    where = (p.network_id == network_id, p.project_id.not_in((owner, "")))
    return set(tx.scalars(sa.select(p.project_id).where(*where).distinct()))
