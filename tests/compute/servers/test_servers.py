import base64
from typing import Any

import pytest

from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.conftest import Boot

NEWEST = "compute 2.104"


def test_a_server_runs(emulated: Emulated, ann: Client, boot: Boot) -> None:
    server = boot(metadata={"role": "web"})
    assert server["status"] == "ACTIVE"
    assert server["OS-EXT-STS:power_state"] == 1
    assert server["OS-EXT-STS:task_state"] is None
    assert server["metadata"] == {"role": "web"}
    [address] = server["addresses"]["private"]
    assert (address["addr"].startswith("10.1.0."), address["version"]) == (True, 4)
    assert server["security_groups"] == [{"name": "default"}]
    assert set(emulated.nodes["node1"].guests()) == {server["id"]}


def test_the_answer_comes_before_the_guest(ann: Client, image: str, network: str) -> None:
    spec = {"name": "web", "flavorRef": "1", "imageRef": image, "networks": [{"uuid": network}]}
    answer = ann.post("/v2.1/servers", {"server": spec})
    created = answer.json()["server"]
    assert answer.status == 202
    assert answer.headers["location"].endswith(f"/v2.1/servers/{created['id']}")
    assert created["OS-DCF:diskConfig"] == "MANUAL"
    assert created["adminPass"]
    shown = ann.get(f"/v2.1/servers/{created['id']}").json()["server"]
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("BUILD", "scheduling")


def test_delete_leaves_nothing(emulated: Emulated, ann: Client, boot: Boot) -> None:
    server = boot()
    assert ann.delete(f"/v2.1/servers/{server['id']}").status == 204
    emulated.work()
    assert ann.get(f"/v2.1/servers/{server['id']}").status == 404
    assert emulated.nodes["node1"].guests() == {}
    ports = emulated.client("network").get("/v2.0/ports?device_owner=compute:nova").json()
    assert ports["ports"] == []
    used = ann.get("/v2.1/limits").json()["limits"]["absolute"]
    assert (used["totalInstancesUsed"], used["totalCoresUsed"], used["totalRAMUsed"]) == (0, 0, 0)


def test_delete_during_the_build(emulated: Emulated, ann: Client, image: str, network: str) -> None:
    spec = {"name": "web", "flavorRef": "1", "imageRef": image, "networks": [{"uuid": network}]}
    server_id = ann.post("/v2.1/servers", {"server": spec}).json()["server"]["id"]
    assert ann.delete(f"/v2.1/servers/{server_id}").status == 204
    emulated.work()
    assert ann.get(f"/v2.1/servers/{server_id}").status == 404
    assert emulated.nodes["node1"].guests() == {}


@pytest.mark.parametrize(
    ("actions", "status", "power"),
    [
        ([{"os-stop": None}], "SHUTOFF", 4),
        ([{"os-stop": None}, {"os-start": None}], "ACTIVE", 1),
        ([{"pause": None}], "PAUSED", 3),
        ([{"pause": None}, {"unpause": None}], "ACTIVE", 1),
        ([{"suspend": None}], "SUSPENDED", 7),
        ([{"suspend": None}, {"resume": None}], "ACTIVE", 1),
        ([{"reboot": {"type": "SOFT"}}], "ACTIVE", 1),
        ([{"os-stop": None}, {"reboot": {"type": "HARD"}}], "ACTIVE", 1),
    ],
)
def test_power(
    emulated: Emulated,
    ann: Client,
    boot: Boot,
    actions: list[dict[str, Any]],
    status: str,
    power: int,
) -> None:
    url = f"/v2.1/servers/{boot()['id']}"
    for action in actions:
        assert ann.post(f"{url}/action", action).status == 202
        emulated.work()
    shown = ann.get(url).json()["server"]
    assert (shown["status"], shown["OS-EXT-STS:power_state"]) == (status, power)
    assert shown["OS-EXT-STS:task_state"] is None


def test_what_the_state_forbids_is_refused(ann: Client, boot: Boot) -> None:
    url = f"/v2.1/servers/{boot()['id']}/action"
    answer = ann.post(url, {"os-start": None})
    assert answer.status == 409
    assert "vm_state active" in answer.json()["conflictingRequest"]["message"]
    assert ann.post(url, {"os-stop": None}).status == 202
    assert ann.post(url, {"os-stop": None}).status == 409


def test_another_projects_server_does_not_exist(emulated: Emulated, boot: Boot) -> None:
    url = f"/v2.1/servers/{boot()['id']}"
    bob = emulated.client("compute", "bob:p2:member", NEWEST)
    assert bob.get(url).status == 404
    assert bob.delete(url).status == 404
    assert bob.put(url, {"server": {"name": "mine"}}).status == 404
    assert bob.post(f"{url}/action", {"os-stop": None}).status == 404
    for sub in ("metadata", "tags", "ips", "os-instance-actions"):
        assert bob.get(f"{url}/{sub}").status == 404
    assert bob.get("/v2.1/servers").json()["servers"] == []


def test_no_valid_host_names_each_with_its_reason(
    emulated: Emulated, ann: Client, root: Client, boot: Boot
) -> None:
    flavor = {"name": "huge", "vcpus": 4000, "ram": 64, "disk": 1, "id": "huge"}
    assert root.post("/v2.1/flavors", {"flavor": flavor}).status == 200
    quota = {"quota_set": {"cores": -1}}
    assert root.put("/v2.1/os-quota-sets/p1", quota).status == 200
    server = boot(flavorRef="huge")
    assert server["status"] == "ERROR"
    assert "node1: Placement" in server["fault"]["message"]
    assert "VCPU" in server["fault"]["message"]
    assert server["addresses"] == {}


def test_a_disabled_host_says_so(root: Client, boot: Boot) -> None:
    why = {"host": "node1", "binary": "nova-compute", "disabled_reason": "new disks"}
    assert root.put("/v2.1/os-services/disable-log-reason", why).status == 200
    fault = boot()["fault"]["message"]
    assert "node1" in fault


def test_a_host_that_fails_is_passed_over(emulated: Emulated, boot: Boot) -> None:
    emulated.nodes["node1"].script.fail("ensure_guest", error="host_error", times=1)
    server = boot()
    assert server["status"] == "ERROR"
    assert "RetryFilter: tried before" in server["fault"]["message"]
    assert emulated.nodes["node1"].guests() == {}


def test_quota_holds(emulated: Emulated, ann: Client, root: Client, boot: Boot) -> None:
    assert root.put("/v2.1/os-quota-sets/p1", {"quota_set": {"instances": 1}}).status == 200
    server = boot()
    spec = {"name": "more", "flavorRef": "1", "imageRef": server["image"]["id"], "networks": []}
    refused = ann.post("/v2.1/servers", {"server": spec})
    assert refused.status == 403
    message = refused.json()["forbidden"]["message"]
    assert "Quota exceeded for instances: Requested 1, but already used 1 of 1" in message


def test_several_at_once(emulated: Emulated, ann: Client, boot: Boot) -> None:
    first = boot(min_count=1, max_count=3)
    listed = ann.get("/v2.1/servers/detail?sort_key=display_name&sort_dir=asc").json()["servers"]
    assert [one["name"] for one in listed] == ["web-1", "web-2", "web-3"]
    assert first["status"] == "ACTIVE"
    page = ann.get("/v2.1/servers?limit=2").json()
    assert [one["name"] for one in page["servers"]] == ["web-3", "web-2"]
    query = page["servers_links"][0]["href"].partition("?")[2]
    assert [one["name"] for one in ann.get(f"/v2.1/servers?{query}").json()["servers"]] == ["web-1"]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"imageRef": "none"}, "none"),
        ({"imageRef": ""}, "imageRef"),
        ({"flavorRef": "99"}, "99"),
        ({"networks": [{"uuid": "not-a-uuid"}]}, "networks"),
        ({"networks": [{"uuid": "11111111-2222-3333-4444-555555555555"}]}, "Network"),
        ({"key_name": "nokey"}, "key_name"),
        ({"user_data": "***"}, "user_data"),
        ({"security_groups": [{"name": "nogroup"}]}, "nogroup"),
        ({"metadata": {"k": 1}}, "metadata"),
        ({"metadata": {"k" * 256: "v"}}, "metadata"),
        ({"accessIPv4": "1.2.3"}, "accessIPv4"),
        ({"min_count": 2, "max_count": 1}, "min_count"),
        ({"min_count": 0}, "min_count"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_input_is_refused_by_name(
    emulated: Emulated,
    ann: Client,
    image: str,
    network: str,
    wanted: dict[str, Any],
    field: str,
) -> None:
    spec = {"name": "web", "flavorRef": "1", "imageRef": image, "networks": [{"uuid": network}]}
    answer = ann.post("/v2.1/servers", {"server": {**spec, **wanted}})
    assert answer.status == 400
    assert field in answer.json()["badRequest"]["message"]
    assert ann.get("/v2.1/servers").json()["servers"] == []
    assert ann.get("/v2.1/limits").json()["limits"]["absolute"]["totalInstancesUsed"] == 0


def test_views_grow_with_versions(emulated: Emulated, ann: Client, boot: Boot) -> None:
    url = f"/v2.1/servers/{boot()['id']}"
    oldest = ann.get(url).json()["server"]
    assert set(oldest["flavor"]) == {"id", "links"}
    assert "tags" not in oldest
    newest = ann.at(NEWEST).get(url).json()["server"]
    assert newest["flavor"]["original_name"] == "m1.tiny"
    assert newest["tags"] == []
    assert newest["locked"] is False
    assert newest["OS-EXT-SRV-ATTR:hostname"] == "web"
    assert "OS-EXT-SRV-ATTR:host" not in newest
    root = emulated.client("compute", "root:p0:admin", "compute 2.3")
    assert root.get(url).json()["server"]["OS-EXT-SRV-ATTR:host"] == "node1"


def test_networks_must_be_named_since_2_37(ann: Client, image: str, network: str) -> None:
    spec = {"name": "web", "flavorRef": "1", "imageRef": image}
    assert ann.at("compute 2.37").post("/v2.1/servers", {"server": spec}).status == 400
    spec["networks"] = "none"
    assert ann.at("compute 2.37").post("/v2.1/servers", {"server": spec}).status == 202
    spec["networks"] = "auto"
    assert ann.post("/v2.1/servers", {"server": spec}).status == 400


def test_auto_makes_one_network_for_a_project_without_any(
    emulated: Emulated, ann: Client, image: str
) -> None:
    spec = {"name": "web", "flavorRef": "1", "imageRef": image, "networks": "auto", "min_count": 2}
    nova = ann.at("compute 2.37")
    refused = nova.post("/v2.1/servers", {"server": spec})
    told = refused.json()["badRequest"]["message"]
    assert "automatically allocate" in told
    assert "external network" in told
    admin = emulated.client("network", "root:p0:admin")
    outside = {"name": "outside", "router:external": True, "is_default": True}
    outside = admin.post("/v2.0/networks", {"network": outside}).json()["network"]
    subnet = {"network_id": outside["id"], "cidr": "198.51.100.0/24", "ip_version": 4}
    assert admin.post("/v2.0/subnets", {"subnet": subnet}).status == 201
    pool = {"name": "ours", "prefixes": ["10.9.0.0/16"], "default_prefixlen": 26, "shared": True}
    pool["is_default"] = True
    assert admin.post("/v2.0/subnetpools", {"subnetpool": pool}).status == 201
    for _ in range(2):
        assert nova.post("/v2.1/servers", {"server": spec}).status == 202
        emulated.work()
    shown = ann.get("/v2.1/servers/detail").json()["servers"]
    assert [list(one["addresses"]) for one in shown] == [["auto_allocated_network"]] * 4


def test_metadata_and_tags(ann: Client, boot: Boot) -> None:
    url = f"/v2.1/servers/{boot(metadata={'a': '1'})['id']}"
    assert ann.post(f"{url}/metadata", {"metadata": {"b": "2"}}).json()["metadata"] == {
        "a": "1",
        "b": "2",
    }
    assert ann.put(f"{url}/metadata/a", {"meta": {"a": "3"}}).json() == {"meta": {"a": "3"}}
    assert ann.put(f"{url}/metadata/a", {"meta": {"x": "3"}}).status == 400
    assert ann.delete(f"{url}/metadata/a").status == 204
    assert ann.delete(f"{url}/metadata/a").status == 404
    assert ann.get(f"{url}/metadata").json() == {"metadata": {"b": "2"}}
    new = ann.at(NEWEST)
    assert new.put(f"{url}/tags/blue").status == 201
    assert new.put(f"{url}/tags/blue").status == 204
    assert new.put(f"{url}/tags", {"tags": ["red", "green"]}).json()["tags"] == ["green", "red"]
    assert [s["name"] for s in new.get("/v2.1/servers?tags=red,green").json()["servers"]] == ["web"]
    assert new.get("/v2.1/servers?not-tags=red").json()["servers"] == []
    assert new.delete(f"{url}/tags/red").status == 204
    assert ann.get(f"{url}/tags").status == 404


def test_filters(ann: Client, boot: Boot) -> None:
    server = boot()
    found = {
        "name=we": 1,
        "name=%5Eeb": 0,
        "status=ACTIVE": 1,
        "status=SHUTOFF": 0,
        f"image={server['image']['id']}": 1,
        "flavor=1": 1,
        "flavor=2": 0,
        f"ip={server['addresses']['private'][0]['addr']}": 1,
        "ip=192.0.2.": 0,
        "changes-since=2020-01-01T00:00:00Z": 1,
    }
    for query, count in found.items():
        assert len(ann.get(f"/v2.1/servers?{query}").json()["servers"]) == count, query
    for query in ("changes-since=x", "sort_key=nothing", "limit=-1", "name=(", "marker=none"):
        assert ann.get(f"/v2.1/servers?{query}").status in (400, 404), query


def test_every_project_is_for_administrators(root: Client, ann: Client, boot: Boot) -> None:
    boot()
    assert ann.get("/v2.1/servers?all_tenants=1").status == 403
    assert root.get("/v2.1/servers").json()["servers"] == []
    assert len(root.get("/v2.1/servers?all_tenants=1").json()["servers"]) == 1


def test_actions_are_recorded(emulated: Emulated, ann: Client, boot: Boot) -> None:
    url = f"/v2.1/servers/{boot()['id']}"
    ann.post(f"{url}/action", {"os-stop": None})
    emulated.work()
    actions = ann.get(f"{url}/os-instance-actions").json()["instanceActions"]
    assert [one["action"] for one in actions] == ["stop", "create"]
    new = ann.at(NEWEST)
    shown = new.get(f"{url}/os-instance-actions/{actions[0]['request_id']}").json()
    [event] = shown["instanceAction"]["events"]
    assert (event["event"], event["result"]) == ("compute_stop_instance", "Success")


def test_locks(emulated: Emulated, ann: Client, root: Client, boot: Boot) -> None:
    url = f"/v2.1/servers/{boot()['id']}"
    assert root.post(f"{url}/action", {"lock": None}).status == 202
    assert ann.post(f"{url}/action", {"os-stop": None}).status == 409
    assert ann.delete(url).status == 409
    assert ann.post(f"{url}/action", {"unlock": None}).status == 403
    assert root.post(f"{url}/action", {"unlock": None}).status == 202
    assert ann.delete(url).status == 204


def test_the_console_log(ann: Client, boot: Boot) -> None:
    url = f"/v2.1/servers/{boot()['id']}/action"
    output = ann.post(url, {"os-getConsoleOutput": {}}).json()["output"]
    assert "web" in output
    short = ann.post(url, {"os-getConsoleOutput": {"length": "2"}}).json()["output"]
    assert len(short.splitlines()) == 2


def test_a_guest_that_stops_by_itself_is_noticed(
    emulated: Emulated, ann: Client, boot: Boot
) -> None:
    server = boot()
    emulated.nodes["node1"].ensure_power(server["id"], "stopped", 0)
    emulated.tick()
    assert ann.get(f"/v2.1/servers/{server['id']}").json()["server"]["status"] == "SHUTOFF"


def test_user_data_and_keys_reach_the_guest(emulated: Emulated, ann: Client, boot: Boot) -> None:
    key = ann.post("/v2.1/os-keypairs", {"keypair": {"name": "mine"}}).json()["keypair"]
    text = base64.b64encode(b"#!/bin/sh\n").decode()
    server = boot(key_name="mine", user_data=text, config_drive=True)
    assert server["key_name"] == "mine"
    spec = emulated.nodes["node1"].spec(server["id"])
    drive = spec.config_drive_bytes
    assert drive["openstack/latest/user_data"] == b"#!/bin/sh\n"
    assert key["public_key"].split()[1].encode() in drive["openstack/latest/meta_data.json"]


def test_hints_have_a_bound_and_name_servers(ann: Client, image: str) -> None:
    """They are kept with the server and looked at for every host."""
    there = "11111111-2222-3333-4444-555555555555"
    for name in ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"):
        for hints, field in (
            ({"different_host": [there] * 20_000}, "scheduler_hints"),
            ({"of_mine": "x" * 70_000}, "scheduler_hints"),
            ({"different_host": [there, "x"]}, "different_host"),
            ({"same_host": "x"}, "same_host"),
            ({"same_host": {"a": there}}, "same_host"),
        ):
            spec = {"name": "s", "flavorRef": "1", "imageRef": image, "networks": "none"}
            body = {"server": spec, name: hints}
            answer = ann.at("compute 2.93").post("/v2.1/servers", body)
            assert (answer.status, field in answer.text) == (400, True), answer.text[:200]
    assert ann.get("/v2.1/servers").json()["servers"] == []
