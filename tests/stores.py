"""A database fixture for what must run on every kind of server."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from cumulo.db import Database, Tx, metadata
from tests.servers import SERVERS, NotInstalled

KINDS = ["sqlite", *(pytest.param(kind, marks=pytest.mark.real) for kind in SERVERS)]


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


@pytest.fixture(params=KINDS)
def db(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[Database]:
    """Yield an empty database with every table that the test imports, of each kind in turn."""
    url = f"sqlite:///{tmp_path}/cumulo.db"
    if request.param != "sqlite":
        try:
            url = servers[request.param]
        except NotInstalled as missing:
            pytest.skip(f"{request.param} is not installed: {missing}")
    database = Database(url)
    wanted = set(metadata.tables)
    if request.param == "sqlite" or servers.tables.get(request.param) != wanted:
        database.create_all()
        servers.tables[request.param] = wanted
    yield database
    if request.param != "sqlite":
        database.write(_empty)
    database.close()


def _empty(tx: Tx) -> None:
    for table in reversed(metadata.sorted_tables):
        tx.execute(sa.delete(table))
