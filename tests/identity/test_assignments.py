from typing import Any

import pytest

from tests.client import Client
from tests.identity.conftest import Cloud, made


def listed(client: Client, query: str) -> list[dict[str, Any]]:
    answer = client.get(f"/v3/role_assignments?{query}")
    assert answer.status == 200, answer.text
    return list(answer.json()["role_assignments"])


def test_assignments_as_they_were_made(cloud: Cloud, admin: Client) -> None:
    demo, member = cloud.project(admin, "demo"), cloud.role(admin, "member")
    user = admin.get("/v3/users?name=demo").json()["users"][0]["id"]
    assert listed(admin, f"user.id={user}") == [
        {
            "scope": {"project": {"id": demo}},
            "user": {"id": user},
            "role": {"id": member},
            "links": {"assignment": f"http://cloud/v3/projects/{demo}/users/{user}/roles/{member}"},
        }
    ]
    assert listed(admin, f"scope.project.id={demo}") == listed(admin, f"user.id={user}")
    assert listed(admin, f"user.id={user}&role.id=other") == []
    (system,) = listed(admin, "scope.system=all")
    assert system["scope"] == {"system": {"all": True}}
    assert system["links"]["assignment"].startswith("http://cloud/v3/system/users/")
    assert len(listed(admin, "")) == 3


def test_assignments_with_names(cloud: Cloud, admin: Client) -> None:
    demo, member = cloud.project(admin, "demo"), cloud.role(admin, "member")
    default = {"id": "default", "name": "Default"}
    user = admin.get("/v3/users?name=demo").json()["users"][0]["id"]
    (one,) = listed(admin, f"user.id={user}&scope.project.id={demo}&include_names")
    assert one["user"] == {"id": user, "name": "demo", "domain": default}
    assert one["role"] == {"id": member, "name": "member"}
    assert one["scope"] == {"project": {"id": demo, "name": "demo", "domain": default}}
    group = made(admin, "group", {"name": "crew"})["id"]
    admin.put(f"/v3/domains/default/groups/{group}/roles/{member}")
    (one,) = listed(admin, f"group.id={group}&include_names=1")
    assert one["group"] == {"id": group, "name": "crew", "domain": default}
    assert one["scope"] == {"domain": default}
    assert "name" not in listed(admin, f"group.id={group}&include_names=0")[0]["group"]


def test_what_assignments_amount_to(cloud: Cloud, admin: Client) -> None:
    top = made(admin, "project", {"name": "top"})["id"]
    low = made(admin, "project", {"name": "low", "parent_id": top})["id"]
    group = made(admin, "group", {"name": "crew"})["id"]
    ann, bob = cloud.user(admin, "ann"), cloud.user(admin, "bob")
    for user in (ann, bob):
        admin.put(f"/v3/groups/{group}/users/{user}")
    member, reader = cloud.role(admin, "member"), cloud.role(admin, "reader")
    admin.put(f"/v3/OS-INHERIT/projects/{top}/groups/{group}/roles/{member}/inherited_to_projects")
    found = listed(admin, f"effective&scope.project.id={low}")
    assert {(one["user"]["id"], one["role"]["id"]) for one in found} == {
        (ann, member),
        (ann, reader),
        (bob, member),
        (bob, reader),
    }
    (mine,) = listed(admin, f"effective&user.id={ann}&role.id={member}")
    assert mine["scope"] == {"project": {"id": low}, "OS-INHERIT:inherited_to": "projects"}
    assert mine["links"] == {
        "membership": f"http://cloud/v3/groups/{group}/users/{ann}",
        "assignment": (
            f"http://cloud/v3/OS-INHERIT/projects/{top}/groups/{group}/roles/{member}"
            "/inherited_to_projects"
        ),
    }
    (implied,) = listed(admin, f"effective&user.id={ann}&role.id={reader}")
    assert implied["links"]["prior_role"].endswith(f"/prior_role/{reader}/implies/{member}")
    assert implied["links"]["assignment"].split("/roles/")[1].startswith(member)
    assert listed(admin, f"effective&scope.project.id={top}") == []
    whole = listed(admin, f"include_subtree&scope.project.id={top}")
    assert [one["group"]["id"] for one in whole] == [group]
    inherited = "scope.OS-INHERIT:inherited_to=projects"
    assert listed(admin, f"{inherited}&group.id={group}") == whole
    assert listed(admin, f"effective&include_subtree&scope.project.id={top}") == found


def test_a_role_on_a_domain_reaches_its_projects(cloud: Cloud, admin: Client) -> None:
    ann, member = cloud.user(admin, "ann"), cloud.role(admin, "member")
    admin.put(f"/v3/OS-INHERIT/domains/default/users/{ann}/roles/{member}/inherited_to_projects")
    found = listed(admin, f"effective&user.id={ann}&role.id={member}&include_names")
    names = sorted(one["scope"]["project"]["name"] for one in found)
    assert names == ["admin", "demo", "service"]
    assert listed(admin, f"effective&user.id={ann}&scope.domain.id=default") == []


def test_system_roles_when_they_are_asked_for(cloud: Cloud, admin: Client) -> None:
    me = admin.get("/v3/users?name=admin").json()["users"][0]["id"]
    found = listed(admin, f"effective&scope.system=all&user.id={me}&include_names")
    assert sorted(one["role"]["name"] for one in found) == ["admin", "manager", "member", "reader"]
    everything = listed(admin, f"effective&user.id={me}")
    assert all("system" not in one["scope"] for one in everything)


@pytest.mark.parametrize(
    "query",
    [
        "scope.project.id=a&scope.domain.id=b",
        "scope.project.id=a&scope.system=all",
        "scope.domain.id=a&scope.system=all",
        "user.id=a&group.id=b",
        "effective&group.id=a",
        "effective&scope.domain.id=a&scope.OS-INHERIT:inherited_to=projects",
        "include_subtree",
    ],
)
def test_a_senseless_question_is_refused(admin: Client, query: str) -> None:
    assert admin.get(f"/v3/role_assignments?{query}").status == 400


def test_who_may_see_assignments(cloud: Cloud, admin: Client) -> None:
    scope = {"project": {"name": "demo", "domain": {"id": "default"}}}
    demo = cloud.login("demo", "demo-secret", scope)
    assert demo.get("/v3/role_assignments").status == 403
    assert demo.get("/v3/role_assignments?include_subtree&scope.project.id=x").status == 403
    other = made(admin, "domain", {"name": "other"})["id"]
    boss = cloud.user(admin, "boss")
    admin.put(f"/v3/domains/{other}/users/{boss}/roles/{cloud.role(admin, 'reader')}")
    inside = made(admin, "project", {"name": "x", "domain_id": other})["id"]
    admin.put(f"/v3/projects/{inside}/users/{boss}/roles/{cloud.role(admin, 'member')}")
    theirs = cloud.login("boss", "pw", {"domain": {"id": other}})
    scopes = [one["scope"] for one in listed(theirs, "")]
    assert scopes == [{"domain": {"id": other}}, {"project": {"id": inside}}]
    demo_project = cloud.project(admin, "demo")
    tree = f"/v3/role_assignments?include_subtree&scope.project.id={demo_project}"
    assert theirs.get(tree).status == 403
