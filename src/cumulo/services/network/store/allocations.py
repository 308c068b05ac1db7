"""Which port owns which address."""

import ipaddress
from collections import defaultdict

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import insert_absent
from cumulo.services.network.store.selection import Ids, of_some
from cumulo.services.network.store.tables import allocation
from cumulo.services.network.store.values import FixedIp


def key_of(address: str) -> str:
    """Spell an address so that it sorts as the number that it is."""
    ip = ipaddress.ip_address(address)
    return f"{int(ip):08x}" if ip.version == 4 else f"{int(ip):032x}"


def address_of(key: str) -> str:
    """Return the address that `key_of` spelled."""
    number = int(key, 16)
    kind = ipaddress.IPv4Address if len(key) == 8 else ipaddress.IPv6Address
    return str(kind(number))


_a = allocation.c
_ADDRESSES = sa.select(_a.port_id, _a.subnet_id, _a.ip_address).order_by(_a.port_id, _a.position)
_HIGHEST = sa.select(sa.func.max(_a.ip_key)).where(
    _a.subnet_id == sa.bindparam("of_subnet"),
    _a.ip_key >= sa.bindparam("low"),
    _a.ip_key <= sa.bindparam("high"),
)
_HOLDER = sa.select(_a.port_id).where(
    _a.subnet_id == sa.bindparam("of_subnet"), _a.ip_key == sa.bindparam("key")
)


def allocation_insert(tx: Tx, port_id: str, fixed: FixedIp, position: int) -> bool:
    """Give the address to the port, unless it is somebody's; then say so and change nothing."""
    row = {
        "subnet_id": fixed.subnet_id,
        "ip_key": key_of(fixed.ip_address),
        "ip_address": fixed.ip_address,
        "port_id": port_id,
        "position": position,
    }
    return (
        insert_absent(tx, allocation, **row)
        or allocation_holder(tx, fixed.subnet_id, fixed.ip_address) == port_id
    )


def allocation_highest(tx: Tx, subnet_id: str, low: str, high: str) -> str | None:
    """Return the highest key between `low` and `high` that is taken."""
    span = {"of_subnet": subnet_id, "low": low, "high": high}
    highest: str | None = tx.scalar(_HIGHEST, span)
    return highest


def allocation_keys(tx: Tx, subnet_id: str, low: str, high: str, most: int) -> list[str]:
    """Return the first `most` keys between `low` and `high` that are taken, in order."""
    a = allocation.c
    between = (a.subnet_id == subnet_id, a.ip_key >= low, a.ip_key <= high)
    return list(tx.scalars(sa.select(a.ip_key).where(*between).order_by(a.ip_key).limit(most)))


def allocation_map(tx: Tx, port_ids: Ids) -> dict[str, list[FixedIp]]:
    """Return the addresses of each port, in the order they were asked for."""
    found: defaultdict[str, list[FixedIp]] = defaultdict(list)
    for port_id, subnet_id, ip_address in of_some(tx, _ADDRESSES, _a.port_id, port_ids):
        found[port_id].append(FixedIp(subnet_id, ip_address))
    return found


def allocation_delete(tx: Tx, port_id: str, fixed: FixedIp | None = None) -> None:
    """Take one address of the port, or all."""
    a = allocation.c
    where = [a.port_id == port_id]
    if fixed is not None:
        where += [a.subnet_id == fixed.subnet_id, a.ip_key == key_of(fixed.ip_address)]
    tx.execute(sa.delete(allocation).where(*where))


def allocation_position(tx: Tx, port_id: str, fixed: FixedIp, position: int) -> None:
    """Say where among the port's addresses this one stands."""
    a = allocation.c
    where = (a.port_id == port_id, a.subnet_id == fixed.subnet_id)
    change = sa.update(allocation).where(*where, a.ip_key == key_of(fixed.ip_address))
    tx.execute(change.values(position=position))


def subnet_ports(tx: Tx, subnet_id: str) -> list[str]:
    """Return the ports with an address in the subnet."""
    a = allocation.c
    rows = tx.scalars(sa.select(a.port_id).where(a.subnet_id == subnet_id).distinct())
    return sorted(rows)


def allocation_delete_subnet(tx: Tx, subnet_id: str) -> None:
    """Take every address of a subnet that goes away."""
    tx.execute(sa.delete(allocation).where(allocation.c.subnet_id == subnet_id))


def allocation_holder(tx: Tx, subnet_id: str, address: str) -> str | None:
    """Return the port that owns the address, if one does."""
    return tx.scalar(_HOLDER, {"of_subnet": subnet_id, "key": key_of(address)})


def allocation_counts(tx: Tx) -> dict[str, int]:
    """Return how many addresses of each subnet are taken."""
    a = allocation.c
    select = sa.select(a.subnet_id, sa.func.count()).group_by(a.subnet_id)
    return {row[0]: row[1] for row in tx.execute(select)}
