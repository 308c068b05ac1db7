from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.node.api import ImageSource
from cumulo.node.client import UnixDialer, remote_node
from cumulo.node.drivers.fake import FakeNode
from cumulo.node.server import NodeServer, UnixTransport
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


@pytest.fixture(
    params=[
        "fake_bench",
        "remote_bench",
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
