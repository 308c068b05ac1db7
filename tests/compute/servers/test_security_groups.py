"""Security groups, as clients have them that ask compute."""

from typing import Any

import pytest

from tests.client import Client
from tests.compute.servers.mover import Mover

_GROUPS, _RULES = "/v2.1/os-security-groups", "/v2.1/os-security-group-rules"


def made(ann: Client, name: str = "web") -> dict[str, Any]:
    body = {"security_group": {"name": name, "description": "what web servers need"}}
    answer = ann.post(_GROUPS, body)
    assert answer.status == 200, answer.text
    return dict(answer.json()["security_group"])


def rule(ann: Client, **wanted: Any) -> Any:
    return ann.post(_RULES, {"security_group_rule": wanted})


def test_groups_come_and_go(ann: Client) -> None:
    group = made(ann)
    assert (group["name"], group["tenant_id"], group["rules"]) == ("web", "p1", [])
    names = {one["name"] for one in ann.get(_GROUPS).json()["security_groups"]}
    assert names == {"default", "web"}
    changed = {"security_group": {"name": "db", "description": "x"}}
    url = f"{_GROUPS}/{group['id']}"
    assert ann.put(url, changed).json()["security_group"]["name"] == "db"
    assert ann.get(url).json()["security_group"]["description"] == "x"
    assert ann.delete(url).status == 202
    assert ann.get(url).status == 404
    assert ann.get(f"{_GROUPS}/x").status == 400
    assert ann.at("compute 2.36").get(_GROUPS).status == 404


def test_rules_let_in(ann: Client) -> None:
    group = made(ann)
    wanted = {"parent_group_id": group["id"], "ip_protocol": "tcp", "from_port": 22, "to_port": 22}
    first = rule(ann, **wanted).json()["security_group_rule"]
    assert first["ip_range"] == {"cidr": "0.0.0.0/0"}
    assert (first["group"], first["from_port"]) == ({}, 22)
    assert rule(ann, **wanted).status == 400
    among = rule(ann, **wanted, group_id=group["id"]).json()["security_group_rule"]
    assert (among["group"], among["ip_range"]) == ({"name": "web", "tenant_id": "p1"}, {})
    near = rule(ann, **wanted, cidr="10.2.3.124/24").json()["security_group_rule"]
    assert near["ip_range"] == {"cidr": "10.2.3.124/24"}
    ping = {**wanted, "ip_protocol": "icmp", "from_port": -1, "to_port": -1}
    assert rule(ann, **ping).json()["security_group_rule"]["from_port"] == -1
    url = f"{_GROUPS}/{group['id']}"
    assert len(ann.get(url).json()["security_group"]["rules"]) == 4
    assert ann.delete(f"{_RULES}/{first['id']}").status == 202
    assert len(ann.get(url).json()["security_group"]["rules"]) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"ip_protocol": "nonsense"},
        {"from_port": 100000},
        {"from_port": 30, "to_port": 20},
        {"cidr": "10.0.0.0/99"},
        {"parent_group_id": "x"},
        {"ip_protocol": None},
        {"group_id": "x"},
    ],
)
def test_bad_rules_are_refused(ann: Client, wrong: dict[str, Any]) -> None:
    wanted = {"parent_group_id": made(ann)["id"], "ip_protocol": "tcp", "from_port": 22}
    assert rule(ann, **{**wanted, "to_port": 22, **wrong}).status == 400


def test_groups_in_use_stay(one: Mover) -> None:
    group = made(one.ann)
    assert one.do("addSecurityGroup", {"name": "web"}) == 202
    url = f"/v2.1/servers/{one.id}/os-security-groups"
    names = {found["name"] for found in one.ann.get(url).json()["security_groups"]}
    assert names == {"default", "web"}
    refused = one.ann.delete(f"{_GROUPS}/{group['id']}")
    assert refused.status == 400
    assert "in use" in refused.json()["badRequest"]["message"]


def test_another_projects_group_does_not_exist(one: Mover) -> None:
    group = made(one.ann)
    bob = one.cloud.client("compute", "bob:p2:member")
    assert bob.get(f"{_GROUPS}/{group['id']}").status == 404
    assert bob.delete(f"{_GROUPS}/{group['id']}").status == 404
    assert bob.get(f"/v2.1/servers/{one.id}/os-security-groups").status == 404
    wanted = {"parent_group_id": group["id"], "ip_protocol": "tcp", "from_port": 1, "to_port": 2}
    assert rule(bob, **wanted).status == 404
