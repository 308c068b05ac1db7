"""A real cloud whose runs can be parked at their steps, in a network namespace of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.inside import Speaker
from tests.walks.clouds import CommandCloud, namespace
from tests.walks.conftest import state as state

PARKING = Path(__file__).with_name("parking")
# As many servers at once as there are moments to die at.
SETTINGS = """
[worker]
threads = 64
[compute]
initial_cpu_allocation_ratio = 64.0
shutdown_timeout = 1
"""
BACKENDS = """
[[volume.backends]]
name = "one"
directory = "{state}/volumes/one"
[[volume.backends]]
name = "two"
directory = "{state}/volumes/two"
"""


@pytest.fixture(scope="module")
def real(state: Path) -> Iterator[CommandCloud]:
    with namespace(f"cumulo-chaos-{os.getpid()}") as own:
        cloud = CommandCloud(state, own, beside=PARKING)
        state.mkdir()
        (state / "cumulo.toml").write_text(SETTINGS + BACKENDS.format(state=state))
        cloud.up()
        yield cloud
        cloud.down("--purge")


@pytest.fixture(scope="module")
def speak(real: CommandCloud) -> Speaker:
    return Speaker(real)
