"""Many writers on one file: every change is kept and nobody hears that it is locked."""

import multiprocessing.synchronize
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from cumulo.db import Database, Tx, quota
from cumulo.db.quota import quota_limit, quota_usage
from cumulo.db.statements import insert_absent
from tests.processes import CONTEXT, side_by_side

THREADS, PROCESSES, EACH = 4, 3, 15


def count(tx: Tx, project_id: str) -> None:
    """Read, then write: what deadlocks when the lock is not taken at the start."""
    quota.usage(tx, "compute", project_id, ["cores"])
    quota.claim(tx, "compute", project_id, "cores", 1, -1)


def write_from_threads(db: Database) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(db.write, count, "p") for _ in range(THREADS * EACH)]:
            done.result()


def write_from_process(url: str, go: multiprocessing.synchronize.Barrier) -> None:
    go.wait()
    db = Database(url)
    db.create_all()
    write_from_threads(db)
    db.close()


def test_threads(db: Database) -> None:
    write_from_threads(db)
    assert db.read(quota.usage, "compute", "p", ["cores"]) == {"cores": THREADS * EACH}


def test_processes_that_all_open_a_new_file_at_once(empty_db: Database) -> None:
    go = CONTEXT.Barrier(PROCESSES)
    url = str(empty_db.engine.url)
    assert side_by_side(PROCESSES, write_from_process, url, go) == [0] * PROCESSES
    used = empty_db.read(quota.usage, "compute", "p", ["cores"])
    assert used == {"cores": PROCESSES * THREADS * EACH}


def test_a_reader_is_not_held_up_by_a_writer(db: Database) -> None:
    with ThreadPoolExecutor(1) as pool:

        def write(tx: Tx) -> list[object]:
            tx.execute(sa.delete(quota_usage))
            reader = pool.submit(db.read, lambda other: other.execute(sa.select(quota_usage)).all())
            return list(reader.result(timeout=10))

        assert db.write(write) == []


def test_a_row_is_inserted_once_and_left_alone_after(db: Database) -> None:
    key = {"service": "s", "project_id": "p", "resource": "r"}
    db.write(insert_absent, quota_limit, **key, hard_limit=1)
    db.write(insert_absent, quota_limit, **key, hard_limit=2)
    assert db.read(quota.limits, "s", "p", {}) == {"r": 1}
