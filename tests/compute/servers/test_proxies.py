"""What compute tells of images, networks and floating IPs to clients that ask no one else."""

from typing import Any

from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.conftest import Boot

OLD, NEW = "compute 2.35", "compute 2.36"


def external_network(emulated: Emulated, network_id: str) -> None:
    """Make an external network, and a router from it to a network of p1."""
    root, own = emulated.client("network", "root:p0:admin"), emulated.client("network")
    outside = {"name": "public", "router:external": True}
    public = root.post("/v2.0/networks", {"network": outside}).json()["network"]["id"]
    subnet = {"network_id": public, "cidr": "203.0.113.0/24", "ip_version": 4}
    assert root.post("/v2.0/subnets", {"subnet": subnet}).status == 201
    gateway = {"external_gateway_info": {"network_id": public}}
    router = own.post("/v2.0/routers", {"router": gateway}).json()["router"]["id"]
    inside = own.get(f"/v2.0/networks/{network_id}").json()["network"]["subnets"][0]
    path = f"/v2.0/routers/{router}/add_router_interface"
    assert own.put(path, {"subnet_id": inside}).status == 200


def test_images_are_shown_listed_and_deleted(
    ann: Client, root: Client, emulated: Emulated, image: str, boot: Boot
) -> None:
    server = boot()
    made = ann.post(f"/v2.1/servers/{server['id']}/action", {"createImage": {"name": "snap"}})
    emulated.work()
    snapshot = made.headers["location"].rpartition("/")[2]
    shown = ann.get(f"/v2.1/images/{snapshot}").json()["image"]
    assert (shown["name"], shown["status"], shown["progress"]) == ("snap", "ACTIVE", 100)
    assert shown["server"]["id"] == server["id"]
    assert shown["metadata"]["image_type"] == "snapshot"
    assert [link["rel"] for link in shown["links"]] == ["self", "bookmark", "alternate"]

    def listed(query: str) -> list[str]:
        found = ann.get(f"/v2.1/images/detail?{query}").json()["images"]
        assert [one["id"] for one in found] == [
            one["id"] for one in ann.get(f"/v2.1/images?{query}").json()["images"]
        ]
        return [one["id"] for one in found]

    assert listed("") == [snapshot, image]
    assert listed("type=snapshot&status=active") == [snapshot]
    assert listed(f"server=http://cloud/v2.1/servers/{server['id']}") == [snapshot]
    assert listed("name=tiny") == [image]
    assert listed("status=SAVING") == listed("status=DELETED") == []
    assert listed("changes-since=2000-01-01T00:00:00Z&property-image_type=snapshot") == [snapshot]
    first = ann.get("/v2.1/images?limit=1").json()
    assert [one["id"] for one in first["images"]] == [snapshot]
    assert listed(first["images_links"][0]["href"].partition("?")[2]) == [image]
    assert ann.get("/v2.1/images?marker=nothing").status == 400
    stranger = emulated.client("compute", "eve:p2:member")
    for client, status in ((stranger, 404), (ann.at(NEW), 404), (ann, 204), (ann, 404)):
        assert client.delete(f"/v2.1/images/{snapshot}").status == status
    assert ann.delete(f"/v2.1/images/{image}").status == 403
    assert root.at(OLD).get("/v2.1/images").status == 200


def test_an_images_metadata_is_changed(root: Client, image: str) -> None:
    path = f"/v2.1/images/{image}/metadata"
    body: dict[str, Any] = {"metadata": {"os_version": "1", "alt": "x"}}
    assert root.post(path, body).json() == body
    assert root.put(path, {"metadata": {"os_version": "2"}}).json() == {
        "metadata": {"os_version": "2"}
    }
    assert root.put(f"{path}/alt", {"meta": {"alt": "y"}}).json() == {"meta": {"alt": "y"}}
    assert root.put(f"{path}/alt", {"meta": {"other": "y"}}).status == 400
    assert root.get(f"{path}/alt").json() == {"meta": {"alt": "y"}}
    assert root.delete(f"{path}/alt").status == 204
    assert root.delete(f"{path}/alt").status == root.get(f"{path}/alt").status == 404
    assert root.post(path, {"metadata": {"min_disk": "4"}}).status == 400
    assert root.get(path).json() == {"metadata": {"os_version": "2"}}
    assert root.at("compute 2.38").get(path).status == 200
    assert root.at("compute 2.39").get(path).status == 404
    assert root.as_("ann:p1:member").put(path, {"metadata": {}}).status == 403


def test_a_floating_ip_leads_to_a_server(
    ann: Client, emulated: Emulated, boot: Boot, network: str
) -> None:
    external_network(emulated, network)
    server = boot()
    action = f"/v2.1/servers/{server['id']}/action"
    made = ann.post("/v2.1/os-floating-ips", {"pool": "public"}).json()["floating_ip"]
    assert (made["pool"], made["instance_id"], made["fixed_ip"]) == ("public", None, None)
    fixed = server["addresses"]["private"][0]["addr"]
    assert ann.post(action, {"addFloatingIp": {"address": made["ip"]}}).status == 202
    one = f"/v2.1/os-floating-ips/{made['id']}"
    shown = ann.get(one).json()["floating_ip"]
    assert (shown["instance_id"], shown["fixed_ip"]) == (server["id"], fixed)
    assert ann.get("/v2.1/os-floating-ips").json()["floating_ips"] == [shown]
    wrong = {"address": made["ip"], "fixed_address": "10.9.9.9"}
    assert ann.post(action, {"addFloatingIp": wrong}).status == 400
    other = boot()
    stray = f"/v2.1/servers/{other['id']}/action"
    assert ann.post(stray, {"removeFloatingIp": {"address": made["ip"]}}).status == 409
    assert ann.post(action, {"removeFloatingIp": {"address": made["ip"]}}).status == 202
    assert ann.get(one).json()["floating_ip"]["instance_id"] is None
    for refused in ("addFloatingIp", "removeFloatingIp"):
        assert ann.post(action, {refused: {"address": "203.0.113.250"}}).status == 404
        answer = ann.at("compute 2.44").post(action, {refused: {"address": made["ip"]}})
        assert answer.status == 400
    stranger = emulated.client("compute", "eve:p2:member")
    assert stranger.get(one).status == stranger.delete(one).status == 404
    assert ann.delete(one).status == 202
    assert ann.get(one).status == 404
    assert ann.get("/v2.1/os-floating-ips/nothing").status == 400
    assert ann.post("/v2.1/os-floating-ips", {"pool": "nowhere"}).status == 404


def test_lists_tell_each_address_and_group_once(
    ann: Client, emulated: Emulated, boot: Boot, network: str
) -> None:
    external_network(emulated, network)
    own, alone, server = emulated.client("network"), boot(name="alone"), boot(name="web")
    group = own.post("/v2.0/security-groups", {"security_group": {"name": "above"}}).json()
    port = own.get(f"/v2.0/ports?device_id={server['id']}").json()["ports"][0]
    change = {
        "security_groups": [*port["security_groups"], group["security_group"]["id"]],
        "fixed_ips": [{"ip_address": "10.1.0.77"}, {"ip_address": "10.1.0.66"}],
    }
    assert own.put(f"/v2.0/ports/{port['id']}", {"port": change}).status == 200
    made = ann.post("/v2.1/os-floating-ips", {"pool": "public"}).json()["floating_ip"]
    over = {"address": made["ip"], "fixed_address": "10.1.0.77"}
    answer = ann.post(f"/v2.1/servers/{server['id']}/action", {"addFloatingIp": over})
    assert answer.status == 202
    bare = boot(name="bare", networks=None)
    gone = own.get(f"/v2.0/ports?device_id={bare['id']}").json()["ports"][0]
    assert own.put(f"/v2.0/ports/{gone['id']}", {"port": {"fixed_ips": []}}).status == 200
    listed = {one["name"]: one for one in ann.get("/v2.1/servers/detail").json()["servers"]}
    told = [(one["addr"], one["OS-EXT-IPS:type"]) for one in listed["web"]["addresses"]["private"]]
    assert told == [
        ("10.1.0.77", "fixed"),
        (made["ip"], "floating"),
        ("10.1.0.66", "fixed"),
    ]
    assert listed["web"]["security_groups"] == [{"name": "above"}, {"name": "default"}]
    assert listed["alone"] == alone
    assert (listed["bare"]["addresses"], listed["bare"]["security_groups"]) == (
        {},
        [{"name": "default"}],
    )
    assert ann.at(NEW).get("/v2.1/os-floating-ips").status == 404


def test_networks_are_shown_in_old_words(ann: Client, emulated: Emulated, network: str) -> None:
    full = ann.get(f"/v2.1/os-networks/{network}").json()["network"]
    assert (full["label"], full["cidr"]) == ("private", None)
    assert ann.get("/v2.1/os-networks").json()["networks"] == [full]
    short = {"id": network, "label": "private", "cidr": "None"}
    assert ann.get("/v2.1/os-tenant-networks").json()["networks"] == [short]
    assert ann.get(f"/v2.1/os-tenant-networks/{network}").json()["network"] == short
    stranger = emulated.client("compute", "eve:p2:member")
    for place in ("os-networks", "os-tenant-networks"):
        assert stranger.get(f"/v2.1/{place}/{network}").status == 404
        assert stranger.get(f"/v2.1/{place}").json() == {"networks": []}
        assert ann.post(f"/v2.1/{place}", {"network": {}}).status == 410
        assert ann.delete(f"/v2.1/{place}/{network}").status == 410
        assert ann.at(NEW).get(f"/v2.1/{place}").status == 404
    assert ann.post(f"/v2.1/os-networks/{network}/action", {"disassociate": None}).status == 410


def test_other_services_tell_of_servers(ann: Client, emulated: Emulated, boot: Boot) -> None:
    server = boot()
    neutron = emulated.client("compute", "neutron:service:service")
    path = "/v2.1/os-server-external-events"
    event = {"name": "network-changed", "server_uuid": server["id"]}
    answer = neutron.post(path, {"events": [event]})
    assert answer.json() == {"events": [{**event, "status": "completed", "code": 200}]}
    nobody = {**event, "server_uuid": "11111111-1111-4111-8111-111111111111", "tag": "t"}
    mixed = neutron.post(path, {"events": [event, nobody]})
    assert (mixed.status, [one["code"] for one in mixed.json()["events"]]) == (207, [200, 404])
    assert neutron.post(path, {"events": [nobody]}).status == 404
    assert neutron.post(path, {"events": []}).status == 400
    late = {"name": "power-update", "server_uuid": server["id"], "tag": "POWER_OFF"}
    assert neutron.post(path, {"events": [late]}).status == 400
    assert neutron.at("compute 2.76").post(path, {"events": [late]}).status == 200
    assert ann.post(path, {"events": [event]}).status == 403


def test_the_usage_audit_log_is_that_of_a_cloud_that_keeps_none(root: Client, ann: Client) -> None:
    path = "/v2.1/os-instance_usage_audit_log"
    log = root.get(f"{path}/2026-01-31%2012:00:00").json()["instance_usage_audit_log"]
    assert log["period_beginning"] == "2025-12-01 00:00:00"
    assert log["period_ending"] == "2026-01-01 00:00:00"
    assert (log["hosts_not_run"], log["log"]) == (["node1"], {})
    assert log["overall_status"] == "0 of 1 hosts done. 0 errors."
    assert root.get(path).json()["instance_usage_audit_logs"]["num_hosts"] == 1
    assert root.get(f"{path}/yesterday").status == 400
    assert ann.get(path).status == 403


def test_a_slash_at_the_end_is_another_place(ann: Client) -> None:
    for path in ("/v2.1/servers/", "/v2.1/os-simple-tenant-usage/"):
        assert ann.get(path).status == 404
    for path in ("/v2.1/", "/v2.1", "/v2/", "/"):
        assert ann.as_(None).get(path).status == 200
