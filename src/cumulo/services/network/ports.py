"""Ports: what may be done with them and what follows."""

import ipaddress
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid
from cumulo.kit.ids import new_id
from cumulo.services.network import (
    addresses,
    journal,
    macs,
    names,
    port_views,
    qos_policies,
    quotas,
    refusals,
    security_groups,
    segment_reach,
    spelling,
    tags,
)
from cumulo.services.network.addresses import FixedIpSpec, Holder
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.port_views import Details, New
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, LooseBool, Text
from cumulo.services.network.store import changes, deferred_ports, sharing
from cumulo.services.network.store import ports as store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.values import AddressPair, DhcpOption, FixedIp

VnicType: TypeAlias = Literal["normal"]
# Ports of the network's own parts are under no security group.
TRUSTED_PREFIX = "network:"


class AddressPairSpec(msgspec.Struct, forbid_unknown_fields=True):
    """An address besides its own that a port may use."""

    ip_address: str | UnsetType = UNSET
    mac_address: str | None = None


class DhcpOptionSpec(msgspec.Struct, forbid_unknown_fields=True):
    """A DHCP option that a port's guest is told; without a value it is taken back."""

    opt_name: Text
    opt_value: Text | None = None
    ip_version: int | str | None = None


class PortSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a port it wants."""

    network_id: Id
    name: Text = ""
    description: Text = ""
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET
    admin_state_up: LooseBool = True
    mac_address: str | UnsetType = UNSET
    fixed_ips: list[FixedIpSpec] | UnsetType = UNSET
    device_id: Text = ""
    device_owner: Text = ""
    security_groups: list[str] | UnsetType | None = UNSET
    port_security_enabled: LooseBool | UnsetType = UNSET
    allowed_address_pairs: list[AddressPairSpec] | None = None
    extra_dhcp_opts: list[DhcpOptionSpec] | None = None
    host: Text = msgspec.field(name="binding:host_id", default="")
    vnic_type: VnicType = msgspec.field(name="binding:vnic_type", default="normal")
    profile: dict[str, object] | None = msgspec.field(name="binding:profile", default=None)
    dns_name: Text = ""
    dns_domain: Text = ""
    qos_policy_id: Id | None = None
    tags: list[str] = []


class PortChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a port."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    admin_state_up: LooseBool | UnsetType = UNSET
    mac_address: str | UnsetType | None = UNSET
    fixed_ips: list[FixedIpSpec] | UnsetType = UNSET
    device_id: Text | UnsetType = UNSET
    device_owner: Text | UnsetType = UNSET
    security_groups: list[str] | UnsetType | None = UNSET
    port_security_enabled: LooseBool | UnsetType = UNSET
    allowed_address_pairs: list[AddressPairSpec] | UnsetType | None = UNSET
    extra_dhcp_opts: list[DhcpOptionSpec] | UnsetType | None = UNSET
    host: Text | UnsetType | None = msgspec.field(name="binding:host_id", default=UNSET)
    vnic_type: VnicType | UnsetType = msgspec.field(name="binding:vnic_type", default=UNSET)
    profile: dict[str, object] | UnsetType | None = msgspec.field(
        name="binding:profile", default=UNSET
    )
    dns_name: Text | UnsetType = UNSET
    dns_domain: Text | UnsetType = UNSET
    qos_policy_id: Id | UnsetType | None = UNSET


def port_visible(tx: Tx, ctx: Context, port_id: str) -> Port:
    """Return a port the caller may know of; to anyone else it does not exist."""
    found = store.port_find(tx, port_id, sharing.ports_seen(viewer(ctx)))
    if found is None:
        raise refusals.port_not_found(port_id)
    return found


def port_get(tx: Tx, port_id: str) -> Port:
    """Return a port, whoever owns it."""
    found = store.port_find(tx, port_id)
    if found is None:
        raise refusals.port_not_found(port_id)
    return found


def create_port(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    network: Network,
    spec: PortSpec,
) -> Details:
    """Record a new port with a MAC and addresses of its own."""
    project_id = owner(ctx, spec.project_id, spec.tenant_id)
    spec = msgspec.structs.replace(spec, project_id=project_id)
    made = _create(tx, ctx, settings, network, spec)
    return port_views.new_details(tx, network, made)


def create_service_port(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    network: Network,
    spec: PortSpec,
    made_for: str = "",
) -> Port:
    """Record a new port for whomever `spec` says; nobody's ports are not counted."""
    return _create(tx, ctx, settings, network, spec, made_for).port


def _create(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    network: Network,
    spec: PortSpec,
    made_for: str = "",
) -> New:
    project_id = spec.project_id or ""
    if project_id:
        quotas.take(tx, settings, project_id, "port")
    qos_policies.usable(tx, ctx, spec.qos_policy_id)
    port = _new_row(tx, settings, network, spec, project_id, made_for)
    store.port_insert(tx, port)
    fixed_ips = _assign(tx, settings, port, spec.fixed_ips)
    groups = _join_groups(tx, ctx, settings, port, spec.security_groups)
    # What is made for a server is told once the server is on a host, and changed there.
    if port.status != "N/A" and not made_for:
        changes.mark(tx, "port", [port.id])
    journal.created(tx, ctx, "port", port)
    if spec.tags:
        tags.put_first(tx, "ports", port.id, spec.tags)
    return New(port, fixed_ips, groups, spec.tags)


def _new_row(
    tx: Tx,
    settings: NetworkSettings,
    network: Network,
    spec: PortSpec,
    project_id: str,
    made_for: str,
) -> Port:
    now, secure, mac = clock.now(), spec.port_security_enabled, spec.mac_address
    port = Port(
        id=new_id(),
        project_id=project_id,
        name=spec.name,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        network_id=network.id,
        mac_address=(macs.chosen(tx, network.id, mac) if mac else macs.fresh(settings)),
        admin_state_up=spec.admin_state_up,
        status="N/A" if spec.device_owner == "network:floatingip" else "DOWN",
        device_id=spec.device_id,
        device_owner=spec.device_owner,
        host=spec.host,
        vnic_type=spec.vnic_type,
        profile=spec.profile or {},
        made_for=made_for,
        port_security_enabled=network.port_security_enabled if secure is UNSET else secure,
        allowed_address_pairs=[],
        extra_dhcp_opts=dhcp_options([], spec.extra_dhcp_opts or []),
        dns_name=names.checked_name(spec.dns_name),
        plugged_at=now,
        qos_policy_id=spec.qos_policy_id,
        dns_domain=names.checked_domain(spec.dns_domain),
    )
    pairs = checked_pairs(settings, spec.allowed_address_pairs or [], port)
    return msgspec.structs.replace(port, allowed_address_pairs=pairs)


def _assign(
    tx: Tx, settings: NetworkSettings, port: Port, wanted: list[FixedIpSpec] | UnsetType
) -> list[FixedIp]:
    asked = None if wanted is UNSET else checked_fixed_ips(settings, wanted)
    subnets = subnet_store.subnets_of(tx, [port.network_id])
    subnets = addresses.serving(subnets, port.device_owner)
    check_subnets_exist(tx, asked or [])
    if asked is None and segment_reach.must_wait(port, subnets):
        deferred_ports.deferred_add(tx, port.id)
        return []
    subnets = segment_reach.within_reach(tx, port.host, subnets)
    return addresses.assign(tx, holder_of(port), subnets, asked)


def holder_of(port: Port) -> Holder:
    """Return the port as the owner of addresses."""
    return Holder(port.id, port.network_id, port.mac_address, port.device_owner)


def check_subnets_exist(tx: Tx, wanted: Sequence[FixedIpSpec]) -> None:
    """Tell a subnet that is not from one of another network."""
    ids = {spec.subnet_id for spec in wanted if spec.subnet_id}
    missing = ids - subnet_store.subnets_by_id(tx, ids).keys() if ids else set()
    if missing:
        raise refusals.subnet_not_found(min(missing))


def checked_fixed_ips(
    settings: NetworkSettings, wanted: Sequence[FixedIpSpec]
) -> list[FixedIpSpec]:
    """Return the addresses asked for in their one spelling, or refuse them."""
    if len(wanted) > settings.max_fixed_ips_per_port:
        raise refusals.invalid_input("Exceeded maximum amount of fixed ips per port")
    spelled = [
        FixedIpSpec(
            spec.subnet_id,
            spelling.ip_address(spec.ip_address, "fixed_ips") if spec.ip_address else None,
        )
        for spec in wanted
    ]
    named = [spec.ip_address for spec in spelled if spec.ip_address]
    spelling.check_unique(named, "fixed_ips")
    return spelled


def _join_groups(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    port: Port,
    wanted: list[str] | UnsetType | None,
) -> list[str]:
    if port.device_owner.startswith(TRUSTED_PREFIX) or not port.project_id:
        return []
    secure = port.port_security_enabled
    if wanted is UNSET or wanted is None:
        group_id = security_groups.ensure_default(tx, ctx, port.project_id)
        joined = [group_id] if secure else []
        store.groups_add(tx, port.id, joined)
        return joined
    if wanted and not secure:
        raise needs_security()
    groups = security_groups.usable_groups(tx, ctx, port.project_id, wanted)
    joined = sorted(group.id for group in groups)
    store.groups_add(tx, port.id, joined)
    return joined


def needs_security() -> Invalid:
    """Return the error for a security group that could not take effect."""
    return Invalid(
        "Port security must be enabled and port must have an IP address in order to use "
        "security groups.",
        type="PortSecurityAndIPRequiredForSecurityGroups",
    )


def checked_pairs(
    settings: NetworkSettings, wanted: Sequence[AddressPairSpec], port: Port
) -> list[AddressPair]:
    """Return address pairs in their one spelling, or refuse them."""
    if not wanted:
        return []
    if not port.port_security_enabled:
        raise Conflict(
            "Port Security must be enabled in order to have allowed address pairs on a port.",
            type="AddressPairAndPortSecurityRequired",
        )
    if len(wanted) > settings.max_allowed_address_pair:
        raise Invalid(
            "The number of allowed address pair exceeds the maximum "
            f"{settings.max_allowed_address_pair}.",
            type="AllowedAddressPairExhausted",
        )
    pairs = [_pair(spec, port.mac_address) for spec in wanted]
    for place, pair in enumerate(pairs):
        if pair in pairs[:place]:
            raise Invalid(
                "Request contains duplicate address pair: mac_address "
                f"{pair.mac_address} ip_address {pair.ip_address}.",
                type="DuplicateAddressPairInRequest",
            )
    return pairs


def _pair(spec: AddressPairSpec, own_mac: str) -> AddressPair:
    if not spec.ip_address:
        raise Invalid(
            "AllowedAddressPair must contain ip_address", type="AllowedAddressPairsMissingIP"
        )
    text = spec.ip_address
    address = spelling.cidr(text, "allowed_address_pairs") if "/" in text else ""
    address = address or spelling.ip_address(text, "allowed_address_pairs")
    if ipaddress.ip_interface(text).is_multicast:
        raise refusals.invalid_value("allowed_address_pairs", f"'{text}' is a multicast address")
    mac = spelling.mac_address(spec.mac_address) if spec.mac_address else own_mac
    return AddressPair(mac, address)


def dhcp_options(
    current: Sequence[DhcpOption], wanted: Sequence[DhcpOptionSpec]
) -> list[DhcpOption]:
    """Return the options after a change: those named are set, those without a value go."""
    found = {(option.opt_name, option.ip_version): option for option in current}
    for spec in wanted:
        version = _version(spec.ip_version)
        name = _one_line(spec.opt_name.strip(), "opt_name")
        if not name:
            raise refusals.invalid_value("extra_dhcp_opts", "'opt_name' must not be blank")
        if spec.opt_value is None:
            found.pop((name, version), None)
        else:
            value = _one_line(spec.opt_value, "opt_value")
            found[name, version] = DhcpOption(name, value, version)
    return list(found.values())


def _version(given: int | str | None) -> int:
    text = "4" if given is None else str(given)
    if text not in ("4", "6"):
        raise refusals.invalid_value("extra_dhcp_opts", f"ip_version '{text}' is not in [4, 6]")
    return int(text)


def _one_line(text: str, field: str) -> str:
    """Refuse what would become a second line in some server's file."""
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise refusals.invalid_value(
            "extra_dhcp_opts", f"'{field}' must not contain control characters"
        )
    return text
