"""Routers: which there are, and what is told of them."""

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


class Details(msgspec.Struct, frozen=True):
    """A router with what is kept outside of its row."""

    router: Router
    gateway_network_id: str | None
    gateway_ips: list[FixedIp]
    tags: list[str]


_SHAPE = listing.Shape(
    tables.router,
    listing.columns_of(tables.router, "name", "admin_state_up", "status", "ha", "distributed"),
)


def list_routers(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the routers the caller may know of."""
    rows = listing.rows(tx, _SHAPE, sharing.owned(tables.router, viewer(ctx)), wanted)
    return details(tx, [Router(*row) for row in rows])


def details(tx: Tx, routers: Sequence[Router]) -> list[Details]:
    """Return the routers with their ways out and tags."""
    ids = [router.id for router in routers]
    gateways = {leg.router_id: leg.port_id for leg in store.legs_of(tx, ids) if leg.is_gateway}
    ips = allocations.allocation_map(tx, gateways.values())
    ports = port_store.ports_by_id(tx, gateways.values())
    words = tag_store.tags_map(tx, ids)
    return [
        Details(
            router,
            ports[gateways[router.id]].network_id if router.id in gateways else None,
            ips.get(gateways.get(router.id, ""), []),
            words.get(router.id, []),
        )
        for router in routers
    ]
