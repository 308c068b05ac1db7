"""What is told of servers: their moves, their use, how their guests do, their passwords."""

import json
from typing import Any

import pytest

from tests.client import Client
from tests.compute.servers.mover import LARGE, Mover

_USAGE = "/v2.1/os-simple-tenant-usage"


def test_moves_are_listed(one: Mover) -> None:
    one.do("resize", {"flavorRef": LARGE})
    [old] = one.root.get("/v2.1/os-migrations").json()["migrations"]
    assert (old["instance_uuid"], old["status"]) == (one.id, "finished")
    assert (old["source_compute"], old["dest_compute"]) == ("node1", "node1")
    assert isinstance(old["old_instance_type_id"], int)
    assert "migration_type" not in old
    new = one.root.at("compute 2.80")
    [shown] = new.get("/v2.1/os-migrations?limit=1&migration_type=resize").json()["migrations"]
    assert (shown["migration_type"], shown["project_id"]) == ("resize", "p1")
    assert new.get("/v2.1/os-migrations?status=error").json() == {"migrations": []}
    assert new.get("/v2.1/os-migrations?colour=red").status == 400
    assert one.ann.get("/v2.1/os-migrations").status == 403
    assert new.get(f"/v2.1/servers/{one.id}/migrations").json() == {"migrations": []}
    assert new.get(f"/v2.1/servers/{one.id}/migrations/1").status == 404


def test_use_is_reported(one: Mover) -> None:
    span = "start=2020-01-01T00:00:00&end=2099-01-01T00:00:00"
    usage = one.ann.get(f"{_USAGE}/p1?{span}").json()["tenant_usage"]
    [server] = usage["server_usages"]
    assert (server["instance_id"], server["memory_mb"], server["state"]) == (one.id, 512, "active")
    assert usage["total_memory_mb_usage"] == pytest.approx(512 * usage["total_hours"])
    [short] = one.root.get(f"{_USAGE}?{span}").json()["tenant_usages"]
    assert "server_usages" not in short
    assert one.ann.get(f"{_USAGE}?{span}").status == 403
    assert one.ann.get(f"{_USAGE}/p2").status == 403
    assert one.ann.get(f"{_USAGE}/p1?start=yesterday").status == 400
    assert one.ann.get(f"{_USAGE}/p1?start=2021-01-01T00:00:00&end=2020-01-01").status == 400
    empty = one.ann.get(f"{_USAGE}/p1?start=2020-01-01&end=2020-01-02").json()
    assert empty == {"tenant_usage": {}}


def test_use_comes_in_pages_since_2_40(one: Mover) -> None:
    new = one.ann.at("compute 2.40")
    page = new.get(f"{_USAGE}/p1?start=2020-01-01&end=2099-01-01&limit=1").json()
    assert f"marker={one.id}" in page["tenant_usage_links"][0]["href"]


def test_diagnostics(one: Mover) -> None:
    url = f"/v2.1/servers/{one.id}/diagnostics"
    assert one.root.get(url).json()["memory"] == 512 * 1024
    told = one.root.at("compute 2.48").get(url).json()
    assert (told["state"], told["num_cpus"], told["num_nics"]) == ("running", 1, 1)
    assert told["memory_details"] == {"maximum": 512, "used": 256}
    assert one.ann.get(url).status == 403
    one.do("os-stop")
    assert one.root.get(url).status == 409


def test_the_guests_password(one: Mover) -> None:
    url = f"/v2.1/servers/{one.id}/os-server-password"
    assert one.ann.get(url).json() == {"password": ""}
    from cumulo.services.compute.guest_metadata import set_password

    one.cloud.db.write(set_password, one.id, "c2VjcmV0")
    assert one.ann.get(url).json() == {"password": "c2VjcmV0"}
    assert one.ann.delete(url).status == 204
    assert one.ann.get(url).json() == {"password": ""}
    assert one.cloud.client("compute", "bob:p2:member").get(url).status == 404


def test_a_forced_deletion_leaves_nothing(one: Mover) -> None:
    assert one.do("forceDelete") == 202
    assert (one.guests(), one.held(), one.counted()) == ({}, 0, (0, 0))


def answer(client: Client, one: Mover) -> dict[str, Any]:
    changed = client.put(f"/v2.1/servers/{one.id}", {"server": {"name": "new"}})
    assert changed.status == 200
    return dict(json.loads(changed.body)["server"])


def test_changes_answer_less_before_2_75(one: Mover) -> None:
    old = answer(one.ann, one)
    assert "OS-EXT-STS:vm_state" not in old
    assert old["addresses"]["private"][0].keys() == {"version", "addr"}
    new = answer(one.ann.at("compute 2.75"), one)
    assert new["OS-EXT-STS:vm_state"] == "active"


def test_a_rebuild_answers_less_before_2_75(one: Mover) -> None:
    image = one.shown["image"]["id"]
    for version, key, more in (("2.1", False, False), ("2.54", True, False), ("2.75", True, True)):
        url = f"/v2.1/servers/{one.id}/action"
        client = one.root.at(f"compute {version}")
        server = client.post(url, {"rebuild": {"imageRef": image}}).json()["server"]
        one.cloud.work()
        assert ("key_name" in server, "OS-EXT-STS:vm_state" in server) == (key, more)
        assert ("user_data" in server) == more
        assert "OS-EXT-SRV-ATTR:user_data" not in server
        assert server["adminPass"]


def test_lists_take_odd_parameters_as_nova_does(one: Mover) -> None:
    assert len(one.root.get("/v2.1/servers?all_tenants=").json()["servers"]) == 1
    assert one.root.get("/v2.1/servers?all_tenants=maybe").status == 400
    other = one.cloud.client("compute", "root:p0:admin")
    assert other.get("/v2.1/servers?tenant_id=p1").json()["servers"] == []
    assert len(other.get("/v2.1/servers?tenant_id=p1&all_tenants=1").json()["servers"]) == 1
    assert one.ann.get("/v2.1/servers?reservation_id=r-none").json()["servers"] == []
    reservation = one.root.at("compute 2.3").get(f"/v2.1/servers/{one.id}").json()["server"]
    mine = f"reservation_id={reservation['OS-EXT-SRV-ATTR:reservation_id']}"
    assert len(one.ann.get(f"/v2.1/servers?{mine}").json()["servers"]) == 1
    assert one.ann.get("/v2.1/servers?status=nonsense").json()["servers"] == []
    assert one.ann.at("compute 2.38").get("/v2.1/servers?status=nonsense").status == 400


def test_a_server_is_pinned_to_its_zone_since_2_104(one: Mover) -> None:
    new, url = one.ann.at("compute 2.104"), f"/v2.1/servers/{one.id}"

    def pinned(zone: str | None) -> Any:
        return new.put(url, {"server": {"pinned_availability_zone": zone}})

    assert pinned("mars").status == 400
    assert pinned("nova").json()["server"]["pinned_availability_zone"] == "nova"
    assert pinned(None).json()["server"]["pinned_availability_zone"] is None
    old = one.ann.at("compute 2.103")
    assert old.put(url, {"server": {"pinned_availability_zone": "nova"}}).status == 400
