"""The subnets a router stands in: no two of them may overlap."""

import ipaddress
from collections.abc import Sequence

from cumulo.db import Tx
from cumulo.services.network import refusals
from cumulo.services.network.store import routers as store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.subnets import Subnet


def check_apart(tx: Tx, router_id: str, new: Sequence[Subnet]) -> None:
    """Refuse subnets that the router stands in already, or that overlap one it stands in."""
    legs = store.legs_of(tx, [router_id])
    inside = store.subnets_of_router(tx, router_id)
    outside = store.networks_of_legs(tx, [leg.port_id for leg in legs if leg.kind == store.GATEWAY])
    present = [
        *subnet_store.subnets_by_id(tx, inside).values(),
        *subnet_store.subnets_of(tx, outside),
    ]
    for subnet in new:
        if subnet.id in inside:
            raise refusals.bad_request("router", f"Router already has a port on subnet {subnet.id}")
    for one in present:
        for subnet in new:
            if one.id != subnet.id:
                _check_pair(one, subnet)


def _check_pair(one: Subnet, new: Subnet) -> None:
    mine, theirs = ipaddress.ip_network(new.cidr), ipaddress.ip_network(one.cidr)
    if mine.version == theirs.version and mine.overlaps(theirs):
        raise refusals.bad_request(
            "router",
            f"Cidr {new.cidr} of subnet {new.id} overlaps with cidr {one.cidr} of subnet {one.id}",
        )
