"""Commands over the network: transports and dialers whose both ends hold certificates."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

import structlog

from cumulo.kit.errors import Conflict
from cumulo.node import certificates, streams
from cumulo.node.certificates import Identity, Kind, Peer

_HANDSHAKE_S = 10.0
log = structlog.get_logger(__name__)


class _Context:
    """What connections are made with, made anew when another certificate was kept."""

    def __init__(self, identity: Identity, make: Callable[[], ssl.SSLContext]) -> None:
        self._identity, self._make = identity, make
        self._made: tuple[int, ssl.SSLContext] | None = None
        self._lock = threading.Lock()

    def now(self) -> ssl.SSLContext:
        kept = self._identity.certificate.stat().st_mtime_ns
        with self._lock:
            if self._made is None or self._made[0] != kept:
                self._made = (kept, self._make())
            return self._made[1]


class TlsTransport:
    """A port that speaks with those whom `admits` knows by their certificates.

    Nothing is read of whom it does not know: the handshake fails, or ends without a request.
    """

    def __init__(
        self, identity: Identity, address: tuple[str, int], admits: Callable[[Peer], bool]
    ) -> None:
        self._address, self._admits = address, admits
        self._context = _Context(identity, identity.serving)

    def listen(self) -> socket.socket:
        """Open the port."""
        self._context.now()
        return _listening(self._address)

    def admit(self, peer: socket.socket) -> socket.socket | None:
        """Shake hands, and let in whom we know."""
        connection = _shaken(self._context.now(), peer)
        if connection is None:
            return None
        who = certificates.peer(connection)
        if who is not None and self._admits(who):
            return connection
        log.warning("peer refused", peer=peer_name(peer), name=who.name if who else "")
        connection.close()
        return None

    def close(self) -> None:
        """There is nothing left behind."""


class OpenTransport:
    """A port for those who hold no certificate yet; it shows its own."""

    def __init__(self, identity: Identity, address: tuple[str, int]) -> None:
        self._address = address
        self._context = _Context(identity, lambda: identity.serving(known_only=False))

    def listen(self) -> socket.socket:
        """Open the port."""
        self._context.now()
        return _listening(self._address)

    def admit(self, peer: socket.socket) -> socket.socket | None:
        """Shake hands."""
        return _shaken(self._context.now(), peer)

    def close(self) -> None:
        """There is nothing left behind."""


class TlsDialer:
    """Reaches a machine of the cloud, and makes sure that it is the one that is meant."""

    def __init__(
        self,
        identity: Identity,
        address: tuple[str, int],
        *,
        name: str,
        kind: Kind,
        fingerprint: str = "",
    ) -> None:
        self.name = f"{address[0]}:{address[1]}"
        self._address = address
        self._wanted = (name, kind, fingerprint)
        self._context = _Context(identity, identity.dialling)

    def dial(self, timeout_s: float) -> socket.socket:
        """Connect; OSError when there is nobody, or somebody else."""
        context = self._context.now()
        plain = socket.create_connection(self._address, timeout=min(timeout_s, _HANDSHAKE_S))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection = context.wrap_socket(plain)
        except OSError:
            plain.close()
            raise
        connection.settimeout(timeout_s)
        who = certificates.peer(connection)
        name, kind, fingerprint = self._wanted
        if who is None or (who.name, who.kind) != (name, kind):
            connection.close()
            raise ConnectionRefusedError(f"{self.name} is not {kind} {name}")
        if fingerprint and who.fingerprint != fingerprint:
            connection.close()
            raise ConnectionRefusedError(f"{self.name} shows a certificate that {name} has not")
        return connection


class NobodysDialer:
    """Reaches a cloud's controller without a certificate.

    With the authority's certificate, whoever answers is the controller; without it nobody knows,
    and nothing but what anybody may know is to be said or believed.
    """

    def __init__(self, address: tuple[str, int], authority: str = "") -> None:
        self.name = f"{address[0]}:{address[1]}"
        self._address, self._is_sure = address, bool(authority)
        self._context = certificates.dialling_as_nobody(authority)

    def dial(self, timeout_s: float) -> socket.socket:
        """Connect; OSError when there is nobody, or not the controller."""
        plain = socket.create_connection(self._address, timeout=timeout_s)
        try:
            connection = self._context.wrap_socket(plain)
        except OSError:
            plain.close()
            raise
        who = certificates.peer(connection) if self._is_sure else None
        if self._is_sure and (who is None or who.kind != "controller"):
            connection.close()
            raise ConnectionRefusedError(f"{self.name} is not the controller of the cloud")
        return connection


def as_plain(stream: socket.socket) -> socket.socket:
    """Return a socket for any number of threads that carries what a stream over TLS carries."""
    if not isinstance(stream, ssl.SSLSocket):
        return stream
    ours, theirs = socket.socketpair()
    threading.Thread(target=_pump, args=(stream, theirs), name="pump", daemon=True).start()
    return ours


def _pump(stream: socket.socket, theirs: socket.socket) -> None:
    with stream, theirs:
        streams.join(stream, theirs)


def peer_name(connection: socket.socket) -> str:
    """Return the address of whoever is at the other end."""
    with contextlib.suppress(OSError):
        return str(connection.getpeername()[0])
    return ""


def _listening(address: tuple[str, int]) -> socket.socket:
    try:
        return socket.create_server(address, backlog=128)
    except OSError as error:
        where = f"Port {address[1]} on {address[0]}"
        raise Conflict(f"{where} cannot be used: {error.strerror}.") from error


def _shaken(context: ssl.SSLContext, peer: socket.socket) -> ssl.SSLSocket | None:
    kept = peer.gettimeout()
    peer.settimeout(_HANDSHAKE_S)
    try:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = context.wrap_socket(peer, server_side=True)
        connection.settimeout(kept)
    except OSError as error:
        log.info("no handshake", peer=peer_name(peer), reason=str(error))
        return None
    return connection
