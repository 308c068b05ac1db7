"""Ports: how they change and go."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit.errors import Conflict
from cumulo.services.network import (
    addresses,
    bandwidth,
    journal,
    macs,
    metadata,
    names,
    qos_policies,
    quotas,
    refusals,
    router_subnets,
    security_groups,
    segment_reach,
    tags,
    trunk_ports,
)
from cumulo.services.network.journal import Caller
from cumulo.services.network.port_forwarding_deletion import forget_lost
from cumulo.services.network.ports import (
    TRUSTED_PREFIX,
    PortChange,
    check_subnets_exist,
    checked_fixed_ips,
    checked_pairs,
    dhcp_options,
    holder_of,
    needs_security,
    port_get,
)
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.store import allocations, changes, standard, tables
from cumulo.services.network.store import floatingips as floatingip_store
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import ports as store
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.floatingips import FloatingIp
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.values import FixedIp

_PLAIN = ("name", "description", "admin_state_up", "device_id", "device_owner", "vnic_type")


def update_port(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    port: Port,
    wanted: PortChange,
    revision: int | None = None,
) -> Port:
    """Change a port as it stands at `revision`, if one is given."""
    values = {k: v for k in _PLAIN if (v := getattr(wanted, k)) is not UNSET}
    values |= _new_binding(port, wanted)
    if wanted.qos_policy_id is not UNSET:
        values["qos_policy_id"] = qos_policies.usable(tx, ctx, wanted.qos_policy_id)
    if wanted.mac_address is not UNSET:
        values["mac_address"] = _new_mac(tx, settings, port, wanted.mac_address)
    if wanted.port_security_enabled is not UNSET:
        values["port_security_enabled"] = wanted.port_security_enabled
    after = msgspec.structs.replace(port, **values)
    values |= _new_lists(settings, after, wanted)
    after = msgspec.structs.replace(after, **values)
    fixed = allocations.allocation_map(tx, [port.id]).get(port.id, [])
    if not standard.change(tx, tables.port, port.id, revision=revision, **values):
        raise LostRace
    if wanted.fixed_ips is not UNSET or after.mac_address != port.mac_address:
        _readdress(tx, ctx, settings, after, fixed, wanted)
    if after.host != port.host:
        segment_reach.follow(tx, after)
    _regroup(tx, ctx, after, wanted)
    changes.mark(tx, "port", [port.id])
    _mark_router(tx, port.id)
    if "qos_policy_id" in values:
        bandwidth.follow(tx, bandwidth.servers_of(tx, [port.id]))
    found = port_get(tx, port.id)
    journal.updated(tx, ctx, "port", port, found)
    return found


def _new_binding(port: Port, wanted: PortChange) -> dict[str, object]:
    values: dict[str, object] = {}
    if wanted.host is not UNSET:
        values["host"] = wanted.host or ""
        if not wanted.host:
            values["status"] = "DOWN"
    if wanted.dns_name is not UNSET:
        values["dns_name"] = names.checked_name(wanted.dns_name)
    if wanted.dns_domain is not UNSET:
        values["dns_domain"] = names.checked_domain(wanted.dns_domain)
    if wanted.profile is not UNSET:
        values["profile"] = wanted.profile or {}
    return values


def _new_mac(tx: Tx, settings: NetworkSettings, port: Port, wanted: str | None) -> str:
    """Return the MAC wanted, or a fresh one for null; a bound port keeps its own."""
    mac = macs.fresh(settings) if wanted is None else wanted
    if mac.lower() == port.mac_address:
        return port.mac_address
    if port.host and port.device_owner.startswith("compute:"):
        raise Conflict(
            f"Unable to complete operation on port {port.id}, port is already bound, port type: "
            f"ovs, old_mac {port.mac_address}, new_mac {mac}.",
            type="PortBound",
        )
    return macs.chosen(tx, port.network_id, mac)


def _new_lists(settings: NetworkSettings, port: Port, wanted: PortChange) -> dict[str, object]:
    values: dict[str, object] = {}
    if wanted.allowed_address_pairs is not UNSET:
        pairs = wanted.allowed_address_pairs or []
        values["allowed_address_pairs"] = checked_pairs(settings, pairs, port)
    elif port.allowed_address_pairs and not port.port_security_enabled:
        raise Conflict(
            "Port Security must be enabled in order to have allowed address pairs on a port.",
            type="AddressPairAndPortSecurityRequired",
        )
    if wanted.extra_dhcp_opts is not UNSET:
        options = wanted.extra_dhcp_opts or []
        values["extra_dhcp_opts"] = dhcp_options(port.extra_dhcp_opts, options)
    return values


def _readdress(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    port: Port,
    current: Sequence[FixedIp],
    wanted: PortChange,
) -> None:
    if wanted.fixed_ips is UNSET:
        asked = [addresses.FixedIpSpec(ip.subnet_id, ip.ip_address) for ip in current]
        asked = [spec for spec in asked if not _is_automatic(tx, spec.subnet_id)]
    else:
        asked = checked_fixed_ips(settings, wanted.fixed_ips)
    check_subnets_exist(tx, asked)
    subnets = subnet_store.subnets_of(tx, [port.network_id])
    subnets = addresses.serving(subnets, port.device_owner)
    subnets = segment_reach.within_reach(tx, port.host, subnets)
    fixed = addresses.reassign(tx, holder_of(port), subnets, current, asked)
    _check_floating(tx, port, fixed)
    forget_lost(tx, ctx, port.id, {ip.ip_address for ip in fixed})
    _move_leg(tx, port, fixed)


def _move_leg(tx: Tx, port: Port, fixed: Sequence[FixedIp]) -> None:
    """Let a router's leg stand in other subnets than before."""
    leg = router_store.leg_of_port(tx, port.id)
    if leg is None or leg.kind != router_store.INTERFACE:
        return
    before = router_store.subnets_of_leg(tx, port.id)
    after = {ip.subnet_id for ip in fixed}
    for subnet_id in before - after:
        router_store.router_subnet_delete(tx, leg.router_id, subnet_id)
    new = subnet_store.subnets_by_id(tx, after - before)
    if new:
        router_subnets.check_apart(tx, leg.router_id, list(new.values()))
        router_store.router_subnets_insert(tx, leg, new)


def _is_automatic(tx: Tx, subnet_id: str | None) -> bool:
    subnet = subnet_store.subnet_find(tx, subnet_id or "")
    return subnet is not None and addresses.is_automatic(subnet)


def _check_floating(tx: Tx, port: Port, fixed: Sequence[FixedIp]) -> None:
    """Refuse to take an address that a floating IP leads to."""
    left = {ip.ip_address for ip in fixed}
    for one in floatingip_store.floatingips_of_ports(tx, [port.id]):
        if one.fixed_ip_address not in left:
            raise refusals.bad_request(
                "port",
                f"Cannot update the fixed_ips of the port {port.id}, because "
                f"{one.fixed_ip_address} is associated with floating IP {one.id}",
            )


def _regroup(
    tx: Tx,
    ctx: Context,
    port: Port,
    wanted: PortChange,
) -> None:
    has = store.groups_map(tx, [port.id]).get(port.id, [])
    asked = wanted.security_groups
    if asked is not UNSET and not port.device_owner.startswith(TRUSTED_PREFIX):
        groups = security_groups.usable_groups(tx, ctx, port.project_id, asked or [])
        has = [group.id for group in groups]
        if has and not port.port_security_enabled:
            raise needs_security()
        store.groups_set(tx, port.id, has)
    if has and not port.port_security_enabled:
        raise Conflict(
            "Port has security group associated. Cannot disable port security or IP address "
            "until security group is removed.",
            type="PortSecurityPortHasSecurityGroup",
        )


def delete_port(tx: Tx, by: Caller | None, settings: NetworkSettings, port: Port) -> None:
    """Forget a port; floating IPs that led to it lead nowhere.

    The port that leads to the metadata service may go as with Neutron, whose clients empty a
    network port by port, but guests need one: there is another at once.
    """
    leg = router_store.leg_of_port(tx, port.id)
    if leg or port.device_owner == "network:floatingip":
        raise Conflict(
            f"Port {port.id} cannot be deleted directly via the port API: has device owner "
            f"{port.device_owner}.",
            type="ServicePortInUse",
        )
    trunk_ports.check_unused(tx, port)
    servers = bandwidth.servers_of(tx, [port.id])
    discard_port(tx, by, port)
    bandwidth.follow(tx, servers)
    network = network_store.network_find(tx, port.network_id)
    if network is not None and port.made_for == port.network_id:
        metadata.ensure_port(tx, settings, network)


def discard_port(tx: Tx, by: Caller | None, port: Port) -> None:
    """Forget a port that its owner has no use for any more, whatever it is."""
    leading = floatingip_store.floatingips_of_ports(tx, [port.id])
    changes.mark(tx, "router", floatingip_store.disassociate(tx, leading))
    _log_lost(tx, by, leading)
    tags.forget(tx, port.id)
    forget_lost(tx, by, port.id, ())
    trunk_ports.forget(tx, by, port.id)
    router_store.leg_delete(tx, port.id)
    if not store.port_delete(tx, port.id):
        raise refusals.port_not_found(port.id)
    if port.project_id and port.made_for != port.network_id:
        quotas.give_back(tx, port.project_id, "port")
    changes.mark(tx, "port", [port.id])
    journal.deleted(tx, by, "port", port)


def _log_lost(tx: Tx, by: Caller | None, leading: Sequence[FloatingIp]) -> None:
    """Log that floating IPs lead nowhere now."""
    ids = [one.id for one in leading]
    after = {one.id: one for one in floatingip_store.floatingips_by_id(tx, ids)} if ids else {}
    for one in leading:
        journal.updated(tx, by, "floatingip", one, after[one.id])


def _mark_router(tx: Tx, port_id: str) -> None:
    """Tell the router whose leg this is, or that carries a floating IP of it."""
    leg = router_store.leg_of_port(tx, port_id)
    carried = floatingip_store.floatingips_of_ports(tx, [port_id])
    routers = {one.router_id for one in carried if one.router_id}
    changes.mark(tx, "router", sorted(routers | ({leg.router_id} if leg else set())))
