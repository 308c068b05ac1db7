"""Subnet pools: ranges that subnets are cut from, so that none overlap."""

import ipaddress
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import (
    address_scopes,
    journal,
    quotas,
    rbac_policies,
    refusals,
    spelling,
    tags,
)
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, LooseBool, LooseInt, Text
from cumulo.services.network.store import listing, sharing, standard, tables
from cumulo.services.network.store import subnetpools as store
from cumulo.services.network.store import tags as tag_store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.subnetpools import SubnetPool

IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_NARROWEST, _WIDEST = {4: 8, 6: 64}, {4: 32, 6: 128}


class SubnetPoolSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a subnet pool it wants."""

    name: Text
    prefixes: list[str]
    description: Text = ""
    default_prefixlen: LooseInt | None = None
    min_prefixlen: LooseInt | None = None
    max_prefixlen: LooseInt | None = None
    default_quota: LooseInt | None = None
    shared: LooseBool = False
    is_default: LooseBool = False
    address_scope_id: Id | None = None
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


class SubnetPoolChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a subnet pool."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    prefixes: list[str] | UnsetType = UNSET
    default_prefixlen: LooseInt | UnsetType = UNSET
    min_prefixlen: LooseInt | UnsetType = UNSET
    max_prefixlen: LooseInt | UnsetType = UNSET
    default_quota: LooseInt | UnsetType | None = UNSET
    is_default: LooseBool | UnsetType = UNSET
    address_scope_id: Id | UnsetType | None = UNSET


class PrefixesSpec(msgspec.Struct, forbid_unknown_fields=True):
    """Prefixes to add to a pool's, or to take from them."""

    prefixes: list[str]


class Details(msgspec.Struct, frozen=True):
    """A subnet pool with what is kept outside of its row."""

    pool: SubnetPool
    shared: bool
    tags: list[str]


def not_found(pool_id: str) -> NotFound:
    """Return the error for a subnet pool that is not, or not for this caller."""
    return NotFound(f"Subnet pool {pool_id} could not be found.", type="SubnetPoolNotFound")


def pool_visible(tx: Tx, ctx: Context, pool_id: str) -> SubnetPool:
    """Return a subnet pool the caller may know of; to anyone else it does not exist."""
    seen = sharing.lent(tables.subnetpool, viewer(ctx))
    found = standard.find(tx, tables.subnetpool, SubnetPool, pool_id, seen)
    if found is None:
        raise not_found(pool_id)
    return found


def default_pool(tx: Tx, ip_version: int) -> SubnetPool | None:
    """Return the pool of a version that is used when none is named."""
    p = tables.subnetpool.c
    found = standard.where(
        tx, tables.subnetpool, SubnetPool, p.is_default.is_(True), p.ip_version == ip_version
    )
    return found[0] if found else None


def create_pool(
    tx: Tx, ctx: Context, settings: NetworkSettings, spec: SubnetPoolSpec
) -> SubnetPool:
    """Record a new subnet pool."""
    project_id, now = owner(ctx, spec.project_id, spec.tenant_id), clock.now()
    prefixes = checked_prefixes(spec.prefixes)
    version = ipaddress.ip_network(prefixes[0]).version
    narrow = _NARROWEST[version] if spec.min_prefixlen is None else spec.min_prefixlen
    pool = SubnetPool(
        id=new_id(),
        project_id=project_id,
        name=spec.name,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        ip_version=version,
        prefixes=prefixes,
        default_prefixlen=narrow if spec.default_prefixlen is None else spec.default_prefixlen,
        min_prefixlen=narrow,
        max_prefixlen=_WIDEST[version] if spec.max_prefixlen is None else spec.max_prefixlen,
        default_quota=spec.default_quota,
        is_default=spec.is_default,
        address_scope_id=spec.address_scope_id,
    )
    _check(tx, ctx, pool)
    quotas.take(tx, settings, project_id, "subnetpool")
    standard.insert(tx, tables.subnetpool, pool)
    if spec.shared:
        rbac_policies.grant(tx, ctx, "subnetpool", pool, sharing.SHARED)
    journal.created(tx, ctx, "subnetpool", pool)
    return pool


def checked_prefixes(texts: Sequence[str]) -> list[str]:
    """Return prefixes in as few as they can be said, or refuse them."""
    if not texts:
        raise Invalid("Empty subnet pool prefix list.", type="EmptySubnetPoolPrefixList")
    found = [ipaddress.ip_network(spelling.cidr(text, "prefixes")) for text in texts]
    if len({network.version for network in found}) > 1:
        raise Invalid(
            "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", type="PrefixVersionMismatch"
        )
    return _collapsed(found)


def _collapsed(networks: Sequence[IpNetwork]) -> list[str]:
    v4 = [one for one in networks if isinstance(one, ipaddress.IPv4Network)]
    v6 = [one for one in networks if isinstance(one, ipaddress.IPv6Network)]
    merged = [*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6)]
    return [str(one) for one in merged]


def _check(tx: Tx, ctx: Context, pool: SubnetPool) -> None:
    """Refuse a pool whose parts do not go together, or that is in another's way."""
    _check_lengths(pool)
    if pool.default_quota is not None and pool.default_quota < 0:
        raise refusals.invalid_value(
            "default_quota", f"'{pool.default_quota}' must not be negative"
        )
    present = default_pool(tx, pool.ip_version) if pool.is_default else None
    if present is not None and present.id != pool.id:
        raise refusals.invalid_input(
            "A default subnetpool for this IP family has already been set. Only one default may "
            "exist per IP family"
        )
    if pool.address_scope_id is not None:
        _check_scope(tx, ctx, pool, pool.address_scope_id)


def _check_lengths(pool: SubnetPool) -> None:
    low, high, usual = pool.min_prefixlen, pool.max_prefixlen, pool.default_prefixlen
    for name, value in (("min", low), ("max", high), ("default", usual)):
        if not 0 <= value <= _WIDEST[pool.ip_version]:
            raise Invalid(
                f"Prefix '{value}' not supported in IPv{pool.ip_version} pool ({name}_prefixlen).",
                type="UnsupportedMinSubnetPoolPrefix",
            )
    for smaller, larger, names in (
        (low, high, ("min", "max")),
        (low, usual, ("min", "default")),
        (usual, high, ("default", "max")),
    ):
        if smaller > larger:
            raise Invalid(
                f"Illegal prefix bounds: {names[0]}_prefixlen={smaller}, "
                f"{names[1]}_prefixlen={larger}.",
                type="IllegalSubnetPoolPrefixBounds",
            )


def _check_scope(tx: Tx, ctx: Context, pool: SubnetPool, scope_id: str) -> None:
    """Refuse a scope that is not the caller's, or where the pool's addresses are taken."""
    scope = address_scopes.scope_visible(tx, ctx, scope_id)
    named = ctx.project_id in sharing.targets(tx, scope_id, sharing.SHARED)
    if not (ctx.is_admin or named or scope.project_id == ctx.project_id):
        raise Invalid(
            f"Illegal subnetpool association: subnetpool {pool.id} cannot be associated with "
            f"address scope {scope_id}.",
            type="IllegalSubnetPoolAssociationToAddressScope",
        )
    if scope.ip_version != pool.ip_version:
        raise Invalid(
            f"Illegal subnetpool association: subnetpool {pool.id} cannot associate with address "
            f"scope {scope_id} because subnetpool ip_version is not {scope.ip_version}.",
            type="IllegalSubnetPoolIpVersionAssociationToAddressScope",
        )
    p = tables.subnetpool.c
    others = standard.where(
        tx, tables.subnetpool, SubnetPool, p.address_scope_id == scope_id, p.id != pool.id
    )
    taken = [ipaddress.ip_network(prefix) for other in others for prefix in other.prefixes]
    for prefix in map(ipaddress.ip_network, pool.prefixes):
        if any(prefix.overlaps(other) for other in taken):
            raise Conflict(
                "Failed to associate address scope: subnetpools within an address scope must "
                "have unique prefixes.",
                type="AddressScopePrefixConflict",
            )


def update_pool(
    tx: Tx, ctx: Context, pool: SubnetPool, wanted: SubnetPoolChange, revision: int | None = None
) -> SubnetPool:
    """Change a subnet pool; what it has it keeps."""
    values = {k: v for k, v in msgspec.structs.asdict(wanted).items() if v is not UNSET}
    if wanted.prefixes is not UNSET:
        values["prefixes"] = prefixes = checked_prefixes(wanted.prefixes)
        new = [ipaddress.ip_network(prefix) for prefix in prefixes]
        if not all(_is_within(ipaddress.ip_network(old), new) for old in pool.prefixes):
            raise Invalid(
                "Illegal update to prefixes: Existing prefixes must be a subset of the new "
                "prefixes.",
                type="IllegalSubnetPoolPrefixUpdate",
            )
    return _change(tx, ctx, pool, values, revision)


def _change(
    tx: Tx, ctx: Context, pool: SubnetPool, values: dict[str, Any], revision: int | None = None
) -> SubnetPool:
    after = msgspec.structs.replace(pool, **values)
    _check(tx, ctx, after)
    expected = pool.revision_number if revision is None else revision
    if not standard.change(tx, tables.subnetpool, pool.id, revision=expected, **values):
        raise LostRace
    found = pool_visible(tx, ctx, pool.id)
    journal.updated(tx, ctx, "subnetpool", pool, found)
    return found


def _is_within(prefix: IpNetwork, others: Sequence[IpNetwork]) -> bool:
    return any(
        prefix.version == other.version and prefix.subnet_of(other)  # type: ignore[arg-type]
        for other in others
    )


def add_prefixes(tx: Tx, ctx: Context, pool: SubnetPool, wanted: PrefixesSpec) -> SubnetPool:
    """Add prefixes to those the pool has."""
    return widen(tx, ctx, pool, [*pool.prefixes, *checked_prefixes(wanted.prefixes)])


def widen(tx: Tx, ctx: Context, pool: SubnetPool, prefixes: Sequence[str]) -> SubnetPool:
    """Let the pool have these prefixes, among which its own are."""
    return _change(tx, ctx, pool, {"prefixes": checked_prefixes(prefixes)})


def remove_prefixes(tx: Tx, ctx: Context, pool: SubnetPool, wanted: PrefixesSpec) -> SubnetPool:
    """Take prefixes from the pool that no subnet was cut from."""
    gone = [ipaddress.ip_network(prefix) for prefix in checked_prefixes(wanted.prefixes)]
    taken = [ipaddress.ip_network(cidr) for cidr in store.cidrs_of(tx, pool.id)]
    if any(one.overlaps(cidr) for one in gone for cidr in taken):
        raise Invalid(
            "Illegal update to prefixes: subnets were allocated from the prefixes to remove.",
            type="IllegalSubnetPoolPrefixUpdate",
        )
    left = without([ipaddress.ip_network(prefix) for prefix in pool.prefixes], gone)
    return _change(tx, ctx, pool, {"prefixes": _collapsed(left)})


def without(networks: Sequence[IpNetwork], gone: Sequence[IpNetwork]) -> list[IpNetwork]:
    """Return what is left of ranges when others are cut out of them."""
    left = list(networks)
    for cut in gone:
        left = [part for network in left for part in _minus(network, cut)]
    return left


def _minus(network: IpNetwork, cut: IpNetwork) -> list[IpNetwork]:
    if not network.overlaps(cut):
        return [network]
    if cut.prefixlen <= network.prefixlen:
        return []
    return list(network.address_exclude(cut))  # type: ignore[arg-type]


def delete_pool(tx: Tx, ctx: Context, pool: SubnetPool) -> None:
    """Forget a subnet pool that no subnet was cut from."""
    if store.cidrs_of(tx, pool.id):
        raise Conflict(
            "Unable to delete subnet pool: Subnet pool has existing allocations.",
            type="SubnetPoolDeleteError",
        )
    rbac_policies.forget(tx, ctx, pool.id)
    tags.forget(tx, pool.id)
    if not standard.remove(tx, tables.subnetpool, pool.id):
        raise not_found(pool.id)
    quotas.give_back(tx, pool.project_id, "subnetpool")
    journal.deleted(tx, ctx, "subnetpool", pool)


_SHAPE = listing.Shape(
    tables.subnetpool,
    listing.columns_of(
        tables.subnetpool,
        *("name", "ip_version", "is_default", "address_scope_id", "default_quota"),
        *("default_prefixlen", "min_prefixlen", "max_prefixlen"),
    ),
)


def list_pools(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the subnet pools the caller may know of."""
    eyes = viewer(ctx)
    shape = listing.with_shared(_SHAPE, eyes.project_id)
    rows = listing.rows(tx, shape, sharing.lent(tables.subnetpool, eyes), wanted)
    return details(tx, ctx, [SubnetPool(*row) for row in rows])


def details(tx: Tx, ctx: Context, pools: Sequence[SubnetPool]) -> list[Details]:
    """Return the subnet pools with their tags, and whether others lent them."""
    ids = [pool.id for pool in pools]
    shared = sharing.shared_with(tx, ctx.project_id or "", ids)
    words = tag_store.tags_map(tx, ids)
    return [Details(pool, pool.id in shared, words.get(pool.id, [])) for pool in pools]
