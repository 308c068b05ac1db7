"""A program is killed while it writes all it can: what it was told is kept, is kept."""

import os
import threading
from multiprocessing.connection import Connection

import sqlalchemy as sa

from cumulo.db import Database, Tx
from cumulo.db.quota import quota_limit
from tests.processes import CONTEXT

KILLS, ENOUGH, WRITERS = 3, 200, 4


def write_for_ever(url: str, kill: int, told: Connection) -> None:
    """Write from several threads at once, and tell of each row once it is kept."""
    db = Database(url)

    def write(tx: Tx, writer: int, number: int) -> None:
        row = {"project_id": f"writer{writer}", "resource": str(number), "hard_limit": number}
        for service in ("kill", "twin"):
            tx.execute(sa.insert(quota_limit).values(row | {"service": f"{service}{kill}"}))

    def work(writer: int) -> None:
        number = 0
        while True:
            db.write(write, writer, number)
            os.write(told.fileno(), f"{writer} {number}\n".encode())
            number += 1

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()


def rows(tx: Tx, service: str) -> set[tuple[str, str]]:
    q = quota_limit.c
    found = tx.execute(sa.select(q.project_id, q.resource).where(q.service == service))
    return {(row.project_id, row.resource) for row in found}


def test_no_row_that_was_acknowledged_is_lost_and_none_is_half_there(db: Database) -> None:
    url = db.engine.url.render_as_string(hide_password=False)
    for kill in range(KILLS):
        here, there = CONTEXT.Pipe(duplex=False)
        writer = CONTEXT.Process(target=write_for_ever, args=(url, kill, there))
        writer.start()
        there.close()
        with os.fdopen(os.dup(here.fileno())) as lines:
            told = [next(lines) for _ in range(ENOUGH)]
            writer.kill()
            told += list(lines)  # to the end: what was told before the kill came
        writer.join()
        here.close()
        acknowledged = {(f"writer{name}", number) for name, number in map(str.split, told)}
        kept = db.read(rows, f"kill{kill}")
        assert acknowledged <= kept
        assert len(kept - acknowledged) <= WRITERS  # kept, and killed before it could be told
        assert db.read(rows, f"twin{kill}") == kept
