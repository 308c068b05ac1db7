"""Servers that are deleted softly: switched off, restored, and deleted for good in the end."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from cumulo.kit.clock import CLOCK, now
from cumulo.services.compute.symptoms import symptoms
from cumulo.services.compute.workflows.change_power import CHANGE_POWER
from cumulo.settings import Settings
from cumulo.work import testing
from tests.audit import unsettled
from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.mover import Mover

DAY = 86400


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[Emulated]:
    """A cloud where deletions can be undone for a day."""
    settings = Settings()
    compute = msgspec.structs.replace(settings.compute, reclaim_instance_interval=DAY)
    cloud = Emulated(tmp_path, settings=msgspec.structs.replace(settings, compute=compute))
    yield cloud
    cloud.close()


def delete(one: Mover) -> None:
    assert one.ann.delete(f"/v2.1/servers/{one.id}").status == 204
    one.cloud.work()


def test_a_deleted_server_is_restored(one: Mover, ann: Client) -> None:
    delete(one)
    assert one.status == "SOFT_DELETED"
    assert one.guests() == {one.host: "stopped"}
    assert ann.get("/v2.1/servers").json()["servers"] == []
    everything = one.root.get("/v2.1/servers?status=soft_deleted").json()["servers"]
    assert [shown["id"] for shown in everything] == [one.id]
    assert one.do("os-start") == one.do("reboot", {"type": "HARD"}) == 409
    one.cloud.tick()
    assert one.status == "SOFT_DELETED"
    assert one.do("restore") == 202
    assert one.status == "ACTIVE"
    assert one.guests() == {one.host: "running"}
    assert one.do("restore") == 409


@pytest.mark.parametrize("by", ["a delete again", "force", "time"])
def test_in_the_end_it_goes(one: Mover, ann: Client, by: str) -> None:
    delete(one)
    if by == "time":
        one.cloud.tick()
        assert one.status == "SOFT_DELETED"
        with CLOCK.held(now() + timedelta(seconds=DAY + 5)):
            one.cloud.tick()
    elif by == "force":
        assert one.do("forceDelete") == 202
    else:
        delete(one)
    assert ann.get(f"/v2.1/servers/{one.id}").status == 404
    assert one.guests() == {}
    assert one.cloud.db.read(unsettled) == []


def test_where_nothing_is_kept_deletion_is_deletion(ann: Client) -> None:
    nobody = "11111111-1111-4111-8111-111111111111"
    assert ann.post(f"/v2.1/servers/{nobody}/action", {"restore": None}).status == 404


@pytest.mark.parametrize("verb", ["softDelete", "restore"])
def test_each_step_may_run_twice(one: Mover, verb: str) -> None:
    if verb == "restore":
        delete(one)

    def begin() -> None:
        if verb == "restore":
            assert one.do("restore", work=False) == 202
        else:
            assert one.ann.delete(f"/v2.1/servers/{one.id}").status == 204

    begin()
    testing.steps_may_repeat(CHANGE_POWER, None, one.cloud.db, one.tools)


def test_what_is_deleted_softly_is_not_counted(one: Mover) -> None:
    counted = one.counted()
    delete(one)
    assert one.counted() == (0, 0)
    assert one.cloud.db.read(symptoms, mend=False) == []
    limit = {"quota_set": {"instances": 0}}
    assert one.root.put("/v2.1/os-quota-sets/p1", limit).status == 200
    assert one.do("restore") == 403
    assert one.status == "SOFT_DELETED"
    limit = {"quota_set": {"instances": 1}}
    assert one.root.put("/v2.1/os-quota-sets/p1", limit).status == 200
    assert one.do("restore") == 202
    assert one.counted() == counted
    delete(one)
    assert one.do("os-resetState", {"state": "active"}, by=one.root) == 202
    assert one.counted() == counted
    assert one.cloud.db.read(symptoms, mend=False) == []


@pytest.mark.parametrize("end", ["fails", "is deleted"])
def test_a_restore_that_comes_to_nothing_is_not_counted(one: Mover, end: str) -> None:
    delete(one)
    host = one.host
    assert one.do("restore", work=False) == 202
    assert one.counted() == (1, 512)
    if end == "fails":
        one.cloud.nodes[host].script.fail("ensure_power", error="host_error")
        one.cloud.work()
        assert one.status == "SOFT_DELETED"
    else:
        assert one.do("forceDelete") == 202
        assert one.guests() == {}
    assert one.counted() == (0, 0)
    assert one.cloud.db.read(symptoms, mend=False) == []
