"""The network's process is killed after each effect of each deed, and the next one ends it.

The story of every network deed is told once for the first effect of each, once for the second,
and so on until no deed has so many.  Each killed process is real, as are its file and its OVN.
"""

import functools
import gc
import logging
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from cumulo.auth import Policy
from cumulo.db import Database
from cumulo.kit import clock
from cumulo.node.api import FixedNodes
from cumulo.services.compute.public import symptoms as of_compute
from cumulo.services.network.api import OPERATIONS
from cumulo.services.network.drivers.fake import FakeDriver
from cumulo.services.network.drivers.ovn import OvnDriver
from cumulo.services.network.drivers.ovn.driver import NORTH_TABLES
from cumulo.services.network.policy import RULES
from cumulo.services.network.projection import project
from cumulo.services.network.reconcile import compare, tell
from cumulo.services.network.store import changes
from cumulo.services.network.symptoms import symptoms
from cumulo.services.network.tools import Tools
from cumulo.web import faults
from cumulo.web.edge import Api, Edge
from tests.audit import disagreements
from tests.chaos.mortal import Death, MortalDatabase, MortalDriver
from tests.chaos.network_story import STORY
from tests.client import authenticate
from tests.fabric import running_site
from tests.network.conftest import PROJECT, Net
from tests.processes import side_by_side

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
BACK_WITHIN_S = 10.0
_THOROUGHLY = 5  # is looked after each so many deaths
_OVNS_OWN = {"NB_Global"}
# Not DHCP_Options, where northd lists which options there are at all.
_SOUTH = ("Datapath_Binding", "Port_Binding", "DNS", "MAC_Binding")


class Place(msgspec.Struct):
    """Where the cloud's truth and its network are, and where is told how it went."""

    url: str
    north: str
    south: str
    told: str


class Life:
    """The network service, of which each process lives one copy from its start to its end."""

    def __init__(self, place: Place) -> None:
        self.place, self.death = place, Death()
        self.db = MortalDatabase(place.url, self.death)
        self._driver = MortalDriver(FakeDriver(), self.death)
        self.tools = Tools(self.db, self._driver)
        api = Api(
            name="network",
            port=9696,
            operations=OPERATIONS,
            policy=Policy(RULES),
            family=faults.TYPED,
            tools=self.tools,
        )
        self.net = Net(Edge(api, self.db, authenticate), self.tools, f"root:{PROJECT}:admin")

    def rehearse(self) -> None:
        """Do everything once without a network, so that the copies find it all prepared."""
        with clock.CLOCK.held():
            for _, deed in STORY:
                deed(self.net)
                project(self.tools)
            self.recover_from(FakeDriver())
        self.db.close()
        gc.freeze()

    def begin(self, number: int, effect: int, first: int) -> None:
        """Mend what the last process left, carry on with the story, and die; or come to its end."""
        start = clock.now() + timedelta(seconds=2 * BACK_WITHIN_S * number)
        ovn = OvnDriver(self.place.north, self.place.south)
        with clock.CLOCK.held(start):
            self._driver.become(ovn)
            self.say(
                f"{STORY[first - 1][0]}, {effect}",
                self.recover_from(ovn, thoroughly=number % _THOROUGHLY == 0),
            )
            if first:
                STORY[first - 1][1](self.net)
                project(self.tools)
            for at in range(first, len(STORY)):
                Path(self.place.told, "at").write_text(str(at))
                self.death.await_effects(effect)
                STORY[at][1](self.net)
                project(self.tools)
                self.death.stay_away()
            self.say("at the end", self.recover_from(ovn))
        ovn.close()

    def recover_from(self, driver: Any, *, thoroughly: bool = True) -> list[str]:
        """Do what a new process does by itself within the time; return what is not right then.

        What a thorough look finds stays until there is one: nothing else would mend it.
        """
        clock.CLOCK.move(BACK_WITHIN_S)
        tell(self.tools)
        wrong = [f"not told yet of {one}" for one in self.db.read(changes.marked)]
        wrong += [one.what for one in symptoms(self.db, driver, mend=False)]
        if not thoroughly:
            return wrong
        wrong += disagreements(self.db, FixedNodes({}), driver)
        wrong += [one.what for one in self.db.read(of_compute, mend=False)]
        before = rows_of(driver)
        compare(self.tools)
        after = rows_of(driver)
        differ = sorted(key for key in before.keys() | after if before.get(key) != after.get(key))
        return wrong + [f"told anew, {key} became {after.get(key)}" for key in differ]

    def say(self, when: str, wrong: list[str]) -> None:
        with Path(self.place.told, "wrong").open("a") as out:
            out.writelines(f"{when}: {one}\n" for one in wrong)


def rows_of(driver: Any) -> dict[str, str]:
    """Return the backend's rows, without what it writes there itself."""

    def cells(row: Mapping[str, Any]) -> str:
        return str(sorted((name, str(cell)) for name, cell in row.items() if name != "up"))

    if not isinstance(driver, OvnDriver):
        return {}
    return driver._north.read(
        lambda north: {
            f"{table} {row_id}": cells(row)
            for table in NORTH_TABLES.keys() - _OVNS_OWN
            for row_id, row in north.rows(table).items()
        }
    )


def tell_all(place: Place) -> None:
    """Tell the story until it is told without a death, and count these."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    life, number, deaths = Life(place), 0, 0
    life.rehearse()
    for effect in range(1, 100):
        before, first = deaths, 0
        while (status := in_a_child(life, number, effect, first)) == -signal.SIGKILL:
            number, deaths = number + 1, deaths + 1
            first = int(Path(place.told, "at").read_text()) + 1
        number += 1
        if status != 0:
            life.say("at last", [f"a process ended with {status}"])
        Path(place.told, "deaths").write_text(f"{effect} {deaths}\n")
        if status != 0 or deaths == before:
            break


def in_a_child(life: Life, number: int, effect: int, first: int) -> int:
    """Live in a process of its own; return how it ended."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            life.begin(number, effect, first)
            status = 0
        except BaseException as error:  # noqa: BLE001 - it is told, whatever it is
            at = Path(life.place.told, "at")
            life.say(STORY[int(at.read_text())][0] if at.exists() else "at first", [repr(error)])
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with running_site() as site:
        url = f"sqlite:///{tmp_path}/cumulo.db"
        with closing(Database(url)) as db:
            db.create_all()
        with closing(OvnDriver(site.north, site.south)) as driver:
            driver.wait_in_force(BACK_WITHIN_S)
        yield Place(url, site.north, site.south, str(tmp_path))


def test_killed_after_each_effect_of_each_deed(place: Place) -> None:
    assert side_by_side(1, tell_all, place) == [0]
    assert Path(place.told, "wrong").read_text() == ""
    deaths = int(Path(place.told, "deaths").read_text().split()[1])
    assert deaths > 3 * len(STORY)
    with closing(OvnDriver(place.north, place.south)) as driver:
        driver.wait_in_force(BACK_WITHIN_S)
    rows = functools.partial(listed, place.south, "sb")
    assert {table: rows(table) for table in _SOUTH} == dict.fromkeys(_SOUTH, "")


def listed(remote: str, which: str, table: str) -> str:
    command = [f"ovn-{which}ctl", f"--db={remote}", "--bare", "--columns=_uuid", "list", table]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
