from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cumulo.node.api import ImageSource
from cumulo.node.client import UnixDialer, remote_node
from cumulo.node.drivers.fake import FakeNode
from cumulo.node.local import LocalNode
from cumulo.node.server import NodeServer, UnixTransport
from tests.hypervisor import Host, guest_image, running_host
from tests.node.bench import Bench


@pytest.fixture
def fake() -> FakeNode:
    return FakeNode("host-1")


@pytest.fixture
def fake_bench(fake: FakeNode) -> Bench:
    return Bench(fake, fake_image())


@pytest.fixture
def remote_bench(fake: FakeNode, tmp_path: Path) -> Iterator[Bench]:
    path = tmp_path / "node.sock"
    server = NodeServer(fake, UnixTransport(path))
    server.start()
    yield Bench(remote_node(UnixDialer(path)), fake_image())
    server.close()


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    with running_host() as host:
        yield host


@pytest.fixture
def libvirt_bench(host: Host) -> Iterator[Bench]:
    """Real guests, under emulation where need be; none is left for the next test."""
    host.libvirtd.start()
    hypervisor = host.hypervisor()
    node = LocalNode(hypervisor, FakeNode("host-1"))
    yield Bench(node, guest_image(), patience_s=120, leftovers=leftovers_on(host))
    for guest_id in node.guests():
        node.remove_guest(guest_id)
    hypervisor.close()


def leftovers_on(host: Host) -> Callable[[str], list[str]]:
    """Return a function that looks for what is left of a guest."""

    def look(guest_id: str) -> list[str]:
        paths = [str(path) for path in host.directory.rglob(f"*{guest_id}*")]
        named = [str(path) for path in host.directory.rglob("*instance-*") if path.is_file()]
        commands = [
            path.parent.name
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if guest_id.encode() in read_if_there(path)
        ]
        return paths + [path for path in named if "/log/" not in path] + commands

    return look


def read_if_there(path: Path) -> bytes:
    """Return what a file says that may vanish any moment."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest.fixture(
    params=[
        "fake_bench",
        "remote_bench",
        pytest.param("libvirt_bench", marks=[pytest.mark.real, pytest.mark.timeout(300)]),
    ]
)
def bench(request: pytest.FixtureRequest) -> Bench:
    made: Bench = request.getfixturevalue(request.param)
    return made


def fake_image() -> ImageSource:
    return ImageSource(
        image_id="11111111-1111-4111-8111-111111111111",
        path="/nowhere/image",
        disk_format="qcow2",
        size=16 * 2**20,
        virtual_size=2**30,
    )
