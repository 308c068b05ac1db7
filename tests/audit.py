"""Whether the database, the hosts and the network tell the same story of a cloud at rest.

What is found wrong comes back as sentences that name the thing, so that a test which expects none
says at once what was left behind by what.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import sqlalchemy as sa

from cumulo.db import Database, Tx, quota
from cumulo.node.api import GuestState, Nodes
from cumulo.services.compute.networking import metadata_ports_on
from cumulo.services.compute.scheduler.schedule import resources_of
from cumulo.services.compute.store import server_tables
from cumulo.services.compute.store import tables as compute_tables
from cumulo.services.compute.store.servers import Server, Wanted, server_list
from cumulo.services.image.store import tables as image_tables
from cumulo.services.network.bandwidth import promised_to_servers as promised_bandwidth
from cumulo.services.network.drivers.base import NetworkDriver, Present
from cumulo.services.network.reconcile import owned
from cumulo.services.network.server_ports import COMPUTE
from cumulo.services.network.store import tables as network_tables
from cumulo.services.placement.store import tables as placement_tables
from cumulo.work import runs

K = TypeVar("K")
_POWERS = {"active": "running", "stopped": "stopped", "paused": "paused", "suspended": "suspended"}
_COUNTED = ("network", "subnet", "port", "router", "floatingip", "security_group")


def disagreements(db: Database, nodes: Nodes, driver: NetworkDriver) -> list[str]:
    """Return everything on which two parts of the cloud are not of one mind."""
    return [*db.read(_in_the_database), *_on_hosts(db, nodes), *_in_the_network(db, driver)]


def unsettled(tx: Tx) -> list[str]:
    """Return what still goes on, or looks as if it did."""
    servers = server_list(tx, Wanted(limit=1_000_000))
    return [*_unfinished(tx, servers), *_states(tx, servers), *_images(tx)]


def _images(tx: Tx) -> Iterator[str]:
    for row in tx.execute(sa.select(image_tables.image)):
        if row.status in ("saving", "importing"):
            yield f"image {row.id} is {row.status}"


def _in_the_database(tx: Tx) -> list[str]:
    servers = server_list(tx, Wanted(limit=1_000_000))
    checks = (_unfinished, _states, _allocations, _ports, _quota, _members)
    return [told for check in checks for told in check(tx, servers)]


def _unfinished(tx: Tx, _servers: list[Server]) -> Iterator[str]:
    for run in runs.run_list(tx, unfinished=True):
        yield f"run {run.kind} of {run.subject} is {run.state}, waits for {run.waits_for}"


def _states(_tx: Tx, servers: list[Server]) -> Iterator[str]:
    for server in servers:
        if server.task_state is not None or server.vm_state == "building":
            yield f"{_name(server)} is {server.vm_state}, {server.task_state}"
        if server.vm_state == "error" and not server.fault_message:
            yield f"{_name(server)} is in error and does not say why"


def _allocations(tx: Tx, servers: list[Server]) -> Iterator[str]:
    a, i = placement_tables.allocation.c, placement_tables.inventory.c
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    used: Counter[tuple[str, str]] = Counter()
    for row in tx.execute(sa.select(a.consumer_id, a.provider_id, a.resource_class, a.used)):
        sums = found[row.consumer_id]
        sums[row.resource_class] = sums.get(row.resource_class, 0) + row.used
        used[row.provider_id, row.resource_class] += row.used
    cards = promised_bandwidth(tx)
    wanted = {
        server.id: resources_of(server) | _summed(cards.get(server.id, {}))
        for server in servers
        if server.host
    }
    yield from _differ("allocation", found, wanted)
    consumers = set(tx.scalars(sa.select(placement_tables.consumer.c.id)))
    yield from _differ("consumer", dict.fromkeys(consumers, 1), dict.fromkeys(wanted, 1))
    for stock in tx.execute(sa.select(i.provider_id, i.resource_class, i.used)):
        if stock.used != used[stock.provider_id, stock.resource_class]:
            yield f"provider {stock.provider_id} counts {stock.used} {stock.resource_class}"


def _summed(amounts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for held in amounts.values():
        found.update(held)
    return dict(found)


def _ports(tx: Tx, servers: list[Server]) -> Iterator[str]:
    p = network_tables.port.c
    hosts = {server.id: server.host or "" for server in servers}
    failed = {server.id for server in servers if not server.host}
    for row in tx.execute(
        sa.select(p.id, p.device_id, p.host).where(p.device_owner.startswith(COMPUTE))
    ):
        if row.device_id not in hosts or row.device_id in failed:
            yield f"port {row.id} is plugged into {row.device_id}, which is nowhere"
        elif row.host != hosts[row.device_id]:
            yield f"port {row.id} is on {row.host!r}, its server on {hosts[row.device_id]!r}"


def _quota(tx: Tx, servers: list[Server]) -> Iterator[str]:
    wanted: Counter[tuple[str, str]] = Counter()
    for server in servers:
        for owner in (server.project_id, f"{server.project_id}/{server.user_id}"):
            wanted[owner, "instances"] += 1
            wanted[owner, "cores"] += server.vcpus
            wanted[owner, "ram"] += server.memory_mib
    yield from _differ("use of compute", _used(tx, "compute", _SERVERS), wanted)
    wanted = Counter()
    for name in _COUNTED:
        t = getattr(network_tables, name).c
        # A network's own port, where its metadata is answered, is nobody's to count.
        own = t.made_for != t.network_id if name == "port" else sa.true()
        for owner in tx.scalars(sa.select(t.project_id).where(t.project_id != "", own)):
            wanted[owner, name] += 1
    yield from _differ("use of network", _used(tx, "network", _COUNTED), wanted)


_SERVERS = ("instances", "cores", "ram")


def _used(tx: Tx, service: str, resources: Iterable[str]) -> dict[tuple[str, str], int]:
    u = quota.quota_usage.c
    rows = tx.execute(
        sa.select(u.project_id, u.resource, u.used).where(
            u.service == service, u.resource.in_(list(resources)), u.used != 0
        )
    )
    return {(row.project_id, row.resource): row.used for row in rows}


def _members(tx: Tx, servers: list[Server]) -> Iterator[str]:
    there = {server.id for server in servers}
    for one in tx.scalars(sa.select(compute_tables.server_group_member.c.server_id)):
        if one not in there:
            yield f"a server group has {one}, which is gone"
    e = server_tables.server_action_event.c
    for event in tx.execute(sa.select(e.event, e.action_number).where(e.finished_at.is_(None))):
        yield f"{event.event} of action {event.action_number} never finished"


def _on_hosts(db: Database, nodes: Nodes) -> Iterator[str]:
    servers = db.read(server_list, Wanted(limit=1_000_000))
    for name in nodes.names():
        node = nodes.on(name)
        own = {server.id: server for server in servers if server.host == name}
        yield from _guests(name, node.guests(), own)
        wanted = {port.network_id for port in db.read(metadata_ports_on, name)}
        for network_id in node.metadata_networks() ^ wanted:
            yield f"{name} answers for network {network_id}: {network_id not in wanted}"


def _guests(
    host: str, guests: Mapping[str, GuestState], own: Mapping[str, Server]
) -> Iterator[str]:
    for guest_id in guests.keys() - own.keys():
        yield f"{host} has guest {guest_id}, which is no server of its"
    for server in own.values():
        expected = _POWERS.get(server.vm_state)
        found = guests[server.id].power if server.id in guests else "nowhere"
        if expected not in (None, found):
            yield f"{_name(server)} is {server.vm_state}, its guest is {found}"


def _in_the_network(db: Database, driver: NetworkDriver) -> Iterator[str]:
    present, wanted = driver.present(), db.read(owned)
    for field in Present.__struct_fields__:
        for unit_id in getattr(present, field) ^ getattr(wanted, field):
            there = unit_id in getattr(present, field)
            yield f"{field} {unit_id} is only in the {'network' if there else 'database'}"
    left = db.read(lambda tx: tx.execute(sa.select(network_tables.change)).all())
    for row in left:
        yield f"the network was not told of {row.unit} {row.unit_id}"


def _differ(what: str, found: Mapping[K, object], wanted: Mapping[K, object]) -> Iterator[str]:
    for key in found.keys() | wanted.keys():
        if found.get(key) != wanted.get(key):
            yield f"{what} of {key}: {found.get(key)}, and should be {wanted.get(key)}"


def _name(server: Server) -> str:
    return f"server {server.name} ({server.id})"
