"""A worker process is killed for real, between and within steps; its successor goes on at once."""

import os
import signal
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest

from cumulo.db import Database
from cumulo.work import Run as _Run
from cumulo.work import Step, Worker, Workflow, runs, start
from tests.processes import side_by_side

STEPS = ["one", "two", "three"]


class Die(msgspec.Struct):
    """Where the first process is killed."""

    at: str
    after: bool


Run: TypeAlias = _Run[Die, Path]


def leaves_a_file(run: Run, name: str) -> None:
    """Note the step in a file, and be killed before or after, the first time."""
    first = not (run.tools / "killed").exists()
    if name == run.params.at and first and not run.params.after:
        kill(run)
    (run.tools / name).write_text("here")
    if name == run.params.at and first:
        kill(run)


def kill(run: Run) -> None:
    (run.tools / "killed").touch()
    os.kill(os.getpid(), signal.SIGKILL)


def one(run: Run) -> None:
    leaves_a_file(run, "one")


def two(run: Run) -> None:
    leaves_a_file(run, "two")


def three(run: Run) -> None:
    leaves_a_file(run, "three")


FLOW = Workflow("die", Die, [Step(one), Step(two), Step(three)])


def carry_on(url: str, place: Path) -> None:
    Worker(Database(url), [FLOW], place).run_pending()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", STEPS)
def test_killed_at_any_step_the_run_is_carried_to_its_end(
    db: Database, tmp_path: Path, at: str, *, after: bool
) -> None:
    run_id = db.write(start, FLOW, Die(at, after))
    url = db.engine.url.render_as_string(hide_password=False)
    assert side_by_side(1, carry_on, url, tmp_path) == [-signal.SIGKILL]

    worker = Worker(db, [FLOW], tmp_path)
    assert worker.run_pending() == 0  # it is leased to the dead
    assert worker.adopt_dead() == 1
    assert worker.run_pending() == 1
    row = db.read(runs.run_get, run_id)
    assert (row.state, [log.name for log in row.log]) == ("done", STEPS)
    assert all((tmp_path / name).exists() for name in STEPS)
