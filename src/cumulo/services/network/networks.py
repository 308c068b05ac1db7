"""Networks: what may be done with them and what follows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict
from cumulo.kit.ids import new_id
from cumulo.services.network import (
    bandwidth,
    journal,
    names,
    qos_policies,
    quotas,
    rbac_policies,
    refusals,
    segment_claims,
    spelling,
    tags,
    zones,
)
from cumulo.services.network.floatingip_deletion import delete_floatingip
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.port_changes import discard_port
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, LooseBool, LooseInt, Text
from cumulo.services.network.store import auto_topologies as auto_store
from cumulo.services.network.store import changes, listing, sharing, standard, tables
from cumulo.services.network.store import floatingips as floatingip_store
from cumulo.services.network.store import networks as store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import routers as router_store
from cumulo.services.network.store import segments as segment_store
from cumulo.services.network.store import subnetpools as pool_store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store import tags as tag_store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.segments import Segment
from cumulo.services.network.store.subnets import Subnet

MIN_MTU = {4: 68, 6: 1280}
# Ports that the cloud made for itself and takes away with the network.
OWN_PORTS = {"network:dhcp", "network:distributed"}


class SegmentSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One of several segments of a network that a client wants."""

    network_type: str = msgspec.field(name="provider:network_type")
    physical_network: str | None = msgspec.field(name="provider:physical_network", default=None)
    segmentation_id: LooseInt | None = msgspec.field(name="provider:segmentation_id", default=None)


class NetworkSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a network it wants."""

    name: Text = ""
    description: Text = ""
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET
    admin_state_up: LooseBool = True
    shared: LooseBool = False
    external: LooseBool = msgspec.field(name="router:external", default=False)
    mtu: Annotated[LooseInt, Meta(ge=0)] | UnsetType = UNSET
    port_security_enabled: LooseBool = True
    network_type: str | UnsetType | None = msgspec.field(
        name="provider:network_type", default=UNSET
    )
    physical_network: str | UnsetType | None = msgspec.field(
        name="provider:physical_network", default=UNSET
    )
    segmentation_id: LooseInt | UnsetType | None = msgspec.field(
        name="provider:segmentation_id", default=UNSET
    )
    segments: list[SegmentSpec] | UnsetType = UNSET
    availability_zone_hints: list[Text] = []
    dns_domain: Text = ""
    qos_policy_id: Id | UnsetType | None = UNSET
    vlan_transparent: LooseBool | UnsetType | None = UNSET
    is_default: LooseBool = False


class NetworkChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a network."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    admin_state_up: LooseBool | UnsetType = UNSET
    shared: LooseBool | UnsetType = UNSET
    external: LooseBool | UnsetType = msgspec.field(name="router:external", default=UNSET)
    mtu: Annotated[LooseInt, Meta(ge=0)] | UnsetType = UNSET
    port_security_enabled: LooseBool | UnsetType = UNSET
    dns_domain: Text | UnsetType = UNSET
    qos_policy_id: Id | UnsetType | None = UNSET
    is_default: LooseBool | UnsetType = UNSET


def network_visible(tx: Tx, ctx: Context, network_id: str) -> Network:
    """Return a network the caller may know of; to anyone else it does not exist."""
    found = store.network_find(tx, network_id, viewer(ctx))
    if found is None:
        raise refusals.network_not_found(network_id)
    return found


def networks_visible(tx: Tx, ctx: Context) -> list[Network]:
    """Return the networks the caller may know of, oldest first."""
    return store.networks_where(tx, sharing.networks_seen(viewer(ctx)))


def external_networks_visible(tx: Tx, ctx: Context) -> list[Network]:
    """Return the networks floating IPs come from that the caller may know of, oldest first."""
    external = tables.network.c.external.is_(True)
    return store.networks_where(tx, sharing.networks_seen(viewer(ctx)), external)


def default_external(tx: Tx) -> Network | None:
    """Return the network by which projects get out unless they say."""
    n = tables.network.c
    found = store.networks_where(tx, n.is_default.is_(True), n.external.is_(True))
    return found[0] if found else None


def network_get(tx: Tx, network_id: str) -> Network:
    """Return a network, whoever owns it."""
    found = store.network_find(tx, network_id)
    if found is None:
        raise refusals.network_not_found(network_id)
    return found


def create_network(tx: Tx, ctx: Context, settings: NetworkSettings, spec: NetworkSpec) -> Network:
    """Record a new network with a segment of its own."""
    project_id, network_id, now = owner(ctx, spec.project_id, spec.tenant_id), new_id(), clock.now()
    zones.check(settings, spec.availability_zone_hints)
    quotas.take(tx, settings, project_id, "network")
    segment = _segments(tx, settings, network_id, spec)
    network = Network(
        id=network_id,
        project_id=project_id,
        name=spec.name,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        admin_state_up=spec.admin_state_up,
        status="ACTIVE",
        external=spec.external,
        mtu=_mtu(settings, segment, spec.mtu),
        port_security_enabled=spec.port_security_enabled,
        network_type=segment.network_type,
        physical_network=segment.physical_network,
        segmentation_id=segment.segmentation_id,
        availability_zone_hints=spec.availability_zone_hints,
        dns_domain=names.checked_domain(spec.dns_domain),
        qos_policy_id=(
            qos_policies.default_of(tx, project_id)
            if spec.qos_policy_id is UNSET
            else qos_policies.usable(tx, ctx, spec.qos_policy_id)
        ),
        vlan_transparent=spec.vlan_transparent or None,
        is_default=spec.is_default,
    )
    store.network_insert(tx, network)
    _lend(tx, ctx, network, spec)
    changes.mark(tx, "network", [network_id])
    journal.created(tx, ctx, "network", network)
    return network


def _lend(tx: Tx, ctx: Context, network: Network, wanted: NetworkSpec | NetworkChange) -> None:
    """Let others use the network, or no more."""
    if wanted.is_default is True:
        check_default(tx, network.id)
    for wish, action in ((wanted.shared, sharing.SHARED), (wanted.external, sharing.EXTERNAL)):
        if wish is True:
            rbac_policies.grant(tx, ctx, "network", network, action)
        elif wish is False and isinstance(wanted, NetworkChange):
            rbac_policies.revoke(tx, ctx, network, action)


def check_default(tx: Tx, network_id: str) -> None:
    """Refuse a second network as the one by which projects get out unless they say."""
    n = tables.network.c
    found = store.networks_where(tx, n.is_default.is_(True), n.id != network_id)
    if found:
        raise Conflict(
            f"A default external network already exists: {found[0].id}.",
            type="DefaultExternalNetworkExists",
        )


def _segments(tx: Tx, settings: NetworkSettings, network_id: str, spec: NetworkSpec) -> Segment:
    """Give the network its segments; return the first."""
    if spec.segments is UNSET:
        return _segment(tx, settings, network_id, spec)
    if not spec.segments:
        raise refusals.invalid_value("segments", "At least one segment is needed")
    if spec.network_type or spec.physical_network or spec.segmentation_id:
        raise refusals.bad_request_of(
            "SegmentsSetInConjunctionWithProviders",
            "Segments and provider values cannot both be set.",
        )
    named = [one.physical_network for one in spec.segments if one.physical_network]
    spelling.check_unique(named, "segments")
    wanted = [
        Segment(one.network_type, one.physical_network or None, one.segmentation_id)
        for one in spec.segments
    ]
    claimed = [
        segment_claims.claim(tx, settings, network_id, one, place)
        for place, one in enumerate(wanted)
    ]
    return claimed[0]


def _segment(tx: Tx, settings: NetworkSettings, network_id: str, spec: NetworkSpec) -> Segment:
    physical, number = spec.physical_network or None, spec.segmentation_id
    number = None if number is UNSET else number
    if spec.network_type:
        wanted = Segment(spec.network_type, physical, number)
        return segment_claims.claim(tx, settings, network_id, wanted)
    if physical is not None or number is not None:
        raise refusals.invalid_input("network_type required")
    return segment_claims.claim_any(tx, settings, network_id)


def _mtu(settings: NetworkSettings, segment: Segment, asked: int | UnsetType) -> int:
    most = segment_claims.mtu_of(settings, segment.network_type)
    if asked is UNSET or asked == 0:
        return most
    if asked > most:
        raise refusals.invalid_input(f"Requested MTU is too big, maximum is {most}")
    return asked


def _check_mtu(subnets: Sequence[Subnet], mtu: int) -> None:
    for subnet in subnets:
        check_mtu(subnet.ip_version, mtu)


def check_mtu(ip_version: int, mtu: int) -> None:
    """Refuse a version of IP where its smallest packet would not fit."""
    if mtu < MIN_MTU.get(ip_version, 0):
        raise Conflict(
            f"Network MTU {mtu} is too small for IPv{ip_version}, which needs "
            f"{MIN_MTU[ip_version]}.",
            type="NetworkMTUSubnetConflict",
        )


def update_network(
    tx: Tx,
    ctx: Context,
    settings: NetworkSettings,
    network: Network,
    wanted: NetworkChange,
    revision: int | None = None,
) -> Network:
    """Change a network as it stands at `revision`, if one is given."""
    values = {
        name: value
        for name, value in msgspec.structs.asdict(wanted).items()
        if value is not UNSET and name != "shared"
    }
    if "mtu" in values:
        segment = Segment(network.network_type)
        values["mtu"] = _mtu(settings, segment, values["mtu"])
        _check_mtu(subnet_store.subnets_of(tx, [network.id]), values["mtu"])
    if "qos_policy_id" in values:
        values["qos_policy_id"] = qos_policies.usable(tx, ctx, wanted.qos_policy_id)
    if "dns_domain" in values:
        values["dns_domain"] = names.checked_domain(values["dns_domain"])
    _lend(tx, ctx, network, wanted)
    if wanted.external is False and network.external and router_store.gateways_on(tx, network.id):
        raise Conflict(
            f"External network {network.id} cannot be updated to be made non-external, since it "
            "has existing gateway ports.",
            type="ExternalNetworkInUse",
        )
    if not standard.change(tx, tables.network, network.id, revision=revision, **values):
        raise LostRace
    _mark(tx, network.id, values)
    found = network_get(tx, network.id)
    journal.updated(tx, ctx, "network", network, found)
    return found


def _mark(tx: Tx, network_id: str, values: Mapping[str, object]) -> None:
    """Have the backend told of the network and of what a change of it touches."""
    changes.mark(tx, "network", [network_id])
    if {"dns_domain", "qos_policy_id"} & values.keys():
        ports = port_store.ports_of_network(tx, network_id)
        changes.mark(tx, "port", [port.id for port in ports])
        if "qos_policy_id" in values:
            bandwidth.follow(tx, bandwidth.servers_of(tx, [port.id for port in ports]))
    if "mtu" in values:
        changes.mark(tx, "router", router_store.routers_on_network(tx, network_id))


def delete_network(tx: Tx, ctx: Context, network: Network) -> None:
    """Forget a network nobody uses, with its subnets and the cloud's own ports in it.

    Floating IPs of it that lead nowhere go too.
    """
    for floatingip in floatingip_store.floatingips_unused(tx, network.id):
        delete_floatingip(tx, ctx, floatingip)
    ports = port_store.ports_of_network(tx, network.id)
    if any(port.device_owner not in OWN_PORTS for port in ports):
        raise Conflict(
            f"Unable to complete operation on network {network.id}. There are one or more "
            "ports still in use on the network.",
            type="NetworkInUse",
        )
    for port in ports:
        discard_port(tx, ctx, port)
    subnets = subnet_store.subnets_of(tx, [network.id])
    for subnet in subnets:
        tags.forget(tx, subnet.id)
        subnet_store.subnet_delete(tx, subnet.id)
        quotas.give_back(tx, subnet.project_id, "subnet")
        journal.deleted(tx, ctx, "subnet", subnet)
    segment_store.segments_delete(tx, network.id)
    auto_store.forget(tx, network_id=network.id)
    rbac_policies.forget(tx, ctx, network.id)
    tags.forget(tx, network.id)
    if not standard.remove(tx, tables.network, network.id):
        raise refusals.network_not_found(network.id)
    quotas.give_back(tx, network.project_id, "network")
    changes.mark(tx, "network", [network.id])
    journal.deleted(tx, ctx, "network", network)


class Details(msgspec.Struct, frozen=True):
    """A network with what is kept outside of its row."""

    network: Network
    subnets: list[str]
    shared: bool
    tags: list[str]
    scopes: dict[int, str]  # IP version -> address scope
    segments: list[Segment]


_SHAPE = listing.Shape(
    tables.network,
    {
        **listing.columns_of(tables.network, "name", "admin_state_up", "status", "mtu"),
        "router:external": tables.network.c.external,
        "port_security_enabled": tables.network.c.port_security_enabled,
        "provider:network_type": tables.network.c.network_type,
        "provider:physical_network": tables.network.c.physical_network,
        "provider:segmentation_id": tables.network.c.segmentation_id,
        "is_default": tables.network.c.is_default,
        "vlan_transparent": tables.network.c.vlan_transparent,
    },
)


def list_networks(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the networks the caller may know of."""
    eyes = viewer(ctx)
    shape = listing.with_shared(_SHAPE, eyes.project_id)
    rows = listing.rows(tx, shape, sharing.networks_seen(eyes), wanted)
    return details(tx, ctx, [Network(*row) for row in rows])


def is_shared(tx: Tx, ctx: Context, network: Network) -> bool:
    """Say whether the caller may use the network without owning it."""
    return bool(sharing.shared_with(tx, ctx.project_id or "", [network.id]))


def new_details(tx: Tx, network: Network, spec: NetworkSpec) -> Details:
    """Return a network that was made just now, of which nothing else is known yet."""
    several = spec.segments is not UNSET
    segments_of_it = segment_store.segments_map(tx, [network.id])[network.id] if several else []
    return Details(network, [], spec.shared, [], {}, segments_of_it)


def details(tx: Tx, ctx: Context, networks: Sequence[Network]) -> list[Details]:
    """Return the networks with their subnets, tags, and whether the caller may use them."""
    ids = [network.id for network in networks]
    subnets: defaultdict[str, list[str]] = defaultdict(list)
    for network_id, subnet_id in subnet_store.subnet_ids_of(tx, ids):
        subnets[network_id].append(subnet_id)
    shared = sharing.shared_with(tx, ctx.project_id or "", ids)
    words, claimed = tag_store.tags_map(tx, ids), segment_store.segments_map(tx, ids)
    scopes: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for network_id, version, scope_id in pool_store.scopes_of_networks(tx, ids):
        scopes[network_id][version] = scope_id
    return [
        Details(
            one,
            subnets[one.id],
            one.id in shared,
            words.get(one.id, []),
            scopes[one.id],
            claimed.get(one.id, []),
        )
        for one in networks
    ]
