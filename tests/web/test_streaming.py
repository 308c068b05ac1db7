"""Ports that take large bodies: whole ones, broken ones, and clients that fall silent."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulo.kit import patience
from cumulo.kit.clock import CLOCK, Clock
from cumulo.kit.errors import Invalid
from cumulo.web.streaming import StreamingServer, _Body
from cumulo.web.upload import Upload
from tests.ports import free_port
from tests.waiting import eventually

pytestmark = pytest.mark.walk
LARGE = 64 << 20


class Application:
    """Takes a body and says how large it was; hands out a large one and knows when it is let go."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.open_answers = self.pieces_taken = self.uploads = 0
        self.refuses = False

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            start_response("200 OK", [("Content-Length", str(LARGE)), ("X-Path", _path(environ))])
            return self._pieces()
        if environ["REQUEST_METHOD"] == "POST":
            # What is said of its length is up to the client.
            start_response("200 OK", [("Content-Length", environ["HTTP_X_LENGTH"])])
            return [environ["wsgi.input"].read()]
        if self.refuses:
            start_response("403 Forbidden", [("Content-Length", "2")])
            return [b"no"]
        self.uploads += 1
        length = environ.get("CONTENT_LENGTH")
        upload = Upload(environ["wsgi.input"], int(length) if length else None)
        try:
            size = sum(map(len, upload))
        except Invalid as error:
            self.problems.append(error.message)
            start_response("400 Bad Request", [])
            return [error.message.encode()]
        start_response("200 OK", [])
        return [str(size).encode()]

    def _pieces(self) -> Iterator[bytes]:
        self.open_answers += 1
        try:
            for _ in range(LARGE >> 20):
                self.pieces_taken += 1
                yield bytes(1 << 20)
        finally:
            self.open_answers -= 1


def _path(environ: dict[str, Any]) -> str:
    return f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[StreamingServer]:
    server = StreamingServer(
        application, "127.0.0.1", free_port(), threads=4, silence_s=0.5, grace_s=0
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def port(server: StreamingServer) -> int:
    return server.port


@pytest.fixture
def client(port: int) -> Iterator[http.client.HTTPConnection]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as one:
        yield one


def connect(port: int, head: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(f"{head}\r\nHost: cloud\r\n\r\n".encode())
    return connection


def test_bodies_go_both_ways(client: http.client.HTTPConnection) -> None:
    for body in (b"", b"x", b"y" * (3 << 20)):
        client.request("PUT", "/", body)
        assert client.getresponse().read() == str(len(body)).encode()
        client.request("PUT", "/", iter([body[:5], body[5:]]))
        assert client.getresponse().read() == str(len(body)).encode()
    client.request("GET", "/a%20b/%C3%A9?x=%20")
    answer = client.getresponse()
    assert len(answer.read()) == LARGE
    # As WSGI has it: bytes in the clothes of latin-1.
    assert answer.headers["X-Path"].encode("latin-1") == "/a b/é?x=%20".encode()


@pytest.mark.parametrize(
    "head",
    ["PUT / HTTP/1.1\r\nContent-Length: 99", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked"],
    ids=["length", "chunked"],
)
def test_a_body_that_breaks_off_is_not_whole(
    application: Application, port: int, head: str
) -> None:
    with connect(port, head) as connection:
        connection.sendall(b"5\r\nhello\r\n")
    eventually(lambda: application.problems)
    assert application.problems == ["The request body is not whole: the client went away."]


def test_a_client_that_falls_silent_gives_up_its_thread(
    application: Application, port: int
) -> None:
    with connect(port, "PUT / HTTP/1.1\r\nContent-Length: 99") as connection:
        connection.sendall(b"hello")
        eventually(lambda: application.problems)
    assert "nothing came for 0.5 seconds" in application.problems[0]


def test_a_client_that_takes_nothing_gives_up_its_thread(
    application: Application, port: int
) -> None:
    with connect(port, "GET / HTTP/1.1") as connection:
        assert connection.recv(100)
        eventually(lambda: application.open_answers == 1)
        eventually(lambda: application.open_answers == 0)


def test_a_client_that_goes_away_lets_go_of_what_it_was_sent(
    application: Application, port: int
) -> None:
    with connect(port, "GET / HTTP/1.1") as connection:
        assert connection.recv(100)
        eventually(lambda: application.open_answers == 1)
    eventually(lambda: application.open_answers == 0)
    assert application.pieces_taken < LARGE >> 20


def posted(body: bytes, says: int, *more: str) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: cloud", f"Content-Length: {len(body)}", f"X-Length: {says}"]
    return "\r\n".join([*lines, *more, "", ""]).encode() + body


def read_answer(answers: BinaryIO) -> tuple[int, bytes]:
    """Return the next of several answers; `HTTPResponse` would take more than its own."""
    status = int(answers.readline().split()[1])
    headers = http.client.parse_headers(answers)
    return status, answers.read(int(headers["content-length"]))


def test_requests_that_come_at_once_are_answered_in_order(port: int) -> None:
    bodies = [b"first", b"", b"third" * 1000]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"".join(posted(body, len(body)) for body in bodies))
        with connection.makefile("rb") as answers:
            for body in bodies:
                assert read_answer(answers) == (200, body)


@pytest.mark.parametrize("head", ["Connection: close", "Expect: 100-continue"])
def test_a_small_body_in_one_piece_with_its_head(port: int, head: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(posted(b"hello", 5, head))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.read()) == (200, b"hello")
        assert bool(answer.getheader("connection") == "close") == ("close" in head)


@pytest.mark.parametrize("says", [4, 6])
def test_an_answer_that_is_not_as_long_as_it_says_ends_the_connection(port: int, says: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(posted(b"hello", says) + posted(b"again", 5))
        got = b""
        while piece := connection.recv(1000):
            got += piece
        assert b"again" not in got


class Quick:
    """Says which thread serves; on the way the time passes that a path names."""

    def __init__(self, time: Clock) -> None:
        self.time = time

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        if environ["QUERY_STRING"] == "waits":
            patience.check()
        self.time.move(float(environ["PATH_INFO"].removeprefix("/")))
        name = threading.current_thread().name.encode()
        if environ["QUERY_STRING"] == "large":
            start_response("200 OK", [("Content-Length", str(LARGE))])
            return self._large()
        start_response("200 OK", [("Content-Length", str(len(name)))])
        return iter([name])

    def _large(self) -> Iterator[bytes]:
        for _ in range(LARGE >> 20):
            yield (threading.current_thread().name.encode() + b"|").ljust(1 << 20)


@pytest.fixture
def quick() -> Iterator[http.client.HTTPConnection]:
    with CLOCK.held() as time:
        server = StreamingServer(
            Quick(time),
            "127.0.0.1",
            free_port(),
            grace_s=0,
            is_quick=lambda environ: environ["REQUEST_METHOD"] == "GET",
        )
        server.start()
        where = ("127.0.0.1", server.port)
        with contextlib.closing(http.client.HTTPConnection(*where, timeout=20)) as one:
            yield one
        server.stop()


def served_by(client: http.client.HTTPConnection, path: str, method: str = "GET") -> str:
    client.request(method, path)
    body = client.getresponse().read()
    return "thread" if "_" in body.partition(b"|")[0].decode() else "loop"


def test_the_loop_serves_quick_requests_until_two_in_a_row_take_long(
    quick: http.client.HTTPConnection,
) -> None:
    took = [("/0.01", "loop"), ("/0", "loop"), ("/0.01", "loop"), ("/0.004", "loop")]
    took += [("/0.01", "loop"), ("/0.01", "loop"), ("/0", "thread")]
    took += [("/0.9", "thread"), ("/0.2", "thread"), ("/0", "loop")]
    assert [served_by(quick, path) for path, _ in took] == [where for _, where in took]
    assert served_by(quick, "/0", "DELETE") == "thread"


def test_a_thread_sends_a_large_answer_to_a_quick_request(
    quick: http.client.HTTPConnection,
) -> None:
    assert [served_by(quick, "/0?large"), served_by(quick, "/0")] == ["thread", "loop"]


def test_a_thread_serves_a_quick_request_that_would_wait(
    quick: http.client.HTTPConnection,
) -> None:
    assert [served_by(quick, "/0?waits"), served_by(quick, "/0")] == ["thread", "loop"]


def test_quick_requests_of_one_connection_have_no_bound_in_all(
    quick: http.client.HTTPConnection,
) -> None:
    for _ in range(100):
        quick.request("GET", "/0", headers={"X-Long": "y" * 1000})
        assert quick.getresponse().read()


HEAPS = """
import ctypes, threading
from cumulo.web.streaming import share_heaps
share_heaps()
there = threading.Barrier(17)
def hold():
    held = [b"x" * 1000 for _ in range(1000)]
    there.wait()
    there.wait()
for _ in range(16):
    threading.Thread(target=hold).start()
there.wait()
ctypes.CDLL(None).malloc_stats()
there.wait()
"""


# Bodies that come and go in a thread; printed is how many pages of the system's that took.
BODIES = """
import resource, threading
from cumulo.web.streaming import share_heaps
share_heaps()
def body():
    pieces = [b"x" * (256 << 10) for _ in range(8)]
    return len(b"".join(pieces[:4]))
def bodies(count):
    for _ in range(count):
        body()
def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def run():
    bodies(10)
    before = pages()
    bodies(100)
    print(pages() - before)
threading.Thread(target=run).start()
"""


def ran(program: str, allocator: str = "pymalloc") -> subprocess.CompletedProcess[str]:
    """Run a program in an interpreter of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONMALLOC": allocator}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


def test_threads_share_heaps() -> None:
    told = ran(HEAPS, "malloc").stderr
    if "Arena" not in told:
        pytest.skip("the library of this machine tells of no heaps")
    assert told.count("Arena ") <= 2


def test_heaps_keep_what_the_next_body_takes() -> None:
    if "Arena" not in ran(HEAPS, "malloc").stderr:
        pytest.skip("the library of this machine tells of no heaps")
    assert int(ran(BODIES).stdout) < 1000  # a body takes 768 pages


def test_resting_connections_keep_nobody_out(port: int) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(100):
            connection = held.enter_context(connect(port, "PUT / HTTP/1.1\r\nContent-Length: 0"))
            assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_a_refusal_reaches_a_client_that_sends_all_before_it_reads(
    application: Application, client: http.client.HTTPConnection
) -> None:
    application.refuses = True
    for _ in range(2):
        client.request("PUT", "/", bytes(20 << 20))
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (403, b"no")


def test_a_refusal_does_not_wait_for_a_client_that_waits(
    application: Application, port: int
) -> None:
    application.refuses = True
    expects = "PUT / HTTP/1.1\r\nContent-Length: 99\r\nExpect: 100-continue"
    with connect(port, expects) as connection:
        answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"connection: close" in answer.lower()


def test_the_server_stops_while_bodies_are_under_way(
    application: Application, server: StreamingServer
) -> None:
    with contextlib.ExitStack() as held:
        for head in ("GET / HTTP/1.1", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked"):
            held.enter_context(connect(server.port, head))
        half = held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        half.sendall(b"GET / HTTP")
        eventually(lambda: application.open_answers == 1 and application.uploads == 1)
        server.stop()
    assert application.open_answers == 0
    assert application.problems == ["The request body is not whole: the service stops."]


def test_a_header_with_an_underscore_is_not_one_with_a_dash(port: int) -> None:
    with connect(port, "PUT / HTTP/1.1\r\nContent_Length: 5\r\nContent-Length: 0") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nX: ", b"GET /"])
def test_the_head_of_a_request_has_a_bound(port: int, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(start)
        with contextlib.suppress(OSError):  # hung up while there was more to say
            for _ in range(100):
                connection.sendall(b"a" * 10_000)
        with contextlib.suppress(ConnectionResetError):
            assert b" 400 " in (connection.recv(100) or b" 400 ")


def test_what_two_parsers_could_read_differently_is_refused(port: int) -> None:
    for head in (
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Content-Length: +4",
        b"Transfer-Encoding: chunked, identity",
        b"X: a\r\n b",
        b"X : a",
        b"X: a\rY: b",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n0\r\n\r\n")
            assert b" 400 " in connection.recv(1000).split(b"\r\n")[0], head


@given(st.lists(st.binary(max_size=9000) | st.binary(max_size=3), max_size=30))
def test_a_body_is_what_its_pieces_were(pieces: list[bytes]) -> None:
    body = _Body()
    for piece in pieces:
        body += piece
        assert len(body._pieces) <= 1 + 2 * sum(len(one) >= 4096 for one in pieces)
    assert (len(body), bytes(body)) == (sum(map(len, pieces)), b"".join(pieces))
