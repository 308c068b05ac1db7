"""Servers that change their size or their host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulo.services.compute.workflows.confirm_resize import CONFIRM_RESIZE
from cumulo.services.compute.workflows.evacuate_server import EVACUATE_SERVER
from cumulo.services.compute.workflows.move_server import MOVE_SERVER
from cumulo.services.compute.workflows.resize_server import RESIZE_SERVER
from cumulo.services.compute.workflows.revert_resize import REVERT_RESIZE
from cumulo.work import testing
from tests.cloud import Emulated
from tests.compute.servers.mover import LARGE, SMALL, Mover

pytestmark = pytest.mark.walk


@pytest.fixture
def emulated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Emulated]:
    """A cloud of as many hosts as the test asks for; of one by default."""
    cloud = Emulated(tmp_path, hosts=getattr(request, "param", 1))
    yield cloud
    cloud.close()


several = pytest.mark.parametrize("emulated", [2], indirect=True)
either = pytest.mark.parametrize("emulated", [1, 2], indirect=True)


@either
def test_resize_and_confirm(one: Mover) -> None:
    small, before = one.held(), one.counted()
    assert one.do("resize", {"flavorRef": LARGE}) == 202
    assert one.status == "VERIFY_RESIZE"
    assert one.shown["flavor"]["id"] == LARGE
    assert one.node.spec(one.id).memory_mib == 2048
    assert one.held() == small + 2048
    assert one.do("confirmResize") == 204
    assert one.status == "ACTIVE"
    assert one.guests() == {one.host: "running"}
    assert not one.node.is_kept(one.id)
    assert one.held() == 2048
    assert one.counted() == (before[0], 2048)


@either
def test_resize_and_revert(one: Mover) -> None:
    host, held, before = one.host, one.held(), one.counted()
    assert one.do("resize", {"flavorRef": LARGE}) == 202
    assert one.counted() == (before[0], 2048)
    assert one.do("revertResize") == 202
    assert (one.status, one.host) == ("ACTIVE", host)
    assert one.shown["flavor"]["id"] == SMALL
    assert one.node.spec(one.id).memory_mib == 512
    assert one.guests() == {host: "running"}
    assert (one.held(), one.counted()) == (held, before)


def test_a_stopped_server_stays_stopped(one: Mover) -> None:
    one.do("os-stop")
    assert one.do("resize", {"flavorRef": LARGE}) == 202
    assert (one.status, one.guests()) == ("VERIFY_RESIZE", {"node1": "stopped"})
    assert one.do("confirmResize") == 204
    assert one.status == "SHUTOFF"


def test_a_task_shows_while_it_goes_on(one: Mover) -> None:
    one.do("resize", {"flavorRef": LARGE}, work=False)
    assert one.shown["status"] == "RESIZE"
    assert one.shown["OS-EXT-STS:task_state"] == "resize_prep"
    assert one.do("resize", {"flavorRef": LARGE}, work=False) == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"flavorRef": SMALL}, 400),
        ({"flavorRef": "none"}, 400),
        ({"flavorRef": ""}, 400),
        ({"flavorRef": LARGE, "colour": 1}, 400),
        ({}, 400),
    ],
)
def test_bad_resizes_are_refused(one: Mover, body: dict[str, Any], status: int) -> None:
    assert one.do("resize", body) == status
    assert one.status == "ACTIVE"


def test_resize_counts_against_the_quota(one: Mover) -> None:
    quota = {"quota_set": {"ram": 1024}}
    assert one.root.put("/v2.1/os-quota-sets/p1", quota).status == 200
    assert one.do("resize", {"flavorRef": LARGE}) == 403
    assert (one.status, one.counted()) == ("ACTIVE", (1, 512))


def test_a_smaller_disk_is_refused_on_the_way(one: Mover) -> None:
    one.do("resize", {"flavorRef": LARGE})
    one.do("confirmResize")
    assert one.do("resize", {"flavorRef": SMALL}) == 202
    assert one.status == "ACTIVE"
    assert one.shown["flavor"]["id"] == LARGE
    assert one.counted() == (1, 2048)


@several
def test_migrate_to_the_other_host(one: Mover) -> None:
    source = one.host
    assert one.do("migrate", by=one.root) == 202
    assert one.status == "VERIFY_RESIZE"
    assert one.host != source
    assert one.guests() == {source: "stopped", one.host: "running"}
    one.cloud.tick()
    assert one.guests() == {source: "stopped", one.host: "running"}
    assert one.do("confirmResize") == 204
    assert (one.status, one.guests()) == ("ACTIVE", {one.host: "running"})


def test_migration_needs_another_host(one: Mover) -> None:
    assert one.do("migrate", by=one.root) == 202
    assert (one.status, one.host) == ("ACTIVE", "node1")
    assert one.do("migrate") == 403


@several
def test_migrate_to_a_named_host(one: Mover) -> None:
    target = "node2" if one.host == "node1" else "node1"
    new = one.root.at("compute 2.56")
    assert one.do("migrate", {"host": one.host}, by=new) == 400
    assert one.do("migrate", {"host": "nowhere"}, by=new) == 400
    assert one.do("migrate", {"host": target}, by=new) == 202
    assert (one.status, one.host) == ("VERIFY_RESIZE", target)


@several
def test_a_live_move_stops_nothing(one: Mover) -> None:
    source, held = one.host, one.held()
    body = {"host": None, "block_migration": "auto"}
    assert one.do("os-migrateLive", body, by=one.root.at("compute 2.25")) == 202
    assert one.status == "ACTIVE"
    assert one.host != source
    assert (one.guests(), one.held()) == ({one.host: "running"}, held)
    old = {**body, "block_migration": False, "disk_over_commit": False, "host": source}
    assert one.do("os-migrateLive", old, by=one.root) == 202
    assert one.host == source


@several
def test_a_server_is_evacuated_from_a_dead_host(one: Mover) -> None:
    source = one.host
    new = one.root.at("compute 2.14")
    assert one.do("evacuate", {}, by=new) == 400
    down = {"host": source, "binary": "nova-compute", "forced_down": True}
    at = one.root.at("compute 2.11")
    assert at.put("/v2.1/os-services/force-down", down).status == 200
    assert one.do("evacuate", {"host": source}, by=new) == 400
    assert one.do("evacuate", {}, by=new) == 200
    assert one.status == "ACTIVE"
    assert one.host != source
    one.cloud.tick()
    assert one.guests() == {one.host: "running"}


@several
def test_an_evacuated_server_is_left_stopped_since_2_95(one: Mover) -> None:
    down = {"host": one.host, "binary": "nova-compute", "forced_down": True}
    one.root.at("compute 2.11").put("/v2.1/os-services/force-down", down)
    assert one.do("evacuate", {}, by=one.root.at("compute 2.95")) == 200
    assert (one.status, one.guests()[one.host]) == ("SHUTOFF", "stopped")


@either
def test_delete_while_a_resize_waits(one: Mover) -> None:
    one.do("resize", {"flavorRef": LARGE})
    assert one.ann.delete(f"/v2.1/servers/{one.id}").status == 204
    one.cloud.work()
    assert (one.guests(), one.held(), one.counted()) == ({}, 0, (0, 0))


@either
def test_delete_in_the_midst_of_a_resize(one: Mover) -> None:
    """OSSA-2015-015: the guest went on where it came from, and its disk stayed."""
    one.do("resize", {"flavorRef": LARGE}, work=False)
    assert one.ann.delete(f"/v2.1/servers/{one.id}").status == 204
    one.cloud.work()
    assert (one.guests(), one.held(), one.counted()) == ({}, 0, (0, 0))


@either
def test_resizing_may_repeat(one: Mover) -> None:
    one.do("resize", {"flavorRef": LARGE}, work=False)
    testing.steps_may_repeat(RESIZE_SERVER, None, one.cloud.db, one.tools)
    assert one.status == "VERIFY_RESIZE"
    one.do("confirmResize", work=False)
    testing.steps_may_repeat(CONFIRM_RESIZE, None, one.cloud.db, one.tools)
    assert (one.status, one.guests(), one.held()) == ("ACTIVE", {one.host: "running"}, 2048)


@either
def test_reverting_may_repeat(one: Mover) -> None:
    host, held = one.host, one.held()
    one.do("resize", {"flavorRef": LARGE})
    one.do("revertResize", work=False)
    testing.steps_may_repeat(REVERT_RESIZE, None, one.cloud.db, one.tools)
    assert (one.status, one.guests(), one.held()) == ("ACTIVE", {host: "running"}, held)


@either
@pytest.mark.parametrize(
    ("step", "before"), [(step.name, step.name == "settle") for step in RESIZE_SERVER.steps]
)
def test_resizing_unwinds(one: Mover, step: str, before: bool) -> None:
    host, held, counted = one.host, one.held(), one.counted()
    one.do("resize", {"flavorRef": LARGE}, work=False)
    testing.unwinds_from(step, RESIZE_SERVER, None, one.cloud.db, one.tools, before=before)
    assert (one.status, one.host) == ("ACTIVE", host)
    assert one.shown["flavor"]["id"] == SMALL
    assert one.guests() == {host: "running"}
    assert one.node.spec(one.id).memory_mib == 512
    assert not one.node.is_kept(one.id)
    assert (one.held(), one.counted()) == (held, counted)


@several
@pytest.mark.parametrize("step", ["place", "arrive", "plug"])
def test_a_live_move_unwinds(one: Mover, step: str) -> None:
    host, held = one.host, one.held()
    body = {"host": None, "block_migration": "auto"}
    one.do("os-migrateLive", body, by=one.root.at("compute 2.25"), work=False)
    testing.unwinds_from(step, MOVE_SERVER, None, one.cloud.db, one.tools)
    assert (one.status, one.host) == ("ACTIVE", host)
    assert (one.guests(), one.held()) == ({host: "running"}, held)


@several
def test_a_live_move_may_repeat(one: Mover) -> None:
    body = {"host": None, "block_migration": "auto"}
    one.do("os-migrateLive", body, by=one.root.at("compute 2.25"), work=False)
    testing.steps_may_repeat(MOVE_SERVER, None, one.cloud.db, one.tools)
    one.cloud.work()
    assert (one.status, one.guests()) == ("ACTIVE", {one.host: "running"})


@several
def test_an_evacuation_may_repeat(one: Mover) -> None:
    down = {"host": one.host, "binary": "nova-compute", "forced_down": True}
    one.root.at("compute 2.11").put("/v2.1/os-services/force-down", down)
    one.do("evacuate", {}, by=one.root.at("compute 2.14"), work=False)
    testing.steps_may_repeat(EVACUATE_SERVER, None, one.cloud.db, one.tools)
    assert one.status == "ACTIVE"
    assert one.guests()[one.host] == "running"
