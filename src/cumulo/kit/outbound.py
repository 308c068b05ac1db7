"""Fetching what a user's URL names, and only from where the operator lets users send us.

A name is resolved once; every address it stands for is checked, and the connection goes to an
address that was checked, so that a name that changes its mind in between gains nothing.  Each
redirect is checked like the first URL.  Errors never repeat more of a URL than its host.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec

from cumulo.kit.errors import CloudError, Forbidden, Invalid, Unavailable

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_PIECE = 1 << 20
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class CannotFetch(CloudError):
    """What a URL names did not come; the message says why."""


class Destinations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where URLs of users may lead; a list of what is allowed makes the one beside it idle.

    Only public addresses are visited, and those in `allowed_networks`.
    """

    allowed_schemes: tuple[str, ...] = ("http", "https")
    disallowed_schemes: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    disallowed_hosts: tuple[str, ...] = ()
    allowed_ports: tuple[int, ...] = (80, 443)
    disallowed_ports: tuple[int, ...] = ()
    allowed_networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse networks that are none, when the settings are read."""
        for network in self.allowed_networks:
            ipaddress.ip_network(network)


def checked_url(url: str, rules: Destinations) -> SplitResult:
    """Return a URL in its parts; raises `Invalid` or `Forbidden` unless it may be tried."""
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url) or len(url) > 4096:
        raise Invalid("The URL has blanks or control characters, or more than 4096 characters.")
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").rstrip(".")
    except ValueError as error:
        raise Invalid("The URL cannot be read.") from error
    if parts.username is not None or parts.password is not None:
        raise Invalid("The URL must not carry a user name or a password.")
    scheme = parts.scheme.lower()
    known = scheme in _PORTS and _passes(scheme, rules.allowed_schemes, rules.disallowed_schemes)
    if not known:
        raise Forbidden(f"URLs of scheme '{scheme[:16]}' are not fetched.")
    if not host or not _passes(host, rules.allowed_hosts, rules.disallowed_hosts):
        raise Forbidden(f"Host '{host[:255]}' is not one that URLs may name.")
    if not _may_be_visited(host, rules):
        raise Forbidden(f"{host} is an address that URLs may not lead to.")
    actual = port if port is not None else _PORTS[scheme]
    if not _passes(actual, rules.allowed_ports, rules.disallowed_ports):
        raise Forbidden(f"Port {actual} is not one that URLs may name.")
    return parts


def may_visit(address: str, rules: Destinations) -> bool:
    """Say whether a connection may go to an address, whatever name led there."""
    found = _plain(ipaddress.ip_address(address.partition("%")[0]))
    for text in rules.allowed_networks:
        network = ipaddress.ip_network(text)
        if found.version == network.version and found in network:
            return True
    return found.is_global and not found.is_multicast and not found.is_reserved


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses that a name stands for."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def connected(address: str, port: int, timeout_s: float) -> socket.socket:
    """Open a connection to an address."""
    return socket.create_connection((address, port), timeout_s)


@dataclass(frozen=True)
class Outbound:
    """The way to what URLs of users name.

    Only `at_once` are fetched at a time, since each keeps a thread busy for as long as the other
    side likes; `Unavailable` is raised for others.
    """

    rules: Destinations
    silence_s: float = 30.0  # after which the other side is given up
    answer_s: float = 60.0  # the head of an answer may take
    longest_s: float = 6 * 3600.0  # a body may take
    at_once: int = 4
    resolve: Callable[[str, int], list[str]] = field(default=resolved)
    connect: Callable[[str, int, float], socket.socket] = field(default=connected)
    _places: threading.BoundedSemaphore = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Set up as many places as may be taken."""
        object.__setattr__(self, "_places", threading.BoundedSemaphore(self.at_once))

    def get(self, url: str) -> Generator[bytes, None, None]:
        """Yield the bytes that a URL names; the first piece comes after all checks."""
        checked_url(url, self.rules)
        if not self._places.acquire(blocking=False):
            raise Unavailable(f"{self.at_once} URLs are being fetched: this one has to wait.")
        try:
            yield from self._followed(url)
        finally:
            self._places.release()

    def _followed(self, url: str) -> Iterator[bytes]:
        for _ in range(_MOST_REDIRECTS + 1):
            parts = checked_url(url, self.rules)
            with contextlib.closing(self._connection(parts)) as connection:
                line = connection.sock
                answer = self._asked(connection, parts)
                if answer.status not in _REDIRECTS:
                    with _limited(line, self.longest_s) as limit:
                        yield from self._body(answer, parts, limit)
                    return
                url = urljoin(url, answer.headers.get("Location", ""))
        raise CannotFetch(f"{parts.hostname} redirects without end.")

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        port = parts.port if parts.port is not None else _PORTS[parts.scheme.lower()]
        plain = self._socket(host, port)
        connection = http.client.HTTPConnection(host, port, timeout=self.silence_s)
        try:
            if parts.scheme.lower() == "https":
                context = ssl.create_default_context()
                connection.default_port = 443
                plain = context.wrap_socket(plain, server_hostname=host)
        except OSError as error:
            plain.close()
            raise CannotFetch(f"{host} cannot be reached safely: {_why(error)}.") from error
        connection.sock = plain
        return connection

    def _socket(self, host: str, port: int) -> socket.socket:
        try:
            addresses = self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise CannotFetch(f"{host} has no address.") from error
        if not addresses or not all(may_visit(one, self.rules) for one in addresses):
            raise Forbidden(f"{host} is at an address that URLs may not lead to.")
        problem: OSError | None = None
        for address in addresses:
            try:
                return self._at(self.connect(address, port, self.silence_s), host)
            except OSError as error:
                problem = error
        raise CannotFetch(f"{host} cannot be reached: {_why(problem)}.") from problem

    def _at(self, found: socket.socket, host: str) -> socket.socket:
        """Return a connection if it really ends where it may."""
        if not may_visit(str(found.getpeername()[0]), self.rules):
            found.close()
            raise Forbidden(f"{host} is at an address that URLs may not lead to.")
        return found

    def _asked(
        self, connection: http.client.HTTPConnection, parts: SplitResult
    ) -> http.client.HTTPResponse:
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        headers = {"Accept-Encoding": "identity", "User-Agent": "cumulo"}
        try:
            with _limited(connection.sock, self.answer_s) as limit:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CannotFetch(f"{parts.hostname} does not answer: {_why(error)}.") from error
        if limit.is_over:
            raise CannotFetch(f"{parts.hostname} does not answer within {self.answer_s:.0f} s.")
        return answer

    def _body(
        self, answer: http.client.HTTPResponse, parts: SplitResult, limit: "_Limit"
    ) -> Iterator[bytes]:
        if answer.status != 200:
            raise CannotFetch(f"{parts.hostname} answers {answer.status}.")
        expected, size = answer.length, 0
        while piece := self._piece(answer, parts, limit):
            size += len(piece)
            yield piece
        if expected is not None and size != expected:
            raise CannotFetch(f"{parts.hostname} broke off after {size} of {expected} bytes.")

    def _piece(
        self, answer: http.client.HTTPResponse, parts: SplitResult, limit: "_Limit"
    ) -> bytes:
        problem: Exception | None = None
        try:
            piece = answer.read1(_PIECE)
        except (OSError, http.client.HTTPException) as error:
            problem = error
        if limit.is_over:  # what looks like the end of the body may be the limit's doing
            raise CannotFetch(f"{parts.hostname} took longer than {self.longest_s:.0f} s.")
        if problem is not None:
            raise CannotFetch(f"{parts.hostname} broke off: {_why(problem)}.") from problem
        return piece


class _Limit:
    """Hangs up on the other side in the end, however little it says at a time."""

    def __init__(self, line: socket.socket) -> None:
        self.is_over, self._line = False, line

    def hang_up(self) -> None:
        self.is_over = True
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _limited(line: socket.socket, seconds: float) -> Iterator[_Limit]:
    """Let the block speak to the other side for so long."""
    limit = _Limit(line)
    timer = threading.Timer(seconds, limit.hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield limit
    finally:
        timer.cancel()


def _passes(value: object, allowed: tuple[object, ...], disallowed: tuple[object, ...]) -> bool:
    return value in allowed if allowed else value not in disallowed


def _may_be_visited(host: str, rules: Destinations) -> bool:
    """Refuse at once what is an address, not a name that has to be resolved."""
    try:
        return may_visit(host, rules)
    except ValueError:
        return True


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def _why(error: BaseException | None) -> str:
    """Return the system's word for a failure; other texts could repeat what the URL says."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    text = error.strerror if isinstance(error, OSError) else None
    return text or type(error).__name__
