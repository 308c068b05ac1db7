"""Port forwardings: how they go, by themselves or with what they lead to."""

from collections.abc import Collection

from cumulo.db import LostRace, Tx
from cumulo.services.network import journal
from cumulo.services.network.journal import Caller
from cumulo.services.network.store import changes, standard, tables
from cumulo.services.network.store import floatingips as floatingip_store
from cumulo.services.network.store import port_forwardings as store
from cumulo.services.network.store.floatingips import FloatingIp
from cumulo.services.network.store.port_forwardings import PortForwarding


def delete_forwarding(tx: Tx, by: Caller | None, forwarding: PortForwarding) -> None:
    """Forget a port forwarding; with the last one its floating IP leaves the router."""
    standard.remove(tx, tables.port_forwarding, forwarding.id)
    journal.deleted(tx, by, "port_forwarding", forwarding)
    (floatingip,) = floatingip_store.floatingips_by_id(tx, [forwarding.floatingip_id])
    left = store.forwardings_of(tx, [floatingip.id])
    lead(tx, by, floatingip, floatingip.router_id if left else None)


def lead(tx: Tx, by: Caller | None, floatingip: FloatingIp, router_id: str | None) -> None:
    """Put a floating IP on a router, or on none, and have the backend told."""
    values = {"router_id": router_id} | ({} if router_id else {"status": "DOWN"})
    revision = floatingip.revision_number
    if not standard.change(tx, tables.floatingip, floatingip.id, revision=revision, **values):
        raise LostRace
    both = {router_id, floatingip.router_id} - {None}
    changes.mark(tx, "router", sorted(each for each in both if each))
    (after,) = floatingip_store.floatingips_by_id(tx, [floatingip.id])
    journal.updated(tx, by, "floatingip", floatingip, after)


def forget_lost(tx: Tx, by: Caller | None, port_id: str, left: Collection[str]) -> None:
    """Forget port forwardings to addresses that a port has no more; `left` are those it has."""
    for one in store.forwardings_to(tx, port_id):
        if one.internal_ip_address not in left:
            delete_forwarding(tx, by, one)


def forget_all(tx: Tx, by: Caller | None, floatingip_id: str) -> None:
    """Forget the port forwardings of a floating IP that goes away."""
    for one in store.forwardings_of(tx, [floatingip_id]).get(floatingip_id, []):
        standard.remove(tx, tables.port_forwarding, one.id)
        journal.deleted(tx, by, "port_forwarding", one)
