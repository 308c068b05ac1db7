"""Guests that cost nothing: a network namespace with one link, plugged in as a guest would be."""

import contextlib
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cumulo.node import links
from cumulo.node.ovs import Plug
from cumulo.services.network.drivers.base import PortPlan
from tests.fabric import Chassis, Site
from tests.waiting import eventually

T = TypeVar("T")
_BROADCAST = b"\xff" * 6
_MAGIC = bytes.fromhex("63825363")


@dataclass(frozen=True)
class Lease:
    """What a DHCP server gave."""

    address: str
    server: str
    options: dict[int, bytes] = field(repr=False)

    @property
    def prefix(self) -> int:
        return sum(bin(byte).count("1") for byte in self.options[1])

    @property
    def router(self) -> str:
        return socket.inet_ntoa(self.options[3])

    @property
    def mtu(self) -> int:
        return int.from_bytes(self.options[26], "big")

    @property
    def dns(self) -> list[str]:
        data = self.options.get(6, b"")
        return [socket.inet_ntoa(data[i : i + 4]) for i in range(0, len(data), 4)]

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Option 121: destination with prefix length, and the way there."""
        data, found = self.options.get(121, b""), []
        while data:
            length = data[0]
            size = (length + 7) // 8
            network = socket.inet_ntoa(data[1 : 1 + size].ljust(4, b"\0"))
            via = socket.inet_ntoa(data[1 + size : 5 + size])
            found.append((f"{network}/{length}", via))
            data = data[5 + size :]
        return found

    def text(self, option: int) -> str:
        return self.options[option].decode()


class Guest:
    """A namespace on the network by one port."""

    def __init__(self, site: Site | Chassis, plan: PortPlan, mac: str = "") -> None:
        self.site, self.plan = site, plan
        self.mac = mac or plan.mac
        self.namespace = f"cuguest-{plan.id[:8]}"
        self.device = f"tap{plan.id[:11]}"
        self._devices: list[str] = []
        links.ensure_namespace(self.namespace)
        self.inside(_trust_own_addresses)
        self.add_link(plan, "eth0", self.mac)

    def add_link(self, plan: PortPlan, name: str, mac: str = "") -> None:
        """Plug the guest in by a port, also by one more."""
        device, inner = f"tap{plan.id[:11]}", f"g{plan.id[:11]}"
        links.change(
            [
                f"link add {device} type veth peer name {inner}",
                f"link set {inner} netns {self.namespace}",
                f"link set {device} up",
            ]
        )
        named = f"link set {inner} name {name} address {mac or plan.mac}"
        links.change([named, f"link set {name} up"], self.namespace)
        links.checksum_here(device)
        self.inside(lambda: links.checksum_here(name))
        self.site.switch.plug(Plug(device=device, port_id=plan.id, mac=plan.mac))
        self._devices.append(device)

    def remove(self) -> None:
        for device in self._devices:
            self.site.switch.unplug(device)
            links.remove(device)
        links.remove_namespace(self.namespace)

    def inside(self, work: Callable[[], T]) -> T:
        return links.inside(self.namespace, work)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", self.namespace, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def configure(self, cidr: str, gateway: str = "") -> None:
        """Set addresses by hand."""
        links.ensure_addresses("eth0", [cidr], self.namespace)
        if gateway:
            links.change([f"route replace default via {gateway}"], self.namespace)

    def take(self, lease: Lease) -> None:
        """Set addresses and routes as a lease says."""
        links.ensure_addresses("eth0", [f"{lease.address}/{lease.prefix}"], self.namespace)
        routes = lease.routes or [("0.0.0.0/0", lease.router)]
        links.change([f"link set eth0 mtu {lease.mtu}"], self.namespace)
        links.change([f"route replace {to} via {via}" for to, via in routes], self.namespace)

    def boot(self) -> Lease:
        """Do as a guest does: ask for an address and take it."""
        lease = self.dhcp()
        assert lease is not None
        self.take(lease)
        return lease

    def pings(self, address: str, *, tries: int = 3) -> bool:
        """Say whether a ping is answered, the first ones may be lost to address resolution."""
        return self.run("ping", "-n", "-q", "-c1", f"-w{tries}", address).returncode == 0

    def connect(self, address: str, port: int, timeout_s: float = 2.0) -> socket.socket:
        """Open a TCP connection."""

        def dial() -> socket.socket:
            return socket.create_connection((address, port), timeout=timeout_s)

        return self.inside(dial)

    def reaches(self, address: str, port: int, timeout_s: float = 1.0) -> bool:
        """Say whether a TCP connection can be opened."""
        try:
            self.connect(address, port, timeout_s).close()
        except OSError:
            return False
        return True

    @contextlib.contextmanager
    def serving(self, port: int) -> Iterator[None]:
        """Echo on a TCP port."""
        listener = self.inside(lambda: socket.create_server(("", port)))
        thread = threading.Thread(target=_serve, args=(listener,))
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            listener.close()

    def send_frame(
        self, ethertype: int, payload: bytes, to: bytes = _BROADCAST, mac: str = ""
    ) -> None:
        """Send a frame as it is, from any address."""
        frame = to + mac_bytes(mac or self.mac) + struct.pack("!H", ethertype) + payload

        def send() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
                raw.bind(("eth0", 0))
                raw.send(frame)

        self.inside(send)

    @contextlib.contextmanager
    def watching(self, ethertype: int = 0x0003) -> Iterator[socket.socket]:
        """Give a socket that receives all frames that come in."""

        def open_raw() -> socket.socket:
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
            raw.bind(("eth0", ethertype))
            raw.settimeout(1.0)
            return raw

        with self.inside(open_raw) as raw:
            yield raw

    def dhcp(self, timeout_s: float = 3.0) -> Lease | None:
        """Ask for an address; None: nobody answers."""
        return self.inside(lambda: _dhcp(mac_bytes(self.mac), timeout_s))

    def solicit_v6(self, timeout_s: float = 3.0) -> bytes:
        """Ask a DHCPv6 server for an address and return its answer as it came."""
        client = b"\0\1\0\x0a\0\3\0\1" + mac_bytes(self.mac)
        wish = b"\0\3\0\x0c" + b"\0\0\0\1" + bytes(8)

        def ask() -> bytes:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                sock.bind(("::", 546))
                sock.settimeout(timeout_s)
                index = socket.if_nametoindex("eth0")
                sock.sendto(b"\x01\x12\x34\x56" + client + wish, ("ff02::1:2", 547, 0, index))
                return sock.recv(2048)

        eventually(lambda: "scope link" in self.run("ip", "-6", "address").stdout)
        return self.inside(ask)


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def udp(source: tuple[str, int], target: tuple[str, int], payload: bytes) -> bytes:
    """Return an IPv4 packet with a UDP datagram, without the optional checksum."""
    datagram = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
    return ipv4(source[0], target[0], 17, datagram)


def ipv4(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    """Return an IPv4 packet."""
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0)
    return head[:10] + checksum(head + addresses) + addresses + payload


def checksum(data: bytes) -> bytes:
    """Return the Internet checksum."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def echo_request(source: str, target: str) -> bytes:
    """Return an IPv4 packet that asks for an answer."""
    body = struct.pack("!HH", 0x4242, 1) + b"cumulo!!"
    return ipv4(source, target, 1, b"\x08\x00" + checksum(b"\x08\x00\0\0" + body) + body)


def router_advertisement(mac: str, options: bytes = b"") -> bytes:
    """Return an IPv6 packet by which a host says that it is a router, `options` before that."""
    body = struct.pack("!BBHII", 64, 0, 1800, 0, 0) + b"\x01\x01" + mac_bytes(mac)
    return _icmpv6(mac, 134, body, options)


def neighbour_advertisement(mac: str, address: str) -> bytes:
    """Return an IPv6 packet by which a host says that an address is its own."""
    claimed = socket.inet_pton(socket.AF_INET6, address)
    return _icmpv6(mac, 136, b"\x20\0\0\0" + claimed + b"\x02\x01" + mac_bytes(mac))


def _icmpv6(mac: str, kind: int, body: bytes, options: bytes = b"") -> bytes:
    """Return a message to everyone on the link."""
    source, target = link_local(mac), socket.inet_pton(socket.AF_INET6, "ff02::1")
    pseudo = source + target + struct.pack("!II", 4 + len(body), 58)
    head = bytes([kind, 0])
    message = head + checksum(pseudo + head + b"\0\0" + body) + body
    kind, length = 60 if options else 58, len(options) + len(message)
    head = struct.pack("!IHBB", 0x60000000, length, kind, 255)
    return head + source + target + options + message


def link_local(mac: str) -> bytes:
    """Return the address that a link with this MAC address gives itself."""
    raw = bytearray(mac_bytes(mac))
    raw[0] ^= 2
    return bytes.fromhex("fe80000000000000") + bytes(raw[:3]) + b"\xff\xfe" + bytes(raw[3:])


def _trust_own_addresses() -> None:
    """Use IPv6 addresses at once; to ask first whether another has one takes a second."""
    for name in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0")


def _dhcp(mac: bytes, timeout_s: float) -> Lease | None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as raw:
        raw.bind(("eth0", 0x0800))
        raw.settimeout(timeout_s)
        offer = _exchange(raw, mac, {53: b"\x01", 55: bytes([1, 3, 6, 12, 15, 26, 51, 121])})
        if offer is None:
            return None
        wish = {
            53: b"\x03",
            50: socket.inet_aton(offer.address),
            54: socket.inet_aton(offer.server),
            55: bytes([1, 3, 6, 12, 15, 26, 51, 121]),
        }
        return _exchange(raw, mac, wish)


def _exchange(raw: socket.socket, mac: bytes, options: dict[int, bytes]) -> Lease | None:
    coded = b"".join(bytes([k, len(v)]) + v for k, v in options.items()) + b"\xff"
    fixed = struct.pack("!BBBBIHH", 1, 1, 6, 0, 0x1234, 0, 0x8000) + bytes(16)
    message = fixed + mac.ljust(16, b"\0") + bytes(192) + _MAGIC + coded
    packet = udp(("0.0.0.0", 68), ("255.255.255.255", 67), message)
    raw.send(_BROADCAST + mac + b"\x08\x00" + packet)
    while True:
        try:
            frame = raw.recv(2048)
        except TimeoutError:
            return None
        if frame[23] == 17 and frame[34:38] == struct.pack("!HH", 67, 68):
            return _lease(frame[42:])


def _lease(message: bytes) -> Lease:
    options, data = {}, message[240:]
    while data and data[0] != 255:
        if data[0] == 0:
            data = data[1:]
            continue
        options[data[0]] = data[2 : 2 + data[1]]
        data = data[2 + data[1] :]
    return Lease(socket.inet_ntoa(message[16:20]), socket.inet_ntoa(options[54]), options)


def _serve(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(65536):
            connection.sendall(data)
