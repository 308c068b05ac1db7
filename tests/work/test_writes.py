"""Steps that are recorded in the transaction that they change the database in."""

import sqlalchemy as sa

from cumulo.db import Database, Tx, quota
from cumulo.kit.errors import Conflict
from cumulo.work import Step, Worker, Write, start, tables
from tests.spending import spending
from tests.work.test_runner import Nothing, Run, Seen, Token, flow, note, state, told


def test_a_write_is_recorded_in_its_own_transaction(db: Database) -> None:
    def claim(tx: Tx, run: Run) -> Token:
        quota.claim(tx, "s", "p", "r", 1, -1)
        return Token(7)

    def look(run: Run) -> None:
        run.tools.append(f"saw {run.result_of(claim).value}")

    seen: Seen = []
    two = flow(Write(claim), Step(look))
    run_id = db.write(start, two, Nothing())
    with spending(db) as spent:
        Worker(db, [two], seen).run_pending()
    assert (state(db, run_id), seen) == ("done", ["saw 7"])
    assert spent.writes == 3  # the lease, the write, the end


def test_a_write_of_a_worker_that_lost_the_run_changes_nothing(db: Database) -> None:
    def claim(tx: Tx, run: Run) -> None:
        quota.claim(tx, "s", "p", "r", 1, -1)
        # Somebody else takes the run before this transaction ends.
        tx.execute(sa.update(tables.run).values(fence=tables.run.c.fence + 1))

    one = flow(Write(claim))
    run_id = db.write(start, one, Nothing())
    Worker(db, [one], []).run_pending()
    assert state(db, run_id) == "running"
    assert db.read(quota.usage, "s", "p", ["r"]) == {"r": 0}


def test_a_write_that_fails_is_undone(db: Database) -> None:
    def claim(tx: Tx, run: Run) -> None:
        quota.claim(tx, "s", "p", "r", 1, -1)
        raise Conflict("no")

    seen: Seen = []
    one = flow(Write(claim, undo=note("undone")), failed=told)
    run_id = db.write(start, one, Nothing())
    Worker(db, [one], seen).run_pending()
    assert (state(db, run_id), seen) == ("undone", ["undone", "failed: Conflict: no"])
    assert db.read(quota.usage, "s", "p", ["r"]) == {"r": 0}
