"""Hosts, as old clients ask about them."""

import pytest

from cumulo.db import Database
from cumulo.services.compute.reconcile import update_hosts
from cumulo.services.compute.tools import Tools
from tests.client import Client
from tests.compute import residents
from tests.compute.conftest import Hosts

H = "/v2.1/os-hosts"


def test_hosts_are_listed_once_for_each_service(admin: Client, hosts: Hosts, tools: Tools) -> None:
    hosts.add("two")
    update_hosts(tools)
    assert admin.get(H).json() == {
        "hosts": [
            {"host_name": "control", "service": "conductor", "zone": "internal"},
            {"host_name": "control", "service": "scheduler", "zone": "internal"},
            {"host_name": "one", "service": "compute", "zone": "nova"},
            {"host_name": "two", "service": "compute", "zone": "nova"},
        ]
    }
    in_zone = admin.get(f"{H}?zone=nova").json()["hosts"]
    assert [each["host_name"] for each in in_zone] == ["one", "two"]
    assert len(admin.get(f"{H}?zone=").json()["hosts"]) == 4
    assert admin.get(f"{H}?zone=nowhere").json() == {"hosts": []}


def test_a_host_shows_what_it_has_and_who_uses_it(admin: Client, db: Database) -> None:
    residents.put(db, "s1")
    residents.put(db, "s2", project_id="p2")
    residents.put(db, "s3", project_id="p2")
    resources = [each["resource"] for each in admin.get(f"{H}/one").json()["host"]]
    assert [each.pop("host") for each in resources] == ["one"] * 5
    assert resources == [
        {"project": "(total)", "cpu": 8, "memory_mb": 16384, "disk_gb": 100},
        {"project": "(used_now)", "cpu": 6, "memory_mb": 3072 + 512, "disk_gb": 30},
        {"project": "(used_max)", "cpu": 6, "memory_mb": 3072, "disk_gb": 30},
        {"project": "p1", "cpu": 2, "memory_mb": 1024, "disk_gb": 10},
        {"project": "p2", "cpu": 4, "memory_mb": 2048, "disk_gb": 20},
    ]


def test_a_host_is_disabled_and_enabled(admin: Client) -> None:
    assert admin.put(f"{H}/one", {"status": "Disable"}).json() == {
        "host": "one",
        "status": "disabled",
    }
    assert '"one"' not in admin.get(H).text
    assert admin.put(f"{H}/one", {"status": "enable"}).json()["status"] == "enabled"
    assert '"one"' in admin.get(H).text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"status": "perhaps"}, 400),
        ({"status": "enable", "maintenance_mode": "perhaps"}, 400),
        ({"colour": "red"}, 400),
        ({"maintenance_mode": "enable"}, 501),
    ],
)
def test_wrong_changes_are_refused(admin: Client, body: object, status: int) -> None:
    assert admin.put(f"{H}/one", body).status == status
    assert '"one"' in admin.get(H).text


@pytest.mark.parametrize("action", ["startup", "shutdown", "reboot"])
def test_nobody_switches_machines_on_or_off(admin: Client, cloud: Client, action: str) -> None:
    answer = admin.get(f"{H}/one/{action}")
    assert (answer.status, answer.json()["notImplemented"]["code"]) == (501, 501)
    assert admin.get(f"{H}/two/{action}").status == 404
    assert cloud.get(f"{H}/one/{action}").status == 403


def test_unknown_hosts_and_users(admin: Client, cloud: Client) -> None:
    assert admin.get(f"{H}/two").status == 404
    assert admin.put(f"{H}/two", {"status": "enable"}).status == 404
    assert cloud.get(H).status == 403
    assert cloud.get(f"{H}/one").status == 403
    assert cloud.put(f"{H}/one", {"status": "enable"}).status == 403


def test_all_of_it_is_gone_with_2_43(admin: Client) -> None:
    for version, status in (("2.42", 200), ("2.43", 404)):
        api = admin.at(f"compute {version}")
        assert api.get(H).status == status
        assert api.get(f"{H}/one").status == status
        assert api.put(f"{H}/one", {"status": "enable"}).status == status
