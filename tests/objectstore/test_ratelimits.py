"""Who comes too often waits, or is told to slow down."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cumulo.db import Database
from cumulo.kit.clock import CLOCK, Clock
from cumulo.services.objectstore import ratelimits
from cumulo.services.objectstore.settings import RateLimits
from cumulo.services.objectstore.turns import Turns
from tests.objectstore.service import ANN, Service, User


@pytest.fixture
def now() -> Iterator[Clock]:
    with CLOCK.held() as clock:
        yield clock


class Limited:
    """A service with limits, and how long its callers were made to wait."""

    def __init__(self, db: Database, directory: Path, limits: RateLimits) -> None:
        self.waited: list[float] = []
        self.service = Service(db, directory, ratelimit=limits)
        self.service.give(turns=Turns(lambda seconds: self.waited.append(round(seconds, 3))))

    def user(self) -> User:
        return self.service.user(ANN)

    def told(self) -> list[float]:
        waited, self.waited = self.waited, []
        return waited


def limited(db: Database, directory: Path, **limits: Any) -> Limited:
    return Limited(db, directory, RateLimits(**limits))


def test_writes_to_an_account_take_turns(empty_db: Database, directory: Path, now: Clock) -> None:
    one = limited(empty_db, directory, account_ratelimit=2, max_sleep_time_seconds=1.2)
    ann = one.user()
    assert [ann.put(f"box{n}").status for n in range(3)] == [201] * 3
    assert one.waited == [0.5, 1.0]
    refused = ann.put("box3")
    assert (refused.status, refused.text) == (498, "Slow down")
    assert ann.get("box3").status == 404  # reading is not limited, nor is who is refused counted
    now.move(0.5)
    assert ann.delete("box0").status == 204
    assert one.waited == [0.5, 1.0, 1.0]
    now.move(60)
    assert ann.put("box1/o").status == 201
    assert ann.put("box0").status == 201
    assert len(one.waited) == 3
    info = ann.client.request("GET", "/info").json()["ratelimit"]
    assert info["account_ratelimit"] == 2.0
    one.service.close()


def test_containers_are_limited_by_what_they_hold(
    empty_db: Database, directory: Path, now: Clock
) -> None:
    one = limited(
        empty_db,
        directory,
        container_ratelimit={"2": 10, "4": 2},
        container_listing_ratelimit={"1": 5},
    )
    ann = one.user()
    ann.filled("box", "box/1", "box/2", "box/3")
    assert one.told() == []  # the first that is limited is the third, which finds two
    ann.post("box/1", x_object_meta_a="b")
    ann.delete("box/3")
    assert one.told() == [0.1, round(0.1 + 1 / 6, 3)]
    ann.get("box")
    ann.get("box")
    ann.head("box")
    assert one.told() == [0.2]
    one.service.close()


@pytest.mark.parametrize(("size", "rate"), [(0, 0), (9, 0), (10, 8), (15, 6), (20, 4), (999, 4)])
def test_rates_lie_between_those_that_are_given(size: int, rate: float) -> None:
    assert ratelimits.rate_of({"20": 4, "10": 8}, size) == rate


def test_accounts_that_are_let_through_or_not_at_all(
    empty_db: Database, directory: Path, now: Clock
) -> None:
    one = limited(
        empty_db,
        directory,
        account_ratelimit=0.001,
        account_whitelist=("AUTH_p1",),
        account_blacklist=("AUTH_p2",),
    )
    ann = one.user()
    assert [ann.put(f"box{n}").status for n in range(3)] == [201] * 3
    refused = User(ann.client, "AUTH_p2").get()
    assert (refused.status, refused.text) == (497, "Your account has been blacklisted")
    assert one.waited == [1.0]
    assert "AUTH_p2" not in ann.client.request("GET", "/info").text
    one.service.close()


def test_no_two_threads_have_the_same_turn(now: Clock) -> None:
    waited: list[float] = []
    turns, limits = Turns(waited.append), RateLimits()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: turns.take(name, 100, limits), "aaaaabaaaaa"))
    assert sorted(round(one, 2) for one in waited) == [n / 100 for n in range(1, 10)]


def test_nothing_is_limited_unless_it_is_set(ann: User) -> None:
    assert "ratelimit" not in ann.client.request("GET", "/info").json()
