import hashlib
import http.client
from collections.abc import Iterator

import pytest

from cumulo.auth import Policy
from cumulo.db import Database
from cumulo.kit.errors import Conflict
from cumulo.web import faults
from cumulo.web.edge import Api, Edge
from cumulo.web.server import HttpServer
from tests.client import authenticate
from tests.ports import free_port
from tests.web.test_edge import RULES, routes

HEADERS = {"X-Auth-Token": "ann:p1:member"}


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(db: Database, port: int) -> Iterator[HttpServer]:
    api = Api(
        name="things",
        port=port,
        operations=routes.operations,
        policy=Policy(RULES),
        family=faults.NAMED,
    )
    server = HttpServer(Edge(api, db, authenticate), "127.0.0.1", port)
    server.start()
    yield server
    server.stop()


def test_a_port_serves(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_X_AUTH_TOKEN", "root:p:admin")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/v2/things/a", headers=HEADERS)
    answer = connection.getresponse()
    assert answer.status == 200
    assert b'"name":"p1 a"' in answer.read()
    connection.request("GET", "/v2/things/a")
    assert connection.getresponse().status == 401
    connection.close()


def test_bodies_stream_with_and_without_a_length(server: HttpServer) -> None:
    pieces = [b"x" * 70_000 for _ in range(50)]
    md5 = hashlib.md5(b"".join(pieces), usedforsecurity=False).hexdigest()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for length in ({"Content-Length": str(50 * 70_000)}, {}):
        connection.request("PUT", "/v2/things/a/data", iter(pieces), {**HEADERS, **length})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["ETag"]) == (201, md5)
        answer.read()
    connection.request("GET", "/v2/things/a/data", headers=HEADERS)
    assert connection.getresponse().read() == b"x" * 9
    connection.close()


def test_a_taken_port_is_told_at_once(server: HttpServer, db: Database) -> None:
    with pytest.raises(Conflict, match=str(server.port)):
        HttpServer(lambda *_: [], "127.0.0.1", server.port).start()
