"""The clouds that are walked through, each started once for all tests of a file."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.guest.build import build_guest
from tests.walks.clouds import CommandCloud, namespace, write_ports


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A state directory with a name short enough for sockets, where guests' processes may go."""
    with tempfile.TemporaryDirectory(prefix="cumulo-", dir="/var/tmp") as path:
        Path(path).chmod(0o711)
        yield Path(path) / "s"


@pytest.fixture(scope="module")
def emulated(state: Path) -> Iterator[CommandCloud]:
    """An emulated cloud that runs."""
    cloud = CommandCloud(state)
    state.mkdir()
    path = state / "cumulo.toml"
    write_ports(path)
    path.write_text(path.read_text() + "[identity]\npassword_hash_rounds = 4\n")
    cloud.up("--emulate")
    yield cloud
    cloud.down("--purge")


@pytest.fixture(scope="module")
def real(state: Path) -> Iterator[CommandCloud]:
    """A real cloud that runs, in a network namespace of its own."""
    with namespace(f"cumulo-{os.getpid()}") as own:
        cloud = CommandCloud(state, own)
        cloud.up()
        yield cloud
        cloud.down("--purge")


@pytest.fixture(scope="module")
def guest_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image of a guest to log in to."""
    cache = Path.home() / ".cache/cumulo-tests/guest"
    cache.mkdir(parents=True, exist_ok=True)
    return build_guest(tmp_path_factory.mktemp("guest"), cache, print)
