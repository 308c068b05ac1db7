"""What is done to a running guest while the client waits."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.client import Client
from tests.cloud import Emulated
from tests.compute.servers.conftest import Boot

AGENT = {"hw_qemu_guest_agent": "yes"}


def actions(root: Client, server_id: str) -> list[tuple[str, str | None]]:
    answer = root.get(f"/v2.1/servers/{server_id}/os-instance-actions")
    return [(one["action"], one["message"]) for one in answer.json()["instanceActions"]]


def act(client: Client, server_id: str, action: str, body: Any = None) -> int:
    return client.post(f"/v2.1/servers/{server_id}/action", {action: body}).status


@pytest.fixture
def with_agent(emulated: Emulated, image: str, boot: Boot) -> dict[str, Any]:
    images = emulated.client("image", "root:p0:admin")
    change = [{"op": "add", "path": "/hw_qemu_guest_agent", "value": "yes"}]
    kind = {"content-type": "application/openstack-images-v2.1-json-patch"}
    assert images.request("PATCH", f"/v2/images/{image}", change, headers=kind).status == 200
    return boot()


def test_the_agent_sets_the_password(
    emulated: Emulated, ann: Client, root: Client, with_agent: dict[str, Any]
) -> None:
    server_id = with_agent["id"]
    assert act(ann, server_id, "changePassword", {"adminPass": "new secret"}) == 202
    assert emulated.nodes["node1"].passwords_of(server_id) == {"root": "new secret"}
    assert actions(root, server_id)[0] == ("changePassword", None)
    assert ann.get(f"/v2.1/servers/{server_id}/os-server-password").json() == {"password": ""}
    assert act(ann, server_id, "changePassword", {"adminPass": 7}) == 400
    assert act(ann, server_id, "changePassword", {}) == 400
    assert act(ann, server_id, "lock") == 202
    other = emulated.client("compute", "eve:p2:member")
    assert act(other, server_id, "changePassword", {"adminPass": "x"}) == 404


def test_an_owner_reads_the_password_with_his_key(
    emulated: Emulated, ann: Client, image: str, with_agent: dict[str, Any], boot: Boot
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    wanted = {"keypair": {"name": "rsa", "public_key": f"{public} ann"}}
    assert ann.post("/v2.1/os-keypairs", wanted).status == 200
    server_id = boot(name="keyed", key_name="rsa")["id"]
    assert act(ann, server_id, "changePassword", {"adminPass": "new secret"}) == 202
    told = ann.get(f"/v2.1/servers/{server_id}/os-server-password").json()["password"]
    assert key.decrypt(base64.b64decode(told), padding.PKCS1v15()) == b"new secret"


def test_without_an_agent_the_password_stays(ann: Client, boot: Boot) -> None:
    server_id = boot()["id"]
    answer = ann.post(
        f"/v2.1/servers/{server_id}/action", {"changePassword": {"adminPass": "new secret"}}
    )
    assert answer.status == 409
    assert "hw_qemu_guest_agent" in answer.json()["conflictingRequest"]["message"]


def test_a_host_that_refuses_is_told_without_the_secret(
    emulated: Emulated, ann: Client, root: Client, with_agent: dict[str, Any]
) -> None:
    server_id = with_agent["id"]
    emulated.nodes["node1"].power_off(server_id)  # and nobody has noticed yet
    answer = ann.post(
        f"/v2.1/servers/{server_id}/action", {"changePassword": {"adminPass": "new secret"}}
    )
    assert (answer.status, "new secret" in answer.text) == (409, False)
    assert actions(root, server_id)[0] == ("changePassword", "Error")
    emulated.nodes["node1"].script.fail("set_password")
    assert act(ann, server_id, "changePassword", {"adminPass": "x"}) == 503


def test_a_crash_dump(emulated: Emulated, ann: Client, root: Client, boot: Boot) -> None:
    server_id, newer = boot()["id"], ann.at("compute 2.17")
    assert act(ann, server_id, "trigger_crash_dump") == 400
    assert act(newer, server_id, "trigger_crash_dump") == 202
    assert b"NMI received" in emulated.nodes["node1"].console_log(server_id)
    assert actions(root, server_id)[0] == ("trigger_crash_dump", None)
    assert act(ann, server_id, "os-stop") == 202
    assert act(newer, server_id, "trigger_crash_dump") == 409
    emulated.work()
    assert act(newer, server_id, "trigger_crash_dump") == 409


def test_the_topology_of_a_guest(
    ann: Client, root: Client, with_agent: dict[str, Any], boot: Boot
) -> None:
    place, version = f"/v2.1/servers/{with_agent['id']}/topology", "compute 2.78"
    assert ann.get(place).status == 404
    assert ann.at(version).get(place).json() == {"nodes": [], "pagesize_kb": None}
    flavor = {"flavor": {"name": "cells", "ram": 512, "vcpus": 2, "disk": 1, "id": "cells"}}
    assert root.post("/v2.1/flavors", flavor).status == 200
    specs = {"extra_specs": {"hw:numa_nodes": "2", "hw:mem_page_size": "small"}}
    assert root.post("/v2.1/flavors/cells/os-extra_specs", specs).status == 200
    place = f"/v2.1/servers/{boot(name='cells', flavorRef='cells')['id']}/topology"
    first = {"vcpu_set": [0], "siblings": [], "memory_mb": 256}
    second = {**first, "vcpu_set": [1]}
    told = ann.at(version).get(place).json()
    assert told == {"nodes": [first, second], "pagesize_kb": 4}
    more = {"host_node": 0, "cpu_pinning": {}}
    assert root.at(version).get(place).json()["nodes"][0] == first | more


def test_there_are_no_shares_to_attach(ann: Client, boot: Boot) -> None:
    server_id = boot()["id"]
    place, newer = f"/v2.1/servers/{server_id}/shares", ann.at("compute 2.97")
    share = "68ba1762-fd6d-4221-8311-f3193dd93404"
    assert ann.get(place).status == 404
    assert newer.get(place).json() == {"shares": []}
    assert newer.get(f"{place}?colour=red").status == 400
    assert newer.get(f"{place}/{share}").status == 404
    assert newer.post(place, {"share": {"share_id": share}}).status == 409
    assert newer.post(place, {"share": {"share_id": "no id"}}).status == 400
    assert newer.delete(f"{place}/{share}").status == 409
