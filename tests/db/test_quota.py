"""What a project may have, counted in the transaction that takes it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cumulo.db import Database, Tx, quota
from cumulo.kit.errors import OverQuota


def claim(db: Database, amount: int, *, project: str = "p", default: int = 10) -> None:
    db.write(quota.claim, "compute", project, "cores", amount, default)


def used(db: Database, project: str = "p") -> int:
    return db.read(quota.usage, "compute", project, ["cores"])["cores"]


def test_a_claim_up_to_the_limit_is_granted_and_counted(db: Database) -> None:
    assert used(db) == 0
    claim(db, 4)
    claim(db, 6)
    assert used(db) == 10


def test_a_claim_over_the_limit_is_refused_with_figures(db: Database) -> None:
    claim(db, 9)
    with pytest.raises(OverQuota) as refusal:
        claim(db, 2)
    assert refusal.value.data == {"resource": "cores", "limit": 10, "used": 9, "requested": 2}
    assert str(refusal.value) == (
        "Quota exceeded for cores: Requested 2, but already used 9 of 10 cores"
    )
    assert used(db) == 9


def test_the_first_claim_of_a_project_can_be_too_large(db: Database) -> None:
    with pytest.raises(OverQuota, match="already used 0 of 10"):
        claim(db, 11)
    assert used(db) == 0


def test_a_refused_claim_takes_back_what_the_transaction_claimed_before(db: Database) -> None:
    def both(tx: Tx) -> None:
        quota.claim(tx, "compute", "p", "instances", 1, 10)
        quota.claim(tx, "compute", "p", "cores", 11, 10)

    with pytest.raises(OverQuota):
        db.write(both)
    assert db.read(quota.usage, "compute", "p", ["instances"]) == {"instances": 0}


def test_what_is_released_can_be_claimed_again_and_never_falls_below_nothing(
    db: Database,
) -> None:
    claim(db, 10)
    db.write(quota.release, "compute", "p", "cores", 4)
    claim(db, 4)
    db.write(quota.release, "compute", "p", "cores", 11)
    assert used(db) == 0
    db.write(quota.release, "compute", "nobody", "cores", 1)
    assert used(db, "nobody") == 0


def test_a_projects_own_limit_replaces_the_default_until_reset(db: Database) -> None:
    db.write(quota.set_limits, "compute", "p", {"cores": 1, "ram": 5})
    db.write(quota.set_limits, "compute", "p", {"cores": 2})
    own = db.read(quota.limits, "compute", "p", {"cores": 10, "instances": 3})
    assert own == {"cores": 2, "ram": 5, "instances": 3}
    with pytest.raises(OverQuota, match="of 2 cores"):
        claim(db, 3)

    db.write(quota.reset, "compute", "p")
    claim(db, 3)
    assert db.read(quota.limits, "compute", "p", {"cores": 10}) == {"cores": 10}


def test_a_project_has_the_limits_of_its_class_but_for_its_own(db: Database) -> None:
    db.write(quota.set_limits, "volume", ":class", {"volumes": 5, "gigabytes": 50})
    db.write(quota.set_limits, "volume", "p", {"volumes": 7})
    db.write(quota.set_limits, "volume", "other", {"volumes": 9, "gigabytes": 9})
    defaults = {"volumes": 1, "gigabytes": 1, "snapshots": 1}
    of_class, own = db.read(quota.limits_of_both, "volume", ":class", "p", defaults)
    assert of_class == {"volumes": 5, "gigabytes": 50, "snapshots": 1}
    assert own == {"volumes": 7, "gigabytes": 50, "snapshots": 1}


def test_minus_one_is_no_limit(db: Database) -> None:
    claim(db, 10**12, default=-1)
    db.write(quota.set_limits, "compute", "p", {"cores": -1})
    claim(db, 10**12)
    assert used(db) == 2 * 10**12


def test_a_limit_below_what_is_used_stops_further_claims_only(db: Database) -> None:
    claim(db, 5)
    db.write(quota.set_limits, "compute", "p", {"cores": 3})
    with pytest.raises(OverQuota, match="already used 5 of 3"):
        claim(db, 1)
    claim(db, 0)


def test_projects_and_services_are_counted_apart(db: Database) -> None:
    claim(db, 10)
    claim(db, 10, project="q")
    db.write(quota.claim, "network", "p", "cores", 10, 10)
    db.write(quota.set_limits, "network", "z", {"port": 1})
    db.write(quota.set_limits, "network", "a", {"port": 1, "network": 2})
    assert db.read(quota.projects_with_limits, "network") == ["a", "z"]
    assert db.read(quota.projects_with_limits, "compute") == []


def test_many_claims_at_once_never_overrun_the_limit(db: Database) -> None:
    def attempt(_: int) -> bool:
        try:
            claim(db, 1)
        except OverQuota:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(attempt, range(40)))
    assert (granted, used(db)) == (10, 10)


def test_a_negative_claim_is_a_bug(db: Database) -> None:
    with pytest.raises(ValueError, match="release"):
        claim(db, -1)
