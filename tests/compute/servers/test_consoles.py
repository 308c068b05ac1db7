"""Consoles: what opens them, what does not, and what is seen through a websocket."""

import contextlib
import http.client
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from cumulo.kit.clock import CLOCK, now
from cumulo.services.compute.public import connect_console
from cumulo.services.compute.reconcile import forget_tokens
from cumulo.web.relay import RelayServer, files_in
from tests.client import Answer, Client
from tests.cloud import Emulated
from tests.compute.servers.mover import Mover
from tests.ports import free_port
from tests.rfb import Viewer

BINARY = [Subprotocol("binary")]
NOVNC = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
SERIAL = {"remote_console": {"protocol": "serial", "type": "serial"}}


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[Emulated]:
    """A cloud of two hosts."""
    cloud = Emulated(tmp_path, hosts=2)
    yield cloud
    cloud.close()


@pytest.fixture
def relay(emulated: Emulated, tmp_path: Path) -> Iterator[RelayServer]:
    """The edge, with a page of ours."""
    (tmp_path / "pages" / "deep").mkdir(parents=True)
    (tmp_path / "pages" / "deep" / "page.html").write_text("<html></html>")
    server = RelayServer(
        files_in(tmp_path / "pages"),
        partial(connect_console, emulated.cloud.compute),
        "127.0.0.1",
        free_port(),
        allowed_origins=("dashboard.example:8443",),
    )
    server.start()
    yield server
    server.stop()


def token_of(client: Client, server_id: str, body: dict[str, Any] = NOVNC) -> str:
    answer = client.at("compute 2.6").post(f"/v2.1/servers/{server_id}/remote-consoles", body)
    assert answer.status == 200, answer.text
    query = parse_qs(urlsplit(answer.json()["remote_console"]["url"]).query)
    return str(query.get("token", query.get("path", [""]))[0]).removeprefix("?token=")


def opened(relay: RelayServer, token: str, origin: str | None = None) -> ClientConnection:
    address = f"ws://127.0.0.1:{relay.port}/?token={token}"
    return connect(address, origin=Origin(origin) if origin else None, subprotocols=BINARY)


def refused(relay: RelayServer, token: str, origin: str | None = None) -> bool:
    with pytest.raises(InvalidStatus) as caught:
        opened(relay, token, origin)
    return caught.value.response.status_code == 403 and not caught.value.response.body


def fetched(relay: RelayServer, path: str, method: str = "GET") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=20)
    connection.request(method, path)
    answer = connection.getresponse()
    found = Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    connection.close()
    return found


def _is_ended(socket: ClientConnection) -> bool:
    with contextlib.suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=20)
    return True


def _bytes(socket: ClientConnection) -> bytes:
    piece = socket.recv(timeout=20)
    assert isinstance(piece, bytes)
    return piece


def test_a_screen_is_seen_through_a_websocket(ann: Client, one: Mover, relay: RelayServer) -> None:
    with opened(relay, token_of(ann, one.id)) as socket:
        assert socket.subprotocol == "binary"
        viewer = Viewer(socket.send, partial(_bytes, socket))
        assert viewer.name == one.node.spec(one.id).name
        assert viewer.look().strip(b"\0"), "the screen is dark"
        viewer.type("me\n")
        viewer.look(incremental=True)
    assert b"me\n\nLogin incorrect" in one.node.console_log(one.id)


def test_a_serial_console_takes_keys_and_shows_text(
    ann: Client, one: Mover, relay: RelayServer
) -> None:
    with opened(relay, token_of(ann, one.id, SERIAL)) as socket:
        socket.send("typed as text")
        socket.send(b"\r")
        shown = b""
        while b"login: " not in shown:
            shown += _bytes(socket)
    assert shown.startswith(b"typed as text\r\n")


def test_the_first_versions_have_an_action_for_each_kind(ann: Client, one: Mover) -> None:
    path = f"/v2.1/servers/{one.id}/action"
    shown = ann.post(path, {"os-getVNCConsole": {"type": "novnc"}}).json()["console"]
    assert shown["type"] == "novnc"
    assert shown["url"].startswith("http://127.0.0.1:6080/vnc_lite.html?path=%3Ftoken%3D")
    shown = ann.post(path, {"os-getSerialConsole": {"type": "serial"}}).json()["console"]
    assert shown["url"].startswith("ws://127.0.0.1:6080/?token=")
    for action, type_, status in (
        ("os-getVNCConsole", "xvpvnc", 400),
        ("os-getVNCConsole", "webmks", 400),
        ("os-getSPICEConsole", "spice-html5", 400),
        ("os-getRDPConsole", "rdp-html5", 410),
    ):
        assert ann.post(path, {action: {"type": type_}}).status == status
    assert ann.at("compute 2.6").post(path, {"os-getVNCConsole": {"type": "novnc"}}).status == 400
    assert ann.post(f"/v2.1/servers/{one.id}/remote-consoles", NOVNC).status == 404


def test_what_there_is_not_is_refused_with_a_reason(
    ann: Client, one: Mover, emulated: Emulated
) -> None:
    path = f"/v2.1/servers/{one.id}/remote-consoles"
    for protocol, type_ in (("spice", "spice-html5"), ("rdp", "rdp-html5"), ("mks", "webmks")):
        answer = ann.at("compute 2.99").post(
            path, {"remote_console": {"protocol": protocol, "type": type_}}
        )
        assert (answer.status, type_ in answer.text) == (400, True)
    mixed = ann.at("compute 2.6").post(
        path, {"remote_console": {"protocol": "vnc", "type": "serial"}}
    )
    assert (mixed.status, "Invalid console type serial" in mixed.text) == (400, True)
    stranger = emulated.client("compute", "eve:p2:member", "compute 2.6")
    assert stranger.post(path, NOVNC).status == 404
    reader = emulated.client("compute", "ray:p1:reader", "compute 2.6")
    assert reader.post(path, NOVNC).status == 403
    assert one.do("shelve") == 202
    assert ann.at("compute 2.6").post(path, NOVNC).status == 409


def test_a_token_is_looked_up_and_expires(
    ann: Client, root: Client, one: Mover, emulated: Emulated, relay: RelayServer
) -> None:
    token = token_of(ann, one.id)
    path = f"/v2.1/os-console-auth-tokens/{token}"
    shown = root.at("compute 2.31").get(path).json()["console"]
    assert (shown["instance_uuid"], shown["host"]) == (one.id, one.host)
    assert "tls_port" in root.at("compute 2.99").get(path).json()["console"]
    assert root.at("compute 2.30").get(path).status == 400
    assert ann.at("compute 2.31").get(path).status == 403
    lasts = emulated.cloud.settings.compute.token_ttl
    with CLOCK.held(now() + timedelta(seconds=lasts + 1)):
        assert root.at("compute 2.31").get(path).status == 404
        assert refused(relay, token)
        forget_tokens(emulated.cloud.compute)
    assert refused(relay, token)


def test_wrong_tokens_open_nothing(ann: Client, one: Mover, relay: RelayServer) -> None:
    token = token_of(ann, one.id)
    for wrong in ("", "bad", token[:-1], token + "x", token.swapcase()):
        assert refused(relay, wrong)
    with opened(relay, token):
        pass


def test_a_page_from_elsewhere_opens_nothing(ann: Client, one: Mover, relay: RelayServer) -> None:
    """A page of an attacker's must not use an address it got hold of in its visitor's browser."""
    token = token_of(ann, one.id)
    for origin in ("http://evil.example", "http://127.0.0.1:1", "null", "http://[bad"):
        assert refused(relay, token, origin=origin)
    for origin in (f"http://127.0.0.1:{relay.port}", "https://dashboard.example:8443"):
        with opened(relay, token, origin=origin):
            pass


def test_a_token_is_no_good_once_its_server_has_moved(
    ann: Client, one: Mover, relay: RelayServer
) -> None:
    token = token_of(ann, one.id)
    before = one.host
    with opened(relay, token) as socket:
        moved = {"host": None, "block_migration": False, "disk_over_commit": False}
        assert one.do("os-migrateLive", moved, by=one.root) == 202
        assert one.host != before
        assert _is_ended(socket)
    assert refused(relay, token)


def test_a_token_does_not_come_back_with_its_server(
    ann: Client, one: Mover, relay: RelayServer
) -> None:
    """Who had it may long have lost what let them ask for it."""
    before, root = one.host, one.root.at("compute 2.91")
    live = {"host": None, "block_migration": False}
    for away, wish, back, same in (
        ("migrate", None, "revertResize", None),
        ("os-migrateLive", live, "os-migrateLive", live),
        ("shelve", None, "unshelve", {"host": before}),
    ):
        token = token_of(ann, one.id)
        assert one.do(away, wish, by=root) == 202, away
        assert one.do(back, same, by=root) == 202, back
        assert (one.host, one.status) == (before, "ACTIVE"), away
        assert refused(relay, token), away


def test_a_token_is_no_good_once_its_server_is_deleted(
    ann: Client, one: Mover, emulated: Emulated, relay: RelayServer
) -> None:
    token = token_of(ann, one.id)
    assert ann.delete(f"/v2.1/servers/{one.id}").status == 204
    emulated.work()
    assert refused(relay, token)


def test_a_stopped_server_has_nothing_to_show(ann: Client, one: Mover, relay: RelayServer) -> None:
    assert one.do("os-stop") == 202
    assert refused(relay, token_of(ann, one.id))


def test_tokens_are_in_no_log_and_not_in_the_database(
    ann: Client,
    root: Client,
    one: Mover,
    relay: RelayServer,
    emulated: Emulated,
    capsys: pytest.CaptureFixture[str],
) -> None:
    token = token_of(ann, one.id)
    with opened(relay, token):
        pass
    assert refused(relay, token, origin="http://evil.example")
    assert refused(relay, token + "x")
    for version in ("compute 2.30", "compute 2.31"):
        root.at(version).get(f"/v2.1/os-console-auth-tokens/{token}")
        ann.as_(None).at(version).get(f"/v2.1/os-console-auth-tokens/{token}")
    assert token not in "".join(capsys.readouterr())
    file = Path(str(emulated.db.engine.url.database))
    for path in file.parent.glob(f"{file.name}*"):
        assert token.encode() not in path.read_bytes()


def test_pages_are_read_and_nothing_else(relay: RelayServer) -> None:
    """Paths are looked up as they are: none leads out of the pages or to another host."""
    found = fetched(relay, "/deep/page.html")
    assert (found.status, found.body) == (200, b"<html></html>")
    assert found.headers["referrer-policy"] == "no-referrer"
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert fetched(relay, "/deep/page.html", "HEAD").body == b""
    assert fetched(relay, "/deep/page.html", "POST").status == 405
    for path in ("/", "//evil.example/..", "/deep", "/../cumulo.db", "/deep/%2e%2e/cumulo.db"):
        answer = fetched(relay, path)
        assert (answer.status, "location" in answer.headers) == (404, False)
