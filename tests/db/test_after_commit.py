"""What follows a commit happens once, and only after a commit."""

import pytest
import sqlalchemy as sa

from cumulo.db import Database, LostRace, Tx, after_commit, ring_after_commit
from cumulo.db.quota import quota_limit

ROW = {"service": "s", "project_id": "p", "resource": "r", "hard_limit": 1}


def test_it_happens_after_the_commit(db: Database) -> None:
    seen: list[int] = []

    def count() -> int:
        return db.read(lambda tx: len(tx.execute(sa.select(quota_limit)).all()))

    def work(tx: Tx) -> None:
        after_commit(tx, lambda: seen.append(count()))
        tx.execute(sa.insert(quota_limit).values(ROW))

    db.write(work)
    assert seen == [1]


def test_it_does_not_happen_when_the_transaction_is_rolled_back(db: Database) -> None:
    rung: list[str] = []
    db.ring = rung.append

    def work(tx: Tx) -> None:
        ring_after_commit(tx, "work")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        db.write(work)
    assert rung == []


def test_it_happens_once_when_the_transaction_is_repeated(db: Database) -> None:
    rung: list[str] = []
    db.ring = rung.append
    runs: list[int] = []

    def work(tx: Tx) -> None:
        ring_after_commit(tx, "work")
        runs.append(1)
        if len(runs) < 3:
            raise LostRace

    db.write(work)
    assert (rung, len(runs)) == (["work"], 3)


def test_a_topic_is_rung_once_for_each_transaction_however_often_asked(db: Database) -> None:
    rung: list[str] = []
    db.ring = rung.append

    def work(tx: Tx) -> None:
        for topic in ("b", "a", "b"):
            ring_after_commit(tx, topic)

    db.write(work)
    db.write(work)
    assert rung == ["b", "a", "b", "a"]


def test_what_fails_after_the_commit_does_not_undo_it_nor_stop_the_rest(db: Database) -> None:
    rung: list[str] = []

    def ring(topic: str) -> None:
        rung.append(topic)
        raise OSError("nobody there")

    def work(tx: Tx) -> str:
        tx.execute(sa.insert(quota_limit).values(ROW))
        ring_after_commit(tx, "a")
        ring_after_commit(tx, "b")
        return "kept"

    db.ring = ring
    assert db.write(work) == "kept"
    assert rung == ["a", "b"]


def test_a_read_has_no_commit_to_follow(db: Database) -> None:
    with pytest.raises(TypeError, match="write"):
        db.read(ring_after_commit, "work")


def test_a_transaction_inside_a_write_is_refused_and_not_waited_for(db: Database) -> None:
    def nested(tx: Tx) -> None:
        db.write(lambda inner: None)

    with pytest.raises(RuntimeError, match="pass it `tx`"):
        db.write(nested)
    db.write(lambda tx: None)
