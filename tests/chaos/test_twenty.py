"""Everything made and deleted twenty times in a row leaves a cloud and its machine as they were."""

from collections import Counter
from collections.abc import Callable

import pytest

from cumulo.node import processes
from tests.chaos.inside import Speaker
from tests.chaos.machine import at_rest, look, memory_kib, more, rows, rows_at_rest
from tests.chaos.resources import one_of_each
from tests.waiting import eventually
from tests.walks.clouds import CommandCloud
from tests.walks.conftest import emulated as emulated

ROUNDS, BOOTS = 20, 5
SETTLED = 10  # rounds after which a process has all that it keeps
MOST_GROWTH_KIB = 6 * 1024

pytestmark = [pytest.mark.walk, pytest.mark.timeout(600)]


def twenty_times(speak: Speaker, cloud: CommandCloud, boots: int, pid: Callable[[], int]) -> int:
    """Make and delete everything; return what a process held half way."""
    held = 0
    for number in range(ROUNDS):
        with one_of_each(speak, number, boots=number < boots) as network:
            cloud.networks.add(network)
        held = memory_kib(pid()) if number == SETTLED else held
    return held


def has_kept_little(held: int, pid: int) -> None:
    """A while after, when what only hung together is gone, too, it holds hardly more."""

    def grown() -> int:
        return memory_kib(pid) - held

    eventually(lambda: grown() < MOST_GROWTH_KIB, 20, tell=grown, every_s=1)


@pytest.mark.real
def test_a_real_cloud(real: CommandCloud, speak: Speaker) -> None:
    [serve] = processes.marked(real.state / "run", "serve")
    with one_of_each(speak, ROUNDS, boots=True):
        pass  # the first ones bring what stays: a project's default group, the guests' settings
    eventually(lambda: not list((real.state / "metadata").glob("*.json")), 60)
    before = at_rest(real)
    held = twenty_times(speak, real, BOOTS, lambda: serve.pid)

    def left() -> dict[str, list[str]]:
        return more(before, look(real))

    eventually(lambda: not left(), 60, tell=left, every_s=1)
    has_kept_little(held, serve.pid)


def test_an_emulated_cloud(emulated: CommandCloud) -> None:
    speak, database = Speaker(emulated), emulated.state / "control" / "cumulo.db"
    program = processes.notes(emulated.state)["cumulo"].process()
    assert program is not None
    with one_of_each(speak, ROUNDS, boots=False):
        pass
    before = rows_at_rest(database)
    held = twenty_times(speak, emulated, BOOTS, lambda: program.pid)

    def left() -> dict[str, list[str]]:
        return more({"rows": before}, {"rows": Counter(rows(database))})

    eventually(lambda: not left(), 30, tell=left, every_s=0.5)
    has_kept_little(held, program.pid)
