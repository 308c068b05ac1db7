from datetime import UTC, datetime

import pytest

from cumulo.kit.clock import Clock
from cumulo.services.identity import public
from cumulo.services.identity.reconcile import forget_revocations, rotate_keys
from tests.client import Client
from tests.identity.conftest import (
    SETTINGS,
    SYSTEM,
    Cloud,
    by_password,
    by_token,
    on_project,
)

WHO = "The request you have made requires authentication."


def test_a_password_buys_a_token_for_a_project(cloud: Cloud, held_clock: Clock) -> None:
    scope = {"project": {"name": "admin", "domain": {"name": "Default"}}}
    answer = cloud.ask(by_password("admin", "secret", scope))
    assert answer.status == 201
    assert answer.headers["x-subject-token"].startswith("gAAAAA")
    assert len(answer.headers["x-subject-token"]) < 255
    token = answer.json()["token"]
    assert token["methods"] == ["password"]
    assert token["user"]["name"] == "admin"
    assert token["user"]["domain"] == {"id": "default", "name": "Default"}
    assert token["user"]["password_expires_at"] is None
    assert token["project"]["name"] == "admin"
    assert token["project"]["domain"] == {"id": "default", "name": "Default"}
    assert token["is_domain"] is False
    assert [role["name"] for role in token["roles"]] == ["admin", "manager", "member", "reader"]
    assert token["issued_at"] == "2030-01-01T00:00:00.000000Z"
    assert token["expires_at"] == "2030-01-01T01:00:00.000000Z"
    assert len(token["audit_ids"]) == 1
    assert {service["type"] for service in token["catalog"]} == {
        "identity",
        "compute",
        "object-store",
    }


def test_the_catalog_is_made_for_the_project(cloud: Cloud) -> None:
    token = cloud.ask(by_password("demo", "demo-secret", on_project_demo())).json()["token"]
    (store,) = [one for one in token["catalog"] if one["type"] == "object-store"]
    assert {e["interface"] for e in store["endpoints"]} == {"public", "internal", "admin"}
    (public_one,) = [e for e in store["endpoints"] if e["interface"] == "public"]
    assert public_one["url"] == f"http://cloud:8080/v1/AUTH_{token['project']['id']}"
    assert public_one["region"] == public_one["region_id"] == "RegionOne"
    system = cloud.ask(by_password("admin", "secret", SYSTEM)).json()["token"]
    (store,) = [one for one in system["catalog"] if one["type"] == "object-store"]
    assert store["endpoints"] == []


def on_project_demo() -> dict[str, object]:
    return {"project": {"name": "demo", "domain": {"id": "default"}}}


def test_other_scopes(cloud: Cloud, admin: Client) -> None:
    unscoped = cloud.ask(by_password("admin", "secret", {"unscoped": {}})).json()["token"]
    assert {"project", "domain", "system", "roles", "catalog"}.isdisjoint(unscoped)
    system = cloud.ask(by_password("admin", "secret", SYSTEM)).json()["token"]
    assert system["system"] == {"all": True}
    assert "project" not in system
    role, user = cloud.role(admin, "reader"), admin.get("/v3/users?name=demo").json()["users"][0]
    grant = f"/v3/domains/default/users/{user['id']}/roles/{role}"
    scope = {"domain": {"name": "Default"}}
    assert cloud.ask(by_password("demo", "demo-secret", scope)).status == 401
    assert admin.put(grant).status == 204
    domain = cloud.ask(by_password("demo", "demo-secret", scope)).json()["token"]
    assert domain["domain"] == {"id": "default", "name": "Default"}
    assert [one["name"] for one in domain["roles"]] == ["reader"]


def test_without_a_scope_the_users_own_project_counts(cloud: Cloud, admin: Client) -> None:
    demo = cloud.project(admin, "demo")
    user_id = cloud.user(admin, "eve", default_project_id=demo)
    assert "project" not in cloud.ask(by_password("eve", "pw")).json()["token"]
    admin.put(f"/v3/projects/{demo}/users/{user_id}/roles/{cloud.role(admin, 'member')}")
    assert cloud.ask(by_password("eve", "pw")).json()["token"]["project"]["id"] == demo
    unscoped = cloud.ask(by_password("eve", "pw", {"unscoped": {}})).json()["token"]
    assert "project" not in unscoped
    admin.patch(f"/v3/projects/{demo}", {"project": {"enabled": False}})
    assert "project" not in cloud.ask(by_password("eve", "pw")).json()["token"]


def test_the_catalog_may_be_left_out(cloud: Cloud) -> None:
    answer = cloud.ask(by_password("admin", "secret", SYSTEM), "?nocatalog")
    assert "catalog" not in answer.json()["token"]


@pytest.mark.parametrize(
    ("name", "password", "scope"),
    [
        ("admin", "wrong", SYSTEM),
        ("nobody", "secret", SYSTEM),
        ("admin", "", SYSTEM),
        ("demo", "demo-secret", SYSTEM),
        ("demo", "demo-secret", {"project": {"id": "nowhere"}}),
        ("demo", "demo-secret", {"project": {"name": "admin", "domain": {"id": "default"}}}),
        ("demo", "demo-secret", {"project": {"name": "demo", "domain": {"id": "nowhere"}}}),
        ("demo", "demo-secret", {"domain": {"id": "default"}}),
        ("demo", "demo-secret", {"project": {"id": "default"}}),
    ],
)
def test_whatever_is_wrong_the_answer_is_the_same(
    cloud: Cloud, name: str, password: str, scope: object
) -> None:
    answer = cloud.ask(by_password(name, password, scope))
    assert answer.status == 401
    assert answer.json() == {"error": {"code": 401, "message": WHO, "title": "Unauthorized"}}
    assert answer.headers["www-authenticate"] == 'Keystone uri="http://cloud/v3"'


@pytest.mark.parametrize(
    ("auth", "told"),
    [
        ({}, "identity"),
        ({"identity": {}}, "methods"),
        ({"identity": {"methods": "password"}}, "methods"),
        ({"identity": {"methods": ["password"]}}, "password"),
        ({"identity": {"methods": ["token"]}}, "token"),
        ({"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}, "name"),
        (
            {"identity": {"methods": ["password"], "password": {"user": {"name": "admin"}}}},
            "domain",
        ),
        (by_password("admin", "secret", {}), "scope"),
        (by_password("admin", "secret", {"system": {}, "unscoped": {}}), "scope"),
        (by_password("admin", "secret", {"project": {}}), "project"),
        (by_password("admin", "secret", {"project": {"name": "admin"}}), "domain"),
        (by_password("admin", "secret", {"project": "admin"}), "scope"),
        ({"identity": {"methods": ["password"], "password": {"user": {"name": 5}}}}, "name"),
    ],
)
def test_a_malformed_request_is_told_what_it_lacks(
    cloud: Cloud, auth: dict[str, object], told: str
) -> None:
    answer = cloud.ask(auth)
    assert answer.status == 400
    assert told in answer.json()["error"]["message"]


def test_a_request_without_auth(cloud: Cloud) -> None:
    stranger = Client(cloud.edge, None)
    for body in (b"{}", b'{"auth": null}', b'{"author": {}}'):
        answer = stranger.post("/v3/auth/tokens", body=body)
        assert answer.status == 400
        assert "Expecting to find auth in request body." in answer.json()["error"]["message"]
    assert stranger.post("/v3/auth/tokens", body=b"{").status == 400


def test_a_method_that_is_not_there(cloud: Cloud) -> None:
    answer = cloud.ask({"identity": {"methods": ["saml2"], "saml2": {}}})
    assert answer.status == 401
    error = answer.json()["error"]
    assert error["message"] == "Attempted to authenticate with an unsupported method."
    methods = ["password", "token", "application_credential", "totp"]
    assert error["identity"] == {"methods": methods}
    assert cloud.ask({"identity": {"methods": []}}).status == 401


def test_two_methods_must_prove_the_same_user(cloud: Cloud, admin: Client) -> None:
    auth = by_password("demo", "demo-secret", {"unscoped": {}})
    auth["identity"]["methods"].append("token")
    auth["identity"]["token"] = {"id": admin.token}
    assert cloud.ask(auth).status == 401
    auth["identity"]["token"] = {"id": cloud.login("demo", "demo-secret", {"unscoped": {}}).token}
    assert sorted(cloud.ask(auth).json()["token"]["methods"]) == ["password", "token"]


def test_a_token_is_shown_to_those_who_may(cloud: Cloud, admin: Client) -> None:
    demo = cloud.login("demo", "demo-secret", on_project_demo())
    shown = admin.get("/v3/auth/tokens", headers={"X-Subject-Token": demo.token or ""})
    assert shown.status == 200
    assert shown.headers["x-subject-token"] == demo.token
    assert shown.json()["token"]["user"]["name"] == "demo"
    own = {"X-Subject-Token": demo.token or ""}
    assert demo.get("/v3/auth/tokens", headers=own).json() == shown.json()
    checked = demo.request("HEAD", "/v3/auth/tokens", headers=own)
    assert (checked.status, checked.body) == (200, b"")
    other = demo.get("/v3/auth/tokens", headers={"X-Subject-Token": admin.token or ""})
    assert other.status == 403
    assert other.json()["error"]["message"] == (
        "You are not authorized to perform the requested action: identity:validate_token."
    )
    assert admin.get("/v3/auth/tokens", headers={"X-Subject-Token": "gAAAAAnonsense"}).status == 404
    assert admin.get("/v3/auth/tokens").status == 404
    assert Client(cloud.edge, None).get("/v3/auth/tokens", headers=own).status == 401
    assert Client(cloud.edge, "nonsense").get("/v3/users").status == 401
    assert Client(cloud.edge, "ü\u2028").get("/v3/users").status == 401


def test_a_service_checks_tokens_of_others(cloud: Cloud, admin: Client) -> None:
    user_id = cloud.user(admin, "nova")
    service = cloud.project(admin, "service")
    admin.put(f"/v3/projects/{service}/users/{user_id}/roles/{cloud.role(admin, 'service')}")
    nova = cloud.login("nova", "pw", on_project(service))
    subject = {"X-Subject-Token": admin.token or ""}
    assert nova.get("/v3/auth/tokens", headers=subject).status == 200
    assert nova.get("/v3/users").status == 403


def test_a_revoked_token_is_worthless_at_once(cloud: Cloud, admin: Client) -> None:
    demo = cloud.login("demo", "demo-secret", on_project_demo())
    child = cloud.ask(by_token(demo.token, on_project_demo())).headers["x-subject-token"]
    other = cloud.login("demo", "demo-secret", on_project_demo())
    own = {"X-Subject-Token": demo.token or ""}
    assert demo.get("/v3/auth/projects").status == 200
    assert demo.delete("/v3/auth/tokens", headers=own).status == 204
    assert demo.get("/v3/auth/projects").status == 401
    assert admin.get("/v3/auth/tokens", headers=own).status == 404
    assert cloud.ask(by_token(demo.token)).status == 404
    assert Client(cloud.edge, child).get("/v3/auth/projects").status == 401
    assert other.get("/v3/auth/projects").status == 200
    assert other.delete("/v3/auth/tokens", headers={"X-Subject-Token": "x"}).status == 404


def test_revoking_may_spare_the_tokens_made_from_it(cloud: Cloud) -> None:
    demo = cloud.login("demo", "demo-secret", on_project_demo())
    child = cloud.ask(by_token(demo.token, on_project_demo())).headers["x-subject-token"]
    own = {"X-Subject-Token": demo.token or ""}
    assert demo.delete("/v3/auth/tokens?cascade=false", headers=own).status == 204
    assert demo.get("/v3/auth/projects").status == 401
    assert Client(cloud.edge, child).get("/v3/auth/projects").status == 200


def test_an_expired_token_is_shown_only_on_request(cloud: Cloud, held_clock: Clock) -> None:
    old = cloud.login().token or ""
    held_clock.move(3600)
    admin = cloud.login()
    subject = {"X-Subject-Token": old}
    assert Client(cloud.edge, old).get("/v3/users").status == 401
    assert admin.get("/v3/auth/tokens", headers=subject).status == 404
    shown = admin.get("/v3/auth/tokens?allow_expired=1", headers=subject)
    assert shown.status == 200
    assert cloud.ask(by_token(old)).status == 404
    held_clock.move(48 * 3600)
    admin = cloud.login()
    assert admin.get("/v3/auth/tokens?allow_expired=1", headers=subject).status == 404


def test_rescoping_never_lives_longer(cloud: Cloud, held_clock: Clock) -> None:
    first = cloud.ask(by_password("demo", "demo-secret", {"unscoped": {}}))
    token = first.headers["x-subject-token"]
    for _ in range(3):
        held_clock.move(600)
        again = cloud.ask(by_token(token, on_project_demo()))
        assert again.json()["token"]["expires_at"] == first.json()["token"]["expires_at"]
        assert again.json()["token"]["audit_ids"][1:] == first.json()["token"]["audit_ids"]
        assert sorted(again.json()["token"]["methods"]) == ["password", "token"]
        token = again.headers["x-subject-token"]
    held_clock.move(1800)
    assert cloud.ask(by_token(token, on_project_demo())).status == 404


def test_a_system_token_is_not_turned_into_another(cloud: Cloud) -> None:
    system = cloud.login(scope=SYSTEM).token
    answer = cloud.ask(
        by_token(system, {"project": {"name": "admin", "domain": {"id": "default"}}})
    )
    assert answer.status == 403
    assert cloud.ask(by_token(system, SYSTEM)).status == 201


def test_keys_rotate_without_a_failed_request(cloud: Cloud) -> None:
    first = cloud.login()
    for _ in range(3):
        public.rotate(cloud.db, SETTINGS)
        assert first.get("/v3/users").status == 200
        assert cloud.login().get("/v3/users").status == 200


def test_another_process_reads_tokens_of_a_key_it_has_not_seen(cloud: Cloud) -> None:
    other = public.new_tools(cloud.db, SETTINGS)
    assert other.tokens.validate(cloud.login().token or "").user_name == "admin"
    public.rotate(cloud.db, SETTINGS)
    assert other.tokens.validate(cloud.login().token or "").user_name == "admin"


def test_keys_are_kept_as_long_as_they_are_needed(cloud: Cloud, held_clock: Clock) -> None:
    first = cloud.login().token or ""
    rotate_keys(cloud.db, SETTINGS)
    held_clock.move(SETTINGS.key_rotation)
    rotate_keys(cloud.db, SETTINGS)
    admin = cloud.login()
    show = "/v3/auth/tokens?allow_expired=1"
    assert admin.get(show, headers={"X-Subject-Token": first}).status == 200
    held_clock.move(5 * SETTINGS.key_rotation)
    rotate_keys(cloud.db, SETTINGS)
    assert cloud.login().get("/v3/users").status == 200


def test_old_revocations_are_forgotten(cloud: Cloud, held_clock: Clock) -> None:
    demo = cloud.login("demo", "demo-secret", on_project_demo())
    demo.delete("/v3/auth/tokens", headers={"X-Subject-Token": demo.token or ""})
    held_clock.move(1800)
    forget_revocations(cloud.db, SETTINGS)
    assert demo.get("/v3/auth/projects").status == 401


def test_where_one_can_go(cloud: Cloud, admin: Client) -> None:
    unscoped = cloud.login("demo", "demo-secret", {"unscoped": {}})
    found = unscoped.get("/v3/auth/projects").json()
    assert [project["name"] for project in found["projects"]] == ["demo"]
    assert found["links"] == {
        "next": None,
        "self": "http://cloud/v3/auth/projects",
        "previous": None,
    }
    assert unscoped.get("/v3/auth/domains").json()["domains"] == []
    assert unscoped.get("/v3/auth/system").json()["system"] == []
    assert admin.get("/v3/auth/system").json()["system"] == [{"all": True}]
    assert admin.get("/v3/auth/catalog").json()["catalog"]
    assert unscoped.get("/v3/auth/catalog").status == 403


def test_times_are_spelled_as_identity_does(cloud: Cloud) -> None:
    token = cloud.ask(by_password("admin", "secret", SYSTEM)).json()["token"]
    for field in ("issued_at", "expires_at"):
        assert token[field].endswith(".000000Z")
        assert datetime.fromisoformat(token[field]).tzinfo == UTC
