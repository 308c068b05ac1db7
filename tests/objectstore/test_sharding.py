"""Containers whose listing is cut into shards, and what their users see of it: nothing."""

import contextlib
import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from cumulo.db import Database
from cumulo.kit import clock
from cumulo.services.objectstore import listings, reconcile, sharding
from cumulo.services.objectstore.drivers.index import SqliteIndex
from tests.objectstore.service import ANN, Service, User

WORDS = ("a", "b/c", "b/d", "b/d/e", "b", "f/", "f/g/h", "z", "\u00e9", "b-c", "f")
LONG = 8


@pytest.fixture
def service(empty_db: Database, directory: Path) -> Iterator[Service]:
    service = Service(empty_db, directory, shard_container_threshold=LONG, policies=("one", "two"))
    yield service
    service.close()


def tend(service: Service, times: int = 1) -> None:
    for _ in range(times):
        reconcile.shard(service.tools)


def states(service: Service, container: str = "cut") -> list[str]:
    ranges = sharding.ranges_of(service.tools.cluster, "AUTH_p1", container)
    return [one.state for one, _ in ranges]


def shards(service: Service) -> list[str]:
    """Return the shards that there are, on any device."""
    indexes = (path.stem for path in service.directory.glob("d*/container/*/*.db"))
    cluster, found = service.tools.cluster, set[str]()
    for key in indexes:
        place = cluster.place_of_key("container", "", key)
        changes = cluster.index(place).read(lambda index: index.changes(1 << 62))
        found |= {changes.name} if changes else set()
    return sorted(name for name in found if name.startswith(".shards_"))


def held(device: Any, place: Any) -> list[Any]:
    """Return the rows that a replica of an index holds itself."""
    with device.index(place.kind, place.part, place.key)._reading() as db:
        return list(db.execute("SELECT name FROM item"))


def both(ann: User, method: str, name: str, body: bytes = b"") -> None:
    answers = {ann.ask(method, f"{box}/{quote(name)}", body).status for box in ("cut", "whole")}
    assert len(answers) == 1, (method, name, answers)


def shown(ann: User, box: str, **asked: Any) -> list[tuple[str, Any, Any]]:
    words = "&".join(f"{name}={quote(str(value))}" for name, value in asked.items())
    rows = ann.get(f"{box}?format=json&{words}").json()
    return [(one.get("name", one.get("subdir")), one.get("bytes"), one.get("hash")) for one in rows]


QUESTIONS: list[dict[str, Any]] = [
    dict(itertools.chain(*(one.items() for one in parts)))
    for parts in itertools.product(
        ({}, {"delimiter": "/"}, {"delimiter": "b"}, {"path": ""}, {"path": "b"}),
        ({}, {"prefix": "b"}, {"prefix": "b/"}, {"prefix": "f/g"}),
        ({}, {"marker": "b/"}, {"marker": "b/d"}, {"marker": "f/1"}),
        ({}, {"end_marker": "b/d"}, {"end_marker": "z"}),
        ({}, {"limit": "1"}, {"limit": "3"}),
        ({}, {"reverse": "on"}),
    )
]


def compare(ann: User, service: Service, questions: list[dict[str, Any]]) -> None:
    for asked in questions:
        assert shown(ann, "cut", **asked) == shown(ann, "whole", **asked), asked
    names = ("x-container-object-count", "x-container-bytes-used")
    cut, whole = (ann.head(box).headers for box in ("cut", "whole"))
    assert [cut[name] for name in names] == [whole[name] for name in names]
    for name in WORDS:
        row = listings.get(service.tools.cluster, "AUTH_p1", "cut", name)
        other = listings.get(service.tools.cluster, "AUTH_p1", "whole", name)
        assert (row is None) == (other is None), name


class Killed(BaseException):
    """What a power cut is to a program: it just ends."""


WRITES = ("create", "set_ranges", "merge", "moved", "trim", "change")


@contextlib.contextmanager
def killed_after(count: int, patch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """End the program at its n-th write to an index, which it was about to make."""
    left = [count]

    def dies(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*args, **more)

        return call

    with patch.context() as inside:
        for name in WRITES:
            inside.setattr(SqliteIndex, name, dies(getattr(SqliteIndex, name)))
        with contextlib.suppress(Killed):
            yield left


@pytest.fixture
def uncut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the container that the other is compared with as it is."""
    real = sharding.tend

    def tend_others(cluster: Any, settings: Any, account: str, name: str) -> bool:
        return name == "whole" or real(cluster, settings, account, name)

    monkeypatch.setattr(sharding, "tend", tend_others)


def do(ann: User, luck: random.Random, count: int) -> None:
    for _ in range(count):
        name = luck.choice(WORDS) + luck.choice(("", "1", "2", "/3"))
        if luck.random() < 0.65:
            both(ann, "PUT", name, luck.randbytes(luck.randrange(9)))
        else:
            both(ann, "DELETE", name)


LATER = pytest.mark.walk


@pytest.mark.parametrize(
    ("seed", "rounds"), [pytest.param(n, 12, marks=LATER) for n in range(1, 12)]
)
def test_a_cut_container_answers_like_a_whole_one(
    ann: User,
    service: Service,
    uncut: None,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    rounds: int,
) -> None:
    """Whatever is written meanwhile, and wherever the cutting is ended."""
    luck, few = random.Random(seed), 8 * rounds
    ann.filled("cut", "whole")
    with clock.CLOCK.held():
        for _ in range(rounds):
            clock.CLOCK.move(30)
            do(ann, luck, luck.randrange(12))
            with killed_after(luck.randrange(40), monkeypatch):
                tend(service)
            compare(ann, service, luck.sample(QUESTIONS, 25))
        tend(service, 3)
    compare(ann, service, luck.sample(QUESTIONS, few))
    service.mend()
    compare(ann, service, luck.sample(QUESTIONS, few))


def fill(ann: User, count: int = 20, box: str = "cut") -> list[str]:
    ann.filled(box)
    names = [f"o{number:03}" for number in range(count)]
    ann.filled(*(f"{box}/{name}" for name in names))
    return names


def test_a_long_container_is_cut_and_its_shards_in_turn(ann: User, service: Service) -> None:
    names = fill(ann)
    tend(service)
    assert states(service) == ["active"] * 5
    assert ann.names("cut") == names
    more = [f"o0075{number:02}" for number in range(20)]
    ann.filled(*(f"cut/{name}" for name in more))
    tend(service, 3)
    assert states(service) == ["active"] * len(states(service))
    assert len(states(service)) > 8
    assert ann.names("cut") == sorted([*names, *more])
    place = service.tools.cluster.place("container", "AUTH_p1", "cut")
    assert [held(device, place) for device in place.primaries] == [[], [], []]


def test_every_form_of_a_listing_stays_as_it_was(ann: User, service: Service) -> None:
    fill(ann)
    asked = [
        f"cut?format={form}&{words}"
        for form in ("plain", "json", "xml")
        for words in ("", "limit=7&marker=o004", "reverse=on&end_marker=o003", "delimiter=1")
    ]
    before = [ann.get(one).body for one in asked]
    tend(service)
    assert states(service) == ["active"] * 5
    assert [ann.get(one).body for one in asked] == before


def test_shards_lie_on_devices_as_other_containers_do(ann: User, service: Service) -> None:
    names = fill(ann)
    tend(service)
    for number in (0, 1):
        service.lose(number)
    assert ann.names("cut") == names
    assert ann.names("cut?prefix=o01&marker=o014&limit=2") == ["o015", "o016"]


def test_shards_that_empty_go(ann: User, service: Service) -> None:
    names = fill(ann)
    tend(service)
    with clock.CLOCK.held():
        for name in names[2:]:
            assert ann.delete(f"cut/{name}").status == 204
        tend(service, 3)
        clock.CLOCK.move(100)
        tend(service)
        assert len(states(service)) <= 1
        assert ann.names("cut") == names[:2]
        for name in names[:2]:
            ann.delete(f"cut/{name}")
        tend(service, 2)
        clock.CLOCK.move(100)
        tend(service)
    assert (states(service), shards(service)) == ([], [])
    ann.filled("cut/new")
    assert ann.names("cut") == ["new"]


def test_deleting_a_container_removes_its_shards(ann: User, service: Service) -> None:
    names = fill(ann)
    tend(service)
    assert ann.delete("cut").status == 409
    with clock.CLOCK.held():
        for name in names:
            ann.delete(f"cut/{name}")
        assert ann.delete("cut").status == 204
        assert ann.get("cut").status == 404
        tend(service)
        clock.CLOCK.move(100)
        tend(service)
        assert shards(service) == []
        service.mend()
        assert shards(service) == []
    assert ann.get().text == ""
    ann.filled("cut", "cut/again")
    assert ann.names("cut") == ["again"]


def test_sums_reach_the_account(ann: User, service: Service) -> None:
    fill(ann)
    tend(service)
    for _ in range(2):
        row = ann.get("?format=json").json()[0]
        assert (row["count"], row["bytes"]) == (20, 20 * len("cut/o000"))
        reconcile.recount(service.tools)
    assert ann.head().headers["x-account-container-count"] == "1"
    ann.post("cut", x_container_meta_quota_count="20")
    assert ann.put("cut/o000", b"again").status == 201
    assert ann.put("cut/more").status == 413


def test_versions_and_expiry_in_shards(ann: User, service: Service) -> None:
    ann.put("cut", x_versions_enabled="true", x_storage_policy="two")
    for number in range(12):
        for body in (b"1", b"2"):
            ann.put(f"cut/o{number:02}", body)
    tend(service)
    assert states(service) == ["active"] * 3
    assert len(states(service, "\0versions\0cut")) == 6
    rows = ann.get("cut?versions&format=json").json()
    assert [row["is_latest"] for row in rows] == [True, False] * 12
    assert ann.get("cut/o05").body == b"2"
    fill(ann, 20, "other")
    with clock.CLOCK.held():
        ann.post("other/o007", x_delete_after="10")
        tend(service)
        clock.CLOCK.move(11)
        reconcile.expire(service.tools)
    assert "o007" not in ann.names("other")


def test_a_row_that_a_shard_lost_comes_back(ann: User, service: Service) -> None:
    names = fill(ann)
    tend(service)
    cluster = service.tools.cluster
    for one, _ in sharding.ranges_of(cluster, "AUTH_p1", "cut"):
        place = cluster.place("container", ".shards_AUTH_p1", one.shard)
        for device in place.primaries:
            with device.index("container", place.part, place.key)._writing() as db:  # type: ignore[attr-defined]
                db.execute("DELETE FROM item")
    assert ann.names("cut") == []
    reconcile.audit(service.tools)
    assert ann.names("cut") == names


def test_a_replica_that_was_away_brings_what_only_it_knew(ann: User, service: Service) -> None:
    names = fill(ann)
    cluster = service.tools.cluster
    place = cluster.place("container", "AUTH_p1", "cut")
    away = next(one for one in service.devices if one is place.primaries[2])
    kept = service.directory / "kept"
    Path(away.root).rename(kept)
    tend(service)
    assert states(service) == ["active"] * 5
    ann.delete(f"cut/{names[3]}")
    kept.rename(away.root)
    service.mend()
    tend(service, 2)
    service.mend()
    assert ann.names("cut") == [name for name in names if name != names[3]]
    assert held(place.primaries[2], place) == []
    assert ann.head("cut").headers["x-container-object-count"] == "19"


@pytest.mark.walk
@pytest.mark.parametrize("first", range(4))
def test_the_cut_goes_on_wherever_it_ended(
    first: int, directory: Path, empty_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for count in itertools.count(first, 4):
        service = Service(empty_db, directory / str(count), shard_container_threshold=LONG)
        ann = service.user(ANN)
        names = fill(ann)
        with killed_after(count, monkeypatch) as left:
            tend(service)
        service.close()
        service = Service(empty_db, directory / str(count), shard_container_threshold=LONG)
        ann = service.user(ANN)
        assert ann.names("cut") == names, count
        ann.put("cut/o0035")
        ann.delete("cut/o008")
        tend(service)
        wanted = sorted({*names, "o0035"} - {"o008"})
        assert ann.names("cut") == wanted, count
        assert states(service) == ["active"] * 5, count
        assert ann.head("cut").headers["x-container-object-count"] == "20"
        service.close()
        if left[0] >= 0:
            break
    assert count > 40
