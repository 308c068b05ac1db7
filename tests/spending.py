"""What a piece of work costs, in units that do not depend on the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from cumulo.db import Database


@dataclass
class Spent:
    """The statements sent to the database, and how many transactions changed it."""

    statements: list[str] = field(default_factory=list)
    writes: int = 0


@contextmanager
def spending(db: Database) -> Iterator[Spent]:
    """Count what is done with the database until the end of the block."""
    spent = Spent()

    def on_statement(_c: Any, _cursor: Any, text: str, *_: Any) -> None:
        if not text.startswith("begin"):
            spent.statements.append(text)

    def on_commit(_connection: Any) -> None:
        spent.writes += 1

    heard = (("before_cursor_execute", on_statement), ("commit", on_commit))
    for name, listener in heard:
        sa.event.listen(db.engine, name, listener)
    try:
        yield spent
    finally:
        for name, listener in heard:
            sa.event.remove(db.engine, name, listener)
