"""What every test may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulo.db import Database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """Return a database in a real file, with the tables of what the test imported."""
    database = Database(f"sqlite:///{tmp_path / 'cumulo.db'}")
    database.create_all()
    yield database
    database.close()
