"""A server that drops its connections is asked again; what it may have kept is not repeated."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from cumulo.db import Database, Tx, quota
from cumulo.db.quota import quota_limit
from cumulo.kit.errors import Unavailable
from tests.servers import SERVERS

ROW = {"service": "s", "project_id": "p", "resource": "r", "hard_limit": 1}
pytestmark = [pytest.mark.real, pytest.mark.parametrize("db", SERVERS, indirect=True)]


def number_of_connection(tx: Tx) -> int:
    own = {"postgresql": "select pg_backend_pid()"}
    return int(tx.scalars(sa.text(own.get(tx.dialect.name, "select connection_id()"))).one())


def end_connection(db: Database, number: int) -> None:
    end = {"postgresql": f"select pg_terminate_backend({number})"}
    apart = sa.create_engine(db.engine.url, poolclass=sa.NullPool)
    with apart.connect() as other:
        other.execute(sa.text(end.get(other.dialect.name, f"kill connection {number}")))


def count(tx: Tx) -> int:
    return len(tx.execute(sa.select(quota_limit)).all())


def test_a_write_that_is_cut_off_is_run_again(db: Database) -> None:
    runs: list[int] = []

    def work(tx: Tx) -> int:
        runs.append(number_of_connection(tx))
        tx.execute(sa.insert(quota_limit).values(ROW))
        if len(runs) == 1:
            end_connection(db, runs[0])
        return count(tx)

    assert db.write(work) == 1
    assert len(runs) == 2
    assert db.read(count) == 1


def test_a_read_that_is_cut_off_is_run_again(db: Database) -> None:
    runs: list[int] = []

    def work(tx: Tx) -> int:
        runs.append(number_of_connection(tx))
        if len(runs) == 1:
            end_connection(db, runs[0])
        return count(tx)

    assert db.read(work) == 0
    assert len(runs) == 2


def test_connections_that_ended_while_nobody_used_them_are_replaced(db: Database) -> None:
    end_connection(db, db.read(number_of_connection))
    assert db.read(count) == 0


def test_a_commit_that_is_cut_off_is_not_repeated_for_it_may_have_been_kept(db: Database) -> None:
    runs: list[int] = []

    def work(tx: Tx) -> None:
        runs.append(number_of_connection(tx))
        tx.execute(sa.insert(quota_limit).values(ROW))
        end_connection(db, runs[0])

    with pytest.raises(Unavailable, match="did not say"):
        db.write(work)
    assert len(runs) == 1


def test_two_that_wait_for_each_other_are_told_apart_and_both_end(db: Database) -> None:
    both = threading.Barrier(2, timeout=20)
    first_try = threading.local()

    def add(tx: Tx, project: str) -> None:
        quota.claim(tx, "s", project, "r", 1, -1)

    def work(tx: Tx, mine: str, theirs: str) -> None:
        add(tx, mine)
        if not hasattr(first_try, "over"):
            first_try.over = True
            both.wait()
        add(tx, theirs)

    db.write(add, "p")
    db.write(add, "q")
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.submit(db.write, work, "p", "q"), pool.submit(db.write, work, "q", "p")
        assert (one.result(), other.result()) == (None, None)
    assert [db.read(quota.usage, "s", name, ["r"])["r"] for name in "pq"] == [3, 3]
