"""Ports: which there are, and what is told of them."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.services.network import bandwidth, refusals
from cumulo.services.network.bandwidth import ResourceGroup
from cumulo.services.network.owners import viewer
from cumulo.services.network.store import allocations, listing, sharing, tables
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import ports as store
from cumulo.services.network.store import qos_policies as qos_store
from cumulo.services.network.store import tags as tag_store
from cumulo.services.network.store import trunks as trunk_store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.values import AddressPair as AddressPair
from cumulo.services.network.store.values import DhcpOption as DhcpOption
from cumulo.services.network.store.values import FixedIp as FixedIp


class SubportDetails(msgspec.Struct, frozen=True):
    """A port that a trunk carries, for who sets the guest up."""

    port_id: str
    segmentation_type: str
    segmentation_id: int
    mac_address: str


class TrunkDetails(msgspec.Struct, frozen=True):
    """What a port carries that is a trunk."""

    trunk_id: str
    sub_ports: list[SubportDetails]


class Details(msgspec.Struct, frozen=True, gc=False):
    """A port with what is kept outside of its row."""

    port: Port
    network_project_id: str
    fixed_ips: list[FixedIp]
    security_groups: list[str]
    tags: list[str]
    trunk: TrunkDetails | None = None
    group: ResourceGroup | None = None  # of placement's resources, that it asks of its host


class New(msgspec.Struct, frozen=True, gc=False):
    """A port that was made just now, with what was made with it."""

    port: Port
    fixed_ips: list[FixedIp]
    security_groups: list[str]  # in order
    tags: list[str]


def _fixed_ips(values: list[str]) -> sa.ColumnElement[bool]:
    """Read subnet_id=..., ip_address=..., ip_address_substr=...; kinds are met together."""
    a = tables.allocation.c
    found: dict[str, list[str]] = {}
    for value in values:
        kind, _, wanted = value.partition("=")
        found.setdefault(kind, []).append(wanted)
    kinds: dict[str, listing.Filter] = {
        "subnet_id": a.subnet_id.in_,
        "ip_address": a.ip_address.in_,
        "ip_address_substr": _with_part,
    }
    unknown = found.keys() - kinds.keys()
    if unknown:
        raise refusals.invalid_value("fixed_ips", f"'{min(unknown)}' is not a filter")
    return sa.and_(
        *(
            tables.port.c.id.in_(sa.select(a.port_id).where(kinds[kind](wanted)))
            for kind, wanted in found.items()
        )
    )


def _with_part(wanted: list[str]) -> sa.ColumnElement[bool]:
    address = tables.allocation.c.ip_address
    return sa.or_(*(address.contains(part, autoescape=True) for part in wanted))


def _security_groups(values: list[str]) -> sa.ColumnElement[bool]:
    m = tables.port_security_group.c
    members = sa.select(m.port_id).where(m.security_group_id.in_(values))
    return tables.port.c.id.in_(members)


_SHAPE = listing.Shape(
    tables.port,
    {
        **listing.columns_of(tables.port, "name", "network_id", "mac_address", "admin_state_up"),
        "status": tables.port.c.status,
        "device_id": tables.port.c.device_id,
        "device_owner": tables.port.c.device_owner,
        "binding:host_id": tables.port.c.host,
        "binding:vnic_type": tables.port.c.vnic_type,
        "port_security_enabled": tables.port.c.port_security_enabled,
    },
    {"fixed_ips": _fixed_ips, "security_groups": _security_groups},
)


def list_ports(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the ports the caller may know of."""
    seen = sharing.ports_seen(viewer(ctx))
    rows = listing.rows(tx, _SHAPE, seen, wanted)
    return details(tx, [Port(*row) for row in rows], listing.ids_of(_SHAPE, seen, wanted, rows))


def details(tx: Tx, ports: Sequence[Port], ids: listing.Ids | None = None) -> list[Details]:
    """Return the ports with their addresses, security groups and tags."""
    ids = [port.id for port in ports] if ids is None else ids
    ips, groups = allocations.allocation_map(tx, ids), store.groups_map(tx, ids)
    words = tag_store.tags_map(tx, ids)
    owners = network_store.owners_of(tx, {port.network_id for port in ports})
    trunks = _trunks(tx, ids)
    groups_asked = bandwidth.groups_of(tx, ports) if qos_store.are_promises(tx) else {}
    return [
        Details(
            port,
            owners[port.network_id],
            ips.get(port.id, []),
            groups.get(port.id, []),
            words.get(port.id, []),
            trunks.get(port.id),
            groups_asked.get(port.id),
        )
        for port in ports
    ]


def new_details(tx: Tx, network: Network, new: New) -> Details:
    """Return a port that was made just now; what was written a moment ago is not read again."""
    port = new.port
    words = tag_store.tags_map(tx, [port.id]).get(port.id, []) if new.tags else []
    has_policy = port.qos_policy_id or network.qos_policy_id
    asked = bandwidth.groups_of(tx, [port]) if has_policy else {}
    return Details(
        port,
        network.project_id,
        new.fixed_ips,
        new.security_groups,
        words,
        group=asked.get(port.id),
    )


def _trunks(tx: Tx, ids: listing.Ids) -> dict[str, TrunkDetails]:
    """Return what those of the ports carry that are trunks."""
    trunks = trunk_store.trunks_of_ports(tx, ids)
    if not trunks:
        return {}
    subports = trunk_store.subports_of(tx, trunks.values())
    carried = [one.port_id for found in subports.values() for one in found]
    macs = {port.id: port.mac_address for port in store.ports_by_id(tx, carried).values()}
    return {
        port_id: TrunkDetails(
            trunk_id,
            [
                SubportDetails(
                    one.port_id, one.segmentation_type, one.segmentation_id, macs[one.port_id]
                )
                for one in subports.get(trunk_id, [])
            ],
        )
        for port_id, trunk_id in trunks.items()
    }


def vif_type(port: Port) -> str:
    """Return how the port is plugged into its host, or that it is not."""
    return "ovs" if port.host else "unbound"


def vif_details(port: Port) -> dict[str, object]:
    """Return what whoever plugs the port in must know."""
    if not port.host:
        return {}
    return {
        "port_filter": True,
        "connectivity": "l2",
        "bridge_name": "br-int",
        "datapath_type": "system",
    }
