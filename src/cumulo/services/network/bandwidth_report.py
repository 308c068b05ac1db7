"""What hosts have into physical networks: told to placement, and noted for their segments."""

import uuid

from cumulo.db import Tx
from cumulo.services.network.bandwidth import EGRESS, INGRESS, kind_trait, physical_trait
from cumulo.services.network.drivers.base import HostBandwidth
from cumulo.services.network.store import host_links
from cumulo.services.network.tools import Tools
from cumulo.services.placement import public as placement

_NAMESPACE = uuid.UUID("7a1c1e0e-5d0c-4f0e-9b43-0a5b1d0f6f3a")
_AGENT = "OVN Controller agent"


def report(tools: Tools) -> None:
    """Let placement and segments know what hosts have, and forget what they have no more."""
    by_host: dict[str, list[HostBandwidth]] = {}
    for one in tools.driver.bandwidths():
        by_host.setdefault(one.host, []).append(one)
    known = tools.db.read(host_links.all_links)
    for host, found in sorted(by_host.items()):
        tools.db.write(_record, host, found)
    for host in sorted(by_host.keys() | known.keys()):
        links = {one.physical_network for one in by_host.get(host, [])}
        if links != known.get(host, set()):
            tools.db.write(host_links.links_set, host, links)


def _record(tx: Tx, host: str, found: list[HostBandwidth]) -> None:
    host_id = placement.provider_named(tx, host)
    if host_id is None:
        return  # it has not reported itself yet
    agent_name = f"{host}:{_AGENT}"
    agent_id = _id(agent_name)
    given = [one for one in found if one.egress_kbps or one.ingress_kbps]
    if given:
        placement.ensure_provider(tx, agent_id, agent_name, parent_id=host_id)
    cards = {_id(f"{agent_name}:{one.bridge}"): one for one in given}
    for card_id, one in cards.items():
        name = f"{agent_name}:{one.bridge}"
        placement.ensure_provider(tx, card_id, name, parent_id=agent_id)
        rates = {EGRESS: one.egress_kbps, INGRESS: one.ingress_kbps}
        stocks = {
            kind: placement.Inventory(total=rate, max_unit=rate)
            for kind, rate in rates.items()
            if rate
        }
        placement.set_inventory(tx, card_id, stocks)
        traits = [physical_trait(one.physical_network), kind_trait("normal")]
        placement.set_traits(tx, card_id, traits)
    for stale in placement.children_of(tx, agent_id) - cards.keys():
        if not placement.consumers_of(tx, stale):
            placement.delete_provider(tx, stale)


def _id(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))
