from tests.client import Client
from tests.identity.conftest import Cloud, by_password, made, on_project


def test_a_group_from_first_to_last(admin: Client) -> None:
    group = made(admin, "group", {"name": "crew", "team": "red"})
    assert group["description"] == ""
    assert group["domain_id"] == "default"
    assert group["team"] == "red"
    one = f"/v3/groups/{group['id']}"
    assert admin.get(one).json()["group"] == group
    changed = admin.patch(one, {"group": {"description": "d", "team": "blue"}}).json()["group"]
    assert (changed["description"], changed["team"]) == ("d", "blue")
    assert admin.post("/v3/groups", {"group": {"name": "crew"}}).status == 409
    assert admin.get("/v3/groups?name=crew").json()["groups"] == [changed]
    assert admin.patch(one, {"group": {"domain_id": "other"}}).status == 400
    assert admin.delete(one).status == 204
    assert admin.get(one).json()["error"]["message"] == f"Could not find group: {group['id']}."


def test_members_come_and_go(cloud: Cloud, admin: Client) -> None:
    group = made(admin, "group", {"name": "crew"})["id"]
    ann = cloud.user(admin, "ann")
    member = f"/v3/groups/{group}/users/{ann}"
    assert admin.request("HEAD", member).status == 404
    assert admin.put(member).status == 204
    assert admin.put(member).status == 204
    assert admin.request("HEAD", member).status == 204
    assert admin.get(member).status == 204
    users = admin.get(f"/v3/groups/{group}/users").json()["users"]
    assert [user["name"] for user in users] == ["ann"]
    assert admin.get(f"/v3/groups/{group}/users?name=bob").json()["users"] == []
    (mine,) = admin.get(f"/v3/users/{ann}/groups").json()["groups"]
    assert mine["membership_expires_at"] is None
    own = cloud.login("ann", "pw", {"unscoped": {}})
    assert own.get(f"/v3/users/{ann}/groups").status == 200
    assert own.get(f"/v3/groups/{group}/users").status == 403
    assert admin.delete(member).status == 204
    gone = admin.delete(member)
    assert gone.status == 404
    assert gone.json()["error"]["message"] == f"User '{ann}' not found in group '{group}'"
    assert admin.put(f"/v3/groups/{group}/users/nobody").status == 404
    assert admin.put(f"/v3/groups/nothing/users/{ann}").status == 404


def test_roles_come_through_groups(cloud: Cloud, admin: Client) -> None:
    group = made(admin, "group", {"name": "crew"})["id"]
    ann, demo = cloud.user(admin, "ann"), cloud.project(admin, "demo")
    grant = f"/v3/projects/{demo}/groups/{group}/roles/{cloud.role(admin, 'member')}"
    assert admin.put(grant).status == 204
    assert cloud.ask(by_password("ann", "pw", on_project(demo))).status == 401
    admin.put(f"/v3/groups/{group}/users/{ann}")
    token = cloud.ask(by_password("ann", "pw", on_project(demo))).json()["token"]
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    assert [p["id"] for p in admin.get(f"/v3/users/{ann}/projects").json()["projects"]] == [demo]
    admin.delete(f"/v3/groups/{group}")
    assert cloud.ask(by_password("ann", "pw", on_project(demo))).status == 401
