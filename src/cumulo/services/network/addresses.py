"""Addresses: which are free, which a port gets, and what may be asked for.

An address is owned by inserting its row; the key of that table decides between two who want
the same one.  A free one is found without looking at all that are taken: the one above the
highest first, then gaps.
"""

import ipaddress
import random
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.network import refusals
from cumulo.services.network.store import allocations as store
from cumulo.services.network.store.subnets import Subnet
from cumulo.services.network.store.values import FixedIp, Pool

ROUTER_INTERFACE = "network:router_interface"
_TRIES, _WINDOW = 6, 256


class Holder(msgspec.Struct, frozen=True):
    """The port that is to own an address."""

    port_id: str
    network_id: str
    mac: str
    device_owner: str

    @property
    def is_router(self) -> bool:
        """Say whether it is a router's leg, which may have addresses that guests may not."""
        return is_router(self.device_owner)


class FixedIpSpec(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An address that a client asks for: any in a subnet, or a certain one."""

    subnet_id: str | None = None
    ip_address: str | None = None


def is_router(device_owner: str) -> bool:
    """Say whether a port with that owner is a router's leg inside."""
    return device_owner == ROUTER_INTERFACE


def is_automatic(subnet: Subnet) -> bool:
    """Say whether guests make their own addresses there, from their MACs."""
    return "slaac" in _modes(subnet) or "dhcpv6-stateless" in _modes(subnet)


def serving(subnets: Sequence[Subnet], device_owner: str) -> list[Subnet]:
    """Return the subnets that are for ports of that owner: named, or for all."""
    return [s for s in subnets if not s.service_types or device_owner in s.service_types]


def _modes(subnet: Subnet) -> tuple[str | None, str | None]:
    return subnet.ipv6_address_mode, subnet.ipv6_ra_mode


def eui64(cidr: str, mac: str) -> str:
    """Return the address that a guest with `mac` gives itself in `cidr`."""
    parts = [int(part, 16) for part in mac.split(":")]
    parts[0] ^= 2
    tail = bytes([*parts[:3], 0xFF, 0xFE, *parts[3:]])
    return str(ipaddress.ip_network(cidr)[int.from_bytes(tail)])


def contains(cidr: str, address: str, *, router: bool = False) -> bool:
    """Say whether a port may have `address` in `cidr`: not its first, not a v4 broadcast."""
    network, ip = ipaddress.ip_network(cidr), ipaddress.ip_address(address)
    if ip not in network:
        return False
    if network.num_addresses <= 2:
        return True
    if ip == network.network_address:
        # A router may have the subnet-router anycast address.
        return network.version == 6 and router
    return not (network.version == 4 and ip == network.broadcast_address)


def default_pools(cidr: str, gateway_ip: str | None) -> list[Pool]:
    """Return all addresses a subnet may hand out: every host but the gateway."""
    network = ipaddress.ip_network(cidr)
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.num_addresses > 2:
        first += 1
        last -= 1 if network.version == 4 else 0
    kind = type(network.network_address)
    gateway = int(ipaddress.ip_address(gateway_ip)) if gateway_ip else None
    if gateway is None or not first <= gateway <= last:
        spans = [(first, last)]
    else:
        spans = [(first, gateway - 1), (gateway + 1, last)]
    return [Pool(str(kind(a)), str(kind(b))) for a, b in spans if a <= b]


def assign(
    tx: Tx, holder: Holder, subnets: Sequence[Subnet], wanted: Sequence[FixedIpSpec] | None
) -> list[FixedIp]:
    """Give a new port its addresses: those wanted, or one of each IP version.

    Addresses that guests make themselves come on top, whatever was wanted.
    """
    if wanted is None:
        handed_out = [s for s in subnets if not is_automatic(s)]
        versions = ([s for s in handed_out if s.ip_version == v] for v in (4, 6))
        choices: list[Choice] = [candidates for candidates in versions if candidates]
    else:
        choices = [c for spec in wanted for c in _choice(holder, spec, subnets)]
    choices += [fixed for fixed in automatic(holder, subnets) if fixed not in choices]
    return [_take(tx, holder, chosen, position) for position, chosen in enumerate(choices)]


def reassign(
    tx: Tx,
    holder: Holder,
    subnets: Sequence[Subnet],
    current: Sequence[FixedIp],
    wanted: Sequence[FixedIpSpec],
) -> list[FixedIp]:
    """Give a port other addresses; what it has of those wanted stays its own."""
    left = list(current)
    kept: list[Choice] = []
    for spec in wanted:
        for chosen in _choice(holder, spec, subnets):
            mine = next((fixed for fixed in left if _matches(chosen, fixed)), None)
            if mine is not None:
                left.remove(mine)
            kept.append(mine or chosen)
    kept += [fixed for fixed in automatic(holder, subnets) if fixed not in kept]
    for fixed in current:
        if fixed not in kept:
            store.allocation_delete(tx, holder.port_id, fixed)
    given: list[FixedIp] = []
    for position, chosen in enumerate(kept):
        if chosen in current and isinstance(chosen, FixedIp):
            store.allocation_position(tx, holder.port_id, chosen, position)
            given.append(chosen)
        else:
            given.append(_take(tx, holder, chosen, position))
    return given


def automatic(holder: Holder, subnets: Sequence[Subnet]) -> list[FixedIp]:
    """Return the addresses that a guest's port has without being given them."""
    if holder.is_router:
        return []
    return [FixedIp(s.id, eui64(s.cidr, holder.mac)) for s in subnets if is_automatic(s)]


# One certain address, or any in one of several subnets.
Choice: TypeAlias = "FixedIp | list[Subnet]"


def _matches(chosen: Choice, fixed: FixedIp) -> bool:
    if isinstance(chosen, FixedIp):
        return chosen == fixed
    return fixed.subnet_id in {subnet.id for subnet in chosen}


def _choice(holder: Holder, spec: FixedIpSpec, subnets: Sequence[Subnet]) -> Iterator[Choice]:
    """Yield what `spec` asks for, if it asks for anything that does not come by itself."""
    subnet = _subnet_for(holder, spec, subnets)
    by_itself = is_automatic(subnet) and not holder.is_router
    if spec.ip_address is None:
        if not by_itself:
            yield [subnet]
        return
    address = str(ipaddress.ip_address(spec.ip_address))
    if by_itself and address != eui64(subnet.cidr, holder.mac):
        raise refusals.invalid_input(
            f"IPv6 address {address} cannot be directly assigned to a port on subnet "
            f"{subnet.id} as the subnet is configured for automatic addresses",
            "AllocationOnAutoAddressSubnet",
        )
    yield FixedIp(subnet.id, address)


def _subnet_for(holder: Holder, spec: FixedIpSpec, subnets: Sequence[Subnet]) -> Subnet:
    if not subnets:
        raise refusals.invalid_input("fixed_ips: IP allocation requires subnets for network")
    if spec.subnet_id is not None:
        return _named_subnet(holder, spec, subnets)
    if spec.ip_address is None:
        raise refusals.invalid_input("fixed_ips: IP allocation requires subnet_id or ip_address")
    for subnet in subnets:
        if contains(subnet.cidr, spec.ip_address, router=holder.is_router):
            return subnet
    raise Invalid(
        f"IP address {spec.ip_address} is not a valid IP for any of the subnets on the "
        "specified network.",
        type="InvalidIpForNetwork",
    )


def _named_subnet(holder: Holder, spec: FixedIpSpec, subnets: Sequence[Subnet]) -> Subnet:
    subnet = next((s for s in subnets if s.id == spec.subnet_id), None)
    if subnet is None:
        raise refusals.invalid_input(
            f"Failed to create port on network {holder.network_id}, because fixed_ips "
            f"included invalid subnet {spec.subnet_id}"
        )
    address = spec.ip_address
    if address and not contains(subnet.cidr, address, router=holder.is_router):
        raise Invalid(
            f"IP address {address} is not a valid IP for the specified subnet.",
            type="InvalidIpForSubnet",
        )
    return subnet


def _take(tx: Tx, holder: Holder, chosen: Choice, position: int) -> FixedIp:
    if isinstance(chosen, FixedIp):
        if not store.allocation_insert(tx, holder.port_id, chosen, position):
            raise refusals.address_in_use(holder.network_id, chosen.ip_address)
        return chosen
    for subnet in chosen:
        fixed = take_any(tx, holder, subnet, position)
        if fixed is not None:
            return fixed
    raise refusals.addresses_exhausted(holder.network_id)


def take_any(tx: Tx, holder: Holder, subnet: Subnet, position: int) -> FixedIp | None:
    """Give the port an address in the subnet, if one is left."""
    for address in free(tx, subnet):
        fixed = FixedIp(subnet.id, address)
        if store.allocation_insert(tx, holder.port_id, fixed, position):
            return fixed
    return None


def free(tx: Tx, subnet: Subnet) -> Iterator[str]:
    """Yield addresses that were free a moment ago, until none is left in any pool."""
    for pool in subnet.allocation_pools:
        low, high = store.key_of(pool.start), store.key_of(pool.end)
        yield from map(store.address_of, _above_highest(tx, subnet.id, low, high))
        yield from map(store.address_of, _in_gaps(tx, subnet.id, low, high))


def _above_highest(tx: Tx, subnet_id: str, low: str, high: str) -> Iterator[str]:
    """Yield keys above all that are taken; further apart the more others do the same."""
    step = 1
    for _ in range(_TRIES):
        highest = store.allocation_highest(tx, subnet_id, low, high)
        number = int(highest, 16) + random.randint(1, step) if highest else int(low, 16)
        if number > int(high, 16):
            return
        yield f"{number:0{len(low)}x}"
        step *= 3


def _in_gaps(tx: Tx, subnet_id: str, low: str, high: str) -> Iterator[str]:
    """Yield keys between those that are taken, from a random place on and round to it."""
    first, last, width = int(low, 16), int(high, 16), len(low)
    middle = random.randint(first, last)
    for start, end in ((middle, last), (first, middle)):
        for number in _gaps_between(tx, subnet_id, (start, end), width):
            yield f"{number:0{width}x}"


def _gaps_between(tx: Tx, subnet_id: str, span: tuple[int, int], width: int) -> Iterator[int]:
    at, end = span
    while at <= end:
        low, high = (f"{number:0{width}x}" for number in (at, end))
        taken = store.allocation_keys(tx, subnet_id, low, high, _WINDOW)
        for key in taken:
            yield from range(at, int(key, 16))
            at = int(key, 16) + 1
        if len(taken) < _WINDOW:
            yield from range(at, end + 1)
            return
