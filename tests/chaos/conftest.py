"""A real cloud whose runs can be parked at their steps, in a network namespace of its own."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.inside import Speaker
from tests.walks.clouds import CommandCloud
from tests.walks.conftest import state as state

PARKING = Path(__file__).with_name("parking")
# As many servers at once as there are moments to die at.
SETTINGS = """
[worker]
threads = 64
[compute]
initial_cpu_allocation_ratio = 64.0
"""


@pytest.fixture(scope="module")
def real(state: Path) -> Iterator[CommandCloud]:
    if os.geteuid() != 0:
        pytest.skip("real guests need root")
    namespace = f"cumulo-chaos-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    cloud = CommandCloud(state, namespace, beside=PARKING)
    state.mkdir()
    (state / "cumulo.toml").write_text(SETTINGS)
    try:
        subprocess.run([*cloud.prefix, "ip", "link", "set", "lo", "up"], check=True)
        cloud.up()
        yield cloud
    finally:
        cloud.cumulo("down", "--purge")
        subprocess.run(["ip", "netns", "delete", namespace], check=True)


@pytest.fixture(scope="module")
def speak(real: CommandCloud) -> Speaker:
    return Speaker(real)
