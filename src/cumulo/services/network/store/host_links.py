"""Which physical networks each host has a way into, as the backend last said."""

from collections import defaultdict

import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store.tables import host_link

_OF_HOST = sa.select(host_link.c.physical_network).where(host_link.c.host == sa.bindparam("of"))


def links_of(tx: Tx, host: str) -> set[str]:
    """Return the physical networks that a host has a way into."""
    return set(tx.scalars(_OF_HOST, {"of": host}))


def all_links(tx: Tx) -> dict[str, set[str]]:
    """Return what every host has a way into."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for host, physical_network in tx.execute(sa.select(host_link)):
        found[host].add(physical_network)
    return dict(found)


def links_set(tx: Tx, host: str, physical_networks: set[str]) -> None:
    """Record what a host has a way into now."""
    tx.execute(sa.delete(host_link).where(host_link.c.host == host))
    rows = [{"host": host, "physical_network": name} for name in sorted(physical_networks)]
    if rows:
        tx.execute(sa.insert(host_link), rows)
