"""Routers: which there are, and what is told of them."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.network.owners import viewer
from cumulo.services.network.store import allocations, listing, sharing, tables
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import routers as store
from cumulo.services.network.store import tags as tag_store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.routers import Router
from cumulo.services.network.store.values import FixedIp as FixedIp
from cumulo.services.network.store.values import Route as Route


class Gateway(msgspec.Struct, frozen=True):
    """A way out: the network and the router's addresses in it."""

    network_id: str
    fixed_ips: list[FixedIp]


class Details(msgspec.Struct, frozen=True):
    """A router with what is kept outside of its row."""

    router: Router
    gateways: list[Gateway]
    tags: list[str]


_SHAPE = listing.Shape(
    tables.router,
    listing.columns_of(
        tables.router, "name", "admin_state_up", "status", "ha", "distributed", "enable_snat"
    ),
)


def list_routers(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the routers the caller may know of."""
    rows = listing.rows(tx, _SHAPE, sharing.owned(tables.router, viewer(ctx)), wanted)
    return details(tx, [Router(*row) for row in rows])


def details(tx: Tx, routers: Sequence[Router]) -> list[Details]:
    """Return the routers with their ways out and tags."""
    ids = [router.id for router in routers]
    legs = [leg for leg in store.legs_of(tx, ids) if leg.is_gateway]
    port_ids = [leg.port_id for leg in legs]
    ips, ports = allocations.allocation_map(tx, port_ids), port_store.ports_by_id(tx, port_ids)
    gateways: defaultdict[str, list[Gateway]] = defaultdict(list)
    for leg in legs:
        way = Gateway(ports[leg.port_id].network_id, ips.get(leg.port_id, []))
        gateways[leg.router_id].append(way)
    words = tag_store.tags_map(tx, ids)
    return [Details(router, gateways[router.id], words.get(router.id, [])) for router in routers]
