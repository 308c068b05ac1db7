"""The commands of a host cross to another process unchanged, errors too."""

import http.client
import itertools
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.kit.errors import NotFound, Unavailable
from cumulo.node.api import HostError, Node
from cumulo.node.client import UnixDialer, remote_node
from cumulo.node.drivers.fake import FakeNode
from cumulo.node.drivers.script import Failure, Script, Trouble
from cumulo.node.server import NodeServer, UnixTransport
from cumulo.node.wire import COMMANDS, STREAMS
from tests.node.bench import Bench


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.sock"


@pytest.fixture
def server(fake: FakeNode, path: Path) -> Iterator[NodeServer]:
    server = NodeServer(fake, UnixTransport(path))
    server.start()
    yield server
    server.close()


@pytest.fixture
def node(server: NodeServer, path: Path) -> Node:
    return remote_node(UnixDialer(path))


def post(path: Path, url: str, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("node")
    connection.sock = UnixDialer(path).dial(5)
    connection.request("POST", url, body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def test_every_command_of_a_node_travels() -> None:
    assert {*COMMANDS, *STREAMS} == {name for name in vars(Node) if not name.startswith("_")}


def test_what_a_guest_is_made_from_arrives_unchanged(remote_bench: Bench, fake: FakeNode) -> None:
    spec = remote_bench.spec(
        display_name="naïve ☁ \x00 name",
        config_drive={"openstack/latest/meta_data.json": "{}"},
        config_drive_bytes={"openstack/latest/user_data": b"\x1f\x8b\xff"},
        properties={"hw_disk_bus": "scsi"},
    )
    remote_bench.node.ensure_guest(spec)
    assert fake.spec(spec.id) == spec


@pytest.mark.parametrize(
    ("failure", "kind"),
    [("unavailable", Unavailable), ("host_error", HostError), ("not_found", NotFound)],
)
def test_errors_keep_their_kind_and_words(
    failure: Failure, kind: type[Exception], node: Node, fake: FakeNode
) -> None:
    fake.script.set([Trouble(command="facts", error=failure, message="because")])
    with pytest.raises(kind, match=r"^because$"):
        node.facts()


def test_a_bug_in_the_host_is_a_host_error_without_detail(tmp_path: Path, path: Path) -> None:
    class Buggy(FakeNode):
        def guests(self):  # type: ignore[no-untyped-def]
            raise FileNotFoundError("secret")

    server = NodeServer(Buggy("host-1"), UnixTransport(path))
    server.start()
    with pytest.raises(HostError) as caught:
        remote_node(UnixDialer(path)).guests()
    assert "secret" not in str(caught.value)
    server.close()


@pytest.mark.usefixtures("server")
def test_an_unknown_command_or_argument_is_refused(path: Path) -> None:
    assert post(path, "/v1/format_disks", b"{}")[0] == 409
    assert post(path, "/v1/__init__", b"{}")[0] == 409
    assert post(path, "/guests", b"{}")[0] == 409
    status, text = post(path, "/v1/remove_guest", b'{"guest_id": "x", "force": true}')
    assert (status, b"force" in text) == (409, True)
    assert post(path, "/v1/remove_guest", b"no json")[0] == 409


def test_a_dead_host_is_unavailable(node: Node, server: NodeServer, path: Path) -> None:
    assert node.guests() == {}
    server.close()
    with pytest.raises(Unavailable, match=r"node\.sock"):
        node.guests()


def test_a_host_that_came_back_is_reached_at_once(
    node: Node, server: NodeServer, path: Path, fake: FakeNode
) -> None:
    assert node.guests() == {}
    server.close()
    successor = NodeServer(fake, UnixTransport(path))
    successor.start()
    server.close()
    assert node.guests() == {}
    successor.close()


def test_a_host_that_does_not_answer_is_unavailable(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        with pytest.raises(Unavailable, match=r"did not answer within 0\.05 s"):
            remote_node(UnixDialer(path), timeout_s=0.05).facts()


def test_the_time_a_command_is_given_is_not_taken_from_its_patience(path: Path) -> None:
    never = threading.Event()
    fake = FakeNode("host-1", script=Script(sleep=lambda seconds: never.wait(0.2)))
    server = NodeServer(fake, UnixTransport(path))
    server.start()
    fake.script.delay("ensure_power", 1)
    node = remote_node(UnixDialer(path), timeout_s=0.05)
    with pytest.raises(NotFound):
        node.ensure_power("unknown", "stopped", timeout_s=10)
    with pytest.raises(Unavailable):
        node.ensure_power("unknown", "stopped", timeout_s=0)
    server.close()


def test_commands_run_side_by_side(node: Node, fake: FakeNode) -> None:
    both = threading.Barrier(2, timeout=10)
    fake.script = Script(sleep=lambda seconds: both.wait())
    fake.script.delay("facts", 1)
    threads = [threading.Thread(target=node.facts) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not both.broken


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_only_the_right_users_are_served(fake: FakeNode, tmp_path: Path) -> None:
    ours = itertools.takewhile(lambda each: each != Path(tempfile.gettempdir()), tmp_path.parents)
    for place in [tmp_path, *ours]:
        place.chmod(0o755)
    path = tmp_path / "node.sock"
    server = NodeServer(fake, UnixTransport(path, users=[4242]))
    server.start()
    assert {uid: asked_as(uid, path) for uid in (4242, 4343)} == {4242: "served", 4343: "refused"}
    server.close()


def asked_as(uid: int, path: Path) -> str:
    """Ask from a process of another user."""
    child = os.fork()
    if child == 0:
        try:
            os.setuid(uid)
            remote_node(UnixDialer(path)).guests()
            os._exit(0)
        except Unavailable:
            os._exit(1)
        finally:
            os._exit(2)
    return {0: "served", 1: "refused"}[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]
