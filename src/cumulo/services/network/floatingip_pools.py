"""Where floating IPs come from: the subnets of IPv4 outside."""

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.network.networks import external_networks_visible
from cumulo.services.network.store import subnets as store
from cumulo.services.network.store.subnets import Subnet as Subnet


def list_pools(tx: Tx, ctx: Context) -> list[Subnet]:
    """Return the subnets that the caller may take floating IPs from."""
    outside = [network.id for network in external_networks_visible(tx, ctx)]
    return [subnet for subnet in store.subnets_of(tx, outside) if subnet.ip_version == 4]
