from collections.abc import Callable

import pytest

from cumulo.kit.clock import Clock
from cumulo.services.identity import public
from tests.client import Client
from tests.identity.conftest import SYSTEM, Cloud, by_password, made


def test_a_user_from_first_to_last(cloud: Cloud, admin: Client) -> None:
    ann = made(
        admin,
        "user",
        {"name": " ann ", "password": "pw", "email": "ann@x", "description": "d", "options": {}},
    )
    assert ann["name"] == "ann"
    assert ann["domain_id"] == "default"
    assert ann["enabled"] is True
    assert ann["email"] == "ann@x"
    assert ann["description"] == "d"
    assert ann["options"] == {}
    assert ann["password_expires_at"] is None
    assert ann["links"] == {"self": f"http://cloud/v3/users/{ann['id']}"}
    assert "default_project_id" not in ann
    assert "password" not in ann
    one = f"/v3/users/{ann['id']}"
    assert admin.get(one).json()["user"] == ann
    changed = admin.patch(one, {"user": {"name": "anne", "phone": "1", "email": None}})
    assert changed.status == 200
    anne = changed.json()["user"]
    assert (anne["name"], anne["phone"], anne["email"]) == ("anne", "1", None)
    assert anne["extra"] == {"phone": "1", "email": None, "description": "d"}
    assert cloud.ask(by_password("anne", "pw")).status == 201
    assert admin.request("HEAD", one).status == 200
    assert admin.delete(one).status == 204
    gone = admin.get(one)
    assert gone.status == 404
    assert gone.json()["error"] == {
        "code": 404,
        "message": f"Could not find user: {ann['id']}.",
        "title": "Not Found",
    }
    assert admin.patch(one, {"user": {"name": "x"}}).status == 404
    assert admin.delete(one).status == 404


def test_a_name_is_taken_once_in_a_domain(admin: Client) -> None:
    made(admin, "user", {"name": "ann"})
    again = admin.post("/v3/users", {"user": {"name": "ann"}})
    assert again.status == 409
    assert again.json()["error"]["message"] == (
        "Conflict occurred attempting to store user - Duplicate entry found with name ann at "
        "domain ID default."
    )
    other = made(admin, "domain", {"name": "other"})
    ann = made(admin, "user", {"name": "ann", "domain_id": other["id"]})
    assert ann["domain_id"] == other["id"]
    bob = made(admin, "user", {"name": "bob"})
    assert admin.patch(f"/v3/users/{bob['id']}", {"user": {"name": "ann"}}).status == 409


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x", "enabled": "maybe"}, "enabled"),
        ({"name": "x", "enabled": 7}, "enabled"),
        ({"name": "x", "password": 5}, "password"),
        ({"name": "x", "domain_id": "no/way"}, "domain_id"),
        ({"name": "x", "options": {"nothing": True}}, "nothing"),
        ({"name": "x", "options": {"lock_password": 3}}, "lock_password"),
        ({"name": "x", "options": {"multi_factor_auth_rules": [[]]}}, "multi_factor_auth_rules"),
        ({"name": "x", "default_project_id": "default"}, "default project"),
    ],
)
def test_a_wrong_user_is_refused_by_name(admin: Client, user: dict[str, object], told: str) -> None:
    answer = admin.post("/v3/users", {"user": user})
    assert answer.status == 400
    assert told in answer.json()["error"]["message"]


def test_a_user_needs_a_domain_that_is_there(admin: Client) -> None:
    answer = admin.post("/v3/users", {"user": {"name": "x", "domain_id": "nowhere"}})
    assert answer.status == 404
    assert "domain: nowhere" in answer.json()["error"]["message"]


def test_what_cannot_change(cloud: Cloud, admin: Client) -> None:
    one = f"/v3/users/{cloud.user(admin, 'ann')}"
    assert admin.patch(one, {"user": {"id": "other"}}).status == 400
    assert admin.patch(one, {"user": {"domain_id": "other"}}).status == 400
    assert admin.patch(one, {"user": {}}).status == 400
    assert admin.patch(one, {}).status == 400
    assert admin.patch(one, {"user": {"domain_id": "default", "enabled": "False"}}).status == 200
    assert admin.get(one).json()["user"]["enabled"] is False


def test_lists_are_filtered(admin: Client) -> None:
    for name in ("anna", "Annabel", "bob"):
        made(admin, "user", {"name": name, "enabled": name != "bob"})

    def names(query: str) -> list[str]:
        answer = admin.get(f"/v3/users?{query}")
        assert answer.status == 200
        return sorted(user["name"] for user in answer.json()["users"])

    assert names("name=bob") == ["bob"]
    assert names("enabled=false") == names("enabled=0") == ["bob"]
    assert "bob" not in names("enabled=true")
    assert "bob" not in names("enabled")
    assert names("name__contains=nna") == ["Annabel", "anna"]
    assert names("name__startswith=ann") == ["anna"]
    assert names("name__istartswith=ann") == ["Annabel", "anna"]
    assert names("name__endswith=el") == ["Annabel"]
    assert names("name__contains=%25") == []
    assert names("domain_id=nowhere") == []
    assert names("nothing=x") == ["Annabel", "admin", "anna", "bob", "demo"]
    assert admin.get("/v3/users?enabled=perhaps").status == 400
    assert admin.get("/v3/users?limit=x").status == 400
    assert admin.get("/v3/users?marker=nobody").status == 404


def test_lists_come_in_pages(admin: Client) -> None:
    for number in range(5):
        made(admin, "user", {"name": f"user{number}"})
    seen: list[str] = []
    url = "/v3/users?limit=3&name__startswith=user"
    first = admin.get(url).json()
    assert first["truncated"] is True
    assert first["links"]["self"] == f"http://cloud{url}"
    assert first["links"]["previous"] is None
    while url:
        page = admin.get(url).json()
        seen += [user["name"] for user in page["users"]]
        url = (page["links"]["next"] or "").removeprefix("http://cloud")
    assert sorted(seen) == [f"user{number}" for number in range(5)]
    whole = admin.get("/v3/users").json()
    assert whole["links"] == {"next": None, "previous": None, "self": "http://cloud/v3/users"}
    assert "truncated" not in whole


def test_one_changes_ones_own_password(cloud: Cloud, admin: Client) -> None:
    user_id = cloud.user(admin, "ann")
    change = f"/v3/users/{user_id}/password"
    stranger = Client(cloud.edge, None)
    wrong = {"user": {"original_password": "no", "password": "new"}}
    right = {"user": {"original_password": "pw", "password": "new"}}
    refused = stranger.post(change, wrong)
    assert refused.status == 401
    assert stranger.post("/v3/users/nobody/password", right).json() == refused.json()
    assert stranger.post(change, {"user": {"password": "new"}}).status == 400
    assert stranger.post(change, right).status == 204
    assert cloud.ask(by_password("ann", "pw")).status == 401
    assert cloud.ask(by_password("ann", "new")).status == 201
    assert stranger.get(change).status == 405


def test_a_password_may_be_locked(cloud: Cloud, admin: Client) -> None:
    user_id = cloud.user(admin, "ann", options={"lock_password": True})
    body = {"user": {"original_password": "pw", "password": "new"}}
    answer = Client(cloud.edge, None).post(f"/v3/users/{user_id}/password", body)
    assert answer.status == 400
    assert "contact your administrator" in answer.json()["error"]["message"]
    unlocked = admin.patch(f"/v3/users/{user_id}", {"user": {"options": {"lock_password": None}}})
    assert unlocked.json()["user"]["options"] == {}
    assert Client(cloud.edge, None).post(f"/v3/users/{user_id}/password", body).status == 204


def test_long_passwords_are_cut_where_bcrypt_cuts(cloud: Cloud, admin: Client) -> None:
    made(admin, "user", {"name": "ann", "password": "é" * 36 + "tail"})
    assert cloud.ask(by_password("ann", "é" * 36 + "other")).status == 201
    assert cloud.ask(by_password("ann", "é" * 35)).status == 401


def test_a_user_without_a_password_cannot_log_in(cloud: Cloud, admin: Client) -> None:
    user_id = made(admin, "user", {"name": "ann", "password": None})["id"]
    assert cloud.ask(by_password("ann", "")).status == 401
    admin.patch(f"/v3/users/{user_id}", {"user": {"password": "pw"}})
    assert cloud.ask(by_password("ann", "pw")).status == 201
    admin.patch(f"/v3/users/{user_id}", {"user": {"password": None}})
    assert cloud.ask(by_password("ann", "pw")).status == 401


def test_who_may_see_users(cloud: Cloud, admin: Client) -> None:
    ann_id = cloud.user(admin, "ann")
    ann = cloud.login("ann", "pw", {"unscoped": {}})
    assert ann.get(f"/v3/users/{ann_id}").status == 200
    bob_id = cloud.user(admin, "bob")
    stranger = ann.get(f"/v3/users/{bob_id}")
    assert stranger.status == 403
    assert ann.get("/v3/users/nobody").json() == stranger.json()
    refused = ann.get("/v3/users")
    assert refused.status == 403
    assert refused.json()["error"] == {
        "code": 403,
        "message": ("You are not authorized to perform the requested action: identity:list_users."),
        "title": "Forbidden",
    }
    assert ann.post("/v3/users", {"user": {"name": "x"}}).status == 403
    assert ann.patch(f"/v3/users/{ann_id}", {"user": {"name": "x"}}).status == 403
    assert Client(cloud.edge, None).get("/v3/users").status == 401
    assert cloud.login(scope=SYSTEM).get("/v3/users").status == 200


def test_a_manager_of_a_domain_keeps_to_it(cloud: Cloud, admin: Client) -> None:
    domain_id = made(admin, "domain", {"name": "branch"})["id"]
    boss_id = made(admin, "user", {"name": "boss", "password": "pw", "domain_id": domain_id})["id"]
    admin.put(f"/v3/domains/{domain_id}/users/{boss_id}/roles/{cloud.role(admin, 'manager')}")
    auth = by_password("boss", "pw", {"domain": {"id": domain_id}})
    auth["identity"]["password"]["user"]["domain"] = {"id": domain_id}
    boss = Client(cloud.edge, cloud.ask(auth).headers["x-subject-token"])
    assert [user["name"] for user in boss.get("/v3/users").json()["users"]] == ["boss"]
    assert boss.post("/v3/users", {"user": {"name": "ann"}}).status == 403
    ann = made(boss, "user", {"name": "ann", "domain_id": domain_id})
    assert ann["domain_id"] == domain_id
    assert boss.patch(f"/v3/users/{ann['id']}", {"user": {"enabled": False}}).status == 200
    assert boss.post("/v3/users", {"user": {"name": "x", "domain_id": "default"}}).status == 403
    other = admin.get("/v3/users?name=demo").json()["users"][0]["id"]
    assert boss.get(f"/v3/users/{other}").status == 403
    assert boss.delete(f"/v3/users/{other}").status == 403
    assert boss.delete(f"/v3/users/{ann['id']}").status == 204
    assert [d["name"] for d in boss.get("/v3/domains").json()["domains"]] == ["branch"]
    assert boss.get("/v3/projects").json()["projects"] == []
    assert boss.get("/v3/services").status == 403


def test_the_projects_of_a_user(cloud: Cloud, admin: Client) -> None:
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    demo_id = admin.get("/v3/users?name=demo").json()["users"][0]["id"]
    url = f"/v3/users/{demo_id}/projects"
    assert [project["name"] for project in demo.get(url).json()["projects"]] == ["demo"]
    assert demo.get(f"{url}?name=other").json()["projects"] == []
    ann = cloud.user(admin, "ann")
    assert demo.get(f"/v3/users/{ann}/projects").status == 403
    assert admin.get("/v3/users/nobody/projects").status == 404


def test_users_are_found_by_when_their_password_expires(
    new_cloud: Callable[[public.IdentitySettings], Cloud], held_clock: Clock
) -> None:
    cloud = new_cloud(public.IdentitySettings(password_hash_rounds=4, password_expires_days=1))
    admin = cloud.login()
    cloud.user(admin, "early")
    held_clock.move(3600)
    admin = cloud.login()
    cloud.user(admin, "late")
    group = made(admin, "group", {"name": "crew"})["id"]
    for name in ("early", "late"):
        [user] = admin.get(f"/v3/users?name={name}").json()["users"]
        admin.put(f"/v3/groups/{group}/users/{user['id']}")
    for wanted, names in (
        ("lt:2030-01-02T00:30:00Z", {"early"}),
        ("gt:2030-01-02T00:30:00Z", {"late"}),
        ("gte:2030-01-02T01:00:00Z", {"late"}),
        ("lte:2030-01-02T00:00:00Z", {"early"}),
        ("eq:2030-01-02T01:00:00Z", {"late"}),
        ("2030-01-02T01:00:00Z", {"late"}),
        ("neq:2030-01-02T01:00:00Z", {"early"}),
    ):
        for path in ("/v3/users", f"/v3/groups/{group}/users"):
            found = admin.get(f"{path}?password_expires_at={wanted}").json()["users"]
            assert {one["name"] for one in found} & {"early", "late"} == names, wanted
    for wrong in ("lt", "lt:", "xx:2030-01-02T00:30:00Z", "lt:yesterday", ""):
        assert admin.get(f"/v3/users?password_expires_at={wrong}").status == 400, wrong


@pytest.mark.parametrize("field", ["idp_id", "protocol_id", "unique_id"])
def test_nobody_is_federated(admin: Client, field: str) -> None:
    assert admin.get(f"/v3/users?{field}=x").json()["users"] == []
