"""What compute keeps in order on hosts: guests nobody owns, power that changed by itself."""

from datetime import datetime

from cumulo.kit import clock, log
from cumulo.kit.errors import CloudError
from cumulo.node.api import Node, Power
from cumulo.services.compute import guests, networking
from cumulo.services.compute.store import migrations
from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.work import Reconciler

LOG = log.get("compute")


def tidy_hosts(tools: Tools) -> None:
    """Compare every host with the database; a host that does not answer is for the next time."""
    for name in tools.nodes.names():
        try:
            _tidy(tools, name, tools.nodes.on(name))
        except CloudError as error:
            LOG.warning("host not tidied", host=name, error=error.message)


def _tidy(tools: Tools, name: str, node: Node) -> None:
    # The host is read before the database: whatever it has by then had its row by then.
    seen_at = clock.now()
    present = node.guests()
    answered = node.metadata_networks()
    owned = {server.id: server for server in tools.db.read(store.servers_on, name)}
    moving = tools.db.read(migrations.moving_on, name)
    wanted = tools.db.read(networking.metadata_ports_on, name)
    for guest_id in present.keys() - owned.keys() - moving:
        LOG.warning("guest without a server removed", host=name, server=guest_id)
        node.remove_guest(guest_id)
    for server in owned.values():
        power = present[server.id].power if server.id in present else None
        if guests.is_news(server, power):
            _settle(tools, node, server.id, power, seen_at)
    for port in wanted:
        if port.network_id not in answered:
            node.ensure_metadata(port)
    for network_id in answered - {port.network_id for port in wanted}:
        node.remove_metadata(network_id)


def _settle(
    tools: Tools, node: Node, server_id: str, power: Power | None, seen_at: datetime
) -> None:
    if tools.db.write(guests.adopt_power, server_id, power, seen_at) == "stopped":
        node.ensure_power(server_id, "stopped", timeout_s=0)


TIDY_HOSTS = Reconciler(tidy_hosts, every_s=15, name="compute.tidy_hosts")
RECONCILERS = [TIDY_HOSTS]
