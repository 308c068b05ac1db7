"""What operators see and do: back ends, pools, quotas, defaults; and what anyone may ask."""

import dataclasses
from pathlib import Path

from cumulo.kit import clock, log
from cumulo.kit.ids import new_id
from cumulo.services.volume import assembly
from cumulo.services.volume.backends import report_backends
from cumulo.services.volume.drivers.base import Source
from cumulo.services.volume.drivers.fake import FakeDriver
from cumulo.services.volume.settings import BackendSettings, VolumeSettings
from tests.client import Client
from tests.cloud import Emulated
from tests.volume.conftest import Made


def test_versions(ann: Client) -> None:
    answer = ann.as_(None).get("/")
    assert answer.status == 300
    (version,) = answer.json()["versions"]
    assert (version["id"], version["min_version"], version["version"]) == ("v3.0", "3.0", "3.71")
    assert ann.as_(None).get("/v3/").json()["versions"] == [version]


def test_services_and_pools(ann: Client, root: Client) -> None:
    assert ann.get("/v3/os-services").status == 403
    services = root.get("/v3/os-services").json()["services"]
    assert [(one["binary"], one["state"]) for one in services] == [
        ("cinder-scheduler", "up"),
        ("cinder-volume", "up"),
    ]
    body = {"host": "node1@fake", "binary": "cinder-volume", "disabled_reason": "repair"}
    changed = root.put("/v3/os-services/disable-log-reason", body)
    assert changed.json()["disabled_reason"] == "repair"
    (_, service) = root.get("/v3/os-services").json()["services"]
    assert (service["status"], service["disabled_reason"]) == ("disabled", "repair")
    assert root.put("/v3/os-services/enable", {"host": "node9"}).status == 404
    (pool,) = root.get("/v3/scheduler-stats/get_pools?detail=True").json()["pools"]
    assert pool["name"] == "node1@fake#fake"
    assert pool["capabilities"]["total_capacity_gb"] == 10_000.0
    found = root.get("/v3/capabilities/node1@fake").json()
    assert found["storage_protocol"] == "fake"


def test_hosts(made: Made, root: Client) -> None:
    _, host = root.get("/v3/os-hosts").json()["hosts"]
    assert host["service-state"] == "enabled"
    (total,) = root.get(f"/v3/os-hosts/{host['host_name']}").json()["host"]
    assert total["resource"]["volume_count"] == "0"
    made.volume(size=3)
    total, mine = root.get(f"/v3/os-hosts/{host['host_name']}").json()["host"]
    assert total["resource"]["total_volume_gb"] == mine["resource"]["total_volume_gb"] == "3"


def test_quotas(ann: Client, root: Client) -> None:
    assert ann.get("/v3/os-quota-sets/p2").status == 403
    assert ann.get("/v3/os-quota-sets/p1").json()["quota_set"]["volumes"] == 10
    assert ann.put("/v3/os-quota-sets/p1", {"quota_set": {"volumes": 1}}).status == 403
    assert root.put("/v3/os-quota-sets/p1", {"quota_set": {"chairs": 1}}).status == 400
    assert root.put("/v3/os-quota-sets/p1", {"quota_set": {"volumes": -2}}).status == 400
    changed = root.put("/v3/os-quota-sets/p1", {"quota_set": {"volumes": "5", "tenant_id": "p1"}})
    assert changed.json()["quota_set"]["volumes"] == 5
    assert ann.get("/v3/limits").json()["limits"]["absolute"]["maxTotalVolumes"] == 5
    assert root.delete("/v3/os-quota-sets/p1").status == 200
    body = {"quota_class_set": {"volumes": 7}}
    changed = root.put("/v3/os-quota-class-sets/default", body)
    assert changed.json()["quota_class_set"]["volumes"] == 7
    assert ann.get("/v3/os-quota-sets/p1").json()["quota_set"]["volumes"] == 7


def test_what_anyone_may_ask(ann: Client) -> None:
    (zone,) = ann.get("/v3/os-availability-zone").json()["availabilityZoneInfo"]
    assert zone == {"zoneName": "nova", "zoneState": {"available": True}}
    aliases = [one["alias"] for one in ann.get("/v3/extensions").json()["extensions"]]
    assert {"os-quota-sets", "encryption", "backups", "qos-specs"} <= set(aliases)
    assert len(set(aliases)) == len(aliases)
    filters = ann.get("/v3/resource_filters?resource=volume").json()["resource_filters"]
    assert "glance_metadata" in filters[0]["filters"]


def test_what_no_row_owns_is_removed_once_it_is_old(
    emulated: Emulated, made: Made, driver: FakeDriver
) -> None:
    with clock.CLOCK.held() as held:
        volume_id = made.volume()
        made.snapshot(volume_id)
        driver.create("00000000-0000-4000-8000-000000000009", 1)
        lost = Source(volume_id=volume_id, snapshot_id="00000000-0000-4000-8000-000000000008")
        driver.create_snapshot(lost)
        emulated.tick()
        assert len(driver.present()) == 4
        held.move(1000)
        emulated.tick()
        assert {one.volume_id for one in driver.present()} == {volume_id}
        assert len(driver.present()) == 2


def test_a_back_end_that_was_not_heard_of_is_down(
    emulated: Emulated, root: Client, driver: FakeDriver
) -> None:
    with clock.CLOCK.held() as held:
        held.move(1000)
        assert root.get("/v3/os-services").json()["services"][1]["state"] == "down"
        emulated.tick()
        assert root.get("/v3/os-services").json()["services"][1]["state"] == "up"


def test_a_back_end_that_settings_do_not_name_any_more_is_down_at_once(
    root: Client, emulated: Emulated
) -> None:
    tools = emulated.cloud.volume
    report_backends(dataclasses.replace(tools, places={}))
    assert root.get("/v3/os-services").json()["services"][1]["state"] == "down"
    volume = root.post("/v3/volumes", {"volume": {"size": 1}}).json()["volume"]["id"]
    emulated.work()
    assert root.get(f"/v3/volumes/{volume}").json()["volume"]["status"] == "error"
    report_backends(tools)
    assert root.get("/v3/os-services").json()["services"][1]["state"] == "up"


def test_services_say_more_when_they_are_told_to(root: Client, ann: Client) -> None:
    get, change = "/v3/os-services/get-log", "/v3/os-services/set-log"
    told = root.put(get, {"binary": "cinder-volume", "prefix": "cumulo.vol"}).json()["log_levels"]
    assert told == [
        {"binary": "cinder-volume", "host": "node1@fake", "levels": {"cumulo.volume": "INFO"}}
    ]
    try:
        assert root.put(change, {"level": "debug", "prefix": "cumulo.volume"}).status == 202
        whole = root.put(get, {}).json()["log_levels"]
        assert {one["binary"] for one in whole} == {
            "cinder-api",
            "cinder-scheduler",
            "cinder-volume",
            "cinder-backup",
        }
        levels = whole[0]["levels"]
        assert (levels["cumulo.volume"], levels["cumulo.compute"]) == ("DEBUG", "INFO")
    finally:
        log.set_level("INFO", "cumulo.volume")
    assert root.put(get, {"server": "elsewhere"}).json() == {"log_levels": []}
    assert root.put(change, {"level": "loud"}).status == 400
    assert root.put(change, {"level": "DEBUG", "binary": "nova-api"}).status == 400
    assert ann.put(get, {}).status == 403
    assert root.at("volume 3.31").put(get, {}).status == 404


def test_files_of_back_ends_lie_where_guests_get_to(tmp_path: Path) -> None:
    settings = VolumeSettings(backends=(BackendSettings(name="one"), BackendSettings(name="two")))
    files = assembly.files_in(tmp_path / "volumes")
    found = assembly.places(settings, "host", tmp_path / "control", files)
    volume_id = new_id()
    found["host@two"].driver.create(volume_id, 1)
    assert (tmp_path / "volumes/two" / volume_id).exists()
    assert not (tmp_path / "control").exists()
