"""What is not as it should be between servers, placement, the network, quotas and work.

Each check compares, says what it found, and puts right what can only be meant in one way.  A server
that something is being done with is left to whatever does it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from cumulo.db import Tx, quota
from cumulo.kit.errors import CloudError
from cumulo.kit.symptoms import Symptom as Symptom
from cumulo.kit.symptoms import told
from cumulo.services.compute import moves, networking, server_groups, servers, states
from cumulo.services.compute.scheduler.schedule import resources_of
from cumulo.services.compute.store import hypervisors as hypervisor_rows
from cumulo.services.compute.store import migrations as migration_rows
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.store.quotas import SERVICE
from cumulo.services.compute.store.quotas import owner as owner_of
from cumulo.services.compute.store.servers import Server, Wanted
from cumulo.services.placement import public as placement
from cumulo.work import runs_under_way

_EVERYTHING = 1_000_000
_MANY_ATTEMPTS = 20
_COUNTED = ("cores", "instances", "ram")


class _Cloud(msgspec.Struct, kw_only=True):
    """All servers, and what is known of them."""

    servers: dict[str, Server]
    busy: set[str]  # servers that something is being done with
    moving: set[str]  # servers on a move
    providers: Mapping[str, str]  # host -> its provider
    mend: bool


def symptoms(tx: Tx, *, mend: bool) -> list[Symptom]:
    """Return what is wrong, with what of it was mended."""
    found = store.server_list(tx, Wanted(limit=_EVERYTHING, everything=True))
    cloud = _Cloud(
        servers={server.id: server for server in found},
        busy={run.subject for run in runs_under_way(tx) if run.subject},
        moving=migration_rows.servers_moving(tx),
        providers={one.name: one.uuid for one in hypervisor_rows.hypervisor_list(tx)},
        mend=mend,
    )
    checks = (_tasks, _allocations, _ports, _groups, _quota, _stuck_runs)
    found_wrong = [symptom for check in checks for symptom in check(tx, cloud)]
    counted = [told(line, is_mended=mend) for line in placement.miscounts(tx, mend=mend)]
    return [*found_wrong, *counted]


def _tasks(tx: Tx, cloud: _Cloud) -> Iterator[Symptom]:
    """A task without work that carries it out would stay for ever."""
    for server in cloud.servers.values():
        if server.task_state is None or server.id in cloud.busy:
            continue
        what = f"Server {server.id} is called {server.task_state}, but nobody is at it."
        if server.task_state == "deleting":
            yield Symptom(what=what, remedy=f"Delete it again: openstack server delete {server.id}")
            continue
        if cloud.mend and server.vm_state == "building":
            why = "Its making was lost. Delete it and make another."
            servers.fail(tx, server, why, why)
        elif cloud.mend:
            # How its guest really is, the reconciler of hosts finds out.
            store.server_update(tx, server.id, task_state=None)
        yield told(what, is_mended=cloud.mend)


def _allocations(tx: Tx, cloud: _Cloud) -> Iterator[Symptom]:
    """Every server on a host holds there what it takes; nothing else of ours holds anything."""
    held = placement.holders(tx)
    cards = networking.promised_bandwidth(tx)
    ended = store.deleted_among(tx, held) | migration_rows.closed_among(tx, held)
    for consumer in sorted(ended - cloud.busy):
        yield _orphan(tx, cloud, consumer, "is gone")
    for server in cloud.servers.values():
        if server.id in cloud.busy | cloud.moving:
            continue
        has = held.get(server.id, {})
        if server.host is None:
            if has:
                yield _orphan(tx, cloud, server.id, "is on no host")
        elif server.host in cloud.providers:
            own = {cloud.providers[server.host]: resources_of(server)}
            wanted = {**own, **cards.get(server.id, {})}
            if has != wanted:
                yield _claimed(tx, cloud, server, wanted)


def _orphan(tx: Tx, cloud: _Cloud, consumer: str, why: str) -> Symptom:
    if cloud.mend:
        placement.release(tx, consumer)
    return told(f"Room is held for {consumer}, which {why}.", is_mended=cloud.mend)


def _claimed(
    tx: Tx, cloud: _Cloud, server: Server, wanted: Mapping[str, Mapping[str, int]]
) -> Symptom:
    what = f"Server {server.id} does not hold on {server.host} what it takes."
    if not cloud.mend:
        return told(what, is_mended=False)
    try:
        placement.claim(tx, server.id, server.project_id, server.user_id, wanted)
    except CloudError as error:
        return Symptom(what=f"{what} {error.message}", remedy="Move servers away from there.")
    return told(what, is_mended=True)


def _ports(tx: Tx, cloud: _Cloud) -> Iterator[Symptom]:
    """Ports are bound where their servers are."""
    bindings = networking.bindings(tx)
    gone = store.deleted_among(tx, {one.server_id for one in bindings})
    for server_id in sorted(gone - cloud.busy):
        if cloud.mend:
            networking.release_ports(tx, server_id)
        yield told(
            f"Ports are plugged into server {server_id}, which is gone.", is_mended=cloud.mend
        )
    for one in bindings:
        server = cloud.servers.get(one.server_id)
        if server is None or server.id in cloud.busy | cloud.moving:
            continue
        if one.host != (server.host or ""):
            if cloud.mend:
                networking.bind_ports(tx, server.id, server.host or "")
            what = f"Port {one.port_id} is bound to {one.host or 'no host'}, its server to "
            yield told(f"{what}{server.host or 'none'}.", is_mended=cloud.mend)


def _groups(tx: Tx, cloud: _Cloud) -> Iterator[Symptom]:
    for server_id in sorted(store.deleted_among(tx, server_groups.every_member(tx)) - cloud.busy):
        if cloud.mend:
            server_groups.remove_member(tx, server_id)
        yield told(f"A server group has {server_id}, which is gone.", is_mended=cloud.mend)


def _quota(tx: Tx, cloud: _Cloud) -> Iterator[Symptom]:
    """What projects are counted to use is what their servers take."""
    wanted: Counter[tuple[str, str]] = Counter()
    for server in cloud.servers.values():
        if not states.is_counted(server.vm_state, server.task_state):
            continue
        for name, amount in _counted(tx, cloud, server).items():
            for owner in (server.project_id, owner_of(server.project_id, server.user_id)):
                wanted[owner, name] += amount
    used = quota.used_by_all(tx, SERVICE, _COUNTED)
    if cloud.busy:
        return  # what is being made or deleted may be counted already, or still
    for owner, name in sorted(wanted.keys() | used.keys()):
        over = used.get((owner, name), 0) - wanted[owner, name]
        if over == 0:
            continue
        if cloud.mend and over > 0:
            quota.release(tx, SERVICE, owner, name, over)
        elif cloud.mend:
            quota.count(tx, SERVICE, owner, name, -over)
        counted = f"is counted to use {used.get((owner, name), 0)} {name}"
        yield told(f"{owner} {counted}, and uses {wanted[owner, name]}.", is_mended=cloud.mend)


def _counted(tx: Tx, cloud: _Cloud, server: Server) -> dict[str, int]:
    if server.id in cloud.moving:
        return moves.counted(tx, server)
    return {"cores": server.vcpus, "instances": 1, "ram": server.memory_mib}


def _stuck_runs(tx: Tx, _cloud: _Cloud) -> Iterator[Symptom]:
    for run in runs_under_way(tx):
        if run.attempts >= _MANY_ATTEMPTS:
            what = f"{run.kind} of {run.subject} was tried {run.attempts} times"
            yield Symptom(
                what=f"{what} and waits: {run.waits_for}.",
                remedy="It goes on by itself once that answers.",
            )
