"""The log of changes."""

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from cumulo.db import Database, Tx
from cumulo.kit.clock import CLOCK
from cumulo.work import events
from tests.servers import SERVERS


class Who:
    request_id, user_id, project_id = "req-1", "u", "p"


class Server(msgspec.Struct):
    name: str
    admin_password: str = "hunter2"


def record(db: Database, resource_id: str, **more: Any) -> None:
    def work(tx: Tx) -> None:
        events.record(
            tx, Who(), resource="server", resource_id=resource_id, action="create", **more
        )

    db.write(work)


@pytest.fixture(autouse=True)
def _held_clock() -> Iterator[None]:
    with CLOCK.held():
        yield


def later(db: Database, after_id: int = 0, **wanted: Any) -> list[events.Event]:
    """Read when every gap that a running transaction might still fill is settled."""
    CLOCK.move(events.SETTLED.total_seconds() + 1)
    return db.read(events.events_since, after_id, **wanted)


def test_an_event_says_who_did_what_to_what(db: Database) -> None:
    at = CLOCK.now()
    record(db, "s1", before={"name": "a"}, after=Server("b"))
    event = later(db)[0]
    assert event.at == at
    assert (event.request_id, event.user_id, event.project_id) == ("req-1", "u", "p")
    assert (event.resource, event.resource_id, event.action) == ("server", "s1", "create")
    assert (event.before, event.after["name"]) == ({"name": "a"}, "b")


@pytest.mark.parametrize("key", ["adminPass", "password", "user_data", "new_secret", "auth_token"])
def test_secrets_are_not_told(db: Database, key: str) -> None:
    record(db, "s1", after={"deep": [{key: "hunter2", "name": "n"}]})
    assert later(db)[0].after == {"deep": [{key: "***", "name": "n"}]}


def test_an_event_of_a_change_that_failed_never_was(db: Database) -> None:
    def work(tx: Tx) -> None:
        events.record(tx, None, resource="r", resource_id="1", action="create")
        raise KeyError("no")

    with pytest.raises(KeyError):
        db.write(work)
    assert later(db) == []


def test_people_see_the_newest_first(db: Database) -> None:
    for number in range(5):
        record(db, f"s{number}")

    def seen(*after: int, **wanted: Any) -> list[str]:
        found = db.read(events.newest_events, *after, **wanted)
        return [event.resource_id for event in found]

    assert seen(limit=2) == ["s4", "s3"]
    assert seen(resource_id="s1", project_id="p", request_id="req-1") == ["s1"]
    assert seen(project_id="q") == seen(request_id="req-2") == seen(db.read(events.last_id)) == []


def test_a_watcher_gets_each_event_once_in_order(db: Database) -> None:
    for number in range(5):
        record(db, f"s{number}")
    first = later(db, limit=2)
    rest = later(db, first[-1].id)
    assert [event.resource_id for event in first + rest] == ["s0", "s1", "s2", "s3", "s4"]
    assert db.read(events.last_id) == rest[-1].id


def test_events_can_be_asked_for_by_project_and_resource(db: Database) -> None:
    record(db, "s1")
    record(db, "s2", project_id="other")
    mine = later(db, project_id="p")
    assert [event.resource_id for event in mine] == ["s1"]
    theirs = later(db, resource_id="s2")
    assert [event.project_id for event in theirs] == ["other"]


def test_ids_are_not_used_again_after_pruning(db: Database) -> None:
    record(db, "s1")
    last = db.read(events.last_id)
    CLOCK.move(100)
    assert db.write(events.prune, CLOCK.now()) == 1
    assert db.write(events.prune, CLOCK.now()) == 0
    record(db, "s2")
    assert later(db)[0].id > last


@pytest.mark.real
@pytest.mark.parametrize("db", SERVERS, indirect=True)
def test_an_event_that_commits_late_is_not_overtaken(db: Database) -> None:
    record(db, "before")
    seen = later(db)[-1].id
    inserted, commit = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        events.record(tx, Who(), resource="server", resource_id="late", action="create")
        inserted.set()
        assert commit.wait(20)

    writer = threading.Thread(target=db.write, args=(slow,))
    writer.start()
    assert inserted.wait(20)
    record(db, "early")
    assert db.read(events.events_since, seen) == []
    commit.set()
    writer.join()
    told = [event.resource_id for event in db.read(events.events_since, seen)]
    assert told == ["late", "early"]
