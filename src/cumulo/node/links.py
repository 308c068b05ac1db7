"""Links, addresses and network namespaces of the host.

Everything is done in the network namespace of the calling thread, or in a named one.  `ip` is
given its work as a batch: one process for many changes, no text to parse.
"""

import contextlib
import ctypes
import fcntl
import os
import select
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from cumulo.kit.errors import Unavailable

T = TypeVar("T")

_NETNS_DIR = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_RTMGRP_LINK = 1
log = structlog.get_logger(__name__)


def exists(device: str) -> bool:
    """Say whether there is such a link."""
    return index_of(device) != 0


def index_of(device: str) -> int:
    """Return the number of a link, which no later link of that name will have; 0: no such link."""
    try:
        return socket.if_nametoindex(device)
    except OSError:
        return 0


def change(commands: Iterable[str], namespace: str | None = None) -> None:
    """Carry out `ip` commands in order and stop at the first that fails."""
    batch = "\n".join(commands)
    if batch:
        _ip([*_within(namespace), "-batch", "-"], batch)


def namespaces() -> set[str]:
    """Return the named network namespaces of the machine, whoever made them."""
    with contextlib.suppress(FileNotFoundError):
        return set(os.listdir(_NETNS_DIR))
    return set()


def ensure_namespace(name: str) -> None:
    """Make a network namespace with its loopback up, or find it made."""
    if name not in namespaces() or not _is_mounted(_NETNS_DIR / name):
        (_NETNS_DIR / name).unlink(missing_ok=True)  # what a killed `ip netns add` leaves
        change([f"netns add {name}"])
    change(["link set lo up"], name)


def remove_namespace(name: str) -> None:
    """Remove a namespace with all links in it, or find it gone."""
    if name in namespaces():
        change([f"netns delete {name}"])


def remove(device: str) -> None:
    """Remove a link, or find it gone."""
    if exists(device):
        try:
            change([f"link delete {device}"])
        except Unavailable:
            if exists(device):  # else it went with its other end, in a namespace that ended
                raise


def addresses(device: str, namespace: str | None = None) -> set[str]:
    """Return the addresses of a link with their prefix lengths, link-local ones left out."""
    output = _ip([*_within(namespace), "-json", "address", "show", "dev", device])
    found = msgspec.json.decode(output, type=list[_Link])
    return {
        f"{address.local}/{address.prefixlen}"
        for link in found
        for address in link.addr_info
        if address.scope != "link" or address.local.startswith("169.254.")
    }


def ensure_addresses(device: str, cidrs: Iterable[str], namespace: str | None = None) -> None:
    """Give a link exactly these addresses, link-local ones aside, and bring it up."""
    wanted, present = set(cidrs), addresses(device, namespace)
    change(
        [
            *(f"address delete {cidr} dev {device}" for cidr in sorted(present - wanted)),
            *(_address_add(device, cidr) for cidr in sorted(wanted - present)),
            f"link set {device} up",
        ],
        namespace,
    )


def inside(namespace: str, work: Callable[[], T]) -> T:
    """Do `work` in a namespace, in a thread of its own that ends with it."""

    def there() -> T:
        enter(namespace)
        return work()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(there).result()


def enter(namespace: str) -> None:
    """Move the calling thread into a namespace, for good."""
    try:
        descriptor = os.open(_NETNS_DIR / namespace, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise Unavailable(f"There is no network namespace {namespace}.") from error
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
            problem = os.strerror(ctypes.get_errno())
            raise Unavailable(f"Network namespace {namespace} cannot be entered: {problem}.")
    finally:
        os.close(descriptor)


def checksum_here(device: str) -> None:
    """Have checksums computed before a frame leaves the link.

    The user-space datapath takes frames as they are, and the kernel leaves checksums to a
    network card that is not there.
    """
    request = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_STXCSUM, 0))
    argument = struct.pack("16sP", device.encode(), ctypes.addressof(request))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, argument.ljust(40, b"\0"))


class AddressKeeper:
    """Gives links their addresses, again whenever the link is made anew.

    The bridges of the user-space datapath live and die with their daemon.
    """

    def __init__(self) -> None:
        self._wanted: dict[str, tuple[str, ...]] = {}
        self._done: dict[str, int] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def keep(self, wanted: Mapping[str, Iterable[str]]) -> None:
        """Keep these addresses on these links; return when those present have them."""
        with self._lock:
            self._wanted = {device: tuple(cidrs) for device, cidrs in wanted.items()}
            self._done.clear()
        self._apply()
        if self._thread is None:
            events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            events.setblocking(False)
            events.bind((0, _RTMGRP_LINK))
            self._thread = threading.Thread(
                target=self._watch, args=(events,), name="addresses", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Stop keeping them; they stay as they are."""
        os.write(self._wake_write, b"x")
        if self._thread is not None:
            self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _watch(self, events: socket.socket) -> None:
        poll = select.poll()
        poll.register(events, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        with events:
            while all(descriptor != self._wake_read for descriptor, _ in poll.poll()):
                with contextlib.suppress(OSError):  # an overrun loses events, not their sense
                    while events.recv(65536):
                        pass
                try:
                    self._apply()
                except Unavailable as error:
                    log.warning("addresses not set", error=str(error))

    def _apply(self) -> None:
        with self._lock:
            for device, cidrs in self._wanted.items():
                index = index_of(device)
                if index and self._done.get(device) != index:
                    ensure_addresses(device, cidrs)
                    checksum_here(device)
                    self._done[device] = index


class _Address(msgspec.Struct):
    local: str = ""
    prefixlen: int = 0
    scope: str = ""


class _Link(msgspec.Struct):
    addr_info: list[_Address] = []


def _within(namespace: str | None) -> list[str]:
    return [] if namespace is None else ["-netns", namespace]


def _address_add(device: str, cidr: str) -> str:
    # A host's own address in IPv6 is not in doubt, and waiting for that answer takes a second.
    return f"address replace {cidr} dev {device}" + (" nodad" if ":" in cidr else "")


def _ip(arguments: list[str], batch: str = "") -> bytes:
    command = ["ip", *arguments]
    try:
        done = subprocess.run(
            command, input=batch.encode(), capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        problem = done.stderr.decode(errors="replace").strip()
        raise Unavailable(f"{' '.join(command)} failed: {problem} ({batch})")
    return done.stdout


def _is_mounted(path: Path) -> bool:
    """Say whether a name stands for a namespace; a plain file is left when a mount is lost."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False
