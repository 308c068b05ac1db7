"""Server groups: which servers keep together, and which apart."""

from typing import Any

import pytest

from cumulo.auth import Context, Policy
from cumulo.db import Database
from cumulo.kit.errors import NotFound, OverQuota
from cumulo.services.compute import server_groups
from cumulo.services.compute.policy import RULES
from tests.client import Answer, Client

G = "/v2.1/os-server-groups"
ANN = Context(
    user_id="ann", project_id="p1", roles=frozenset({"member", "reader"}), policy=Policy(RULES)
)


def create(api: Client, **group: Any) -> Answer:
    return api.post(G, {"server_group": {"name": "g"} | group})


def made(api: Client, name: str = "g") -> str:
    return str(create(api, name=name, policies=["affinity"]).json()["server_group"]["id"])


def test_a_group_from_its_making_to_its_end(cloud: Client) -> None:
    answer = create(cloud, policies=["anti-affinity"])
    group = answer.json()["server_group"]
    assert answer.status == 200
    group_id = group.pop("id")
    assert group == {"name": "g", "policies": ["anti-affinity"], "metadata": {}, "members": []}
    assert cloud.get(f"{G}/{group_id}").json()["server_group"] == {**group, "id": group_id}
    assert cloud.get(G).json()["server_groups"] == [{**group, "id": group_id}]
    assert cloud.delete(f"{G}/{group_id}").status == 204
    assert cloud.get(f"{G}/{group_id}").json()["itemNotFound"]["message"] == (
        f"Instance group {group_id} could not be found."
    )
    assert cloud.delete(f"{G}/{group_id}").status == 404


def test_owners_are_shown_from_2_13_on(cloud: Client) -> None:
    group_id = made(cloud)
    assert "project_id" not in cloud.at("compute 2.12").get(f"{G}/{group_id}").text
    group = cloud.at("compute 2.13").get(f"{G}/{group_id}").json()["server_group"]
    assert (group["project_id"], group["user_id"]) == ("p1", "ann")


def test_soft_policies_came_with_2_15(cloud: Client) -> None:
    for policy in ("soft-affinity", "soft-anti-affinity"):
        assert create(cloud.at("compute 2.14"), policies=[policy]).status == 400
        assert create(cloud.at("compute 2.15"), policies=[policy]).status == 200


def test_one_policy_and_its_rules_came_with_2_64(cloud: Client) -> None:
    old, new = cloud.at("compute 2.63"), cloud.at("compute 2.64")
    assert create(old, policy="anti-affinity").status == 400
    assert create(new, policies=["anti-affinity"]).status == 400
    answer = create(new, policy="anti-affinity", rules={"max_server_per_host": "3"})
    group = answer.json()["server_group"]
    assert (group["policy"], group["rules"]) == ("anti-affinity", {"max_server_per_host": 3})
    assert not {"policies", "metadata"} & set(group)
    assert old.get(f"{G}/{group['id']}").json()["server_group"]["policies"] == ["anti-affinity"]
    refused = create(new, policy="affinity", rules={"max_server_per_host": 3})
    assert refused.json()["badRequest"]["message"] == "Only anti-affinity policy supports rules."
    assert create(new, policy="affinity").json()["server_group"]["rules"] == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a" * 256},
        {"policies": []},
        {"policies": ["affinity", "anti-affinity"]},
        {"policies": ["storage-affinity"]},
        {"policies": "affinity"},
        {"colour": "red"},
    ],
)
def test_wrong_groups_are_refused(cloud: Client, wrong: dict[str, object]) -> None:
    assert create(cloud, **({"policies": ["affinity"]} | wrong)).status == 400


@pytest.mark.parametrize(
    "rules", [{"max_server_per_host": 0}, {"max_server_per_host": "x"}, {"a": 1}]
)
def test_wrong_rules_are_refused(cloud: Client, rules: object) -> None:
    assert create(cloud.at("compute 2.64"), policy="anti-affinity", rules=rules).status == 400


def test_a_group_is_its_projects(cloud: Client, admin: Client) -> None:
    group_id = made(cloud)
    other = cloud.as_("bob:p2:member")
    assert other.get(G).json() == {"server_groups": []}
    assert other.get(f"{G}/{group_id}").status == 404
    assert other.delete(f"{G}/{group_id}").status == 404
    assert cloud.as_("eve:p1:reader").get(f"{G}/{group_id}").status == 200
    assert cloud.as_("eve:p1:reader").delete(f"{G}/{group_id}").status == 403
    assert admin.get(f"{G}/{group_id}").status == 200
    # Only administrators are shown everyone's.
    assert other.get(f"{G}?all_projects=True").json() == {"server_groups": []}
    assert len(admin.get(f"{G}?all_projects=True").json()["server_groups"]) == 1
    assert admin.get(G).json() == {"server_groups": []}


def test_pages_are_cut_by_limit_and_offset(cloud: Client) -> None:
    for name in "abcd":
        made(cloud, name)
    page = cloud.get(f"{G}?limit=2&offset=1").json()["server_groups"]
    assert [group["name"] for group in page] == ["b", "c"]
    assert cloud.get(f"{G}?limit=-1").status == 400
    assert cloud.get(f"{G}?offset=x").status == 400
    assert cloud.at("compute 2.74").get(f"{G}?colour=red").status == 200
    assert cloud.at("compute 2.75").get(f"{G}?colour=red").status == 400


def test_servers_join_and_leave_and_are_counted(cloud: Client, admin: Client, db: Database) -> None:
    admin.put("/v2.1/os-quota-sets/p1", {"quota_set": {"server_group_members": 2}})
    group_id = made(cloud)
    for server in ("s1", "s2"):
        db.write(server_groups.add_member, ANN, group_id, server)
    with pytest.raises(OverQuota, match="too many servers in group"):
        db.write(server_groups.add_member, ANN, group_id, "s3")
    assert cloud.get(f"{G}/{group_id}").json()["server_group"]["members"] == ["s1", "s2"]
    found = db.read(server_groups.group_of, "s1")
    assert found is not None
    assert found.id == group_id
    db.write(server_groups.remove_member, "s1")
    db.write(server_groups.remove_member, "s1")
    assert db.read(server_groups.group_of, "s1") is None
    db.write(server_groups.add_member, ANN, group_id, "s3")
    with pytest.raises(NotFound):
        db.write(server_groups.add_member, ANN, "nothing", "s4")
    assert cloud.delete(f"{G}/{group_id}").status == 204
    assert db.read(server_groups.group_of, "s3") is None


def test_the_number_of_groups_is_limited(cloud: Client, admin: Client) -> None:
    admin.put("/v2.1/os-quota-sets/p1", {"quota_set": {"server_groups": 1}})
    group_id = made(cloud)
    refused = create(cloud, policies=["affinity"])
    assert refused.status == 403
    assert refused.json()["forbidden"]["message"] == "Quota exceeded, too many server groups."
    cloud.delete(f"{G}/{group_id}")
    assert create(cloud, policies=["affinity"]).status == 200
