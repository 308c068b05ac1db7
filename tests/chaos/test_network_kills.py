"""Killed at every moment of telling the network's backend, a cloud ends what was begun.

Whatever was made or deleted before the kill is in OVN, or out of it, within seconds of the APIs'
coming back.
"""

import functools
from contextlib import ExitStack

import pytest

from tests.chaos.inside import Speaker
from tests.chaos.machine import Look, at_rest, disagreements_of, kill_apis, look, more
from tests.chaos.resources import Maker, one_of_each_network
from tests.waiting import eventually
from tests.walks.clouds import CommandCloud

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
BACK_WITHIN_S = 10.0
# Changes claimed; the first of them told; all told, and not noted yet; noted.
MOMENTS = ("claimed", "begun", "told", "settled")


@pytest.fixture(scope="module")
def empty(real: CommandCloud, speak: Speaker) -> Look:
    """The cloud when it has no networks, and had some.

    A controller that started a moment ago leaves ways out of networks that are gone.
    """

    def made_and_gone() -> bool:
        with ExitStack() as stack:
            one_of_each_network(Maker(speak, stack))
        eventually(lambda: disagreements_of(real) == [], every_s=0.3)
        return not any("provnet" in port for port in look(real)["switch"])

    eventually(made_and_gone, 60)
    return at_rest(real)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_while_the_backend_is_told(
    real: CommandCloud, speak: Speaker, empty: Look, moment: str
) -> None:
    with ExitStack() as stack:
        park_at(real, moment)
        one_of_each_network(Maker(speak, stack))
        die_and_come_back(real, speak, moment)
        park_at(real, moment)
    die_and_come_back(real, speak, moment)
    left = functools.partial(lambda: more(empty, look(real)))
    eventually(lambda: not left(), 30, tell=left, every_s=0.3)
    assert "Nothing is wrong." in real.cumulo("doctor", "--dry-run").stdout


def park_at(cloud: CommandCloud, moment: str) -> None:
    """Let the next telling stand still there."""
    (cloud.state / "control" / "parked" / moment).unlink(missing_ok=True)
    (cloud.state / "control" / "park-at").write_text(moment)


def die_and_come_back(cloud: CommandCloud, speak: Speaker, moment: str) -> None:
    """Kill the APIs as soon as the telling stands still; return when all is well again."""
    eventually((cloud.state / "control" / "parked" / moment).exists)
    kill_apis(cloud)
    eventually(speak.is_answered)
    differ = functools.partial(disagreements_of, cloud)
    eventually(lambda: differ() == [], BACK_WITHIN_S, tell=differ, every_s=0.3)
