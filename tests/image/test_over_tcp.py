"""The same over real connections: what a client that breaks off, or sends pieces, leaves behind."""

import contextlib
import hashlib
import http.client
import socket
from collections.abc import Iterator

import pytest

from cumulo.web.streaming import StreamingServer
from tests.image import malice
from tests.image.service import MIB, Service, create, show
from tests.ports import free_port
from tests.waiting import eventually

pytestmark = pytest.mark.walk
HEADERS = {"X-Auth-Token": "ann:p1:member", "Content-Type": "application/octet-stream"}


@pytest.fixture
def port(service: Service) -> Iterator[int]:
    number = free_port()
    server = StreamingServer(service.edge, "127.0.0.1", number, threads=4)
    server.start()

    def is_open() -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", number)) == 0

    eventually(is_open)
    yield number
    server.stop()


def begin(port: int, image_id: str, *lines: str) -> socket.socket:
    """Send the head of an upload."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = [f"PUT /v2/images/{image_id}/file HTTP/1.1", "Host: cloud", *lines]
    head += [f"{name}: {value}" for name, value in HEADERS.items()]
    connection.sendall("\r\n".join([*head, "", ""]).encode())
    return connection


def status(connection: socket.socket) -> int:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status


def test_large_data_goes_both_ways(service: Service, port: int) -> None:
    ann = service.client("ann:p1:member")
    image_id, content = create(ann), bytes(range(256)) * 4096 * 7
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
        client.request("PUT", f"/v2/images/{image_id}/file", content, HEADERS)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (204, b"")
        client.request("GET", f"/v2/images/{image_id}/file", headers=HEADERS)
        answer = client.getresponse()
        assert answer.getheader("content-length") == str(len(content))
        assert hashlib.md5(answer.read()).hexdigest() == answer.getheader("content-md5")


def test_data_may_come_in_chunks_of_any_size(service: Service, port: int) -> None:
    ann = service.client("ann:p1:member")
    image_id, content = create(ann), bytes(range(256)) * 300
    with begin(port, image_id, "Transfer-Encoding: chunked") as connection:
        at = 0
        for size in (1, 2, 511, 70000):
            piece = content[at : at + size]
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            at += len(piece)
        connection.sendall(b"0\r\n\r\n")
        assert status(connection) == 204
    assert show(ann, image_id)["size"] == at
    assert show(ann, image_id)["checksum"] == hashlib.md5(content[:at]).hexdigest()


@pytest.mark.parametrize(
    "line", ["Content-Length: 5000000", "Transfer-Encoding: chunked"], ids=["length", "chunked"]
)
def test_a_client_that_goes_away_leaves_a_queued_image(
    service: Service, port: int, line: str
) -> None:
    ann = service.client("ann:p1:member")
    image_id = create(ann)
    with begin(port, image_id, line) as connection:
        piece = b"x" * 5000
        connection.sendall(piece if "Length" in line else b"1388\r\n" + piece + b"\r\n")
        eventually(lambda: show(ann, image_id)["status"] == "saving")
    eventually(lambda: show(ann, image_id)["status"] == "queued")
    assert service.files() == []
    usage = ann.get("/v2/info/usage").json()["usage"]
    assert usage["image_count_uploading"]["usage"] == 0


def test_a_refusal_comes_before_all_has_been_sent(service: Service, port: int) -> None:
    ann = service.client("ann:p1:member")
    image_id = create(ann, disk_format="qcow2")
    with begin(port, image_id, f"Content-Length: {7 * MIB}") as connection:
        connection.sendall(malice.qcow2(backing_file="/etc/shadow", size=2 * MIB))
        assert status(connection) == 415
    assert show(ann, image_id)["status"] == "queued"
    assert service.files() == []


def test_too_much_is_refused_by_what_is_announced(service: Service, port: int) -> None:
    ann = service.client("ann:p1:member")
    image_id = create(ann)
    with begin(port, image_id, f"Content-Length: {1 << 50}") as connection:
        assert status(connection) == 413
    assert service.files() == []


def test_a_stranger_is_refused_before_it_sends_data(service: Service, port: int) -> None:
    image_id = create(service.client("ann:p1:member"))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
        client.putrequest("PUT", f"/v2/images/{image_id}/file")
        client.putheader("Content-Length", str(1 << 40))
        client.putheader("Content-Type", "application/octet-stream")
        client.endheaders()
        assert client.getresponse().status == 401
