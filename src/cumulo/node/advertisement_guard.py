"""Keeping guests from playing router in IPv6, which no rule of OVN's can.

OVN passes what routers advertise before it asks any rule.  Before that it judges whether a port
may send as it does, and flows of ours stand among those: an advertisement from a port with port
security is judged as one with a forged address, and dropped.  OVN's controller takes away every
flow when it connects to the switch, so ours are put back as soon as the switch tells of that.
"""

import os
import select
import socket
import struct
import threading
from pathlib import Path

import structlog

from cumulo.kit.errors import Unavailable

# OpenFlow 1.0 with Nicira's extensions, which every Open vSwitch speaks.
_VERSION = 1
_HELLO, _ERROR, _ECHO_REQUEST, _ECHO_REPLY, _VENDOR = 0, 1, 2, 3, 4
_STATS_REQUEST, _STATS_REPLY, _STATS_HEAD = 16, 17, 16
_BARRIER_REQUEST, _BARRIER_REPLY = 18, 19
_NICIRA, _FLOW_MOD, _WITH_TABLES, _VENDOR_STATS, _FLOW_MONITOR = 0x2320, 13, 15, 0xFFFF, 2
_NO_BUFFER, _NO_PORT, _ADD, _WATCH_DELETED = 0xFFFFFFFF, 0xFFFF, 0, 4
_VENDOR_ACTION, _REG_LOAD = 0xFFFF, 7

_JUDGES_NEIGHBOURS = 74  # OVN's table for neighbour discovery by ports with port security
_PRIORITY = 0xFFFF
_COOKIE = 0x43754D756C6F  # CuMulo
_ETH_TYPE, _IP_PROTO, _ICMPV6_TYPE = 0x00000602, 0x00000C01, 0x00012A01  # with their lengths
_VERDICT, _FORGED_BIT = 0x00011404, 12  # the bit of a register that says: not as it may
_FRAGMENT, _IPV6_SOURCE = 0x00013502, 0x00012720  # with masks of the same length
_ADVERTISEMENT = 134
_ICMPV6 = struct.pack("!IHIB", _ETH_TYPE, 0x86DD, _IP_PROTO, 58)
_LINK_LOCAL = struct.pack("!H14xH14x", 0xFE80, 0xFFC0)
# Routers speak from link-local addresses, and in a fragment the switch sees no type.
_MATCHES = (
    _ICMPV6 + struct.pack("!IB", _ICMPV6_TYPE, _ADVERTISEMENT),
    _ICMPV6 + struct.pack("!IBBI", _FRAGMENT, 1, 1, _IPV6_SOURCE) + _LINK_LOCAL,
)

_ANSWERS_WITHIN_S = 5.0
_PAUSE_S = 0.02  # until the next try when the switch does not answer
log = structlog.get_logger(__name__)


class AdvertisementGuard:
    """Keeps the flows in the bridge that a switch can be spoken to about at `socket_path`."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path
        self._closing = threading.Event()
        self._in_place = threading.Event()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="advertisements", daemon=True)
        self._thread.start()

    def await_in_place(self) -> None:
        """Return when the flows have been put into the bridge once."""
        if not self._in_place.wait(_ANSWERS_WITHIN_S):
            raise Unavailable(f"The switch at {self._path} took no flows in {_ANSWERS_WITHIN_S} s.")

    def close(self) -> None:
        """Stop watching; the flows stay."""
        self._closing.set()
        os.write(self._wake_write, b"x")
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        told = False
        while not self._closing.is_set():
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as switch:
                    switch.settimeout(_ANSWERS_WITHIN_S)
                    switch.connect(str(self._path))
                    self._keep(switch)
                    told = False
            except OSError as error:
                if not told:
                    log.info("bridge is not watched", reason=str(error))
                told = True
            self._closing.wait(_PAUSE_S)

    def _keep(self, switch: socket.socket) -> None:
        """Add the flows, and again each time one goes, until told to stop."""
        switch.sendall(_message(_HELLO) + _watch() + _flows())
        while True:
            ready, _, _ = select.select([switch.fileno(), self._wake_read], [], [])
            if self._wake_read in ready:
                return
            kind, number, body = _receive(switch)
            if kind == _ECHO_REQUEST:
                switch.sendall(_message(_ECHO_REPLY, body, number))
            elif kind == _BARRIER_REPLY:
                self._in_place.set()
            elif kind == _STATS_REPLY and body[_STATS_HEAD:]:
                switch.sendall(_flows())
            elif kind == _ERROR:
                raise OSError(f"the switch refused: {body[:4].hex()}")


def _message(kind: int, body: bytes = b"", number: int = 1) -> bytes:
    return struct.pack("!BBHI", _VERSION, kind, 8 + len(body), number) + body


def _extension(subtype: int, body: bytes) -> bytes:
    return _message(_VENDOR, struct.pack("!II", _NICIRA, subtype) + body)


def _receive(switch: socket.socket) -> tuple[int, int, bytes]:
    _, kind, length, number = struct.unpack("!BBHI", _exactly(switch, 8))
    return kind, number, _exactly(switch, length - 8)


def _exactly(switch: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = switch.recv(size - len(data))
        if not part:
            raise OSError("the switch ended")
        data += part
    return data


def _padded(data: bytes) -> bytes:
    return data.ljust((len(data) + 7) // 8 * 8, b"\0")


def _flows() -> bytes:
    """Return the commands that add the flows or find them there, and have the switch say when."""
    command = (_JUDGES_NEIGHBOURS << 8) | _ADD
    forged = struct.pack(
        "!HHIHHIQ", _VENDOR_ACTION, 24, _NICIRA, _REG_LOAD, _FORGED_BIT << 6, _VERDICT, 1
    )
    told = _extension(_WITH_TABLES, b"\1".ljust(8, b"\0"))
    for match in _MATCHES:
        what = struct.pack(
            "!QHHHHIHHH6x", _COOKIE, command, 0, 0, _PRIORITY, _NO_BUFFER, _NO_PORT, 0, len(match)
        )
        told += _extension(_FLOW_MOD, what + _padded(match) + forged)
    return told + _message(_BARRIER_REQUEST)


def _watch() -> bytes:
    """Return the wish to be told when one of the flows is deleted."""
    told = struct.pack("!HHII4x", _VENDOR_STATS, 0, _NICIRA, _FLOW_MONITOR)
    for number, match in enumerate(_MATCHES):
        told += struct.pack(
            "!IHHHB5x", number, _WATCH_DELETED, _NO_PORT, len(match), _JUDGES_NEIGHBOURS
        )
        told += _padded(match)
    return _message(_STATS_REQUEST, told)
