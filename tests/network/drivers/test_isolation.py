"""What a guest with root sends reaches nobody unless it may.

Tags, fragments, frames too long, what only IPv6 routers and owners of addresses may say.
"""

import contextlib
import os
import signal
import socket
import struct

import pytest

from cumulo.services.network.drivers.base import PortPlan
from cumulo.services.network.drivers.ovn import OvnDriver
from tests.fabric import HOST, Site
from tests.guests import (
    Guest,
    checksum,
    ipv4,
    mac_bytes,
    neighbour_advertisement,
    router_advertisement,
    udp,
)
from tests.network.drivers.backends import Boot
from tests.network.drivers.plans import EGRESS, group, network, port, rule, subnet
from tests.waiting import eventually

pytestmark = pytest.mark.real

RED = network("red", subnet("red4", "10.0.0.0/24"))
BLUE = network("blue", subnet("blue4", "10.0.0.0/24"), segmentation_id=8)
OPEN = group("open", *EGRESS, rule("ingress"), rule("ingress", ethertype="IPv6"))
WEB = group("web", *EGRESS, rule("ingress", "udp", port_range_min=80, port_range_max=80))
_MORE, _FIRST = 0x2000, 1208  # smaller ones, except the last, are taken for an attack


@pytest.fixture
def red(driver: OvnDriver) -> OvnDriver:
    for each in (RED, BLUE):
        driver.sync_network(each)
    for one in (OPEN, WEB):
        driver.sync_security_group(one)
    return driver


def red_port(name: str, address: str, group_id: str) -> PortPlan:
    return port(name, RED, address, host=HOST, security_group_ids=[group_id])


def pair(boot: Boot, group_id: str) -> tuple[Guest, Guest]:
    """Return one who attacks and another, with the group, who is attacked."""
    rogue = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    victim = boot(red_port("vm2", "10.0.0.12", group_id))
    rogue.boot()
    victim.boot()
    return rogue, victim


def fragments(port_number: int, payload: bytes) -> list[bytes]:
    """Return a datagram in two parts; only the first tells its port."""
    head = struct.pack("!HHHH", 1234, port_number, 8 + len(payload), 0)
    whole = head + payload
    return [_fragment(whole[:_FIRST], _MORE), _fragment(whole[_FIRST:], _FIRST // 8)]


def _fragment(part: bytes, flags: int) -> bytes:
    plain = ipv4("10.0.0.11", "10.0.0.12", 17, part)
    head = plain[:4] + struct.pack("!HH", 0x4242, flags) + plain[8:10] + b"\0\0" + plain[12:20]
    return head[:10] + checksum(head) + head[12:] + part


def hears_from(raw: socket.socket, sender: Guest, part: bytes) -> bool:
    """Say whether a frame of the sender with these bytes arrives."""
    try:
        while True:
            frame = raw.recv(65536)
            if frame[6:12] == mac_bytes(sender.mac) and part in frame:
                return True
    except TimeoutError:
        return False


def test_a_guests_own_tags_reach_nobody(red: OvnDriver, boot: Boot) -> None:
    rogue, victim = pair(boot, OPEN.id)
    other = boot(port("b1", BLUE, "10.0.0.13", host=HOST, security_group_ids=[OPEN.id]))
    packet = udp(("10.0.0.11", 9), ("10.0.0.12", 9), b"tagged once")
    double = struct.pack("!HHH", 8, 0x8100, 7) + struct.pack("!H", 0x0800) + packet
    for target in (victim, other):
        with target.watching() as raw:
            for number in (0, 7, 8, 100, 4095):
                payload = struct.pack("!HH", number, 0x0800) + packet
                rogue.send_frame(0x8100, payload, mac_bytes(target.mac))
            rogue.send_frame(0x8100, double, mac_bytes(target.mac))
            rogue.send_frame(0x88A8, double, mac_bytes(target.mac))
            assert not hears_from(raw, rogue, b"tagged once")


def test_fragments_pass_no_rule_that_the_whole_would_not(red: OvnDriver, boot: Boot) -> None:
    rogue, victim = pair(boot, WEB.id)
    with victim.watching(0x0800) as raw:
        for fragment in fragments(22, b"shell" * 280):
            rogue.send_frame(0x0800, fragment, mac_bytes(victim.mac))
        late = fragments(80, b"alone" * 280)[1]
        rogue.send_frame(0x0800, late, mac_bytes(victim.mac))
        overlapping = _fragment(b"over" * 302, 8 // 8)
        rogue.send_frame(0x0800, overlapping, mac_bytes(victim.mac))
        for part in (b"shell", b"alone", b"over"):
            assert not hears_from(raw, rogue, part), part


def test_fragments_of_what_is_allowed_arrive(red: OvnDriver, boot: Boot) -> None:
    """A rule without ports it must be: the switch in user space looks for none in fragments."""
    rogue, victim = pair(boot, OPEN.id)

    def listen() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("", 80))
        sock.settimeout(1)
        return sock

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(b"hello" * 800, ("10.0.0.12", 80))

    def sent() -> bool:
        rogue.inside(send)
        try:
            return sock.recv(8192) == b"hello" * 800
        except TimeoutError:
            return False

    with victim.inside(listen) as sock:
        eventually(sent)


def test_frames_that_are_too_long_harm_nobody(red: OvnDriver, boot: Boot) -> None:
    rogue, victim = pair(boot, WEB.id)
    rogue.run("ip", "link", "set", "eth0", "mtu", "9000")
    packet = udp(("10.0.0.11", 9), ("10.0.0.12", 22), b"x" * 8000)
    with victim.watching(0x0800) as raw:
        with contextlib.suppress(OSError):  # the link itself may refuse
            rogue.send_frame(0x0800, packet, mac_bytes(victim.mac))
        assert not hears_from(raw, rogue, b"xxxx")
    assert victim.pings("10.0.0.11")


GREEN = network(
    "green", subnet("green6", "fd00:9::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
)
EVERYONE = bytes.fromhex("333300000001")
JUDGES_NEIGHBOURS = 74  # the table
NO_OPTIONS = bytes.fromhex("3a00010400000000")  # a header all the same, between IPv6 and ICMPv6
ADVERTISES = bytes.fromhex("400007080000")  # a part of each advertisement


def green_port(name: str, address: str) -> PortPlan:
    return port(name, GREEN, address, host=HOST, security_group_ids=[OPEN.id])


def hears(raw: socket.socket, icmp_type: int) -> bool:
    """Say whether such an ICMPv6 message arrives."""
    try:
        while raw.recv(2048)[54] != icmp_type:
            pass
    except TimeoutError:
        return False
    return True


def test_a_guest_cannot_play_router_where_there_is_no_ipv6(red: OvnDriver, boot: Boot) -> None:
    rogue = boot(red_port("vm1", "10.0.0.11", OPEN.id))
    victim = boot(red_port("vm2", "10.0.0.12", OPEN.id))
    trusted = boot(port("vm3", RED, "10.0.0.13", host=HOST, port_security=False))
    with victim.watching(0x86DD) as raw:
        rogue.send_frame(0x86DD, router_advertisement(rogue.mac), EVERYONE)
        assert not hears(raw, 134)
        trusted.send_frame(0x86DD, router_advertisement(trusted.mac), EVERYONE)
        assert hears(raw, 134)  # else the test would prove nothing


def test_a_guest_cannot_play_router(red: OvnDriver, boot: Boot) -> None:
    red.sync_network(GREEN)
    rogue, victim = boot(green_port("vm1", "fd00:9::11")), boot(green_port("vm2", "fd00:9::12"))
    trusted = boot(port("vm3", GREEN, "fd00:9::13", host=HOST, port_security=False))
    with victim.watching(0x86DD) as raw:
        for options in (b"", NO_OPTIONS):
            advertisement = router_advertisement(rogue.mac, options)
            rogue.send_frame(0x86DD, advertisement, EVERYONE)
            rogue.send_frame(0x86DD, advertisement, mac_bytes(victim.mac))
        assert not hears_from(raw, rogue, ADVERTISES)
        trusted.send_frame(0x86DD, router_advertisement(trusted.mac), EVERYONE)
        assert hears(raw, 134)  # else the test would prove nothing


def test_a_guest_cannot_play_router_piece_by_piece(red: OvnDriver, boot: Boot) -> None:
    red.sync_network(GREEN)
    rogue, victim = boot(green_port("vm1", "fd00:9::11")), boot(green_port("vm2", "fd00:9::12"))
    advertisement = router_advertisement(rogue.mac)
    addresses, message = advertisement[8:40], advertisement[40:]
    with victim.watching(0x86DD) as raw:
        for part, place in ((message[:8], 1), (message[8:], 8)):
            head = struct.pack("!BBHI", 58, 0, place, 0x4242)
            whole = struct.pack("!IHBB", 0x60000000, 8 + len(part), 44, 255) + addresses
            rogue.send_frame(0x86DD, whole + head + part, EVERYONE)
        assert not hears_from(raw, rogue, ADVERTISES[:4])


@pytest.mark.parametrize("daemon", ["ovn-controller", "ovs-vswitchd", "ovsdb-server"])
def test_a_guest_cannot_play_router_after_a_daemon_died(
    red: OvnDriver, boot: Boot, site: Site, daemon: str
) -> None:
    red.sync_network(GREEN)
    rogue, victim = boot(green_port("vm1", "fd00:9::11")), boot(green_port("vm2", "fd00:9::12"))
    pid = site.pid(daemon)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: site.supervisor.alive().get(daemon, pid) != pid)

    def passes_what_may() -> bool:
        rogue.send_frame(0x86DD, neighbour_advertisement(rogue.mac, "fd00:9::11"), EVERYONE)
        return hears(raw, 136)

    with victim.watching(0x86DD) as raw:
        eventually(passes_what_may, within_s=20)
        red.wait_in_force(20)  # a new controller has taken all flows away by then
        eventually(lambda: "icmp_type=134" in site.flows(JUDGES_NEIGHBOURS))
        rogue.send_frame(0x86DD, router_advertisement(rogue.mac), EVERYONE)
        assert not hears(raw, 134)


def test_a_guest_cannot_claim_anothers_ipv6_address(red: OvnDriver, boot: Boot) -> None:
    red.sync_network(GREEN)
    rogue, victim = boot(green_port("vm1", "fd00:9::11")), boot(green_port("vm2", "fd00:9::12"))
    with victim.watching(0x86DD) as raw:
        rogue.send_frame(0x86DD, neighbour_advertisement(rogue.mac, "fd00:9::1"), EVERYONE)
        assert not hears(raw, 136)
        rogue.send_frame(0x86DD, neighbour_advertisement(rogue.mac, "fd00:9::11"), EVERYONE)
        assert hears(raw, 136)
