from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from cumulo.db import Database, metadata
from tests.ceph import Ceph, running_ceph
from tests.stores import KINDS, Servers, filled, replace, scratch
from tests.stores import servers as servers

if TYPE_CHECKING:
    from tests.cloud import Emulated

# As the program logs, but to where pytest looks; structlog's own way draws each traceback.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.LogfmtRenderer(key_order=["level", "event"], bool_as_flag=False),
    ]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=KINDS, default="sqlite", help="what to run on")


@pytest.fixture
def empty_db(tmp_path: Path) -> Iterator[Database]:
    """A database file without tables."""
    db = Database(f"sqlite:///{tmp_path}/cumulo.db")
    yield db
    db.close()


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Database files with tables, by how many: to copy one is quicker than to make it."""
    return {-1: tmp_path_factory.mktemp("templates")}


@pytest.fixture(scope="session")
def reused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for many tests: what it has compiled of their statements is worth keeping."""
    database = scratch(tmp_path_factory.mktemp("reused") / "cumulo.db")
    yield database
    database.close()


@pytest.fixture
def sqlite(reused: Database, templates: dict[int, Path]) -> Iterator[Database]:
    """A database file with every table of the modules that the tests import, else empty."""
    number = len(metadata.tables)
    if number not in templates:
        file = templates[-1] / f"{number}.db"
        template = Database(f"sqlite:///{file}")
        template.create_all()
        template.close()
        templates[number] = file
    replace(reused, templates[number].read_bytes())
    yield reused
    reused.close()


@pytest.fixture
def db(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Database]:
    """A database with every table of the modules that the tests import."""
    with filled(request.config.getoption("--database"), request, servers) as database:
        yield database


@pytest.fixture(scope="session")
def ceph() -> Iterator[Ceph]:
    """A real cluster of one node, with a pool for volumes."""
    with running_ceph() as cluster:
        cluster.pool("volumes")
        yield cluster


@pytest.fixture
def emulated(
    request: pytest.FixtureRequest, tmp_path: Path, reused: Database, servers: Servers
) -> Iterator["Emulated"]:
    """A cloud of one host."""
    from tests.cloud import Emulated

    kind = request.config.getoption("--database")
    with ExitStack() as stack:
        db = stack.enter_context(filled(kind, request, servers)) if kind != "sqlite" else reused
        cloud = Emulated(tmp_path, db=db)
        yield cloud
        cloud.close()
