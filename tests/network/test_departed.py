"""What nobody could delete goes with its project; what somebody made stays."""

from typing import Any

from cumulo.services.network.departed import clear_away
from cumulo.services.network.projection import project
from tests.cloud import Emulated

NETWORK = "/v2.0/networks"


def made(client: Any, path: str, **facts: Any) -> Any:
    name = path.rpartition("/")[2][:-1].replace("-", "_")
    answer = client.post(path, {name: facts})
    assert answer.status == 201, answer.text
    return answer.json()[name]


def test_default_groups_and_limits_go_with_their_projects(emulated: Emulated) -> None:
    boss = emulated.client("identity", "root:p:admin")
    admin = emulated.client("network", "root:p:admin")
    domain_id = made(boss, "/v3/domains", name="ours")["id"]
    ids = [
        made(boss, "/v3/projects", name=name, domain_id=domain_id)["id"]
        for name in ("gone", "used", "here")
    ]
    for project_id in ids:
        member = emulated.client("network", f"ann:{project_id}:member")
        network = made(member, NETWORK)
        port = made(member, "/v2.0/ports", network_id=network["id"])
        limits = {"quota": {"network": 5}}
        assert admin.put(f"/v2.0/quotas/{project_id}", limits).status == 200
        if project_id != ids[1]:
            assert member.delete(f"/v2.0/ports/{port['id']}").status == 204
            assert member.delete(f"{NETWORK}/{network['id']}").status == 204
    for project_id in ids[:2]:
        assert boss.delete(f"/v3/projects/{project_id}").status == 204
    clear_away(emulated.network)
    clear_away(emulated.network)
    groups = admin.get("/v2.0/security-groups").json()["security_groups"]
    assert {group["project_id"] for group in groups} & {*ids} == {*ids[1:]}
    project(emulated.network)
    assert emulated.driver.security_groups.keys() == {group["id"] for group in groups}
    limited = admin.get("/v2.0/quotas").json()["quotas"]
    assert {one["project_id"] for one in limited} == {ids[2]}
