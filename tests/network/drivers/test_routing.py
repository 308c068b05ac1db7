"""Routers carry packets between networks and out, and floating IPs lead in."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest

from cumulo.node import links
from cumulo.services.network.drivers.base import (
    BandwidthPlan,
    Flow,
    NetworkPlan,
    PortForwardingPlan,
    PortPlan,
    Route,
    RouterPlan,
)
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.fabric import HOST, Site
from tests.guests import Guest, echo_request, mac_bytes
from tests.network.drivers.backends import Boot
from tests.network.drivers.conftest import empty
from tests.network.drivers.plans import (
    EGRESS,
    floating_ip,
    gateway,
    group,
    leg,
    mac,
    network,
    port,
    router,
    rule,
    subnet,
    uid,
)
from tests.waiting import eventually

pytestmark = pytest.mark.real

RED = network("red", subnet("red4", "10.0.0.0/24"))
BLUE = network("blue", subnet("blue4", "10.1.0.0/24"))
OUT = network(
    "out",
    subnet("out4", "203.0.113.0/24", enable_dhcp=False),
    network_type="flat",
    physical_network="physnet1",
    external=True,
    mtu=1500,
)
PROVIDER = network(
    "provider",
    subnet("provider4", "192.168.56.0/24"),
    network_type="flat",
    physical_network="provider",
    external=True,
    mtu=1500,
)
OPEN = group("open", *EGRESS, rule("ingress"), rule("ingress", ethertype="IPv6"))
OUTSIDE = "203.0.113.1"
R1 = uid("r1")
SOL_PACKET, PACKET_AUXDATA = 263, 8


def inner(name: str, plan: NetworkPlan, address: str) -> PortPlan:
    return port(name, plan, address, device_owner="network:router_interface", router_id=R1)


RED_LEG, BLUE_LEG = inner("leg1", RED, "10.0.0.1"), inner("leg2", BLUE, "10.1.0.1")
GATEWAY = port("gw", OUT, "203.0.113.5", device_owner="network:router_gateway", router_id=R1)


def r1(**fields: object) -> RouterPlan:
    given: dict[str, object] = {
        "gateway": gateway(GATEWAY, "203.0.113.5/24", OUTSIDE),
    }
    legs = [leg(RED_LEG, "10.0.0.1/24", mtu=1442), leg(BLUE_LEG, "10.1.0.1/24", mtu=1442)]
    return router("r1", *legs, **given | fields)


def guest_port(name: str, plan: NetworkPlan, address: str) -> PortPlan:
    return port(name, plan, address, host=HOST, security_group_ids=[OPEN.id])


VM1 = guest_port("vm1", RED, "10.0.0.11")
VM2 = guest_port("vm2", RED, "10.0.0.12")
VM3 = guest_port("vm3", BLUE, "10.1.0.13")


@pytest.fixture(params=[False, True], ids=["centralized", "distributed"])
def driver(site: Site, request: pytest.FixtureRequest) -> Iterator[OvnDriver]:
    """Return a driver of each way to do floating IPs, with two networks behind a router."""
    driver = OvnDriver(site.north, site.south, distributed_floating_ips=request.param)
    for net in (RED, BLUE, OUT):
        driver.sync_network(net)
    driver.sync_security_group(OPEN)
    for each in (RED_LEG, BLUE_LEG, GATEWAY):
        driver.sync_port(each)
    driver.sync_router(r1())
    yield driver
    empty(driver)
    driver.close()


def up(boot: Boot, plan: PortPlan) -> Guest:
    guest = boot(plan)
    guest.boot()
    return guest


def test_a_router_joins_networks(driver: OvnDriver, boot: Boot) -> None:
    one, three = up(boot, VM1), up(boot, VM3)
    assert one.pings("10.1.0.13")
    with one.serving(80):
        assert three.reaches("10.0.0.11", 80)


def test_guests_reach_the_outside_by_the_routers_address(driver: OvnDriver, boot: Boot) -> None:
    one = up(boot, VM1)
    assert one.pings(OUTSIDE)
    with socket.create_server((OUTSIDE, 8080)) as listener:
        connection = one.connect(OUTSIDE, 8080)
        accepted, peer = listener.accept()
        assert peer[0] == "203.0.113.5"
        accepted.close()
        connection.close()


def test_without_snat_the_outside_sees_nobody(driver: OvnDriver, boot: Boot) -> None:
    one = up(boot, VM1)
    assert one.pings(OUTSIDE)
    driver.sync_router(r1(gateway=gateway(GATEWAY, "203.0.113.5/24", OUTSIDE, snat=False)))
    driver.wait_in_force(10)
    eventually(lambda: not one.pings(OUTSIDE, tries=1))


def test_a_floating_ip_leads_in_and_out(driver: OvnDriver, boot: Boot) -> None:
    one = up(boot, VM1)
    driver.sync_router(r1(floating_ips=[floating_ip("203.0.113.10", VM1)]))
    driver.wait_in_force(10)
    assert host_pings("203.0.113.10")
    with one.serving(22):
        assert _carries(socket.create_connection(("203.0.113.10", 22), timeout=3))
    with socket.create_server((OUTSIDE, 8080)) as listener:
        one.connect(OUTSIDE, 8080).close()
        accepted, peer = listener.accept()
        accepted.close()
    assert peer[0] == "203.0.113.10"
    driver.sync_router(r1())
    driver.wait_in_force(10)
    eventually(lambda: not host_pings("203.0.113.10", tries=1))
    assert one.pings(OUTSIDE)


def test_a_second_way_out_has_floating_ips_of_its_own(driver: OvnDriver, boot: Boot) -> None:
    second = port(
        "gw2", PROVIDER, "192.168.56.5", device_owner="network:router_gateway", router_id=R1
    )
    driver.sync_network(PROVIDER)
    driver.sync_port(second)
    addresses = [
        msgspec.structs.replace(floating_ip(address, guest), gateway_port_id=way.id)
        for address, guest, way in (
            ("203.0.113.10", VM1, GATEWAY),
            ("192.168.56.60", VM2, second),
        )
    ]
    more = gateway(second, "192.168.56.5/24", "192.168.56.1")
    driver.sync_router(r1(more_gateways=[more], floating_ips=addresses))
    up(boot, VM1)
    up(boot, VM2)
    for address in ("203.0.113.10", "192.168.56.60", "192.168.56.5"):
        eventually(partial(host_pings, address))
    driver.sync_router(r1())
    driver.wait_in_force(10)
    eventually(lambda: not host_pings("192.168.56.60", tries=1))


def test_a_floating_ip_is_as_fast_as_planned(driver: OvnDriver, boot: Boot) -> None:
    one, slow = up(boot, VM1), ("203.0.113.10", 9)
    limits = [
        BandwidthPlan(direction=direction, max_kbps=1000, max_burst_kbps=100)
        for direction in ("ingress", "egress")
    ]
    counts = []
    for bandwidth in ([], limits):
        address = msgspec.structs.replace(floating_ip(slow[0], VM1), bandwidth=bandwidth)
        driver.sync_router(r1(floating_ips=[address]))
        driver.wait_in_force(10)
        eventually(partial(host_pings, slow[0]))
        with one.inside(_listener) as inside, _listener() as outside:
            one.inside(lambda: _blast((OUTSIDE, 9)))
            _blast(slow)
            counts.append((_count(outside), _count(inside)))
    free, limited = counts
    assert all(few > 0 and few * 2 < many for few, many in zip(limited, free, strict=True)), counts


def _listener() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    sock.bind(("", 9))
    sock.settimeout(1.0)
    return sock


def _blast(target: tuple[str, int]) -> None:
    """Send 8 Mbit as fast as they go, of which a busy switch may lose some."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(1000):
            sock.sendto(b"x" * 1000, target)


def _count(listener: socket.socket) -> int:
    """Return how many datagrams arrive."""
    count = 0
    with contextlib.suppress(TimeoutError):
        while listener.recv(2048):
            count += 1
    return count


def test_ovn_tells_the_way_of_a_packet(driver: OvnDriver) -> None:
    closed = group("closed", *EGRESS)
    driver.sync_security_group(closed)
    driver.sync_port(VM1)
    driver.sync_port(VM3)
    driver.wait_in_force(10)
    flow = Flow(
        network_id=RED.id,
        port_id=VM1.id,
        source_mac=VM1.mac,
        destination_mac=RED_LEG.mac,
        source_ip="10.0.0.11",
        destination_ip="10.1.0.13",
        protocol="tcp",
        source_port=49152,
        destination_port=80,
    )
    arrives = f'output to "{VM3.name}"'
    assert arrives in driver.trace(flow)
    driver.sync_port(msgspec.structs.replace(VM3, security_group_ids=[closed.id]))
    driver.wait_in_force(10)
    assert arrives not in driver.trace(flow)


def test_guests_reach_each_other_by_floating_ips(driver: OvnDriver, boot: Boot) -> None:
    one, two, three = up(boot, VM1), up(boot, VM2), up(boot, VM3)
    addresses = [floating_ip("203.0.113.10", VM1), floating_ip("203.0.113.12", VM2)]
    driver.sync_router(r1(floating_ips=addresses))
    driver.wait_in_force(10)
    assert one.pings("203.0.113.12")  # both have one, same network
    assert three.pings("203.0.113.12")  # only the target has one, another network
    with two.serving(80), one.serving(80):
        assert _carries(one.connect("203.0.113.12", 80))
        assert _carries(three.connect("203.0.113.12", 80))
        assert _carries(two.connect("203.0.113.10", 80))


def test_a_guest_without_floating_ip_reaches_one_in_its_own_network(
    driver: OvnDriver, boot: Boot
) -> None:
    one, two = up(boot, VM1), up(boot, VM2)
    driver.sync_router(r1(floating_ips=[floating_ip("203.0.113.12", VM2)]))
    driver.wait_in_force(10)
    with two.serving(80):
        assert _carries(one.connect("203.0.113.12", 80))
        assert _carries(two.connect("203.0.113.12", 80))  # and a guest reaches its own


def test_a_router_that_is_down_carries_nothing(driver: OvnDriver, boot: Boot) -> None:
    one = up(boot, VM1)
    up(boot, VM3)
    assert one.pings("10.1.0.13")
    driver.sync_router(r1(admin_state_up=False))
    driver.wait_in_force(10)
    eventually(lambda: not one.pings("10.1.0.13", tries=1))


def test_an_extra_route_is_followed(driver: OvnDriver, boot: Boot) -> None:
    one, three = up(boot, VM1), up(boot, VM3)
    target = port("vm3", BLUE, "10.1.0.13", host=HOST, port_security=False)
    driver.sync_port(target)
    three.run("ip", "address", "add", "10.77.0.1/32", "dev", "eth0")
    assert not one.pings("10.77.0.1", tries=1)
    driver.sync_router(r1(routes=[Route(destination="10.77.0.0/16", nexthop="10.1.0.13")]))
    driver.wait_in_force(10)
    assert one.pings("10.77.0.1")


def test_the_host_reaches_a_flat_provider_network(driver: OvnDriver, boot: Boot) -> None:
    driver.sync_network(PROVIDER)
    one = up(boot, guest_port("vmp", PROVIDER, "192.168.56.101"))
    assert host_pings("192.168.56.101")
    assert one.pings("192.168.56.1")
    with one.serving(22):
        assert _carries(socket.create_connection(("192.168.56.101", 22), timeout=3))


def test_a_vlan_network_is_tagged_outside(driver: OvnDriver, boot: Boot) -> None:
    vlan = network(
        "vlan",
        subnet("vlan4", "10.5.0.0/24"),
        network_type="vlan",
        physical_network="provider",
        segmentation_id=1234,
    )
    driver.sync_network(vlan)
    one = up(boot, guest_port("vmv", vlan, "10.5.0.11"))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
        raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        raw.bind(("br-provider", 0x0003))
        raw.settimeout(2)
        one.send_frame(0x0800, echo_request("10.5.0.11", "10.5.0.255"), b"\xff" * 6)
        assert _tag_of_frame_from(raw, one.mac) == 1234


def test_ipv6_by_router_advertisement(driver: OvnDriver, boot: Boot) -> None:
    six = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    green = network("green", subnet("green6", "fd00:9::/64", gateway_ip="fd00:9::1", **six))
    green_leg = port(
        "leg6", green, "fd00:9::1", device_owner="network:router_interface", router_id=R1
    )
    driver.sync_network(green)
    driver.sync_port(green_leg)
    driver.sync_router(router("r1", leg(green_leg, "fd00:9::1/64", ipv6_ra_mode="slaac", mtu=1442)))
    plans = [
        port(name, green, _slaac("fd00:9::", name), host=HOST, security_group_ids=[OPEN.id])
        for name in ("six1", "six2")
    ]
    one, two = boot(plans[0]), boot(plans[1])
    for guest, plan in ((one, plans[0]), (two, plans[1])):
        _await_address(guest, plan.fixed_ips[0][1])
    assert one.pings(plans[1].fixed_ips[0][1])
    assert two.pings("fd00:9::1")


def test_single_ports_are_forwarded_from_outside(driver: OvnDriver, boot: Boot) -> None:
    one, two = up(boot, VM1), up(boot, VM2)
    address = "203.0.113.12"
    forwarded = [
        PortForwardingPlan(
            id=f"f{outer}",
            floatingip_id="f",
            protocol="tcp",
            address=address,
            port=outer,
            fixed_ip=inner_address,
            fixed_port=22,
        )
        for outer, inner_address in ((2222, "10.0.0.11"), (2223, "10.0.0.12"))
    ]
    driver.sync_router(r1(port_forwardings=forwarded))
    driver.wait_in_force(10)
    with one.serving(22):
        assert _carries(socket.create_connection((address, 2222), timeout=3))
    with two.serving(22):
        assert _carries(socket.create_connection((address, 2223), timeout=3))
    driver.sync_router(r1())
    driver.wait_in_force(10)
    with one.serving(22), pytest.raises(OSError, match=r"."):
        socket.create_connection((address, 2222), timeout=1)


def test_dhcpv6_gives_the_planned_address(driver: OvnDriver, boot: Boot) -> None:
    six = {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}
    green = network("green", subnet("green6", "fd00:9::/64", gateway_ip="fd00:9::1", **six))
    driver.sync_network(green)
    one = boot(port("six1", green, "fd00:9::77", host=HOST, security_group_ids=[OPEN.id]))
    assert socket.inet_pton(socket.AF_INET6, "fd00:9::77") in one.solicit_v6()


def test_a_port_has_dhcpv6_options_of_its_own(driver: OvnDriver, boot: Boot) -> None:
    six = {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}
    green = network("green", subnet("green6", "fd00:9::/64", gateway_ip="fd00:9::1", **six))
    driver.sync_network(green)
    options = {"dns-server": "fd00:9::53", "domain-search": "lab.test"}
    plan = port("six1", green, "fd00:9::77", host=HOST, security_group_ids=[OPEN.id])
    one = boot(msgspec.structs.replace(plan, dhcpv6_options=options))
    answer = one.solicit_v6()
    assert socket.inet_pton(socket.AF_INET6, "fd00:9::53") in answer
    assert b"lab.test" in answer  # which OVN 23.03 spells as one label


def host_pings(address: str, *, tries: int = 3) -> bool:
    command = ["ping", "-n", "-q", "-c1", f"-w{tries}", address]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _carries(connection: socket.socket) -> bool:
    """Say whether data comes back whole, more than fits into a few packets."""
    with connection:
        sent = bytes(range(256)) * 64
        connection.sendall(sent)
        received = b""
        while len(received) < len(sent):
            received += connection.recv(65536)
        return received == sent


def _tag_of_frame_from(raw: socket.socket, sender: str) -> int:
    """Return the VLAN that a frame came with; the kernel hands the tag over beside the frame."""
    while True:
        frame, extra, _, _ = raw.recvmsg(2048, 256)
        if frame[6:12] == mac_bytes(sender):
            return int.from_bytes(extra[0][2][16:18], "little")


def _slaac(prefix: str, name: str) -> str:
    """Return the address that a guest makes of a prefix and its MAC address."""
    raw = bytearray(mac_bytes(mac(name)))
    raw[0] ^= 2
    identifier = bytes(raw[:3]) + b"\xff\xfe" + bytes(raw[3:])
    packed = socket.inet_pton(socket.AF_INET6, prefix)[:8] + identifier
    return socket.inet_ntop(socket.AF_INET6, packed)


def _await_address(guest: Guest, address: str) -> None:
    def has_it() -> bool:
        return f"{address}/64" in links.addresses("eth0", guest.namespace)

    eventually(has_it)


def test_ways_out_are_taken_alike_and_only_while_they_answer(
    site: Site, driver: OvnDriver, boot: Boot
) -> None:
    second = port(
        "gw2", PROVIDER, "192.168.56.5", device_owner="network:router_gateway", router_id=R1
    )
    links.ensure_addresses("lo", ["127.0.0.1/8", "198.18.0.1/32"])  # beyond both ways out
    driver.sync_network(PROVIDER)
    driver.sync_port(second)
    more = gateway(second, "192.168.56.5/24", "192.168.56.1")
    driver.sync_router(r1(more_gateways=[more], spreads=True))
    one = up(boot, VM1)
    eventually(lambda: one.pings("198.18.0.1"))
    [router] = site.nbctl("--bare", "--columns=name", "list", "Logical_Router").split()
    assert site.nbctl("lr-route-list", router).count("ecmp") == 2
    # Nobody outside speaks BFD, so no way out is taken.
    driver.sync_router(r1(more_gateways=[more], spreads=True, probes=True))
    driver.wait_in_force(10)
    eventually(lambda: not one.pings("198.18.0.1"))
    driver.sync_router(r1())
    driver.wait_in_force(10)
    eventually(lambda: one.pings("198.18.0.1"))
    assert site.nbctl("list", "BFD") == ""
