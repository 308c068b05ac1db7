"""Which range a new subnet gets: the one asked for, or one cut from a pool."""

import ipaddress
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit.errors import Conflict, Invalid, OverQuota
from cumulo.services.network import refusals, spelling, subnetpools
from cumulo.services.network.spelling import Id, LooseBool, LooseInt
from cumulo.services.network.store import standard, tables
from cumulo.services.network.store import subnetpools as store
from cumulo.services.network.store.subnetpools import SubnetPool
from cumulo.services.network.store.subnets import Subnet
from cumulo.services.network.subnetpools import IpNetwork


class SubnetRange(msgspec.Struct, kw_only=True):
    """What a client says about the range of a subnet it wants."""

    ip_version: Annotated[LooseInt, Meta(ge=4, le=6)]
    cidr: str | UnsetType = UNSET
    prefixlen: LooseInt | None = None
    subnetpool_id: Id | None = None
    use_default_subnetpool: LooseBool = False


class Range(msgspec.Struct, frozen=True):
    """A subnet's range and where it comes from."""

    cidr: str
    subnetpool_id: str | None = None


def allocate(
    tx: Tx, ctx: Context, asked: SubnetRange, project_id: str, others: Sequence[Subnet]
) -> Range:
    """Return the range for a new subnet; `others` are those of its network."""
    pool = _pool(tx, ctx, asked)
    same = [one for one in others if one.ip_version == asked.ip_version]
    if any(one.subnetpool_id != (pool.id if pool else None) for one in same):
        raise Invalid(
            "Subnets hosted on the same network must be allocated from the same subnet pool.",
            type="NetworkSubnetPoolAffinityError",
        )
    if asked.cidr is not UNSET and asked.prefixlen is not None:
        raise refusals.bad_request("subnets", "cidr and prefixlen must not be supplied together")
    if pool is not None:
        return Range(_cut(tx, pool, asked, project_id), pool.id)
    if asked.cidr is UNSET:
        raise refusals.bad_request(
            "subnets", "a subnetpool must be specified in the absence of a cidr"
        )
    return Range(spelling.cidr(asked.cidr))


def _pool(tx: Tx, ctx: Context, asked: SubnetRange) -> SubnetPool | None:
    if asked.use_default_subnetpool and asked.subnetpool_id:
        raise refusals.bad_request(
            "subnets", "subnetpool_id and use_default_subnetpool cannot both be specified"
        )
    if asked.use_default_subnetpool:
        found = subnetpools.default_pool(tx, asked.ip_version)
        if found is None:
            raise refusals.bad_request(
                "subnets", f"No default subnetpool found for IPv{asked.ip_version}"
            )
        return found
    if asked.subnetpool_id is None:
        return None
    pool = subnetpools.pool_visible(tx, ctx, asked.subnetpool_id)
    if pool.ip_version != asked.ip_version:
        raise refusals.bad_request(
            "subnets",
            f"Cannot allocate IPv{asked.ip_version} subnet from IPv{pool.ip_version} subnet pool",
        )
    return pool


def _cut(tx: Tx, pool: SubnetPool, asked: SubnetRange, project_id: str) -> str:
    """Take a range from the pool: that asked for, or the first that is free."""
    taken = [ipaddress.ip_network(cidr) for cidr in store.cidrs_of(tx, pool.id)]
    if asked.cidr is not UNSET:
        found = ipaddress.ip_network(spelling.cidr(asked.cidr))
        _check_length(pool, found.prefixlen)
        _check_free(pool, found, taken)
    else:
        length = pool.default_prefixlen if asked.prefixlen is None else asked.prefixlen
        _check_length(pool, length)
        found = _first_free(pool, length, taken)
    _check_quota(tx, pool, project_id, found)
    # Two subnets could be cut from the same place at once, were it not for the pool's revision.
    if not standard.change(tx, tables.subnetpool, pool.id, revision=pool.revision_number):
        raise LostRace
    return str(found)


def _check_length(pool: SubnetPool, length: int) -> None:
    for name, bound, wrong in (
        ("min", pool.min_prefixlen, length < pool.min_prefixlen),
        ("max", pool.max_prefixlen, length > pool.max_prefixlen),
    ):
        if wrong:
            raise Invalid(
                f"Unable to allocate subnet with prefix length {length}, {name}imum allowed "
                f"prefix is {bound}.",
                type=f"{name.title()}PrefixSubnetAllocationError",
            )


def _check_free(pool: SubnetPool, found: IpNetwork, taken: Sequence[IpNetwork]) -> None:
    inside = any(
        found.version == prefix.version and found.subnet_of(prefix)  # type: ignore[arg-type]
        for prefix in map(ipaddress.ip_network, pool.prefixes)
    )
    if not inside or any(found.overlaps(other) for other in taken):
        raise _no_room("Cannot allocate requested subnet from the available set of prefixes")


def _first_free(pool: SubnetPool, length: int, taken: Sequence[IpNetwork]) -> IpNetwork:
    """Return the first range in the smallest gap that it fits into."""
    prefixes = [ipaddress.ip_network(prefix) for prefix in pool.prefixes]
    free = sorted(
        subnetpools.without(prefixes, taken),
        key=lambda gap: (-gap.prefixlen, int(gap.network_address)),
    )
    for gap in free:
        if gap.prefixlen <= length:
            return type(gap)((int(gap.network_address), length))
    raise _no_room(f"Insufficient prefix space to allocate subnet size /{length}")


def _no_room(reason: str) -> Conflict:
    return Conflict(f"Failed to allocate subnet: {reason}.", type="SubnetAllocationError")


def _check_quota(tx: Tx, pool: SubnetPool, project_id: str, found: IpNetwork) -> None:
    """Refuse more than the pool gives one project: addresses of IPv4, /64s of IPv6."""
    if not pool.default_quota:
        return
    mine = [ipaddress.ip_network(cidr) for cidr in store.cidrs_of(tx, pool.id, project_id)]
    unit = 32 if pool.ip_version == 4 else 64
    used = sum(2 ** max(0, unit - one.prefixlen) for one in [*mine, found])
    if used > pool.default_quota:
        raise OverQuota(
            "Per-project subnet pool prefix quota exceeded.", type="SubnetPoolQuotaExceeded"
        )
