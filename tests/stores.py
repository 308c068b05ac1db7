"""A database fixture for what must run on every kind of server."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cumulo.db import Database, Tx, metadata
from tests.servers import SERVERS, NotInstalled

KINDS = ["sqlite", *SERVERS]
EVERY_KIND = ["sqlite", *(pytest.param(kind, marks=pytest.mark.real) for kind in SERVERS)]


class Servers(dict[str, str]):
    """The URLs of servers; one is started when it is first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        super().__init__()
        self._stack = stack
        self.tables: dict[str, set[str]] = {}  # what each has: making tables takes seconds

    def __missing__(self, kind: str) -> str:
        self[kind] = self._stack.enter_context(SERVERS[kind]())
        return self[kind]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Hold the URLs of the servers that some test has needed so far, until the end."""
    with ExitStack() as stack:
        yield Servers(stack)


def scratch(file: Path) -> Database:
    """Open a database file that no power cut has to leave whole."""
    database = Database(f"sqlite:///{file}")

    def on_connect(connection: Any, _record: object) -> None:
        connection.execute("pragma synchronous = off")

    sa.event.listen(database.engine, "connect", on_connect)
    return database


def replace(database: Database, content: bytes) -> None:
    """Give a database that nobody uses now the content of another SQLite file."""
    database.close()
    database.ring = lambda _topic: None
    path = Path(str(database.engine.url.database))
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    path.write_bytes(content)


@contextmanager
def filled(kind: str, request: pytest.FixtureRequest, servers: Servers) -> Iterator[Database]:
    """Yield an empty database of `kind`, with every table that the tests import."""
    if kind == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    try:
        database = Database(servers[kind])
    except NotInstalled as missing:
        pytest.skip(f"{kind} is not installed: {missing}")
    wanted = set(metadata.tables)
    if servers.tables.get(kind) != wanted:
        database.create_all()
        servers.tables[kind] = wanted
    yield database
    database.write(_empty)
    database.close()


@pytest.fixture(params=EVERY_KIND)
def db(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Database]:
    """Yield an empty database with every table that the tests import, of each kind in turn."""
    with filled(request.param, request, servers) as database:
        yield database


def _empty(tx: Tx) -> None:
    """Remove every row and begin to count anew."""
    names = [table.name for table in metadata.sorted_tables]
    if tx.dialect.name == "postgresql":
        quoted = ", ".join(f'"{name}"' for name in names)
        tx.execute(sa.text(f"truncate {quoted} restart identity cascade"))
        return
    tx.execute(sa.text("set foreign_key_checks = 0"))
    for name in names:
        if tx.execute(sa.text(f"select 1 from `{name}` limit 1")).first():
            tx.execute(sa.text(f"truncate `{name}`"))
    tx.execute(sa.text("set foreign_key_checks = 1"))
