from typing import Any

import pytest

from cumulo.auth.access import AccessRule
from cumulo.kit.clock import Clock
from tests.client import Client
from tests.identity.conftest import Cloud, by_token, made, on_project


class Holder:
    """Ann, a member of the demo project, and her application credentials."""

    def __init__(self, cloud: Cloud, admin: Client) -> None:
        self.cloud, self.admin = cloud, admin
        self.project = cloud.project(admin, "demo")
        self.user = cloud.user(admin, "ann")
        self.member = cloud.role(admin, "member")
        self.grant = f"/v3/projects/{self.project}/users/{self.user}/roles/{self.member}"
        assert admin.put(self.grant).status == 204
        self.ann = cloud.login("ann", "pw", on_project(self.project))
        self.path = f"/v3/users/{self.user}/application_credentials"

    def make(self, client: Client | None = None, **facts: Any) -> Any:
        body = {"application_credential": {"name": "robot", **facts}}
        answer = (client or self.ann).post(self.path, body)
        assert answer.status == 201, answer.text
        return answer.json()["application_credential"]

    def ask(self, scope: Any = None, **said: Any) -> Any:
        method = "application_credential"
        auth: dict[str, Any] = {"identity": {"methods": [method], method: said}}
        return self.cloud.ask(auth if scope is None else {**auth, "scope": scope})

    def login(self, made: Any) -> Client:
        answer = self.ask(id=made["id"], secret=made["secret"])
        assert answer.status == 201, answer.text
        return Client(self.cloud.edge, answer.headers["x-subject-token"])


@pytest.fixture
def holder(cloud: Cloud, admin: Client) -> Holder:
    return Holder(cloud, admin)


def test_a_program_logs_in_with_its_own_secret(holder: Holder) -> None:
    made = holder.make(description="builds")
    assert made["project_id"] == holder.project
    assert sorted(role["name"] for role in made["roles"]) == ["member", "reader"]
    assert made["unrestricted"] is False
    shown = holder.ann.get(f"{holder.path}/{made['id']}").json()["application_credential"]
    assert "secret" not in shown
    assert shown == {k: v for k, v in made.items() if k != "secret"}
    token = holder.ask(id=made["id"], secret=made["secret"]).json()["token"]
    assert token["methods"] == ["application_credential"]
    assert token["project"]["id"] == holder.project
    assert token["application_credential"] == {
        "id": made["id"],
        "name": "robot",
        "restricted": True,
    }
    user = {"name": "ann", "domain": {"id": "default"}}
    assert holder.ask(name="robot", user=user, secret=made["secret"]).status == 201
    assert holder.ask(name="robot", user={"id": holder.user}, secret=made["secret"]).status == 201


def test_it_has_only_the_roles_it_was_given(holder: Holder) -> None:
    made = holder.make(roles=[{"name": "reader"}], secret="chosen")
    assert made["secret"] == "chosen"
    token = holder.ask(id=made["id"], secret="chosen").json()["token"]
    assert [role["name"] for role in token["roles"]] == ["reader"]
    for roles, status in (([{"name": "admin"}], 400), ([{"id": "nope"}], 404)):
        body = {"application_credential": {"name": "x", "roles": roles}}
        assert holder.ann.post(holder.path, body).status == status


def test_names_are_taken_once_and_found_again(holder: Holder) -> None:
    made = holder.make()
    again = {"application_credential": {"name": "robot"}}
    assert holder.ann.post(holder.path, again).status == 409
    holder.make(name="other")
    found = holder.ann.get(f"{holder.path}?name=robot").json()["application_credentials"]
    assert [one["id"] for one in found] == [made["id"]]


def test_whatever_is_wrong_the_answer_is_the_same(holder: Holder) -> None:
    made = holder.make()
    answers = [
        holder.ask(id=made["id"], secret="wrong"),
        holder.ask(id="nothing", secret="wrong"),
        holder.ask(name="robot", user={"id": "nobody"}, secret=made["secret"]),
        holder.ask(name="none", user={"id": holder.user}, secret=made["secret"]),
    ]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert holder.ask(id=made["id"]).status == 400
    scoped = holder.ask(on_project(holder.project), id=made["id"], secret=made["secret"])
    assert scoped.status == 401


def test_others_neither_see_nor_make_nor_delete(holder: Holder, cloud: Cloud) -> None:
    """2019-006: whose it is decides, whatever the path says."""
    made = holder.make()
    demo = cloud.login("demo", "demo-secret", on_project(holder.project))
    me = holder.admin.get("/v3/users?name=demo").json()["users"][0]["id"]
    body = {"application_credential": {"name": "x"}}
    for path in (holder.path, f"{holder.path}/{made['id']}"):
        assert demo.get(path).status == 403
    mine = f"/v3/users/{me}/application_credentials/{made['id']}"
    assert demo.get(mine).status == 403
    assert demo.delete(mine).status == 403
    assert demo.delete(f"{holder.path}/{made['id']}").status == 403
    assert demo.post(holder.path, body).status == 403
    assert holder.admin.post(holder.path, body).status == 403
    assert holder.admin.get(f"{holder.path}/{made['id']}").status == 200
    unscoped = cloud.login("ann", "pw", {"unscoped": {}})
    assert unscoped.post(holder.path, body).status == 403


def test_it_ends_when_it_said_it_would(holder: Holder, held_clock: Clock) -> None:
    holder.ann = holder.cloud.login("ann", "pw", on_project(holder.project))
    made = holder.make(expires_at="2030-01-01T00:10:00.5")
    assert made["expires_at"] == "2030-01-01T00:10:00.500000"
    robot = holder.login(made)
    assert robot.get("/v3/auth/projects").status == 200
    held_clock.move(601)
    assert robot.get("/v3/auth/projects").status == 401
    assert holder.ask(id=made["id"], secret=made["secret"]).status == 401
    late = {"application_credential": {"name": "late", "expires_at": "2029-01-01T00:00:00"}}
    assert holder.ann.post(holder.path, late).status == 400


def _patch(holder: Holder, noun: str, one: str, **changes: Any) -> int:
    return holder.admin.patch(f"/v3/{noun}s/{one}", {noun: changes}).status


ENDS = {
    "deleted": lambda v, made: v.ann.delete(f"{v.path}/{made['id']}").status,
    "role taken": lambda v, _: v.admin.delete(v.grant).status,
    "user disabled": lambda v, _: _patch(v, "user", v.user, enabled=False),
    "user deleted": lambda v, _: v.admin.delete(f"/v3/users/{v.user}").status,
    "project disabled": lambda v, _: _patch(v, "project", v.project, enabled=False),
    "project deleted": lambda v, _: v.admin.delete(f"/v3/projects/{v.project}").status,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_its_tokens_are_refused_after(holder: Holder, end: Any) -> None:
    """2016-008, 2026-007: at once, through the cache and the memory of its secret."""
    made = holder.make()
    robot = holder.login(made)
    assert robot.get("/v3/auth/projects").status == 200
    assert end(holder, made) in (200, 204)
    assert robot.get("/v3/auth/projects").status == 401
    assert holder.ask(id=made["id"], secret=made["secret"]).status == 401


def test_a_role_that_went_with_a_group_is_lost_to_it_too(holder: Holder) -> None:
    admin, role = holder.admin, made(holder.admin, "role", {"name": "operator"})["id"]
    group = made(admin, "group", {"name": "crew", "domain_id": "default"})["id"]
    admin.put(f"/v3/projects/{holder.project}/groups/{group}/roles/{role}")
    admin.put(f"/v3/groups/{group}/users/{holder.user}")
    ann = holder.cloud.login("ann", "pw", on_project(holder.project))
    credential = holder.make(ann)

    def roles() -> set[str]:
        subject = {"X-Subject-Token": holder.login(credential).token or ""}
        shown = admin.get("/v3/auth/tokens", headers=subject).json()["token"]
        return {role["name"] for role in shown["roles"]}

    assert roles() == {"operator", "member", "reader"}
    admin.delete(f"/v3/groups/{group}/users/{holder.user}")
    assert roles() == {"member", "reader"}


def test_a_role_given_again_does_not_bring_it_back(holder: Holder) -> None:
    made = holder.make()
    holder.admin.delete(holder.grant)
    holder.admin.put(holder.grant)
    assert holder.ask(id=made["id"], secret=made["secret"]).status == 401


def test_it_makes_no_more_of_itself(holder: Holder) -> None:
    """2026-005, CVE-2026-42998, CVE-2026-43000, CVE-2026-44394."""
    made = holder.make(roles=[{"name": "reader"}])
    robot = holder.login(made)
    other = {"application_credential": {"name": "other"}}
    assert robot.post(holder.path, other).status == 403
    assert robot.delete(f"{holder.path}/{made['id']}").status == 403
    trust = {
        "trustor_user_id": holder.user,
        "trustee_user_id": holder.user,
        "project_id": holder.project,
        "impersonation": True,
        "roles": [{"name": "member"}],
    }
    assert robot.post("/v3/OS-TRUST/trusts", {"trust": trust}).status == 403
    wider: list[Any] = [{"unscoped": {}}, {"domain": {"id": "default"}}]
    for scope in wider:
        assert holder.cloud.ask(by_token(robot.token, scope)).status == 403
    again = holder.cloud.ask(by_token(robot.token, on_project(holder.project))).json()["token"]
    assert [role["name"] for role in again["roles"]] == ["reader"]
    assert again["application_credential"]["id"] == made["id"]


def test_an_unrestricted_one_lends_no_more_than_it_has(holder: Holder) -> None:
    robot = holder.login(holder.make(roles=[{"name": "reader"}], unrestricted=True))
    child = holder.make(robot, name="child")
    assert [role["name"] for role in child["roles"]] == ["reader"]
    more = {"application_credential": {"name": "more", "roles": [{"name": "member"}]}}
    assert robot.post(holder.path, more).status == 400
    trust = {
        "trustor_user_id": holder.user,
        "trustee_user_id": holder.user,
        "project_id": holder.project,
        "impersonation": True,
    }
    for role, status in (("member", 404), ("reader", 201)):
        body = {"trust": {**trust, "roles": [{"name": role}]}}
        assert robot.post("/v3/OS-TRUST/trusts", body).status == status


RULE = {"service": "identity", "method": "GET", "path": "/v3/users/*"}


def test_access_rules_limit_it_on_every_request(holder: Holder) -> None:
    made = holder.make(access_rules=[RULE], unrestricted=True)
    (rule,) = made["access_rules"]
    assert rule == {"id": rule["id"], **RULE}
    robot = holder.login(made)
    assert robot.get(f"/v3/users/{holder.user}").status == 200
    assert robot.get("/v3/auth/projects").status == 401
    assert robot.post("/v3/users").status == 401
    assert robot.get(f"/v3/users/{holder.user}/groups").status == 401
    subject = {"X-Subject-Token": robot.token or ""}
    assert holder.admin.get("/v3/auth/tokens", headers=subject).status == 404
    knowing = {**subject, "OpenStack-Identity-Access-Rules": "1.0"}
    shown = holder.admin.get("/v3/auth/tokens", headers=knowing).json()["token"]
    assert shown["application_credential"]["access_rules"] == [rule]
    # Not even through itself: a trust or credential without the rules would be more.
    assert holder.cloud.ask(by_token(robot.token)).json()["token"]["application_credential"]


def test_access_rules_stay_until_deleted(holder: Holder, cloud: Cloud) -> None:
    made = holder.make(access_rules=[RULE])
    again = holder.make(name="again", access_rules=[RULE])
    (rule,) = made["access_rules"]
    assert again["access_rules"] == [rule]
    rules = f"/v3/users/{holder.user}/access_rules"
    (listed,) = holder.ann.get(rules).json()["access_rules"]
    assert listed["id"] == rule["id"]
    assert holder.ann.get(f"{rules}/{rule['id']}").json()["access_rule"]["path"] == RULE["path"]
    assert holder.ann.get(f"{rules}?service=compute").json()["access_rules"] == []
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    assert demo.get(rules).status == 403
    assert demo.delete(f"{rules}/{rule['id']}").status == 403
    assert holder.ann.delete(f"{rules}/{rule['id']}").status == 403
    for one in (made, again):
        assert holder.ann.delete(f"{holder.path}/{one['id']}").status == 204
    by_id = holder.make(name="third", access_rules=[{"id": rule["id"]}])
    assert by_id["access_rules"] == [rule]
    holder.ann.delete(f"{holder.path}/{by_id['id']}")
    assert holder.ann.delete(f"{rules}/{rule['id']}").status == 204
    assert holder.ann.get(f"{rules}/{rule['id']}").status == 404
    bad = {"application_credential": {"name": "x", "access_rules": [{"path": "/v3"}]}}
    assert holder.ann.post(holder.path, bad).status == 400


@pytest.mark.parametrize(
    ("path", "asked", "permits"),
    [
        ("/v3/users", "/v3/users", True),
        ("/v3/users", "/v3/users/x", False),
        ("/v3/users/*", "/v3/users/x", True),
        ("/v3/users/*", "/v3/users/", False),
        ("/v3/users/*", "/v3/users/x/y", False),
        ("/v3/{what}/x", "/v3/users/x", True),
        ("/v3/{what}/x", "/v3/a/b/x", False),
        ("/v3/**", "/v3/a/b", True),
        ("/v3/**/x", "/v3/a/b/x", True),
        ("/v3/**/x", "/v3/a/b/y", False),
        ("/v3/.*", "/v3/ab", False),
        ("/a" + "**a" * 40, "/a" + "a" * 4000 + "b", False),
    ],
)
def test_what_a_rule_permits(path: str, asked: str, permits: bool) -> None:
    rule = AccessRule("identity", "GET", path)
    assert rule.permits(("identity",), "GET", asked) is permits
    assert not rule.permits(("identity",), "POST", asked)
    assert not rule.permits(("compute",), "GET", asked)
