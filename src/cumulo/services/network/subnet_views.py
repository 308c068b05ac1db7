"""Subnets: which there are, and what is told of them."""

import dataclasses
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.network.owners import viewer
from cumulo.services.network.store import listing, sharing, tables
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import tags as tag_store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.subnets import Subnet
from cumulo.services.network.store.values import Pool as Pool
from cumulo.services.network.store.values import Route as Route


class Details(msgspec.Struct, frozen=True):
    """A subnet with what is kept outside of its row."""

    subnet: Subnet
    network: Network
    shared: bool
    tags: list[str]


_SHAPE = listing.Shape(
    tables.subnet,
    {
        **listing.columns_of(tables.subnet, "name", "network_id", "ip_version", "cidr"),
        "gateway_ip": tables.subnet.c.gateway_ip,
        "enable_dhcp": tables.subnet.c.enable_dhcp,
        "ipv6_ra_mode": tables.subnet.c.ipv6_ra_mode,
        "ipv6_address_mode": tables.subnet.c.ipv6_address_mode,
        "segment_id": tables.subnet.c.segment_id,
        "subnetpool_id": tables.subnet.c.subnetpool_id,
    },
)


def list_subnets(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the subnets the caller may know of."""
    eyes = viewer(ctx)
    shared = sharing.shared_condition(tables.network, eyes.project_id)
    special = {
        "shared": listing.whether(_of_networks(shared)),
        "router:external": listing.whether(_of_networks(tables.network.c.external)),
    }
    shape = dataclasses.replace(_SHAPE, special=special)
    rows = listing.rows(tx, shape, sharing.subnets_seen(eyes), wanted)
    return details(tx, ctx, [Subnet(*row) for row in rows])


def _of_networks(which: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return tables.subnet.c.network_id.in_(sa.select(tables.network.c.id).where(which))


def details(tx: Tx, ctx: Context, subnets: Sequence[Subnet]) -> list[Details]:
    """Return the subnets with their networks and tags."""
    network_ids = {subnet.network_id for subnet in subnets}
    networks = network_store.networks_by_id(tx, network_ids)
    shared = sharing.shared_with(tx, ctx.project_id or "", network_ids)
    words = tag_store.tags_map(tx, [subnet.id for subnet in subnets])
    return [
        Details(s, networks[s.network_id], s.network_id in shared, words.get(s.id, []))
        for s in subnets
    ]
