"""Which addresses are free, and which a guest gives itself: cases and many hands at once."""

import ipaddress
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulo.db import Database, Tx
from cumulo.kit.errors import Conflict
from cumulo.services.network import addresses, networks, ports, subnets
from cumulo.services.network.networks import NetworkSpec
from cumulo.services.network.ports import PortSpec
from cumulo.services.network.store import allocations
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.values import Pool
from cumulo.services.network.subnets import SubnetSpec
from cumulo.services.network.tools import Tools
from tests.network.conftest import admin, member


@given(st.ip_addresses())
def test_a_key_sorts_as_its_address_and_can_be_read_back(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    key = allocations.key_of(str(ip))
    assert allocations.address_of(key) == str(ip)
    assert len(key) == ip.max_prefixlen // 4


@pytest.mark.parametrize(
    ("cidr", "gateway", "pools"),
    [
        ("10.0.0.0/24", "10.0.0.1", [("10.0.0.2", "10.0.0.254")]),
        ("10.0.0.0/24", None, [("10.0.0.1", "10.0.0.254")]),
        ("10.0.0.0/24", "10.0.0.100", [("10.0.0.1", "10.0.0.99"), ("10.0.0.101", "10.0.0.254")]),
        ("10.0.0.0/24", "10.9.0.1", [("10.0.0.1", "10.0.0.254")]),
        ("10.0.0.0/30", "10.0.0.1", [("10.0.0.2", "10.0.0.2")]),
        ("10.0.0.0/31", None, [("10.0.0.0", "10.0.0.1")]),
        ("10.0.0.7/32", "10.0.0.7", []),
        ("fd00::/126", "fd00::1", [("fd00::2", "fd00::3")]),
    ],
)
def test_a_subnet_gives_out_all_but_its_gateway(
    cidr: str, gateway: str | None, pools: list[tuple[str, str]]
) -> None:
    assert addresses.default_pools(cidr, gateway) == [Pool(*pool) for pool in pools]


@pytest.mark.parametrize(
    ("cidr", "address", "router", "fits"),
    [
        ("10.0.0.0/24", "10.0.0.1", False, True),
        ("10.0.0.0/24", "10.0.0.0", False, False),
        ("10.0.0.0/24", "10.0.0.255", False, False),
        ("10.0.0.0/24", "10.0.1.1", False, False),
        ("10.0.0.0/31", "10.0.0.0", False, True),
        ("fd00::/64", "fd00::", False, False),
        ("fd00::/64", "fd00::", True, True),
        ("fd00::/64", "10.0.0.1", False, False),
    ],
)
def test_which_addresses_a_port_may_have(cidr: str, address: str, router: bool, fits: bool) -> None:
    assert addresses.contains(cidr, address, router=router) is fits


def test_a_guest_makes_its_own_address_from_its_mac() -> None:
    assert addresses.eui64("fd00:1::/64", "fa:16:3e:01:02:03") == "fd00:1::f816:3eff:fe01:203"


def small_network(tools: Tools, cidr: str, pools: list[Pool]) -> Network:
    def make(tx: Tx) -> Network:
        network = networks.create_network(tx, admin(), tools.settings, NetworkSpec())
        spec = SubnetSpec(
            network_id=network.id,
            cidr=cidr,
            ip_version=4,
            allocation_pools=pools,
            enable_dhcp=False,
        )
        subnets.create_subnet(tx, admin(), tools.settings, network, spec)
        return network

    return tools.db.write(make)


def take(tools: Tools, network: Network, address: str | None = None) -> str:
    def make(tx: Tx) -> str:
        fixed = [addresses.FixedIpSpec(ip_address=address)] if address else None
        spec = PortSpec(network_id=network.id)
        if fixed:
            spec.fixed_ips = fixed
        port = ports.create_port(tx, member(), tools.settings, network, spec).port
        return allocations.allocation_map(tx, [port.id])[port.id][0].ip_address

    return tools.db.write(make)


def test_every_address_is_given_once_and_then_none(tools: Tools) -> None:
    pools = [Pool("10.0.0.10", "10.0.0.12"), Pool("10.0.0.20", "10.0.0.22")]
    network = small_network(tools, "10.0.0.0/24", pools)
    assert take(tools, network, "10.0.0.12") == "10.0.0.12"  # the top; gaps are found below it
    found = {take(tools, network) for _ in range(5)}
    assert found == {"10.0.0.10", "10.0.0.11", "10.0.0.20", "10.0.0.21", "10.0.0.22"}
    with pytest.raises(Conflict, match="No more IP addresses available"):
        take(tools, network)
    assert take(tools, network, "10.0.0.99") == "10.0.0.99"


def test_the_end_of_all_addresses_is_an_end(tools: Tools) -> None:
    network = small_network(tools, "255.255.255.0/24", [Pool("255.255.255.250", "255.255.255.254")])
    assert len({take(tools, network) for _ in range(5)}) == 5
    with pytest.raises(Conflict):
        take(tools, network)


def test_many_hands_never_get_the_same_address(tools: Tools, db: Database) -> None:
    network = small_network(tools, "10.0.0.0/24", [Pool("10.0.0.10", "10.0.0.50")])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: take(tools, network), range(41)))
    assert len(set(found)) == 41
