"""The short form of `python -m tests.objectstore.endurance`."""

from pathlib import Path

import pytest

from cumulo.db import Database
from cumulo.services.objectstore.settings import StoragePolicy
from tests.objectstore.endurance import CODED, WHOLE, Endurance


@pytest.mark.walk
@pytest.mark.parametrize(("policy", "servers"), [(WHOLE, 3), (CODED, 4)], ids=["whole", "coded"])
def test_nothing_acknowledged_is_lost(
    policy: StoragePolicy, servers: int, directory: Path, empty_db: Database
) -> None:
    run = Endurance(directory, empty_db, seed=3, servers=servers, policy=policy)
    try:
        run.run(seconds=0.5)
    finally:
        run.close()
    counts = run.ledger.counts
    assert counts["servers killed"] > 0
    assert counts["devices lost"] + counts["files rotten"] > 0
    assert counts["put 201"] > 20
    assert counts["left to mend"] == 0
