"""Servers between hosts that share nothing: sent while they run, fetched when they do not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulo.db import Database
from cumulo.services.compute.reconcile_guests import tidy_hosts
from cumulo.services.compute.workflows.move_server import MOVE_SERVER
from cumulo.services.compute.workflows.resize_server import RESIZE_SERVER
from cumulo.services.compute.workflows.steer_move import STEER_MOVE
from cumulo.services.network.reconcile import tell
from cumulo.work import testing
from tests.audit import disagreements
from tests.cloud import Emulated
from tests.compute.servers.mover import Mover, mover_in
from tests.compute.servers.sending import SendingNode

LIVE = {"host": None, "block_migration": "auto"}


@pytest.fixture
def emulated(tmp_path: Path, reused: Database) -> Iterator[Emulated]:
    SendingNode.others.clear()
    cloud = Emulated(tmp_path, db=reused, hosts=2, kind=SendingNode)
    yield cloud
    cloud.close()


def boots(one: Mover) -> int:
    return sum(node.boots for node in SendingNode.others.values())


def wrong(one: Mover) -> list[str]:
    tidy_hosts(one.tools)
    tell(one.tools.network)
    cloud = one.cloud
    return disagreements(cloud.db, cloud.cloud.outside.nodes, cloud.driver)


def test_a_running_guest_is_sent_and_never_started_anew(one: Mover) -> None:
    source = one.host
    assert one.do("os-migrateLive", LIVE, by=one.root.at("compute 2.25")) == 202
    assert (one.status, one.host != source) == ("ACTIVE", True)
    assert (one.guests(), boots(one)) == ({one.host: "running"}, 1)
    assert wrong(one) == []


@pytest.mark.parametrize("end", ["confirmResize", "revertResize"])
def test_a_stopped_guest_is_fetched(one: Mover, end: str) -> None:
    source = one.host
    assert one.do("migrate", by=one.root) == 202
    assert (one.status, one.host != source) == ("VERIFY_RESIZE", True)
    assert one.guests() == {source: "stopped", one.host: "running"}
    assert one.do(end) in (202, 204)
    assert (one.status, one.host == source) == ("ACTIVE", end == "revertResize")
    assert (one.guests(), boots(one)) == ({one.host: "running"}, 1)
    assert wrong(one) == []


def begin(one: Mover, action: str, body: Any) -> None:
    assert one.do(action, body, by=one.root.at("compute 2.25"), work=False) == 202


def test_a_live_move_bears_repetition(one: Mover) -> None:
    begin(one, "os-migrateLive", LIVE)
    testing.steps_may_repeat(MOVE_SERVER, None, one.cloud.db, one.tools)
    one.cloud.work()
    assert (one.status, one.guests(), boots(one)) == ("ACTIVE", {one.host: "running"}, 1)
    assert wrong(one) == []


@pytest.mark.parametrize("step", [step.name for step in MOVE_SERVER.steps])
def test_a_live_move_that_failed_loses_no_guest(one: Mover, step: str) -> None:
    begin(one, "os-migrateLive", LIVE)
    before = step == "settle"
    testing.unwinds_from(step, MOVE_SERVER, None, one.cloud.db, one.tools, before=before)
    one.cloud.work()
    assert (one.status, one.guests(), boots(one)) == ("ACTIVE", {one.host: "running"}, 1)
    assert wrong(one) == []


@pytest.mark.parametrize("step", [step.name for step in RESIZE_SERVER.steps])
def test_a_cold_move_that_failed_leaves_the_guest_as_it_was(one: Mover, step: str) -> None:
    source = one.host
    begin(one, "migrate", None)
    before = step == "settle"
    testing.unwinds_from(step, RESIZE_SERVER, None, one.cloud.db, one.tools, before=before)
    one.cloud.work()
    assert (one.status, one.guests(), boots(one)) == ("ACTIVE", {source: "running"}, 1)
    assert wrong(one) == []


@pytest.fixture
def one(emulated: Emulated, image: str, network: str) -> Mover:
    """A server of p1."""
    return mover_in(emulated, image, network)


def steer(one: Mover, verb: str, version: str = "compute 2.65") -> int:
    [move] = one.root.at(version).get(f"/v2.1/servers/{one.id}/migrations").json()["migrations"]
    place, root = f"/v2.1/servers/{one.id}/migrations/{move['id']}", one.root.at(version)
    if verb == "abort":
        return root.delete(place).status
    return root.post(f"{place}/action", {verb: None}).status


def last_move(one: Mover) -> str:
    moves = one.root.get("/v2.1/os-migrations").json()["migrations"]
    return str(moves[0]["status"])


def test_a_live_move_is_called_back_before_it_began(one: Mover) -> None:
    source = one.host
    begin(one, "os-migrateLive", LIVE)
    assert steer(one, "abort", "compute 2.64") == 400  # it is queued
    assert steer(one, "force_complete") == 400
    assert steer(one, "abort") == 202
    assert steer(one, "abort") == 400
    one.cloud.work()
    assert (one.status, one.host, one.guests()) == ("ACTIVE", source, {source: "running"})
    assert (last_move(one), boots(one)) == ("cancelled", 1)
    assert wrong(one) == []


@pytest.mark.parametrize("verb", ["abort", "force_complete"])
def test_a_live_move_is_steered_while_the_guest_is_sent(one: Mover, verb: str) -> None:
    source, node = one.host, SendingNode.others[one.host]
    begin(one, "os-migrateLive", LIVE)

    def during() -> None:
        assert steer(one, verb, "compute 2.24") == 202
        # What another worker would do, and a third after the second died.
        testing.steps_may_repeat(STEER_MOVE, None, one.cloud.db, one.tools)

    node.while_sending = during
    one.cloud.work()
    assert node.told == [verb, verb]
    ends = {"abort": ("cancelled", True), "force_complete": ("completed", False)}
    assert (last_move(one), one.host == source) == ends[verb]
    assert (one.status, one.guests(), boots(one)) == ("ACTIVE", {one.host: "running"}, 1)
    assert wrong(one) == []


def test_there_is_nothing_to_steer_at_rest(one: Mover) -> None:
    place, root = f"/v2.1/servers/{one.id}/migrations/7", one.root.at("compute 2.65")
    assert root.delete(place).status == 409
    assert root.post(f"{place}/action", {"force_complete": None}).status == 409
    assert one.ann.at("compute 2.65").delete(place).status == 403
    begin(one, "os-migrateLive", LIVE)
    assert root.delete(place).status == 404
    assert root.post(f"{place}/action", {"force_complete": None}).status == 400


def test_a_call_back_bears_repetition(one: Mover) -> None:
    source = one.host
    begin(one, "os-migrateLive", LIVE)
    assert steer(one, "abort") == 202
    testing.steps_may_repeat(STEER_MOVE, None, one.cloud.db, one.tools)
    one.cloud.work()
    assert (one.status, one.host, last_move(one)) == ("ACTIVE", source, "cancelled")
    assert wrong(one) == []
