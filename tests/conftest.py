from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.db import Database
from tests.stores import servers as servers


@pytest.fixture
def empty_db(tmp_path: Path) -> Iterator[Database]:
    """A database file without tables."""
    db = Database(f"sqlite:///{tmp_path}/cumulo.db")
    yield db
    db.close()


@pytest.fixture
def db(empty_db: Database) -> Database:
    """A database with every table of the modules that the test imports."""
    empty_db.create_all()
    return empty_db
