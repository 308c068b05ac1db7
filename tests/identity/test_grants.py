import pytest

from tests.client import Client
from tests.identity.conftest import Cloud, by_password, made, on_project


@pytest.mark.parametrize("actor", ["user", "group"])
@pytest.mark.parametrize("target", ["project", "domain", "system"])
def test_a_role_is_given_and_taken(cloud: Cloud, admin: Client, actor: str, target: str) -> None:
    actor_id = made(admin, actor, {"name": "x"})["id"]
    places = {
        "project": f"projects/{cloud.project(admin, 'demo')}",
        "domain": "domains/default",
        "system": "system",
    }
    roles = f"/v3/{places[target]}/{actor}s/{actor_id}/roles"
    one = f"{roles}/{cloud.role(admin, 'member')}"
    assert admin.request("HEAD", one).status == 404
    assert admin.get(roles).json()["roles"] == []
    assert admin.put(one).status == 204
    assert admin.put(one).status == 204
    assert admin.request("HEAD", one).status == 204
    assert admin.get(one).status == 204
    found = admin.get(roles).json()
    assert [role["name"] for role in found["roles"]] == ["member"]
    assert found["links"]["self"] == f"http://cloud{roles}"
    assert admin.delete(one).status == 204
    gone = admin.delete(one)
    assert gone.status == 404
    assert "Could not find role assignment with role" in gone.json()["error"]["message"]
    assert admin.put(f"{roles}/nothing").status == 404
    nobody = f"/v3/{places[target]}/{actor}s/nobody/roles"
    assert admin.put(f"{nobody}/{cloud.role(admin, 'member')}").status == 404
    assert admin.get(nobody).status == 404


def test_a_target_must_be_there_and_of_the_kind(cloud: Cloud, admin: Client) -> None:
    ann, role = cloud.user(admin, "ann"), cloud.role(admin, "member")
    assert admin.put(f"/v3/projects/nowhere/users/{ann}/roles/{role}").status == 404
    demo = cloud.project(admin, "demo")
    assert admin.put(f"/v3/domains/{demo}/users/{ann}/roles/{role}").status == 404


@pytest.mark.parametrize("place", ["projects", "domains"])
def test_a_role_is_inherited_below_and_not_on_the_spot(
    cloud: Cloud, admin: Client, place: str
) -> None:
    top = made(admin, "project", {"name": "top"})["id"]
    low = made(admin, "project", {"name": "low", "parent_id": top})["id"]
    ann = cloud.user(admin, "ann")
    above = top if place == "projects" else "default"
    role = cloud.role(admin, "member")
    grant = f"/v3/OS-INHERIT/{place}/{above}/users/{ann}/roles/{role}/inherited_to_projects"
    assert admin.request("HEAD", grant).status == 404
    assert admin.put(grant).status == 204
    assert admin.request("HEAD", grant).status == 204
    assert admin.get(f"/v3/{place}/{above}/users/{ann}/roles").json()["roles"] == []
    token = cloud.ask(by_password("ann", "pw", on_project(low))).json()["token"]
    assert [one["name"] for one in token["roles"]] == ["member", "reader"]
    scope = on_project(top) if place == "projects" else {"domain": {"id": "default"}}
    assert cloud.ask(by_password("ann", "pw", scope)).status == 401
    assert low in [p["id"] for p in admin.get(f"/v3/users/{ann}/projects").json()["projects"]]
    assert admin.delete(grant).status == 204
    assert cloud.ask(by_password("ann", "pw", on_project(low))).status == 401


def test_inherited_roles_are_listed(cloud: Cloud, admin: Client) -> None:
    ann, role = cloud.user(admin, "ann"), cloud.role(admin, "member")
    roles = f"/v3/OS-INHERIT/domains/default/users/{ann}/roles"
    admin.put(f"{roles}/{role}/inherited_to_projects")
    found = admin.get(f"{roles}/inherited_to_projects").json()["roles"]
    assert [one["id"] for one in found] == [role]


def test_a_role_of_a_domain_stays_in_it(cloud: Cloud, admin: Client) -> None:
    other = made(admin, "domain", {"name": "other"})["id"]
    local = made(admin, "role", {"name": "local", "domain_id": other})["id"]
    ann, demo = cloud.user(admin, "ann"), cloud.project(admin, "demo")
    assert admin.put(f"/v3/projects/{demo}/users/{ann}/roles/{local}").status == 403
    assert admin.put(f"/v3/system/users/{ann}/roles/{local}").status == 400
    inside = made(admin, "project", {"name": "x", "domain_id": other})["id"]
    assert admin.put(f"/v3/projects/{inside}/users/{ann}/roles/{local}").status == 204
    assert cloud.ask(by_password("ann", "pw", on_project(inside))).status == 401
    admin.put(f"/v3/roles/{local}/implies/{cloud.role(admin, 'reader')}")
    token = cloud.ask(by_password("ann", "pw", on_project(inside))).json()["token"]
    assert [role["name"] for role in token["roles"]] == ["reader"]


def test_who_may_give_roles(cloud: Cloud, admin: Client) -> None:
    demo = cloud.project(admin, "demo")
    member, admin_role = cloud.role(admin, "member"), cloud.role(admin, "admin")
    user = admin.get("/v3/users?name=demo").json()["users"][0]["id"]
    grants = f"/v3/projects/{demo}/users/{user}/roles"
    own = cloud.login("demo", "demo-secret", on_project(demo))
    for refused in (
        own.put(f"{grants}/{admin_role}"),
        own.delete(f"{grants}/{member}"),
        own.get(grants),
        own.put(f"/v3/system/users/{user}/roles/{admin_role}"),
        own.get("/v3/projects/nothing/users/nobody/roles"),
    ):
        assert refused.status == 403
        assert "identity:" in refused.json()["error"]["message"]


def test_a_manager_gives_only_small_roles(cloud: Cloud, admin: Client) -> None:
    boss = cloud.user(admin, "boss")
    admin.put(f"/v3/domains/default/users/{boss}/roles/{cloud.role(admin, 'manager')}")
    manager = cloud.login("boss", "pw", {"domain": {"id": "default"}})
    demo = cloud.project(admin, "demo")
    roles = f"/v3/projects/{demo}/users/{boss}/roles"
    assert manager.put(f"{roles}/{cloud.role(admin, 'member')}").status == 204
    assert manager.put(f"{roles}/{cloud.role(admin, 'admin')}").status == 403
    assert manager.put(f"{roles}/{cloud.role(admin, 'service')}").status == 403
    elsewhere = made(admin, "domain", {"name": "other"})["id"]
    project = made(admin, "project", {"name": "x", "domain_id": elsewhere})["id"]
    outside = f"/v3/projects/{project}/users/{boss}/roles/{cloud.role(admin, 'member')}"
    assert manager.put(outside).status == 403
    assert manager.get("/v3/roles").status == 200
