"""The parts of compute: who is alive, and who gets new servers."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cumulo.db import Database
from cumulo.kit.clock import CLOCK
from cumulo.services.compute.reconcile import update_hosts
from cumulo.services.compute.services import DISABLED_TRAIT
from cumulo.services.compute.tools import Tools
from cumulo.services.placement import public as placement
from tests.client import Client
from tests.compute import residents
from tests.compute.conftest import Hosts

S = "/v2.1/os-services"


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    with CLOCK.held(datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)):
        yield


def states(api: Client, query: str = "") -> dict[tuple[str, str], tuple[str, str]]:
    found = api.get(f"{S}{query}").json()["services"]
    return {(one["host"], one["binary"]): (one["status"], one["state"]) for one in found}


def uuid_of(api: Client, host: str, binary: str = "nova-compute") -> str:
    found = api.at("compute 2.53").get(f"{S}?host={host}&binary={binary}").json()["services"]
    return str(found[0]["id"])


def test_every_part_is_listed_with_its_host_and_zone(admin: Client) -> None:
    services = admin.get(S).json()["services"]
    assert [(one["id"], one["binary"], one["host"], one["zone"]) for one in services] == [
        (1, "nova-conductor", "control", "internal"),
        (2, "nova-scheduler", "control", "internal"),
        (3, "nova-compute", "one", "nova"),
    ]
    assert services[2] == {
        "id": 3,
        "binary": "nova-compute",
        "host": "one",
        "zone": "nova",
        "status": "enabled",
        "state": "up",
        "updated_at": "2026-03-04T05:06:07.000000",
        "disabled_reason": None,
    }
    assert list(states(admin, "?binary=nova-compute")) == [("one", "nova-compute")]
    assert list(states(admin, "?host=control&binary=nova-scheduler")) == [
        ("control", "nova-scheduler")
    ]
    assert states(admin, "?host=nothing") == {}


def test_users_see_nothing_of_it(cloud: Client) -> None:
    assert cloud.get(S).status == 403
    assert cloud.put(f"{S}/enable", {"host": "one", "binary": "nova-compute"}).status == 403
    assert cloud.at("compute 2.53").put(f"{S}/x", {"status": "enabled"}).status == 403
    assert cloud.delete(f"{S}/1").status == 403


def test_a_host_that_falls_silent_is_down_after_a_minute(
    admin: Client, hosts: Hosts, tools: Tools
) -> None:
    hosts.add("two")
    update_hosts(tools)
    hosts.silent.add("one")
    CLOCK.move(60)
    update_hosts(tools)
    assert states(admin)["one", "nova-compute"] == ("enabled", "up")
    CLOCK.move(1)
    assert states(admin)["one", "nova-compute"] == ("enabled", "down")
    assert states(admin)["two", "nova-compute"] == ("enabled", "up")
    hosts.silent.clear()
    update_hosts(tools)
    assert states(admin)["one", "nova-compute"] == ("enabled", "up")


def test_a_host_is_disabled_for_a_reason_and_enabled_again(admin: Client, db: Database) -> None:
    named = {"host": "one", "binary": "nova-compute"}
    answer = admin.put(f"{S}/disable-log-reason", named | {"disabled_reason": "smoke"})
    assert answer.json() == {"service": {**named, "status": "disabled", "disabled_reason": "smoke"}}
    (service,) = admin.get(f"{S}?host=one").json()["services"]
    assert (service["status"], service["disabled_reason"]) == ("disabled", "smoke")
    # The scheduler asks placement, which knows it by a trait.
    assert placement_candidates(db, forbidden=True) == 0

    assert admin.put(f"{S}/enable", named).json() == {"service": {**named, "status": "enabled"}}
    (service,) = admin.get(f"{S}?host=one").json()["services"]
    assert (service["status"], service["disabled_reason"]) == ("enabled", None)
    assert placement_candidates(db, forbidden=True) == 1

    assert admin.put(f"{S}/disable", named).json()["service"]["status"] == "disabled"
    assert admin.put(f"{S}/disable-log-reason", named).status == 400


def placement_candidates(db: Database, *, forbidden: bool) -> int:
    without = [DISABLED_TRAIT] if forbidden else []
    return len(db.read(placement.candidates, {"VCPU": 1}, forbidden=without))


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("enable", {"host": "two", "binary": "nova-compute"}, 404),
        ("enable", {"host": "control", "binary": "nova-scheduler"}, 400),
        ("enable", {"host": "one"}, 400),
        ("enable", {"host": "o/ne", "binary": "nova-compute"}, 400),
        ("enable", {"host": "one", "binary": "nova-compute", "colour": "red"}, 400),
        ("disable", {"host": "one", "binary": ""}, 400),
        ("explode", {"host": "one", "binary": "nova-compute"}, 404),
        ("force-down", {"host": "one", "binary": "nova-compute", "forced_down": True}, 404),
    ],
)
def test_wrong_changes_are_refused(admin: Client, action: str, body: object, status: int) -> None:
    assert admin.put(f"{S}/{action}", body).status == status


def test_a_host_is_declared_dead_from_2_11_on(admin: Client) -> None:
    new = admin.at("compute 2.11")
    named = {"host": "one", "binary": "nova-compute"}
    assert new.get(S).json()["services"][2]["forced_down"] is False
    answer = new.put(f"{S}/force-down", named | {"forced_down": "True"})
    assert answer.json() == {"service": {**named, "forced_down": True}}
    assert states(new)["one", "nova-compute"] == ("enabled", "down")
    assert new.put(f"{S}/force-down", named).status == 400
    new.put(f"{S}/force-down", named | {"forced_down": False})
    assert states(new)["one", "nova-compute"] == ("enabled", "up")
    assert "forced_down" not in admin.at("compute 2.10").get(S).text


def test_from_2_53_on_services_have_uuids_and_one_update(admin: Client) -> None:
    new = admin.at("compute 2.53")
    one = uuid_of(admin, "one")
    assert len(one) == 36
    changed = new.put(f"{S}/{one}", {"status": "disabled", "disabled_reason": "dust"})
    view = changed.json()["service"]
    assert (view["id"], view["status"], view["disabled_reason"]) == (one, "disabled", "dust")
    view = new.put(f"{S}/{one}", {"status": "enabled", "forced_down": "true"}).json()["service"]
    assert (view["status"], view["state"], view["forced_down"]) == ("enabled", "down", True)
    view = new.put(f"{S}/{one}", {"forced_down": False}).json()["service"]
    assert (view["status"], view["state"]) == ("enabled", "up")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"disabled_reason": "x"},
        {"status": "enabled", "disabled_reason": "x"},
        {"status": "tired"},
        {"status": "disabled", "disabled_reason": ""},
        {"forced_down": "perhaps"},
        {"colour": "red"},
    ],
)
def test_wrong_updates_are_refused(admin: Client, body: object) -> None:
    assert admin.at("compute 2.53").put(f"{S}/{uuid_of(admin, 'one')}", body).status == 400


def test_the_window_of_the_old_actions_closes_with_2_53(admin: Client) -> None:
    named = {"host": "one", "binary": "nova-compute"}
    for action in ("enable", "disable", "disable-log-reason", "force-down"):
        assert admin.at("compute 2.53").put(f"{S}/{action}", named).status in (400, 404)
    one = uuid_of(admin, "one")
    assert admin.at("compute 2.52").put(f"{S}/{one}", named).status == 404
    new = admin.at("compute 2.53")
    assert new.put(f"{S}/7", {"status": "enabled"}).status == 400
    assert new.put(f"{S}/{'0' * 32}", {"status": "enabled"}).status == 404
    scheduler = uuid_of(admin, "control", "nova-scheduler")
    refused = new.put(f"{S}/{scheduler}", {"status": "disabled"})
    assert refused.status == 400
    assert "nova-scheduler" in refused.json()["badRequest"]["message"]


def test_a_service_is_forgotten_with_its_host(admin: Client, db: Database) -> None:
    aggregate = admin.post("/v2.1/os-aggregates", {"aggregate": {"name": "a"}}).json()
    place = f"/v2.1/os-aggregates/{aggregate['aggregate']['id']}"
    admin.post(f"{place}/action", {"add_host": {"host": "one"}})
    assert admin.at("compute 2.53").delete(f"{S}/{uuid_of(admin, 'one')}").status == 204
    assert "one" not in {host for host, _ in states(admin)}
    assert admin.get("/v2.1/os-hypervisors").json() == {"hypervisors": []}
    assert admin.get(place).json()["aggregate"]["hosts"] == []
    assert placement_candidates(db, forbidden=False) == 0
    # One that still reports comes back with its next report.


def test_a_host_with_servers_is_not_forgotten(admin: Client, db: Database) -> None:
    residents.put(db, "s1")
    refused = admin.delete(f"{S}/3")
    assert refused.status == 409
    assert "hosting instances" in refused.json()["conflictingRequest"]["message"]
    residents.take_away(db, "s1")
    assert admin.delete(f"{S}/3").status == 204
    assert admin.delete(f"{S}/3").status == 404
    assert admin.delete(f"{S}/x").status == 400
    assert admin.at("compute 2.53").delete(f"{S}/3").status == 400


def test_unknown_parameters_are_refused_from_2_75_on(admin: Client) -> None:
    assert admin.at("compute 2.74").get(f"{S}?colour=red").status == 200
    assert admin.at("compute 2.75").get(f"{S}?colour=red").status == 400
