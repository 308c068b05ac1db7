"""A unit of work that lost a race is run again, from its start."""

import pytest
import sqlalchemy as sa

from cumulo.db import Database, LostRace, Tx
from cumulo.db.quota import quota_limit
from cumulo.kit.errors import Invalid

BIG = quota_limit.c.hard_limit == 2**63
ROW = {"service": "s", "project_id": "p", "resource": "r", "hard_limit": 1}


def test_a_lost_race_is_run_again_and_leaves_nothing_of_the_first_run(db: Database) -> None:
    runs: list[int] = []

    def work(tx: Tx) -> int:
        tx.execute(sa.insert(quota_limit).values(ROW))
        runs.append(1)
        if len(runs) == 1:
            raise LostRace
        return len(runs)

    assert db.write(work) == 2


def test_a_conflict_of_keys_is_a_lost_race(db: Database) -> None:
    runs: list[int] = []

    def work(tx: Tx) -> None:
        runs.append(1)
        tx.execute(sa.insert(quota_limit).values(ROW))
        if len(runs) == 1:
            tx.execute(sa.insert(quota_limit).values(ROW))

    db.write(work)
    assert len(runs) == 2


def test_other_errors_are_not_repeated(db: Database) -> None:
    runs: list[int] = []

    def work(tx: Tx) -> None:
        runs.append(1)
        tx.execute(sa.text("select * from nowhere"))

    with pytest.raises(sa.exc.DBAPIError):
        db.write(work)
    assert len(runs) == 1


@pytest.mark.parametrize("value", [2**63, "\ud800"])
def test_a_value_that_no_database_holds_is_the_callers_mistake(db: Database, value: object) -> None:
    with pytest.raises(Invalid, match="too large"):
        db.write(lambda tx: tx.execute(sa.insert(quota_limit).values(ROW | unfit(value))))


def test_nor_can_it_be_looked_for(sqlite: Database) -> None:
    with pytest.raises(Invalid, match="too large"):
        sqlite.read(lambda tx: tx.execute(sa.select(quota_limit).where(BIG)).all())


def unfit(value: object) -> dict[str, object]:
    return {"hard_limit" if isinstance(value, int) else "resource": value}


@pytest.mark.real
@pytest.mark.parametrize("db", ["postgresql"], indirect=True)
def test_postgresql_holds_no_nul(db: Database) -> None:
    with pytest.raises(Invalid):
        db.write(lambda tx: tx.execute(sa.insert(quota_limit).values(ROW | {"resource": "\0"})))
