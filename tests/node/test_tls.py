"""Commands between machines: only who holds a certificate of this cloud is heard, as who it is."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cumulo.kit import clock
from cumulo.kit.errors import Invalid, Unavailable
from cumulo.node.api import Node
from cumulo.node.certificates import Authority, Identity, Kind, Peer, key_of, new_authority
from cumulo.node.client import remote_node
from cumulo.node.drivers.fake import FakeNode
from cumulo.node.renewal import Renewal
from cumulo.node.server import NodeServer
from cumulo.node.tls import NobodysDialer, OpenTransport, TlsDialer, TlsTransport
from tests.waiting import eventually

Has = Callable[..., Identity]
LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority()


@pytest.fixture
def has(tmp_path: Path, authority: Authority) -> Has:
    """Return a function that gives somebody a certificate."""

    def identity(name: str, kind: Kind, by: Authority = authority) -> Identity:
        made = Identity(tmp_path / f"{name}-{by.fingerprint[:8]}")
        made.take_from(by, name, kind)
        return made

    return identity


class Heard(FakeNode):
    """A host that notes that it was asked something."""

    asked = 0

    def guests(self):  # type: ignore[no-untyped-def]
        self.asked += 1
        return super().guests()


@pytest.fixture
def heard() -> Heard:
    return Heard("rack1")


@pytest.fixture
def port(heard: Heard, has: Has) -> Iterator[int]:
    """The port of a host that hears its controller only."""
    yield from _served(heard, has("rack1", "host"), lambda who: who.kind == "controller")


def _served(node: Node, identity: Identity, admits: Callable[[Peer], bool]) -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as free:
        port = int(free.getsockname()[1])
    server = NodeServer(node, TlsTransport(identity, (LOOPBACK, port), admits))
    server.start()
    yield port
    server.close()


def dialled(identity: Identity, port: int, name: str = "rack1") -> Node:
    return remote_node(TlsDialer(identity, (LOOPBACK, port), name=name, kind="host"))


def test_the_controller_is_heard(port: int, heard: Heard, has: Has) -> None:
    assert dialled(has("cloud", "controller"), port).guests() == {}
    assert heard.asked == 1


def test_a_console_is_carried_both_ways(port: int, has: Has, heard: Heard) -> None:
    far, near = socket.socketpair()
    heard.open_console = lambda guest_id, kind: far  # type: ignore[method-assign]
    with dialled(has("cloud", "controller"), port).open_console("x", "serial") as ours, near:
        large = bytes(range(256)) * 20_000
        ours.sendall(b"ping")
        assert near.recv(4) == b"ping"
        near.settimeout(10)
        near.setblocking(True)
        with ours.makefile("rb") as reading:
            _send_aside(near, large)
            assert reading.read(len(large)) == large
        near.shutdown(socket.SHUT_RDWR)
        assert ours.recv(1) == b""


def _send_aside(to: socket.socket, data: bytes) -> None:
    threading.Thread(target=to.sendall, args=(data,), daemon=True).start()


def test_another_host_is_not_heard(port: int, heard: Heard, has: Has) -> None:
    with pytest.raises(Unavailable):
        dialled(has("rack2", "host"), port).guests()
    assert heard.asked == 0


def test_who_has_a_certificate_of_another_cloud_is_not_heard(
    port: int, heard: Heard, has: Has
) -> None:
    stranger = has("cloud", "controller", new_authority())
    # It takes our authority for good, so that it is we who refuse.
    stranger.authority.write_text(has("rack1", "host").authority.read_text())
    with pytest.raises(Unavailable):
        dialled(stranger, port).guests()
    assert heard.asked == 0


def test_who_has_no_certificate_is_cut_off_before_anything_is_read(
    port: int, heard: Heard, authority: Authority
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=authority.certificate)
    with (
        socket.create_connection((LOOPBACK, port)) as plain,
        context.wrap_socket(plain) as tls,
    ):
        assert b"HTTP" not in answer_to_a_request(tls)
    assert heard.asked == 0


def test_words_without_tls_are_not_heard(port: int, heard: Heard) -> None:
    with socket.create_connection((LOOPBACK, port)) as plain:
        assert b"HTTP" not in answer_to_a_request(plain)
    assert heard.asked == 0


def answer_to_a_request(connection: socket.socket) -> bytes:
    """Ask, and return what comes until the connection ends, one way or another."""
    answer = b""
    connection.settimeout(10)
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        connection.sendall(b"POST /v1/guests HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        while piece := connection.recv(100):
            answer += piece
    return answer


def test_a_host_cannot_pass_for_another(port: int, heard: Heard, has: Has) -> None:
    with pytest.raises(Unavailable, match="is not host rack2"):
        dialled(has("cloud", "controller"), port, "rack2").guests()
    assert heard.asked == 0


def test_a_former_certificate_is_not_taken(port: int, has: Has) -> None:
    place = (LOOPBACK, port)
    known = has("cloud", "controller")
    dialer = TlsDialer(known, place, name="rack1", kind="host", fingerprint="0" * 64)
    with pytest.raises(Unavailable, match="shows a certificate that rack1 has not"):
        remote_node(dialer).guests()


def test_a_certificate_says_what_the_authority_says(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "controller"),
            x509.NameAttribute(NameOID.COMMON_NAME, "cloud"),
        ]
    )
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(asked)
        .add_extension(constraints, critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )
    made = x509.load_pem_x509_certificate(authority.issue(request, "rack1", "host").encode())
    assert made.subject.rfc4514_string() == "CN=rack1,OU=host"
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(Invalid):
        authority.issue("no request", "rack1", "host")


def test_who_joins_makes_sure_that_it_is_the_cloud(authority: Authority, has: Has) -> None:
    """What answers holds a host's certificate, or another cloud's: it is told nothing."""
    for identity in (has("rack1", "host"), has("cloud", "controller", new_authority())):
        server = NodeServer(Heard("rack1"), OpenTransport(identity, (LOOPBACK, 0)))
        server.start()
        assert server._listener is not None
        place = (LOOPBACK, server._listener.getsockname()[1])
        with pytest.raises(Unavailable):
            remote_node(NobodysDialer(place, authority.certificate)).guests()
        server.close()


def test_a_certificate_is_renewed_before_it_ends_and_used_at_once(
    port: int, heard: Heard, has: Has, authority: Authority
) -> None:
    identity = has("cloud", "controller")
    node = dialled(identity, port)
    assert node.guests() == {}
    first = identity.certificate.read_text()
    asked: list[str] = []

    def ask() -> None:
        asked.append(authority.issue(identity.request(), "cloud", "controller"))
        identity.renew(asked[-1])

    renewal = Renewal(identity, ask)
    renewal.look()
    assert not asked
    with clock.CLOCK.held() as held:
        held.move(500 * 86_400)
        renewal.look()
        assert len(asked) == 1
        assert not identity.is_ending()
        renewal.look()
    assert identity.certificate.read_text() == asked[0] != first
    assert key_of(first) == key_of(asked[0])


def test_who_cannot_be_asked_today_is_asked_tomorrow(has: Has) -> None:
    identity = has("rack1", "host")

    def ask() -> None:
        raise Unavailable("nobody is there")

    with clock.CLOCK.held() as held:
        held.move(500 * 86_400)
        Renewal(identity, ask).look()
        assert identity.is_ending()


def test_a_port_shows_the_certificate_that_was_renewed(
    heard: Heard, has: Has, authority: Authority
) -> None:
    identity, controller = has("rack1", "host"), has("cloud", "controller")
    shown = []
    for port in _served(heard, identity, lambda who: True):
        for _ in range(2):
            with TlsDialer(controller, (LOOPBACK, port), name="rack1", kind="host").dial(5) as line:
                assert isinstance(line, ssl.SSLSocket)
                shown.append(line.getpeercert(binary_form=True))
            identity.renew(authority.issue(identity.request(), "rack1", "host"))
    assert shown[0] != shown[1]


def test_the_authority_vouches_as_long_as_there_are_clouds(has: Has, authority: Authority) -> None:
    with clock.CLOCK.held() as held:
        held.move(100 * 365 * 86_400)
        identity = has("late", "host")
        assert not identity.is_ending()
    ends = x509.load_pem_x509_certificate(identity.certificate.read_bytes()).not_valid_after_utc
    assert x509.load_pem_x509_certificate(authority.certificate.encode()).not_valid_after_utc > ends


@pytest.mark.real
@pytest.mark.skipif(shutil.which("ovsdb-server") is None, reason="needs ovsdb-server")
def test_open_vswitch_shows_the_certificate_that_was_renewed(
    has: Has, authority: Authority, tmp_path: Path
) -> None:
    south, controller, database = has("south", "controller"), has("cloud", "controller"), "o.db"
    schema = tmp_path / "schema"
    schema.write_text('{"name": "o", "tables": {}}')
    subprocess.run(["ovsdb-tool", "create", database, schema], cwd=tmp_path, check=True)
    tls = [f"--private-key={south.key}", f"--certificate={south.certificate}"]
    more = [f"--ca-cert={south.authority}", "--unixctl=none", f"--log-file={tmp_path / 'log'}"]
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]

    def shown() -> bytes | None:
        with contextlib.suppress(ConnectionRefusedError):
            line = TlsDialer(controller, (LOOPBACK, port), name="south", kind="controller").dial(5)
            assert isinstance(line, ssl.SSLSocket)
            with line:
                return line.getpeercert(binary_form=True)
        return None

    remote = f"--remote=pssl:{port}:{LOOPBACK}"
    server = subprocess.Popen(["ovsdb-server", database, remote, *tls, *more], cwd=tmp_path)
    try:
        eventually(lambda: shown() is not None, 10)
        first = shown()
        south.renew(authority.issue(south.request(), "south", "controller"))
        eventually(lambda: shown() != first, 10)
    finally:
        server.kill()
        server.wait()
