"""Port forwardings: single ports of a floating IP that lead to ports of guests."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import floatingips, journal, ports, refusals, spelling
from cumulo.services.network.port_forwarding_deletion import lead
from cumulo.services.network.spelling import Id, LooseInt, Text
from cumulo.services.network.store import allocations, changes, listing, standard, tables
from cumulo.services.network.store import floatingips as floatingip_store
from cumulo.services.network.store import port_forwardings as store
from cumulo.services.network.store.floatingips import FloatingIp
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.port_forwardings import PortForwarding as PortForwarding
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.values import FixedIp

PortNumber = Annotated[LooseInt, Meta(ge=1, le=65535)]


class PortForwardingSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a port forwarding it wants."""

    protocol: Literal["tcp", "udp", "sctp"]
    external_port: PortNumber
    internal_port: PortNumber
    internal_port_id: Id
    internal_ip_address: str | UnsetType = UNSET
    description: Text = ""
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


class PortForwardingChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a port forwarding."""

    protocol: Literal["tcp", "udp", "sctp"] | UnsetType = UNSET
    external_port: PortNumber | UnsetType = UNSET
    internal_port: PortNumber | UnsetType = UNSET
    internal_port_id: Id | UnsetType = UNSET
    internal_ip_address: str | UnsetType = UNSET
    description: Text | UnsetType = UNSET


def not_found(forwarding_id: str) -> NotFound:
    """Return the error for a port forwarding that is not, or not for this caller."""
    return NotFound(
        f"Port Forwarding {forwarding_id} could not be found.", type="PortForwardingNotFound"
    )


def forwarding_visible(
    tx: Tx, ctx: Context, floatingip_id: str, forwarding_id: str
) -> PortForwarding:
    """Return a port forwarding of a floating IP that the caller may know of."""
    of_it = tables.port_forwarding.c.floatingip_id == floatingip_id
    floatingips.floatingip_visible(tx, ctx, floatingip_id)
    found = standard.find(tx, tables.port_forwarding, PortForwarding, forwarding_id, of_it)
    if found is None:
        raise not_found(forwarding_id)
    return found


def create_forwarding(
    tx: Tx, ctx: Context, floatingip: FloatingIp, spec: PortForwardingSpec
) -> PortForwarding:
    """Record a new port forwarding; the floating IP is on the guest's router from then on."""
    if floatingip.port_id:
        raise Conflict(
            f"Cannot forward ports of floating IP {floatingip.floating_ip_address} "
            f"({floatingip.id}), which leads to port {floatingip.port_id} as a whole.",
            type="FloatingIPPortAlreadyAssociated",
        )
    now = clock.now()
    port, fixed = _inside(tx, ctx, floatingip, spec.internal_port_id, spec.internal_ip_address)
    made = PortForwarding(
        id=new_id(),
        project_id=floatingip.project_id,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        floatingip_id=floatingip.id,
        internal_port_id=port.id,
        internal_ip_address=fixed.ip_address,
        protocol=spec.protocol,
        external_port=spec.external_port,
        internal_port=spec.internal_port,
    )
    _check_free(tx, made)
    router_id = _router(tx, floatingip, port, fixed)
    standard.insert(tx, tables.port_forwarding, made)
    lead(tx, ctx, floatingip, router_id)
    journal.created(tx, ctx, "port_forwarding", made)
    return made


def _inside(
    tx: Tx, ctx: Context, floatingip: FloatingIp, port_id: str, address: str | UnsetType
) -> tuple[Port, FixedIp]:
    """Return the port and its address that are meant, if they may be forwarded to."""
    port = ports.port_visible(tx, ctx, port_id)
    if port.project_id != floatingip.project_id and not ctx.is_admin:
        raise refusals.port_not_found(port_id)
    v4 = [
        ip
        for ip in allocations.allocation_map(tx, [port_id]).get(port_id, [])
        if ":" not in ip.ip_address
    ]
    wanted = None if address is UNSET else spelling.ip_address(address, "internal_ip_address")
    fixed = next((ip for ip in v4 if wanted in (None, ip.ip_address)), None)
    if fixed is None:
        raise refusals.bad_request(
            "port_forwarding",
            f"Requested internal IP address {wanted} does not correspond to internal neutron "
            f"port {port_id}, as its fixed IPs are {[ip.ip_address for ip in v4]}",
        )
    for other in floatingip_store.floatingips_of_ports(tx, [port_id]):
        if other.fixed_ip_address == fixed.ip_address:
            raise Conflict(
                f"Cannot create port forwarding to floating IP {floatingip.floating_ip_address} "
                f"({floatingip.id}) with port {port_id} using fixed IP {fixed.ip_address}, as "
                "that port already has a binding floating IP.",
                type="PortHasBindingFloatingIP",
            )
    return port, fixed


def _router(tx: Tx, floatingip: FloatingIp, port: Port, fixed: FixedIp) -> str:
    found = floatingips.router_for(tx, floatingip, port.id, fixed)
    if floatingip.router_id not in (None, found):
        raise Conflict(
            f"Floating IP {floatingip.id} in use by other router {floatingip.router_id}.",
            type="FipInUseByOtherRouter",
        )
    return found


def _check_free(tx: Tx, wanted: PortForwarding) -> None:
    """Refuse to forward one port twice, or to one port twice."""
    f = tables.port_forwarding.c
    same = (f.floatingip_id == wanted.floatingip_id, f.protocol == wanted.protocol)
    for other in store.forwardings_where(tx, *same):
        outside = (wanted.external_port,) == (other.external_port,)
        place = (wanted.internal_port_id, wanted.internal_ip_address, wanted.internal_port)
        inside = place == (other.internal_port_id, other.internal_ip_address, other.internal_port)
        if other.id != wanted.id and (outside or inside):
            raise refusals.bad_request(
                "port_forwarding",
                "A duplicate port forwarding entry with same attributes already exists, "
                f"conflicting values are {wanted.protocol} {wanted.external_port} to "
                f"{wanted.internal_ip_address}:{wanted.internal_port}",
            )


def update_forwarding(
    tx: Tx,
    ctx: Context,
    forwarding: PortForwarding,
    wanted: PortForwardingChange,
    revision: int | None = None,
) -> PortForwarding:
    """Change a port forwarding as it stands at `revision`, if one is given."""
    values = {k: v for k, v in msgspec.structs.asdict(wanted).items() if v is not UNSET}
    floatingip = floatingips.floatingip_visible(tx, ctx, forwarding.floatingip_id)
    if {"internal_port_id", "internal_ip_address"} & values.keys():
        port_id = values.get("internal_port_id", forwarding.internal_port_id)
        address = wanted.internal_ip_address
        port, fixed = _inside(tx, ctx, floatingip, port_id, address)
        _router(tx, floatingip, port, fixed)
        values["internal_ip_address"] = fixed.ip_address
    _check_free(tx, msgspec.structs.replace(forwarding, **values))
    changed = standard.change(
        tx, tables.port_forwarding, forwarding.id, revision=revision, **values
    )
    if not changed:
        raise LostRace
    changes.mark(tx, "router", [floatingip.router_id] if floatingip.router_id else [])
    found = forwarding_visible(tx, ctx, floatingip.id, forwarding.id)
    journal.updated(tx, ctx, "port_forwarding", forwarding, found)
    return found


_SHAPE = listing.Shape(
    tables.port_forwarding,
    {
        name: tables.port_forwarding.c[name]
        for name in (
            *("id", "internal_port_id", "internal_ip_address", "internal_port", "external_port"),
            *("protocol", "description", "project_id"),
        )
    },
)


def list_forwardings(
    tx: Tx, ctx: Context, wanted: Listing, floatingip_id: str
) -> list[PortForwarding]:
    """Return the port forwardings of a floating IP that the caller may know of."""
    floatingips.floatingip_visible(tx, ctx, floatingip_id)
    of_it = tables.port_forwarding.c.floatingip_id == floatingip_id
    return [PortForwarding(*row) for row in listing.rows(tx, _SHAPE, of_it, wanted)]
