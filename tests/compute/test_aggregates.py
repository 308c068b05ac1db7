"""Aggregates of hosts, and the availability zones they make."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cumulo.db import Database
from cumulo.kit.clock import CLOCK
from cumulo.services.compute import availability_zones, host_affairs
from cumulo.services.compute.reconcile import update_hosts
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.cache_images import CACHE_IMAGES
from cumulo.services.placement import public as placement
from cumulo.work import testing
from tests.client import Answer, Client
from tests.cloud import Emulated
from tests.compute import residents
from tests.compute.conftest import Hosts

A = "/v2.1/os-aggregates"
Z = "/v2.1/os-availability-zone"


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    with CLOCK.held(datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)):
        yield


def made(admin: Client, name: str = "ssd", **more: Any) -> str:
    answer = admin.post(A, {"aggregate": {"name": name} | more})
    assert answer.status == 200, answer.text
    return f"{A}/{answer.json()['aggregate']['id']}"


def act(admin: Client, place: str, **action: Any) -> Answer:
    return admin.post(f"{place}/action", action)


def test_an_aggregate_from_its_making_to_its_end(admin: Client) -> None:
    answer = admin.post(A, {"aggregate": {"name": "ssd"}})
    assert answer.json() == {
        "aggregate": {
            "id": 1,
            "name": "ssd",
            "availability_zone": None,
            "created_at": "2026-03-04T05:06:07.000000",
            "updated_at": None,
            "deleted": False,
            "deleted_at": None,
        }
    }
    CLOCK.move(60)
    changed = admin.put(f"{A}/1", {"aggregate": {"name": "disk", "availability_zone": "z1"}})
    view = changed.json()["aggregate"]
    assert (view["name"], view["availability_zone"]) == ("disk", "z1")
    assert (view["hosts"], view["metadata"]) == ([], {"availability_zone": "z1"})
    assert view["updated_at"] == "2026-03-04T05:07:07.000000"
    assert admin.get(f"{A}/1").json()["aggregate"] == view
    assert admin.get(A).json()["aggregates"] == [view]
    assert admin.delete(f"{A}/1").status == 200
    assert admin.get(f"{A}/1").json()["itemNotFound"]["message"] == (
        "Aggregate 1 could not be found."
    )
    assert admin.delete(f"{A}/1").status == 404
    assert made(admin) == f"{A}/2"


def test_users_see_nothing_of_it(cloud: Client) -> None:
    assert cloud.get(A).status == 403
    assert cloud.post(A, {"aggregate": {"name": "a"}}).status == 403
    for action in ("add_host", "remove_host"):
        assert cloud.post(f"{A}/1/action", {action: {"host": "one"}}).status == 403
    assert cloud.post(f"{A}/1/action", {"set_metadata": {"metadata": {}}}).status == 403


def test_uuids_are_shown_from_2_41_on(admin: Client) -> None:
    place = made(admin)
    assert "uuid" not in admin.at("compute 2.40").get(place).json()["aggregate"]
    assert len(admin.at("compute 2.41").get(place).json()["aggregate"]["uuid"]) == 36


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": " a"},
        {"name": "a" * 256},
        {"availability_zone": ""},
        {"availability_zone": "a:b"},
        {"colour": "red"},
    ],
)
def test_wrong_aggregates_are_refused(admin: Client, wrong: dict[str, object]) -> None:
    assert admin.post(A, {"aggregate": {"name": "a"} | wrong}).status == 400


def test_names_are_given_once(admin: Client) -> None:
    made(admin, "a")
    place = made(admin, "b")
    again = admin.post(A, {"aggregate": {"name": "a"}})
    assert again.json()["conflictingRequest"]["message"] == "Aggregate a already exists."
    assert admin.put(place, {"aggregate": {"name": "a"}}).status == 409
    assert admin.put(place, {"aggregate": {"name": "b"}}).status == 200
    assert admin.put(place, {"aggregate": {}}).status == 400


@pytest.mark.parametrize(
    ("path", "status"), [("x", 400), ("1.0", 400), ("-1", 404), ("7", 404), ("9" * 30, 404)]
)
def test_what_is_no_aggregate(admin: Client, path: str, status: int) -> None:
    assert admin.get(f"{A}/{path}").status == status
    assert admin.put(f"{A}/{path}", {"aggregate": {"name": "a"}}).status == status
    assert admin.delete(f"{A}/{path}").status == status
    assert act(admin, f"{A}/{path}", add_host={"host": "one"}).status == status
    assert act(admin, f"{A}/{path}", set_metadata={"metadata": {}}).status == status


def test_hosts_come_and_go_in_placement_too(admin: Client, db: Database) -> None:
    place = made(admin)
    added = act(admin, place, add_host={"host": "one"})
    assert (added.status, added.json()["aggregate"]["hosts"]) == (200, ["one"])
    uuid = admin.at("compute 2.41").get(place).json()["aggregate"]["uuid"]
    assert len(db.read(placement.candidates, {"VCPU": 1}, aggregates=[uuid])) == 1

    assert act(admin, place, add_host={"host": "one"}).status == 409
    missing = act(admin, place, add_host={"host": "two"})
    assert missing.json()["itemNotFound"]["message"] == "Compute host two could not be found."
    full = admin.delete(place)
    assert full.status == 400
    assert "not empty" in full.json()["badRequest"]["message"]

    removed = act(admin, place, remove_host={"host": "one"})
    assert removed.json()["aggregate"]["hosts"] == []
    assert db.read(placement.candidates, {"VCPU": 1}, aggregates=[uuid]) == []
    assert act(admin, place, remove_host={"host": "one"}).status == 404
    assert act(admin, place, remove_host={"host": "o/ne"}).status == 400
    assert act(admin, place, explode={}).status == 400


def test_metadata_is_added_changed_and_removed(admin: Client) -> None:
    place = made(admin)
    set_to = act(admin, place, set_metadata={"metadata": {"a": "1", "b": "2"}})
    assert set_to.json()["aggregate"]["metadata"] == {"a": "1", "b": "2"}
    changed = act(admin, place, set_metadata={"metadata": {"a": "3", "b": None, "c": None}})
    assert changed.json()["aggregate"]["metadata"] == {"a": "3"}
    for wrong in (
        {"": "x"},
        {"a": 1},
        {"a": "x" * 256},
        {"a/b": "x"},
        "x",
        {"availability_zone": None},
    ):
        assert act(admin, place, set_metadata={"metadata": wrong}).status == 400


def test_a_host_is_in_one_zone_only(admin: Client) -> None:
    first, second = made(admin, "a", availability_zone="z1"), made(admin, "b")
    act(admin, first, add_host={"host": "one"})
    act(admin, second, add_host={"host": "one"})
    refused = admin.put(second, {"aggregate": {"availability_zone": "z2"}})
    assert refused.status == 400
    assert "['z1']" in refused.json()["badRequest"]["message"]
    assert act(admin, second, set_metadata={"metadata": {"availability_zone": "z2"}}).status == 400
    assert admin.put(second, {"aggregate": {"availability_zone": "z1"}}).status == 200
    third = made(admin, "c", availability_zone="z3")
    assert act(admin, third, add_host={"host": "one"}).status == 409


def test_servers_do_not_change_zones_unawares(admin: Client, db: Database) -> None:
    place = made(admin, availability_zone="z1")
    act(admin, place, add_host={"host": "one"})
    residents.put(db, "s1")
    assert act(admin, place, remove_host={"host": "one"}).status == 409
    assert admin.put(place, {"aggregate": {"availability_zone": "z2"}}).status == 400
    residents.take_away(db, "s1")
    assert admin.put(place, {"aggregate": {"availability_zone": "z2"}}).status == 200
    act(admin, place, remove_host={"host": "one"})
    residents.put(db, "s2")
    assert act(admin, place, add_host={"host": "one"}).status == 409
    assert act(admin, made(admin, "zoneless"), add_host={"host": "one"}).status == 200


def test_users_see_zones_and_administrators_their_hosts(
    cloud: Client, admin: Client, hosts: Hosts, tools: Tools
) -> None:
    assert cloud.get(Z).json() == {
        "availabilityZoneInfo": [
            {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}
        ]
    }
    assert cloud.get(f"{Z}/detail").status == 403
    hosts.add("two")
    update_hosts(tools)
    act(admin, made(admin, availability_zone="z1"), add_host={"host": "two"})
    shown = [zone["zoneName"] for zone in cloud.get(Z).json()["availabilityZoneInfo"]]
    assert shown == ["nova", "z1"]
    zones = admin.get(f"{Z}/detail").json()["availabilityZoneInfo"]
    assert [zone["zoneName"] for zone in zones] == ["internal", "nova", "z1"]
    assert set(zones[0]["hosts"]["control"]) == {"nova-conductor", "nova-scheduler"}
    assert zones[2]["hosts"] == {
        "two": {
            "nova-compute": {
                "available": True,
                "active": True,
                "updated_at": "2026-03-04T05:06:07.000000",
            }
        }
    }
    assert admin.get("/v2.1/os-services?host=two").json()["services"][0]["zone"] == "z1"


def test_a_zone_of_disabled_hosts_is_not_available(cloud: Client, admin: Client) -> None:
    named = {"host": "one", "binary": "nova-compute"}
    admin.put("/v2.1/os-services/disable", named)
    (zone,) = cloud.get(Z).json()["availabilityZoneInfo"]
    assert zone == {"zoneName": "nova", "zoneState": {"available": False}, "hosts": None}
    assert admin.get(f"{Z}/detail").json()["availabilityZoneInfo"][-1] == zone


def test_the_scheduler_asks_for_hosts_by_zone(
    admin: Client, db: Database, hosts: Hosts, tools: Tools
) -> None:
    hosts.add("two")
    update_hosts(tools)
    act(admin, made(admin, availability_zone="z1"), add_host={"host": "two"})
    assert db.read(availability_zones.hosts_in_zone, "nova") == ["one"]
    assert db.read(availability_zones.hosts_in_zone, "z1") == ["two"]
    assert db.read(availability_zones.hosts_in_zone, "z2") == []
    assert db.read(availability_zones.zone_of_host, "two") == "z1"
    assert db.read(availability_zones.zone_of_host, "one") == "nova"


def test_unknown_parameters_are_refused_from_2_102_on(admin: Client) -> None:
    for path in (A, Z, f"{Z}/detail"):
        assert admin.at("compute 2.101").get(f"{path}?colour=red").status == 200
        assert admin.at("compute 2.102").get(f"{path}?colour=red").status == 400


def test_images_are_fetched_before_guests_need_them(reused: Database, tmp_path: Path) -> None:
    cloud = Emulated(tmp_path, db=reused, hosts=2)
    root, images = (cloud.client(name, "root:p0:admin") for name in ("compute", "image"))
    wanted = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
    image_id = images.post("/v2/images", wanted).json()["id"]
    place, newer = made(root), root.at("compute 2.81")
    assert act(root, place, add_host={"host": "node2"}).status == 200
    cache = {"cache": [{"id": image_id}]}
    assert root.post(f"{place}/images", cache).status == 404
    assert newer.post(f"{place}/images", cache).status == 400  # it has no bytes yet
    kind = {"content-type": "application/octet-stream"}
    assert (
        images.request("PUT", f"/v2/images/{image_id}/file", body=b"x", headers=kind).status == 204
    )
    wrong: list[list[dict[str, str]]] = [[], [{"id": "none"}], cache["cache"] * 2]
    for bad in wrong:
        assert newer.post(f"{place}/images", {"cache": bad}).status == 400
    assert newer.post(f"{A}/77/images", cache).status == 404
    assert newer.post(f"{place}/images", cache).status == 202
    assert cloud.db.read(host_affairs.uses_image, "node2", image_id)
    assert not cloud.db.read(host_affairs.uses_image, "node1", image_id)
    testing.steps_may_repeat(CACHE_IMAGES, None, cloud.db, cloud.cloud.compute)
    assert [cloud.nodes[name].images for name in ("node1", "node2")] == [set(), {image_id}]
    assert not cloud.db.read(host_affairs.uses_image, "node2", image_id)
