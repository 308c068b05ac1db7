"""The short form of `python -m tests.objectstore.endurance`."""

from pathlib import Path

import pytest

from cumulo.db import Database
from tests.objectstore.endurance import Endurance


@pytest.mark.walk
def test_nothing_acknowledged_is_lost(directory: Path, empty_db: Database) -> None:
    run = Endurance(directory, empty_db, seed=3, servers=3)
    try:
        run.run(seconds=0.5)
    finally:
        run.close()
    counts = run.ledger.counts
    assert counts["servers killed"] > 0
    assert counts["devices lost"] + counts["files rotten"] > 0
    assert counts["put 201"] > 20
    assert counts["left to mend"] == 0
