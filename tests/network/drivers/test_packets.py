"""Packets of guests go where the plans say, and nowhere else."""

import contextlib
import socket
import struct
import threading

import pytest

from cumulo.services.network.drivers.base import AddressPair, BandwidthPlan, PortPlan, Route
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.fabric import HOST
from tests.guests import (
    echo_request,
    mac_bytes,
    udp,
)
from tests.network.drivers.backends import Boot
from tests.network.drivers.plans import (
    EGRESS,
    group,
    network,
    port,
    rule,
    subnet,
    uid,
)
from tests.waiting import eventually

pytestmark = pytest.mark.real

RED = network(
    "red",
    subnet(
        "red4",
        "10.0.0.0/24",
        dns_nameservers=["9.9.9.9", "149.112.112.112"],
        host_routes=[Route(destination="10.9.0.0/16", nexthop="10.0.0.254")],
        metadata_ip="10.0.0.2",
    ),
    dns_domain="red.example.",
)
BLUE = network("blue", subnet("blue4", "10.0.0.0/24"))
OPEN = group("open", *EGRESS, rule("ingress"), rule("ingress", ethertype="IPv6"))
CLOSED = group("closed", *EGRESS)
MUTE = group("mute")
SSH = rule("ingress", "tcp", port_range_min=22, port_range_max=22)
PING = rule("ingress", "icmp")


@pytest.fixture
def red(driver: OvnDriver) -> OvnDriver:
    """Return a driver with the red network and some groups."""
    driver.sync_network(RED)
    for each in (OPEN, CLOSED, MUTE):
        driver.sync_security_group(each)
    return driver


def red_port(name: str, address: str, *groups: str, **fields: object) -> PortPlan:
    return port(name, RED, address, host=HOST, security_group_ids=list(groups), **fields)


def test_a_guest_gets_its_address_by_dhcp(red: OvnDriver, boot: Boot) -> None:
    guest = boot(red_port("vm1", "10.0.0.11", MUTE.id, hostname="web-1"))
    lease = guest.dhcp()
    assert lease is not None
    assert (lease.address, lease.prefix, lease.router) == ("10.0.0.11", 24, "10.0.0.1")
    assert lease.mtu == 1442
    assert lease.dns == ["9.9.9.9", "149.112.112.112"]
    assert lease.text(12) == "web-1"
    assert lease.text(15) == "red.example"
    assert lease.routes == [
        ("169.254.169.254/32", "10.0.0.2"),
        ("10.9.0.0/16", "10.0.0.254"),
        ("0.0.0.0/0", "10.0.0.1"),
    ]


def test_a_ports_own_dhcp_options_win(red: OvnDriver, boot: Boot) -> None:
    wishes = {"mtu": "1300", "bootfile-name": 'x"; drop', "ntp-server": "not an address"}
    lease = boot(red_port("vm1", "10.0.0.11", MUTE.id, dhcp_options=wishes)).dhcp()
    assert lease is not None
    assert lease.mtu == 1300
    assert lease.address == "10.0.0.11"


def test_dhcp_can_be_switched_off_and_on(red: OvnDriver, boot: Boot) -> None:
    guest = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    red.sync_network(network("red", subnet("red4", "10.0.0.0/24", enable_dhcp=False)))
    red.wait_in_force(10)
    assert guest.dhcp(timeout_s=0.5) is None
    red.sync_network(RED)
    red.wait_in_force(10)
    assert guest.dhcp() is not None


def test_guests_of_a_network_talk(red: OvnDriver, boot: Boot) -> None:
    one = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    two = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    one.boot()
    two.boot()
    assert one.pings("10.0.0.12")
    assert two.pings("10.0.0.11")
    with two.serving(8080), one.connect("10.0.0.12", 8080) as connection:
        sent = bytes(range(256)) * 4096
        assert _echoed(connection, sent) == sent


def test_networks_are_apart(red: OvnDriver, boot: Boot) -> None:
    red.sync_network(BLUE)
    one = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    other = boot(port("b1", BLUE, "10.0.0.12", host=HOST, security_group_ids=[OPEN.id]))
    one.boot()
    other.boot()
    assert not one.pings("10.0.0.12", tries=1)


def test_only_what_a_rule_admits_comes_in(red: OvnDriver, boot: Boot) -> None:
    web = group("web", *EGRESS, SSH)
    red.sync_security_group(web)
    one = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    two = boot(red_port("vm2", "10.0.0.12", web.id))
    one.boot()
    two.boot()
    with two.serving(22), two.serving(23):
        assert one.reaches("10.0.0.12", 22)
        assert not one.reaches("10.0.0.12", 23)
    assert not one.pings("10.0.0.12", tries=1)
    assert two.pings("10.0.0.11")  # what two asks for is answered


def test_without_rules_nothing_goes_out(red: OvnDriver, boot: Boot) -> None:
    one = boot(red_port("vm1", "10.0.0.11", MUTE.id))
    two = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    one.boot()
    two.boot()
    assert not one.pings("10.0.0.12", tries=1)


def test_a_remote_group_admits_its_members(red: OvnDriver, boot: Boot) -> None:
    friends = group("friends", *EGRESS)
    only_friends = group(
        "only-friends", *EGRESS, rule("ingress", "icmp", remote_group_id=friends.id)
    )
    red.sync_security_group(only_friends)  # before the group that it names
    red.sync_security_group(friends)
    target = boot(red_port("vm1", "10.0.0.11", only_friends.id))
    friend = boot(red_port("vm2", "10.0.0.12", friends.id))
    stranger = boot(red_port("vm3", "10.0.0.13", CLOSED.id))
    for guest in (target, friend, stranger):
        guest.boot()
    assert friend.pings("10.0.0.11")
    assert not stranger.pings("10.0.0.11", tries=1)
    red.sync_port(red_port("vm3", "10.0.0.13", CLOSED.id, friends.id))
    red.wait_in_force(10)
    assert stranger.pings("10.0.0.11")


def test_ports_prefixes_and_protocols_by_number(red: OvnDriver, boot: Boot) -> None:
    picky = group(
        "picky",
        *EGRESS,
        rule("ingress", "6", port_range_min=8000, port_range_max=8001),
        rule("ingress", "1", port_range_min=8, remote_ip_prefix="10.0.0.12/32"),
        rule("ingress", "udplite", port_range_min=5, port_range_max=6),
        rule("ingress", "112"),
    )
    red.sync_security_group(picky)
    target = boot(red_port("vm1", "10.0.0.11", picky.id))
    one = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    two = boot(red_port("vm3", "10.0.0.13", OPEN.id))
    for guest in (target, one, two):
        guest.boot()
    with target.serving(8001), target.serving(8002):
        assert one.reaches("10.0.0.11", 8001)
        assert not one.reaches("10.0.0.11", 8002)
    assert one.pings("10.0.0.11")
    assert not two.pings("10.0.0.11", tries=1)


def test_a_rule_that_goes_cuts_open_connections(red: OvnDriver, boot: Boot) -> None:
    web = group("web", *EGRESS, SSH)
    red.sync_security_group(web)
    one = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    two = boot(red_port("vm2", "10.0.0.12", web.id))
    one.boot()
    two.boot()
    with two.serving(22), one.connect("10.0.0.12", 22) as connection:
        assert _echoed(connection, b"hello") == b"hello"
        red.sync_security_group(group("web", *EGRESS))
        red.wait_in_force(10)
        eventually(lambda: _is_cut(connection))


def test_a_stateless_group_admits_only_what_it_names(red: OvnDriver, boot: Boot) -> None:
    plain = group("plain", *EGRESS, PING, stateful=False)
    red.sync_security_group(plain)
    one = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    two = boot(red_port("vm2", "10.0.0.12", plain.id))
    one.boot()
    two.boot()
    assert one.pings("10.0.0.12")
    with one.serving(80):
        assert not two.reaches("10.0.0.11", 80)  # the answer is nobody's connection


def test_a_guest_cannot_send_as_another(red: OvnDriver, boot: Boot) -> None:
    one = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    two = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    one.boot()
    two.boot()
    assert one.pings("10.0.0.12")
    target = mac_bytes(two.mac)
    with two.watching(0x0800) as raw:
        one.send_frame(0x0800, echo_request("10.0.0.99", "10.0.0.12"), target)
        one.send_frame(0x0800, echo_request("10.0.0.11", "10.0.0.12"), target, "fa:16:3e:66:66:66")
        with pytest.raises(TimeoutError):
            raw.recv(2048)
        one.send_frame(0x0800, echo_request("10.0.0.11", "10.0.0.12"), target)
        assert raw.recv(2048)[26:30] == socket.inet_aton("10.0.0.11")


def test_a_guest_cannot_claim_anothers_address(red: OvnDriver, boot: Boot) -> None:
    one = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    two = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    one.boot()
    two.boot()
    with two.watching(0x0806) as raw:
        one.send_frame(0x0806, _arp(one.mac, "10.0.0.1", "10.0.0.12"))
        with pytest.raises(TimeoutError):
            raw.recv(2048)
        one.send_frame(0x0806, _arp(one.mac, "10.0.0.11", "10.0.0.12"))
        assert one.pings("10.0.0.12")


def test_a_guest_cannot_play_dhcp_server(red: OvnDriver, boot: Boot) -> None:
    rogue = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    victim = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    rogue.boot()
    victim.boot()
    packet = udp(("10.0.0.11", 67), ("255.255.255.255", 68), bytes(300))
    with victim.watching(0x0800) as raw:
        rogue.send_frame(0x0800, packet)
        with pytest.raises(TimeoutError):
            raw.recv(2048)


def test_without_addresses_a_port_sends_no_ip(red: OvnDriver, boot: Boot) -> None:
    silent = boot(port("vm1", RED, host=HOST, security_group_ids=[OPEN.id]))
    other = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    other.boot()
    with other.watching(0x0800) as raw:
        silent.send_frame(0x0800, echo_request("10.0.0.50", "10.0.0.12"), mac_bytes(other.mac))
        with pytest.raises(TimeoutError):
            raw.recv(2048)


def test_address_pairs_may_be_used(red: OvnDriver, boot: Boot) -> None:
    pair = AddressPair(mac=red_port("vm1", "10.0.0.11").mac, ip="10.0.0.100")
    one = boot(red_port("vm1", "10.0.0.11", OPEN.id, address_pairs=[pair]))
    two = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    one.boot()
    two.boot()
    one.run("ip", "address", "add", "10.0.0.100/24", "dev", "eth0")
    assert two.pings("10.0.0.100")


def test_without_port_security_all_goes(red: OvnDriver, boot: Boot) -> None:
    one = boot(red_port("vm1", "10.0.0.11", port_security=False))
    two = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    one.boot()
    two.boot()
    with two.watching(0x0800) as raw:
        one.send_frame(
            0x0800, echo_request("10.7.7.7", "10.0.0.12"), mac_bytes(two.mac), "fa:16:3e:66:66:66"
        )
        assert raw.recv(2048)[26:30] == socket.inet_aton("10.7.7.7")
    assert two.pings("10.0.0.11")


def test_a_port_that_is_switched_off_is_cut(red: OvnDriver, boot: Boot) -> None:
    one = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    two = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    one.boot()
    two.boot()
    assert one.pings("10.0.0.12")
    red.sync_port(red_port("vm2", "10.0.0.12", OPEN.id, admin_state_up=False))
    red.wait_in_force(10)
    eventually(lambda: not one.pings("10.0.0.12", tries=1))


def _arp(mac: str, sender: str, target: str) -> bytes:
    """Return an ARP answer that nobody asked for."""
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2)
    return head + mac_bytes(mac) + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target)


def _is_cut(connection: socket.socket) -> bool:
    try:
        return _echoed(connection, b"still there?") == b""
    except TimeoutError:
        return True


def _echoed(connection: socket.socket, sent: bytes) -> bytes:
    """Send and return what comes back, while both directions are full."""
    thread = threading.Thread(target=connection.sendall, args=(sent,))
    thread.start()
    received = b""
    try:
        while len(received) < len(sent):
            received += connection.recv(65536)
    finally:
        thread.join()
    return received


def test_a_guest_is_as_fast_and_marked_as_planned(red: OvnDriver, boot: Boot) -> None:
    limit = BandwidthPlan(direction="egress", max_kbps=1000, max_burst_kbps=100)
    plan = red_port("vm1", "10.0.0.11", OPEN.id, bandwidth=[limit], dscp_mark=26)
    sender, victim = boot(plan), boot(red_port("vm2", "10.0.0.12", OPEN.id))
    packet = udp(("10.0.0.11", 9), ("10.0.0.12", 9), b"x" * 1000)
    frame = mac_bytes(victim.mac) + mac_bytes(sender.mac) + b"\x08\x00" + packet

    def blast() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            for _ in range(300):
                raw.send(frame)

    with victim.watching(0x0800) as raw:
        sender.inside(blast)
        heard = []
        with contextlib.suppress(TimeoutError):
            while True:
                heard.append(raw.recv(2048))
    mine = [one for one in heard if one[6:12] == mac_bytes(sender.mac)]
    assert 5 <= len(mine) < 150  # all of them would be 2.5 Mbit
    assert {one[15] >> 2 for one in mine} == {26}


def test_a_trunk_carries_tagged_frames_into_other_networks(red: OvnDriver, boot: Boot) -> None:
    red.sync_network(BLUE)
    parent = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    inner = port(
        "sub1",
        BLUE,
        "10.0.0.21",
        host=HOST,
        security_group_ids=[OPEN.id],
        parent_id=uid("vm1"),
        tag=100,
    )
    red.sync_port(inner)
    victim = boot(port("vm2", BLUE, "10.0.0.22", host=HOST, security_group_ids=[OPEN.id]))
    eventually(lambda: red.port_status({inner.id})[inner.id].up)
    packet = udp(("10.0.0.21", 9), ("10.0.0.22", 9), b"tagged")
    for tag, arrives in ((100, True), (101, False)):
        with victim.watching(0x0800) as raw:
            payload = struct.pack("!HH", tag, 0x0800) + packet
            parent.send_frame(0x8100, payload, mac_bytes(victim.mac), inner.mac)
            assert arrives_from(raw, inner.mac) is arrives


def arrives_from(raw: socket.socket, sender: str) -> bool:
    """Say whether a frame of the sender arrives."""
    try:
        while raw.recv(2048)[6:12] != mac_bytes(sender):
            pass
    except TimeoutError:
        return False
    return True
