"""What is worth another try: told by the codes of the databases themselves."""

import pytest
import sqlalchemy as sa

from cumulo.db import Database, LostRace, Tx
from cumulo.db.failures import attempts_for, is_gone
from cumulo.kit.errors import Unavailable


class Postgres(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("told in words")
        self.sqlstate = sqlstate


Postgres.__module__ = "psycopg.errors"


def operational(origin: BaseException) -> sa.exc.DBAPIError:
    return sa.exc.OperationalError("update x", {}, origin)


MARIADB = {
    1213: "deadlock",
    1205: "lock wait timeout",
    1020: "changed since last read",
}


@pytest.mark.parametrize("code", MARIADB)
def test_mariadb_says_that_a_race_was_lost(code: int) -> None:
    assert attempts_for(operational(Exception(code, MARIADB[code]))) == 12


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_postgresql_says_that_a_race_was_lost(state: str) -> None:
    assert attempts_for(operational(Postgres(state))) == 12


def test_sqlite_says_that_it_is_locked() -> None:
    assert attempts_for(operational(Exception("database is locked"))) == 12


def test_a_deadlock_hidden_by_the_rollback_it_made_impossible_is_still_seen() -> None:
    hiding = operational(Exception(1305, "SAVEPOINT does not exist"))
    hiding.__context__ = operational(Exception(1213, "deadlock"))
    assert attempts_for(hiding) == 12


@pytest.mark.parametrize("code", [2002, 2003, 2006, 2013, 1040, 1053, 1047])
def test_mariadb_is_gone(code: int) -> None:
    assert is_gone(operational(Exception(code, "gone")))


@pytest.mark.parametrize("state", [None, "08006", "57P01", "57P03", "53300"])
def test_postgresql_is_gone(state: str | None) -> None:
    assert is_gone(operational(Postgres(state)))


@pytest.mark.parametrize("origin", [Exception(1064, "syntax"), Postgres("42601")])
def test_a_bug_is_neither(origin: BaseException) -> None:
    assert attempts_for(operational(origin)) == 0


def test_a_race_that_is_always_lost_ends_as_unavailable(db: Database) -> None:
    runs: list[int] = []

    def work(tx: Tx) -> None:
        runs.append(1)
        raise LostRace

    with pytest.raises(Unavailable):
        db.write(work)
    assert len(runs) == 12


def test_a_database_that_is_not_there_is_unavailable() -> None:
    nowhere = Database("mysql+pymysql://root@127.0.0.1:1/x?charset=utf8mb4")
    with pytest.raises(Unavailable):
        nowhere.read(lambda tx: None)
    nowhere.close()
