"""Networks as logical switches, with a way out where they have a physical network."""

from cumulo.services.network.drivers.base import NetworkPlan, SegmentPlan
from cumulo.services.network.drivers.ovn.dhcp import subnet_rows
from cumulo.services.network.drivers.ovn.names import bare_switch, switch_id
from cumulo.services.network.drivers.ovn.rows import Parent, Row, row_id, unit_mark


def network_rows(plan: NetworkPlan) -> list[Row]:
    """Return a network's switch, its way out and its DHCP options."""
    bare = bare_switch(plan.id)
    switch = Row(
        table=bare.table,
        key=bare.key,
        unit=bare.unit,
        columns={
            **bare.columns,
            "other_config": {
                "mcast_snoop": "false",
                "mcast_flood_unregistered": "false",
                "vlan-passthru": "true" if plan.vlan_transparent else "false",
            },
        },
        ids={"neutron:network_name": plan.name, "neutron:mtu": str(plan.mtu)},
    )
    return [switch, *_way_out(plan), *subnet_rows(plan)]


def way_out_id(network_id: str) -> str:
    """Return the UUID of the port that leads to a network's first physical network."""
    return row_id("Logical_Switch_Port", f"{network_id} localnet")


def _way_out(plan: NetworkPlan) -> list[Row]:
    """Return the ports that lead to a network's physical networks; a host has one of these."""
    first = SegmentPlan(
        network_type=plan.network_type,
        physical_network=plan.physical_network,
        segmentation_id=plan.segmentation_id,
    )
    ways = [one for one in (first, *plan.more_segments) if one.physical_network is not None]
    return [_localnet(plan, place, one) for place, one in enumerate(ways)]


def _localnet(plan: NetworkPlan, place: int, segment: SegmentPlan) -> Row:
    tag: frozenset[int] = frozenset()
    if segment.network_type == "vlan" and segment.segmentation_id is not None:
        tag = frozenset({segment.segmentation_id})
    more = f" {segment.physical_network}" if place else ""
    return Row(
        table="Logical_Switch_Port",
        key=f"{plan.id} localnet{more}",
        unit=unit_mark("network", plan.id),
        columns={
            "name": f"provnet-{plan.id}{more.replace(' ', '-')}",
            "type": "localnet",
            "addresses": frozenset({"unknown"}),
            "options": {
                "network_name": segment.physical_network or "",
                "mcast_flood": "false",
                "mcast_flood_reports": "true",
            },
            "tag": tag,
            "enabled": frozenset({plan.admin_state_up}),
        },
        parent=Parent("Logical_Switch", switch_id(plan.id), "ports"),
    )
