"""Subnets tied to segments: a port has addresses of those that its host reaches.

Where the subnets of a network are tied to its segments, routers outside of this cloud lead from
one to the next, and an address works only on a host with a way into its segment.  So a port
gets its addresses when it is known on which host it is.
"""

from collections.abc import Collection, Iterable, Sequence

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.network import addresses, refusals
from cumulo.services.network.addresses import Holder
from cumulo.services.network.store import allocations, deferred_ports, host_links
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import segments as store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.segments import SegmentRow
from cumulo.services.network.store.subnets import Subnet


def is_reached(segment: SegmentRow, links: Collection[str]) -> bool:
    """Say whether a host with ways into these physical networks reaches the segment."""
    return segment.physical_network is None or segment.physical_network in links


def bound_segment(segments: Sequence[SegmentRow], links: Collection[str]) -> str | None:
    """Return by which segment a host's ports are in a network; of what nothing tells, the first."""
    ids = [one.id for one in segments if is_reached(one, links)]
    return next(iter(ids or [one.id for one in segments]), None)


def check_tie(
    tx: Tx, network_id: str, segment_id: str | None, others: Sequence[Subnet]
) -> str | None:
    """Return the segment of a new subnet: all of a network's are tied to some, or none is."""
    if any((other.segment_id is None) != (segment_id is None) for other in others):
        raise refusals.bad_request_of(
            "SubnetsNotAllAssociatedWithSegments",
            f"All of the subnets on network '{network_id}' must either all be associated with "
            "segments or all not associated with any segment.",
        )
    if segment_id is not None:
        _check_home(tx, network_id, segment_id)
    return segment_id


def _check_home(tx: Tx, network_id: str, segment_id: str) -> None:
    segment = store.segment_find(tx, segment_id)
    if segment is None:
        raise refusals.segment_not_found(segment_id)
    if segment.network_id != network_id:
        raise refusals.bad_request_of(
            "NetworkIdsDontMatch",
            f"The subnet's network id, '{network_id}', doesn't match the network_id of segment "
            f"'{segment_id}'",
        )


def check_new_tie(tx: Tx, subnet: Subnet, segment_id: str | None) -> None:
    """Refuse to tie an old subnet, unless it is the network's one, and its segment too."""
    if segment_id == subnet.segment_id:
        return
    if subnet.segment_id is not None:
        raise refusals.bad_request_of(
            "SubnetSegmentAssociationChangeNotAllowed",
            "A subnet that is already associated with a segment cannot have its segment "
            "association changed.",
        )
    others = [s for s in subnet_store.subnets_of(tx, [subnet.network_id]) if s.id != subnet.id]
    check_tie(tx, subnet.network_id, segment_id, others)
    if len(store.segments_of(tx, subnet.network_id)) > 1:
        raise refusals.bad_request_of(
            "NoUpdateSubnetWhenMultipleSegmentsOnNetwork",
            f"The network '{subnet.network_id}' has multiple segments, it is only possible to "
            "associate an existing subnet with a segment on networks with a single segment.",
        )


def within_reach(tx: Tx, host: str, subnets: Sequence[Subnet]) -> list[Subnet]:
    """Return the subnets whose addresses work on a host; those of no segment work everywhere."""
    if not host or not any(subnet.segment_id for subnet in subnets):
        return list(subnets)
    network_id, links = subnets[0].network_id, host_links.links_of(tx, host)
    reached = {one.id for one in store.segments_of(tx, network_id) if is_reached(one, links)}
    found = [s for s in subnets if s.segment_id is None or s.segment_id in reached]
    if not found:
        raise Conflict(
            f"Host {host} is not connected to any segments on routed provider network "
            f"'{network_id}'.  It should be connected to one.",
            type="HostNotConnectedToAnySegment",
        )
    return found


def must_wait(port: Port, subnets: Sequence[Subnet]) -> bool:
    """Say whether a port's addresses depend on its host, which is not known yet."""
    if port.host or port.device_owner.startswith("network:"):
        return False
    return any(subnet.segment_id for subnet in subnets)


def follow(tx: Tx, port: Port) -> None:
    """Give a port on its host the addresses that it waited for; refuse those that fail there."""
    if not port.host or not subnet_store.are_tied(tx):
        return
    reached = _checked_reach(tx, port, port.host)
    if deferred_ports.deferred_take(tx, port.id):
        holder = Holder(port.id, port.network_id, port.mac_address, port.device_owner)
        addresses.assign(tx, holder, reached, None)


def misfits(tx: Tx, server_id: str, hosts: Iterable[str]) -> dict[str, str]:
    """Return on which of the hosts addresses of the server's ports would not work, and why."""
    if not subnet_store.are_tied(tx):
        return {}
    found = {}
    for port in port_store.ports_of_devices(tx, [server_id], "compute:"):
        for host in hosts:
            try:
                _checked_reach(tx, port, host)
            except Conflict as error:
                found[host] = error.message
    return found


def _checked_reach(tx: Tx, port: Port, host: str) -> list[Subnet]:
    """Return the subnets of which the port may have addresses on a host that suits it."""
    subnets = subnet_store.subnets_of(tx, [port.network_id])
    have = allocations.allocation_map(tx, [port.id]).get(port.id, [])
    reached = within_reach(tx, host, addresses.serving(subnets, port.device_owner))
    tied = {subnet.id for subnet in subnets if subnet.segment_id}
    if not {fixed.subnet_id for fixed in have} & tied <= {subnet.id for subnet in reached}:
        raise Conflict(
            f"Host {host} is not connected to a segment where the existing fixed_ips on "
            f"port {port.id} will function given the routed network topology.",
            type="HostNotCompatibleWithFixedIps",
        )
    return reached
