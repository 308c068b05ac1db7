import pytest

from tests.client import Client
from tests.identity.conftest import SYSTEM, Cloud, made


def test_a_role_from_first_to_last(admin: Client) -> None:
    role = made(admin, "role", {"name": "operator", "shift": "night"})
    assert role == {
        "id": role["id"],
        "name": "operator",
        "domain_id": None,
        "description": None,
        "options": {},
        "shift": "night",
        "links": {"self": f"http://cloud/v3/roles/{role['id']}"},
    }
    one = f"/v3/roles/{role['id']}"
    assert admin.get(one).json()["role"] == role
    assert admin.get("/v3/roles?name=operator").json()["roles"] == [role]
    changed = admin.patch(one, {"role": {"name": "ops", "description": "d"}}).json()["role"]
    assert (changed["name"], changed["description"]) == ("ops", "d")
    taken = admin.post("/v3/roles", {"role": {"name": "ops"}})
    assert taken.status == 409
    assert "Duplicate entry found with name ops." in taken.json()["error"]["message"]
    assert admin.patch(one, {"role": {"domain_id": "default"}}).status == 400
    assert admin.delete(one).status == 204
    assert admin.get(one).json()["error"]["message"] == f"Could not find role: {role['id']}."
    assert admin.delete(one).status == 404
    assert admin.patch(one, {"role": {"name": "x"}}).status == 404


def test_the_roles_of_a_new_cloud(cloud: Cloud, admin: Client) -> None:
    roles = admin.get("/v3/roles").json()["roles"]
    assert sorted(role["name"] for role in roles) == [
        "admin",
        "manager",
        "member",
        "reader",
        "service",
    ]
    assert all(role["options"] == {"immutable": True} for role in roles)
    one = f"/v3/roles/{cloud.role(admin, 'admin')}"
    assert admin.delete(one).status == 403
    assert admin.patch(one, {"role": {"name": "root"}}).status == 403


def test_a_domain_has_roles_of_its_own(admin: Client) -> None:
    local = made(admin, "role", {"name": "member", "domain_id": "default"})
    found = admin.get("/v3/roles?domain_id=default").json()["roles"]
    assert [role["id"] for role in found] == [local["id"]]
    assert local["id"] not in [role["id"] for role in admin.get("/v3/roles").json()["roles"]]
    again = admin.post("/v3/roles", {"role": {"name": "member", "domain_id": "default"}})
    assert again.status == 409


@pytest.mark.parametrize("role", [{}, {"name": ""}, {"name": 1}, {"name": "x" * 256}])
def test_a_wrong_role_is_refused(admin: Client, role: dict[str, object]) -> None:
    assert admin.post("/v3/roles", {"role": role}).status == 400


def test_roles_imply_others(cloud: Cloud, admin: Client) -> None:
    operator = made(admin, "role", {"name": "operator"})["id"]
    reader = cloud.role(admin, "reader")
    one = f"/v3/roles/{operator}/implies/{reader}"
    assert admin.get(one).status == 404
    answer = admin.put(one)
    assert answer.status == 201
    inference = answer.json()["role_inference"]
    assert inference["prior_role"]["name"] == "operator"
    assert inference["implies"]["name"] == "reader"
    assert answer.json()["links"] == {"self": f"http://cloud{one}"}
    assert admin.put(one).status == 409
    assert admin.get(one).json()["role_inference"] == inference
    assert admin.request("HEAD", one).status == 204
    all_of_it = admin.get(f"/v3/roles/{operator}/implies").json()["role_inference"]
    assert [role["name"] for role in all_of_it["implies"]] == ["reader"]
    listed = admin.get("/v3/role_inferences").json()["role_inferences"]
    ladder = {
        rule["prior_role"]["name"]: [one["name"] for one in rule["implies"]] for rule in listed
    }
    assert ladder == {
        "admin": ["manager"],
        "manager": ["member"],
        "member": ["reader"],
        "operator": ["reader"],
    }
    assert admin.delete(one).status == 204
    assert admin.delete(one).status == 404
    assert admin.put(f"/v3/roles/{operator}/implies/nothing").status == 404


def test_nothing_implies_admin(cloud: Cloud, admin: Client) -> None:
    operator = made(admin, "role", {"name": "operator"})["id"]
    local = made(admin, "role", {"name": "local", "domain_id": "default"})["id"]
    assert admin.put(f"/v3/roles/{operator}/implies/{cloud.role(admin, 'admin')}").status == 403
    assert admin.put(f"/v3/roles/{operator}/implies/{local}").status == 403


def test_who_may_see_roles(cloud: Cloud, admin: Client) -> None:
    scope = {"project": {"name": "demo", "domain": {"id": "default"}}}
    demo = cloud.login("demo", "demo-secret", scope)
    assert demo.get("/v3/roles").status == 403
    assert demo.get(f"/v3/roles/{cloud.role(admin, 'member')}").status == 403
    assert demo.get("/v3/roles/nothing").status == 404
    assert demo.get("/v3/role_inferences").status == 403
    assert cloud.login(scope=SYSTEM).get("/v3/roles").status == 200
    demo_id = cloud.project(admin, "demo")
    user = admin.get("/v3/users?name=demo").json()["users"][0]["id"]
    admin.put(f"/v3/projects/{demo_id}/users/{user}/roles/{cloud.role(admin, 'manager')}")
    manager = cloud.login("demo", "demo-secret", scope)
    assert manager.get("/v3/roles").status == 403
    assert manager.get(f"/v3/roles/{cloud.role(admin, 'member')}").status == 200
    assert manager.get(f"/v3/roles/{cloud.role(admin, 'admin')}").status == 403
