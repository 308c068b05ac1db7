"""The walks on an emulated cloud: all of them but what takes a guest that runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.walks import clear, private, provider
from cumulo.walks.client import Client
from cumulo.walks.walk import Walk
from tests.walks import power, projects
from tests.walks.clouds import CommandCloud, QuickClient

pytestmark = [pytest.mark.walk, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def openstack(emulated: CommandCloud) -> Iterator[QuickClient]:
    client = emulated.client()
    yield client
    client.close()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "cirros.img"
    header = b"QFI\xfb" + (3).to_bytes(4) + bytes(16) + (1 << 20).to_bytes(8)
    path.write_bytes(header.ljust(1 << 16, b"\0"))
    return path


def test_the_command_tells_what_runs(emulated: CommandCloud) -> None:
    told = emulated.cumulo("status")
    assert told.returncode == 0, told.stdout
    assert "cumulo up" in told.stdout
    assert "identity" in told.stdout
    again = emulated.cumulo("up", "--emulate")
    assert again.returncode == 1
    assert "runs in" in again.stderr


@pytest.mark.timeout(600)
def test_walk(emulated: CommandCloud, openstack: Client, image: Path, tmp_path: Path) -> None:
    walk = Walk(openstack, tmp_path)
    provider.identity(walk)
    provider.flavor_and_image(walk, image)
    provider.flat_network(walk)
    provider.access(walk)
    assert walk.key.read_text().startswith("-----BEGIN")
    assert provider.boot(walk).startswith("192.168.56.1")
    assert "login" in provider.console_log(walk)
    projects.walk(emulated, openstack)
    for action, status in power.ACTIONS:
        openstack.run("server", action, provider.SERVER)
        walk.await_status(provider.SERVER, status)
    openstack.run("server", "reboot", "--hard", "--wait", provider.SERVER)
    private.networks(walk)
    private.guest(walk)
    floating = private.floating_ip(walk)
    assert floating.startswith("203.0.113.")
    told = emulated.cumulo("explain", "path", private.SERVER, f"{floating}:22", "--trace")
    assert "translates" in told.stdout, told.stderr
    assert "arrives: It is at" in told.stdout
    assert "has no tracer" in told.stdout
    refused = emulated.cumulo("explain", "path", "nobody", floating)
    assert (refused.returncode, "no server nobody" in refused.stderr) == (1, True)
    assert private.SERVER in emulated.cumulo("explain", "topology").stdout
    placed = emulated.cumulo("explain", "server", private.SERVER).stdout
    assert "fits, weight" in placed, placed
    clear.clear(walk)
    for kind in ("server", "network", "router", "image", "keypair"):
        assert openstack.rows(kind, "list") == []
    assert all(step.seconds > 0 for step in walk.steps)
