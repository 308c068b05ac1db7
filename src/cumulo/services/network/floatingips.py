"""Floating IPs: addresses outside that lead to ports inside."""

import ipaddress
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import (
    journal,
    names,
    ports,
    qos_policies,
    quotas,
    refusals,
    spelling,
)
from cumulo.services.network.addresses import FixedIpSpec
from cumulo.services.network.networks import network_visible
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, Text
from cumulo.services.network.store import allocations, changes, listing, sharing, standard, tables
from cumulo.services.network.store import floatingips as store
from cumulo.services.network.store import port_forwardings as forwarding_store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store import tags as tag_store
from cumulo.services.network.store.floatingips import FloatingIp
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.port_forwardings import PortForwarding
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.values import FixedIp

OWNER = "network:floatingip"


class FloatingIpSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a floating IP it wants."""

    floating_network_id: Id
    subnet_id: Id | None = None
    floating_ip_address: str | None = None
    port_id: Id | None = None
    fixed_ip_address: str | None = None
    description: Text = ""
    dns_name: Text = ""
    dns_domain: Text = ""
    qos_policy_id: Id | None = None
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


class FloatingIpChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a floating IP."""

    port_id: Id | UnsetType | None = UNSET
    fixed_ip_address: str | UnsetType | None = UNSET
    description: Text | UnsetType = UNSET
    qos_policy_id: Id | UnsetType | None = UNSET


class Target(msgspec.Struct, frozen=True):
    """Where a floating IP leads, and which router carries it there."""

    port_id: str | None = None
    fixed_ip_address: str | None = None
    router_id: str | None = None


def floatingip_visible(tx: Tx, ctx: Context, floatingip_id: str) -> FloatingIp:
    """Return a floating IP the caller may know of; to anyone else it does not exist."""
    seen = sharing.owned(tables.floatingip, viewer(ctx))
    found = store.floatingip_find(tx, floatingip_id, seen)
    if found is None:
        raise refusals.floatingip_not_found(floatingip_id)
    return found


def create_floatingip(
    tx: Tx, ctx: Context, settings: NetworkSettings, spec: FloatingIpSpec
) -> FloatingIp:
    """Record a new floating IP, with a port of its own that holds its address."""
    project_id = owner(ctx, spec.project_id, spec.tenant_id)
    floatingip_id, now = new_id(), clock.now()
    network = network_visible(tx, ctx, spec.floating_network_id)
    _check_network(tx, network)
    quotas.take(tx, settings, project_id, "floatingip")
    port_id, address = _own_port(tx, ctx, settings, network, floatingip_id, spec)
    floatingip = FloatingIp(
        id=floatingip_id,
        project_id=project_id,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        floating_network_id=network.id,
        floating_ip_address=address,
        floating_port_id=port_id,
        port_id=None,
        fixed_ip_address=None,
        router_id=None,
        dns_name=names.checked_name(spec.dns_name),
        dns_domain=names.checked_domain(spec.dns_domain),
        status="DOWN",
        qos_policy_id=qos_policies.usable(tx, ctx, spec.qos_policy_id),
    )
    if spec.fixed_ip_address and not spec.port_id:
        raise _address_without_port()
    target = Target()
    if spec.port_id:
        target = _target(tx, ctx, floatingip, spec.port_id, spec.fixed_ip_address)
        changes.mark(tx, "router", [target.router_id or ""])
    floatingip = msgspec.structs.replace(floatingip, **msgspec.structs.asdict(target))
    store.floatingip_insert(tx, floatingip)
    journal.created(tx, ctx, "floatingip", floatingip)
    return floatingip


def _check_network(tx: Tx, network: Network) -> None:
    if not network.external:
        raise refusals.bad_request(
            "floatingip", f"Network {network.id} is not a valid external network"
        )
    if not any(subnet.ip_version == 4 for subnet in subnet_store.subnets_of(tx, [network.id])):
        raise refusals.bad_request(
            "floatingip", f"Network {network.id} does not contain any IPv4 subnet"
        )


def _own_port(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    network: Network,
    floatingip_id: str,
    spec: FloatingIpSpec,
) -> tuple[str, str]:
    """Make the port that holds the address; return both."""
    wanted: list[FixedIpSpec] | UnsetType = UNSET
    if spec.subnet_id or spec.floating_ip_address:
        wanted = [FixedIpSpec(spec.subnet_id, spec.floating_ip_address)]
    port_spec = ports.PortSpec(
        network_id=network.id,
        project_id="",
        device_id=floatingip_id,
        device_owner=OWNER,
        fixed_ips=wanted,
    )
    port = ports.create_service_port(tx, ctx, settings, network, port_spec)
    fixed = allocations.allocation_map(tx, [port.id]).get(port.id, [])
    v4 = [ip.ip_address for ip in fixed if ":" not in ip.ip_address]
    if not v4:
        raise refusals.bad_request_of(
            "ExternalIpAddressExhausted",
            f"Unable to find any IP address on external network {network.id}.",
        )
    return port.id, v4[0]


def update_floatingip(
    tx: Tx, ctx: Context, floatingip: FloatingIp, wanted: FloatingIpChange, revision: int | None
) -> FloatingIp:
    """Change where a floating IP leads, as it stands at `revision`, if one is given."""
    values: dict[str, object] = {}
    if wanted.description is not UNSET:
        values["description"] = wanted.description
    if wanted.qos_policy_id is not UNSET:
        values["qos_policy_id"] = qos_policies.usable(tx, ctx, wanted.qos_policy_id)
        changes.mark(tx, "router", [floatingip.router_id] if floatingip.router_id else [])
    if wanted == FloatingIpChange():  # as clients said "nowhere" when there was nothing else
        wanted = FloatingIpChange(port_id=None)
    forwards = bool(forwarding_store.forwardings_of(tx, [floatingip.id]))
    leads = wanted.port_id is not UNSET or wanted.fixed_ip_address is not UNSET
    if leads and (wanted.port_id or not forwards):
        target = _new_target(tx, ctx, floatingip, wanted)
        values |= msgspec.structs.asdict(target)
        if target.port_id is None or target.router_id != floatingip.router_id:
            values["status"] = "DOWN"
        both = {floatingip.router_id, target.router_id} - {None}
        changes.mark(tx, "router", sorted(router_id for router_id in both if router_id))
    if not standard.change(tx, tables.floatingip, floatingip.id, revision=revision, **values):
        raise LostRace
    found = floatingip_visible(tx, ctx, floatingip.id)
    journal.updated(tx, ctx, "floatingip", floatingip, found)
    return found


def _new_target(tx: Tx, ctx: Context, floatingip: FloatingIp, wanted: FloatingIpChange) -> Target:
    port_id = floatingip.port_id if wanted.port_id is UNSET else wanted.port_id
    address = None if wanted.fixed_ip_address is UNSET else wanted.fixed_ip_address
    if port_id is None:
        if address:
            raise _address_without_port()
        return Target()
    return _target(tx, ctx, floatingip, port_id, address)


def _address_without_port() -> Exception:
    return refusals.bad_request(
        "floatingip", "fixed_ip_address cannot be specified without a port_id"
    )


def _target(
    tx: Tx, ctx: Context, floatingip: FloatingIp, port_id: str, address: str | None
) -> Target:
    port = ports.port_visible(tx, ctx, port_id)
    if port.project_id != floatingip.project_id and not ctx.is_admin:
        raise refusals.bad_request(
            "floatingip",
            f"Cannot process floating IP association with Port {port_id}, since that port is "
            "owned by a different project",
        )
    if forwarding_store.forwardings_of(tx, [floatingip.id]):
        raise Conflict(
            f"Floating IP {floatingip.id} forwards single ports; delete these forwardings first.",
            type="FloatingIPInUseByPortForwarding",
        )
    fixed = _fixed_ip(port_id, allocations.allocation_map(tx, [port_id]).get(port_id, []), address)
    _check_free(tx, floatingip, port_id, fixed.ip_address)
    return Target(port_id, fixed.ip_address, router_for(tx, floatingip, port_id, fixed))


def _fixed_ip(port_id: str, fixed: Sequence[FixedIp], address: str | None) -> FixedIp:
    """Return the address of the port that is meant: that named, or its only one."""
    if address:
        wanted = spelling.ip_address(address, "fixed_ip_address")
        if ipaddress.ip_address(wanted).version != 4:
            raise refusals.bad_request(
                "floatingip",
                f"Cannot process floating IP association with {wanted}, since that is not an "
                "IPv4 address",
            )
        for ip in fixed:
            if ip.ip_address == wanted:
                return ip
        raise refusals.bad_request("floatingip", f"Port {port_id} does not have fixed ip {wanted}")
    v4 = [ip for ip in fixed if ":" not in ip.ip_address]
    if not v4:
        raise refusals.bad_request(
            "floatingip",
            f"Cannot add floating IP to port {port_id} that has no fixed IPv4 addresses",
        )
    if len(v4) > 1:
        raise refusals.bad_request(
            "floatingip",
            f"Port {port_id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 "
            "address when assigning a floating IP",
        )
    return v4[0]


def _check_free(tx: Tx, floatingip: FloatingIp, port_id: str, address: str) -> None:
    for other in store.floatingips_of_ports(tx, [port_id]):
        same = (other.fixed_ip_address, other.floating_network_id)
        if other.id != floatingip.id and same == (address, floatingip.floating_network_id):
            raise Conflict(
                f"Cannot associate floating IP {floatingip.floating_ip_address} "
                f"({floatingip.id}) with port {port_id} using fixed IP {address}, as that fixed "
                "IP already has a floating IP on external network "
                f"{floatingip.floating_network_id}.",
                type="FloatingIPPortAlreadyAssociated",
            )


def router_for(tx: Tx, floatingip: FloatingIp, port_id: str, fixed: FixedIp) -> str:
    """Return the router from the port's subnet to the outside; of several, the gateway."""
    network_id = floatingip.floating_network_id
    found = router_store.routers_between(tx, fixed.subnet_id, network_id)
    if not found:
        raise NotFound(
            f"External network {network_id} is not reachable from subnet {fixed.subnet_id}.  "
            f"Therefore, cannot associate Port {port_id} with a Floating IP.",
            type="ExternalGatewayForFloatingIPNotFound",
        )
    subnet = subnet_store.subnets_by_id(tx, [fixed.subnet_id])[fixed.subnet_id]
    gateway_ip = subnet.gateway_ip
    at_gateway = gateway_ip and allocations.allocation_holder(tx, subnet.id, gateway_ip)
    return next((router for router, leg in found if leg == at_gateway), found[0][0])


class Details(msgspec.Struct, frozen=True):
    """A floating IP with what is kept outside of its row."""

    floatingip: FloatingIp
    port: Port | None  # where it leads
    tags: list[str]
    forwardings: list[PortForwarding]


def check_forwards_none(found: Details) -> None:
    """Refuse to take a floating IP away from guests that its ports lead to."""
    if found.forwardings:
        raise Conflict(
            f"Floating IP {found.floatingip.id} in use by Port Forwarding resources.",
            type="FipInUseByPortForwarding",
        )


_SHAPE = listing.Shape(
    tables.floatingip,
    listing.columns_of(
        tables.floatingip,
        "floating_network_id",
        "floating_ip_address",
        "port_id",
        "fixed_ip_address",
        "router_id",
        "status",
        "qos_policy_id",
    ),
)


def list_floatingips(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the floating IPs the caller may know of."""
    rows = listing.rows(tx, _SHAPE, sharing.owned(tables.floatingip, viewer(ctx)), wanted)
    return details(tx, [FloatingIp(*row) for row in rows])


def details(tx: Tx, floatingips: Sequence[FloatingIp]) -> list[Details]:
    """Return the floating IPs with the ports they lead to, and tags."""
    found = port_store.ports_by_id(tx, {one.port_id for one in floatingips if one.port_id})
    ids = [one.id for one in floatingips]
    words, forwardings = tag_store.tags_map(tx, ids), forwarding_store.forwardings_of(tx, ids)
    return [
        Details(
            one,
            found.get(one.port_id or ""),
            words.get(one.id, []),
            forwardings.get(one.id, []),
        )
        for one in floatingips
    ]
