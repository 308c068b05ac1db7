import pytest

from tests.client import Client
from tests.identity.conftest import SYSTEM, Cloud, made


def test_a_domain_from_first_to_last(cloud: Cloud, admin: Client) -> None:
    domain = made(admin, "domain", {"name": "branch", "description": "d"})
    assert domain == {
        "id": domain["id"],
        "name": "branch",
        "description": "d",
        "enabled": True,
        "tags": [],
        "options": {},
        "links": {"self": f"http://cloud/v3/domains/{domain['id']}"},
    }
    one = f"/v3/domains/{domain['id']}"
    assert admin.get(one).json()["domain"] == domain
    assert admin.get("/v3/domains?name=branch").json()["domains"] == [domain]
    assert admin.post("/v3/domains", {"domain": {"name": "branch"}}).status == 409
    enabled = admin.delete(one)
    assert enabled.status == 403
    assert "please disable it first" in enabled.json()["error"]["message"]
    changed = admin.patch(one, {"domain": {"enabled": False, "name": "twig"}})
    assert changed.json()["domain"]["name"] == "twig"
    assert admin.delete(one).status == 204
    assert admin.get(one).json()["error"]["message"] == f"Could not find domain: {domain['id']}."
    assert admin.patch(one, {"domain": {"name": "x"}}).status == 404


def test_everything_in_a_domain_goes_with_it(cloud: Cloud, admin: Client) -> None:
    inside = {"domain_id": made(admin, "domain", {"name": "branch"})["id"]}
    user = made(admin, "user", {"name": "ann", **inside})["id"]
    group = made(admin, "group", {"name": "crew", **inside})["id"]
    role = made(admin, "role", {"name": "local", **inside})["id"]
    project = made(admin, "project", {"name": "top", **inside})["id"]
    child = made(admin, "project", {"name": "below", "parent_id": project, **inside})["id"]
    admin.put(f"/v3/projects/{child}/users/{user}/roles/{cloud.role(admin, 'member')}")
    admin.patch(f"/v3/domains/{inside['domain_id']}", {"domain": {"enabled": False}})
    assert admin.delete(f"/v3/domains/{inside['domain_id']}").status == 204
    for noun, gone in (
        ("users", user),
        ("groups", group),
        ("roles", role),
        ("projects", project),
        ("projects", child),
    ):
        assert admin.get(f"/v3/{noun}/{gone}").status == 404
    assert admin.get(f"/v3/role_assignments?user.id={user}").json()["role_assignments"] == []


def test_a_domain_is_a_project_too(admin: Client) -> None:
    acting = made(admin, "project", {"name": "branch", "is_domain": True})
    assert (acting["domain_id"], acting["parent_id"]) == (None, None)
    assert admin.get(f"/v3/domains/{acting['id']}").json()["domain"]["name"] == "branch"
    assert admin.get("/v3/domains/nothing").status == 404
    names = [p["name"] for p in admin.get("/v3/projects?is_domain=true").json()["projects"]]
    assert sorted(names) == ["Default", "branch"]
    assert "Default" not in [p["name"] for p in admin.get("/v3/projects").json()["projects"]]
    nested = {"name": "x", "is_domain": True, "parent_id": acting["id"]}
    assert admin.post("/v3/projects", {"project": nested}).status == 400


@pytest.mark.parametrize("chosen", ["a" * 32, "0123456789abcdef0123456789abcdef"])
def test_an_id_may_be_chosen(admin: Client, chosen: str) -> None:
    domain = made(admin, "domain", {"name": "branch", "explicit_domain_id": chosen})
    assert domain["id"] == chosen
    assert "explicit_domain_id" not in domain
    again = {"name": "other", "explicit_domain_id": chosen}
    assert admin.post("/v3/domains", {"domain": again}).status == 409


@pytest.mark.parametrize(
    "domain",
    [
        {},
        {"name": ""},
        {"name": "x" * 65},
        {"name": "x", "explicit_domain_id": "short"},
        {"name": "x", "enabled": "perhaps"},
        {"name": "x", "options": {"immutable": "perhaps"}},
        {"name": "x", "description": 5},
    ],
)
def test_a_wrong_domain_is_refused(admin: Client, domain: dict[str, object]) -> None:
    assert admin.post("/v3/domains", {"domain": domain}).status == 400


def test_who_may_see_domains(cloud: Cloud, admin: Client) -> None:
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    assert demo.get("/v3/domains").status == 403
    assert demo.get("/v3/domains/default").status == 403
    assert demo.post("/v3/domains", {"domain": {"name": "x"}}).status == 403
    own = {"project": {"name": "demo", "domain": {"id": "default"}}}
    assert cloud.login("demo", "demo-secret", own).get("/v3/domains/default").status == 200
    assert cloud.login(scope=SYSTEM).get("/v3/domains").status == 200


def test_what_is_immutable_stays(admin: Client) -> None:
    domain = made(admin, "domain", {"name": "rock", "options": {"immutable": True}})
    one = f"/v3/domains/{domain['id']}"
    assert admin.patch(one, {"domain": {"enabled": False}}).status == 403
    assert admin.delete(one).status == 403
    assert admin.patch(one, {"domain": {"options": {"immutable": False}}}).status == 200
    assert admin.patch(one, {"domain": {"enabled": False}}).status == 200


def test_who_may_not_change_one_learns_only_that_it_is_gone(cloud: Cloud) -> None:
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    change = {"domain": {"description": "mine"}}
    assert demo.patch("/v3/domains/default", change).status == 403
    assert demo.patch("/v3/domains/nowhere", change).status == 404
