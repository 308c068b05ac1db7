"""The metadata proxy passes on what it may, says who asks, and holds out against its guests."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cumulo.node.metadata_proxy import HttpUpstream, Limits, Proxy
from cumulo.node.signatures import is_signed
from tests.waiting import eventually

pytestmark = pytest.mark.walk
SECRET = b"known to both"
NETWORK = "9a4e8a3c-0000-4000-8000-000000000001"


class Api:
    """A metadata API that remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer = b"ami-id\n"
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                api.seen.append((self.command, self.path, headers, body))
                self.send_response(404 if self.path == "/none" else 200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Set-Cookie", "not=passed")
                self.send_header("Content-Length", str(len(api.answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(api.answer)

            do_POST = do_HEAD = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    yield api
    api.stop()


LIMITS = Limits(read_s=0.5, connection_s=1.5, connections_of_peer=3, answer=100_000)


@pytest.fixture
def proxy(api: Api) -> Iterator[Proxy]:
    proxy = Proxy(HttpUpstream(api.url, SECRET), LIMITS)
    yield proxy
    proxy.close()


@pytest.fixture
def address(proxy: Proxy) -> tuple[str, int]:
    """Return where the proxy listens for one network."""
    listener = socket.create_server(("127.0.0.1", 0))
    where = listener.getsockname()
    proxy.serve(NETWORK, listener)
    return str(where[0]), int(where[1])


def talk(address: tuple[str, int], request: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def get(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 169.254.169.254", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def is_served(address: tuple[str, int]) -> bool:
    """Say whether a request is answered; one too many is refused, or not even read."""
    try:
        return status(talk(address, get("/"))) == 200
    except ConnectionResetError:
        return False


def test_a_request_goes_on_with_who_asks(api: Api, address: tuple[str, int]) -> None:
    answer = talk(address, get("/latest/meta-data/ami-id"))
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\nami-id\n")
    assert b"Content-Type: text/plain" in answer
    [(method, path, headers, _)] = api.seen
    assert (method, path) == ("GET", "/latest/meta-data/ami-id")
    assert headers["x-cumulo-network-id"] == NETWORK
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert is_signed(SECRET, NETWORK, "127.0.0.1", headers["x-cumulo-signature"])
    assert not is_signed(SECRET, NETWORK, "127.0.0.2", headers["x-cumulo-signature"])


def test_what_a_guest_says_of_itself_is_dropped(api: Api, address: tuple[str, int]) -> None:
    lies = [
        "X-Cumulo-Network-ID: other",
        "x_cumulo_network_id: other",
        "X-Cumulo-Signature: 00",
        "X-Forwarded-For: 10.0.0.99",
        "X-Instance-ID: someone",
        "X-Tenant-ID: someone",
        "X-Instance-ID-Signature: 00",
        "X-Metadata-Provider: me",
        "Forwarded: for=10.0.0.99",
        "Authorization: Basic xyz",
    ]
    talk(address, get("/", *lies, "Accept: text/plain"))
    [(_, _, headers, _)] = api.seen
    assert sorted(headers) == [
        *("accept", "accept-encoding", "connection", "content-length", "host"),
        *("x-cumulo-network-id", "x-cumulo-signature", "x-forwarded-for"),
    ]
    assert headers["x-cumulo-network-id"] == NETWORK
    assert headers["x-forwarded-for"] == "127.0.0.1"


def test_status_and_length_come_back(address: tuple[str, int]) -> None:
    assert status(talk(address, get("/none"))) == 404
    head = talk(address, get("/", method="HEAD"))
    assert b"Content-Length: 7\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    assert b"Set-Cookie" not in head


def test_a_body_goes_on(api: Api, address: tuple[str, int]) -> None:
    secret = b"password"
    request = get("/openstack/latest/password", "Content-Length: 8", method="POST", body=secret)
    assert status(talk(address, request)) == 200
    assert api.seen[0][3] == secret


def test_a_connection_serves_many_requests(api: Api, address: tuple[str, int]) -> None:
    first = b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
    talk(address, first + get("/two"))
    assert [path for _, path, _, _ in api.seen] == ["/one", "/two"]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (get("/" + "a" * 5000), 414),
        (get("http://elsewhere/"), 400),
        (get("/", "Content-Length: 70000"), 413),
        (get("/", "Content-Length: 99999999999999999999"), 413),
        (get("/", "Content-Length: -1"), 400),
        (get("/", "Content-Length: 1", "Content-Length: 2"), 400),
        (get("/", "Transfer-Encoding: chunked"), 411),
        (get("/", method="DELETE"), 501),
        (get("/", *(f"X-{n}: y" for n in range(200))), 431),
        (b"GET / HTTX\r\n\r\n", 400),
    ],
)
def test_what_is_refused(
    api: Api, address: tuple[str, int], request_: bytes, expected: int
) -> None:
    assert status(talk(address, request_)) == expected
    assert api.seen == []


def test_an_answer_that_never_ends_is_not_passed_on(api: Api, address: tuple[str, int]) -> None:
    api.answer = bytes(LIMITS.answer + 1)
    assert status(talk(address, get("/"))) == 502


def test_without_the_api_guests_are_told_to_come_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = f"http://127.0.0.1:{gone.getsockname()[1]}"
    proxy = Proxy(HttpUpstream(nobody, SECRET))
    listener = socket.create_server(("127.0.0.1", 0))
    where = listener.getsockname()
    proxy.serve(NETWORK, listener)
    assert status(talk(where, get("/"))) == 503
    proxy.close()


def test_a_slow_guest_is_cut_off(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET / HT")
        assert connection.recv(100) == b""


def test_a_guest_that_drips_is_cut_off(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.settimeout(0.1)
        connection.sendall(b"GET / HTTP/1.1\r\n")

        def is_cut() -> bool:
            try:
                connection.sendall(b"X: y\r\n")
                return connection.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        eventually(is_cut, within_s=10)


def test_a_greedy_guest_leaves_room(api: Api, proxy: Proxy, address: tuple[str, int]) -> None:
    held = [socket.create_connection(address, timeout=10) for _ in range(3)]
    for each in held:
        each.sendall(b"GET / HTTP/1.1\r\nX-Wait: ")
    assert not is_served(address)
    other = socket.create_server(("127.0.0.2", 0))
    where = other.getsockname()
    proxy.serve("other network", other)
    assert is_served(where)
    for each in held:
        each.close()
    eventually(lambda: is_served(address))


def test_a_forgotten_network_is_not_answered(proxy: Proxy, address: tuple[str, int]) -> None:
    assert proxy.networks() == {NETWORK}
    proxy.forget(NETWORK)
    with pytest.raises(ConnectionRefusedError):
        talk(address, get("/"))
    assert proxy.networks() == set()
