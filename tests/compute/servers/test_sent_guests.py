"""Servers between hosts that share nothing: sent while they run, fetched when they do not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulo.db import Database
from cumulo.services.compute.reconcile_guests import tidy_hosts
from cumulo.services.compute.workflows.move_server import MOVE_SERVER
from cumulo.services.compute.workflows.resize_server import RESIZE_SERVER
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
