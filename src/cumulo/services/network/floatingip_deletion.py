"""Floating IPs: how they go, by themselves or with their network."""

from cumulo.db import Tx
from cumulo.services.network import journal, quotas, refusals, tags
from cumulo.services.network.journal import Caller
from cumulo.services.network.port_changes import discard_port
from cumulo.services.network.port_forwarding_deletion import forget_all
from cumulo.services.network.store import changes, standard, tables
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store.floatingips import FloatingIp


def delete_floatingip(tx: Tx, by: Caller | None, floatingip: FloatingIp) -> None:
    """Forget a floating IP and free its address."""
    tags.forget(tx, floatingip.id)
    forget_all(tx, by, floatingip.id)
    if not standard.remove(tx, tables.floatingip, floatingip.id):
        raise refusals.floatingip_not_found(floatingip.id)
    port = port_store.port_find(tx, floatingip.floating_port_id)
    if port is not None:
        discard_port(tx, by, port)
    quotas.give_back(tx, floatingip.project_id, "floatingip")
    changes.mark(tx, "router", [floatingip.router_id] if floatingip.router_id else [])
    journal.deleted(tx, by, "floatingip", floatingip)
