"""One value without a transaction: always as it is now, and in the end by the usual way."""

import pytest
import sqlalchemy as sa

from cumulo.db import Database, Tx
from cumulo.db.quota import quota_limit
from cumulo.kit.errors import Unavailable

PEEK = "select hard_limit from quota_limit where resource = 'r'"


def put(tx: Tx, limit: int) -> None:
    tx.execute(sa.delete(quota_limit))
    row = {"service": "s", "project_id": "p", "resource": "r", "hard_limit": limit}
    tx.execute(sa.insert(quota_limit).values(row))


def test_each_peek_sees_what_was_committed_last(db: Database) -> None:
    assert db.peek(PEEK) is None
    other = Database(db.engine.url.render_as_string(hide_password=False))
    for limit in range(3):
        other.write(put, limit)
        assert db.peek(PEEK) == limit
    other.close()


def test_a_peek_holds_nothing_open(db: Database) -> None:
    db.write(put, 1)
    db.peek(PEEK)
    db.write(lambda tx: tx.execute(sa.delete(quota_limit)))
    assert db.peek(PEEK) is None


@pytest.mark.real
@pytest.mark.parametrize("db", ["mariadb", "postgresql"], indirect=True)
def test_a_peek_whose_connection_broke_goes_the_usual_way(db: Database) -> None:
    db.write(put, 7)
    own = {"postgresql": "select pg_backend_pid()"}
    number = db.peek(own.get(db.engine.dialect.name, "select connection_id()"))
    end = {"postgresql": f"select pg_terminate_backend({number})"}
    db.write(lambda tx: tx.execute(sa.text(end.get(tx.dialect.name, f"kill {number}"))).close())
    assert db.peek(PEEK) == 7
    assert db.peek(PEEK) == 7


def test_what_is_wrong_is_said_as_for_any_statement(db: Database) -> None:
    with pytest.raises((sa.exc.DBAPIError, Unavailable)):
        db.peek("select nothing from nowhere")
