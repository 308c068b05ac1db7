"""A disk without room is a reason to wait, not a bug: what was asked works once there is room."""

import pytest
import sqlalchemy as sa

from cumulo.db import Database, Tx
from cumulo.db.failures import is_unwritable
from cumulo.db.quota import quota_limit
from cumulo.kit.errors import Unavailable
from cumulo.work import Run, Step, Worker, Workflow, runs, start, testing
from tests.work.test_testing import Nothing

ROW = {"service": "s", "project_id": "p", "hard_limit": 1}
MOST = 1_073_741_823


def fill(tx: Tx) -> None:
    """Write more than there is room for, where no more than now may be."""
    tx.exec_driver_sql("pragma max_page_count = 1")
    rows = [ROW | {"resource": f"{number:0200}"} for number in range(1000)]
    tx.execute(sa.insert(quota_limit), rows)


def make_room(tx: Tx) -> None:
    tx.exec_driver_sql(f"pragma max_page_count = {MOST}")


def count(tx: Tx) -> int:
    return len(tx.execute(sa.select(quota_limit)).all())


def test_a_full_disk_is_unavailable_until_there_is_room(sqlite: Database) -> None:
    with pytest.raises(Unavailable, match="database or disk is full"):
        sqlite.write(fill)
    assert sqlite.read(count) == 0
    sqlite.write(make_room)
    sqlite.write(lambda tx: tx.execute(sa.insert(quota_limit).values(ROW | {"resource": "r"})))
    assert sqlite.read(count) == 1


def test_a_file_that_may_not_be_written_to_is_unavailable(sqlite: Database) -> None:
    def write(tx: Tx) -> None:
        tx.exec_driver_sql("pragma query_only = 1")
        tx.execute(sa.insert(quota_limit).values(ROW | {"resource": "r"}))

    with pytest.raises(Unavailable, match="readonly"):
        sqlite.write(write)


def test_a_run_waits_for_room(sqlite: Database) -> None:
    full = [True]

    def work(run: Run[Nothing, None]) -> None:
        run.db.write(fill if full else make_room)

    flow = Workflow("full", Nothing, [Step(work)])
    run_id = sqlite.write(start, flow, Nothing())
    worker = Worker(sqlite, [flow], None)
    worker.run_pending()
    assert sqlite.read(runs.run_get, run_id).state == "running"
    full.clear()
    sqlite.write(make_room)
    sqlite.write(testing.end_leases)
    worker.run_pending()
    assert sqlite.read(runs.run_get, run_id).state == "done"


@pytest.mark.parametrize("code", [1021, 1114, 1836])
def test_mariadb_has_no_room(code: int) -> None:
    assert is_unwritable(sa.exc.OperationalError("insert", {}, Exception(code, "full")))
