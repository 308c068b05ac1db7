from typing import Any

import pytest

from cumulo.kit.clock import Clock
from tests.client import Client
from tests.identity.conftest import Cloud, by_password, by_token, on_project

TRUSTS = "/v3/OS-TRUST/trusts"


class Lending:
    """Ann may lend her roles on the demo project to Bob, and he to Carol."""

    def __init__(self, cloud: Cloud, admin: Client) -> None:
        self.cloud, self.admin = cloud, admin
        self.project = cloud.project(admin, "demo")
        self.ids = {name: cloud.user(admin, name) for name in ("ann", "bob", "carol")}
        self.member, self.reader = cloud.role(admin, "member"), cloud.role(admin, "reader")
        self.grant = f"/v3/projects/{self.project}/users/{self.ids['ann']}/roles/{self.member}"
        assert admin.put(self.grant).status == 204
        self.ann = cloud.login("ann", "pw", on_project(self.project))
        self.bob = cloud.login("bob", "pw", {"unscoped": {}})

    def facts(self, lender: str = "ann", borrower: str = "bob", **more: Any) -> dict[str, Any]:
        facts = {
            "trustor_user_id": self.ids[lender],
            "trustee_user_id": self.ids[borrower],
            "project_id": self.project,
            "impersonation": True,
            "roles": [{"name": "member"}],
        }
        return {"trust": {**facts, **more}}

    def lend(self, client: Client | None = None, **more: Any) -> Any:
        answer = (client or self.ann).post(TRUSTS, self.facts(**more))
        assert answer.status == 201, answer.text
        return answer.json()["trust"]

    def ask(self, trust_id: str, name: str = "bob") -> Any:
        return self.cloud.ask(by_password(name, "pw", {"OS-TRUST:trust": {"id": trust_id}}))

    def borrow(self, trust_id: str, name: str = "bob") -> Client:
        answer = self.ask(trust_id, name)
        assert answer.status == 201, answer.text
        return Client(self.cloud.edge, answer.headers["x-subject-token"])


@pytest.fixture
def lending(cloud: Cloud, admin: Client) -> Lending:
    return Lending(cloud, admin)


def test_who_borrows_speaks_for_the_lender(lending: Lending) -> None:
    trust = lending.lend()
    assert [role["name"] for role in trust["roles"]] == ["member"]
    assert trust["links"]["self"] == f"http://cloud{TRUSTS}/{trust['id']}"
    assert trust["roles_links"]["self"] == f"http://cloud{TRUSTS}/{trust['id']}/roles"
    token = lending.ask(trust["id"]).json()["token"]
    assert token["user"]["id"] == lending.ids["ann"]
    assert token["project"]["id"] == lending.project
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    assert token["OS-TRUST:trust"] == {
        "id": trust["id"],
        "trustor_user": {"id": lending.ids["ann"]},
        "trustee_user": {"id": lending.ids["bob"]},
        "impersonation": True,
    }


def test_without_impersonation_one_stays_oneself(lending: Lending) -> None:
    trust = lending.lend(impersonation=False)
    token = lending.ask(trust["id"]).json()["token"]
    assert token["user"]["id"] == lending.ids["bob"]
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]


def test_a_token_serves_to_borrow_too(lending: Lending) -> None:
    wish = {"OS-TRUST:trust": {"id": lending.lend()["id"]}}
    answer = lending.cloud.ask(by_token(lending.bob.token, wish))
    assert answer.status == 201
    assert answer.json()["token"]["user"]["id"] == lending.ids["ann"]


def test_trusts_are_seen_by_both_and_by_no_other(lending: Lending) -> None:
    trust_id = lending.lend()["id"]
    carol = lending.cloud.login("carol", "pw", {"unscoped": {}})
    for client in (lending.ann, lending.bob, lending.admin):
        assert client.get(f"{TRUSTS}/{trust_id}").status == 200
        (role,) = client.get(f"{TRUSTS}/{trust_id}/roles").json()["roles"]
        assert client.get(f"{TRUSTS}/{trust_id}/roles/{role['id']}").json() == {"role": role}
        assert client.request("HEAD", f"{TRUSTS}/{trust_id}/roles/{role['id']}").status == 200
    assert carol.get(f"{TRUSTS}/{trust_id}").status == 403
    assert carol.delete(f"{TRUSTS}/{trust_id}").status == 403
    assert lending.bob.delete(f"{TRUSTS}/{trust_id}").status == 403
    mine = f"{TRUSTS}?trustor_user_id={lending.ids['ann']}"
    assert [one["id"] for one in lending.ann.get(mine).json()["trusts"]] == [trust_id]
    assert carol.get(mine).status == 403
    assert lending.ann.get(TRUSTS).status == 403
    (listed,) = lending.admin.get(TRUSTS).json()["trusts"]
    assert "roles" not in listed
    assert lending.ann.get(f"{TRUSTS}/{trust_id}/roles/{lending.reader}").status == 404


def test_a_trust_that_cannot_be(lending: Lending) -> None:
    ann = lending.ann
    assert ann.post(TRUSTS, lending.facts(roles=[])).status == 403
    assert ann.post(TRUSTS, lending.facts(roles=[{"name": "admin"}])).status == 404
    assert ann.post(TRUSTS, lending.facts(roles=[{"name": "no-such"}])).status == 404
    assert ann.post(TRUSTS, lending.facts(trustee_user_id="nobody")).status == 404
    assert ann.post(TRUSTS, lending.facts(project_id="nowhere")).status == 404
    assert ann.post(TRUSTS, lending.facts(lender="bob")).status == 403
    assert ann.post(TRUSTS, lending.facts(expires_at="bad.123Z")).status == 400
    assert ann.post(TRUSTS, lending.facts(expires_at="2000-01-01T00:00:00Z")).status == 400
    assert ann.post(TRUSTS, lending.facts(remaining_uses=0)).status == 400
    more: dict[str, Any] = {"remaining_uses": 1, "allow_redelegation": True}
    assert ann.post(TRUSTS, lending.facts(**more)).status == 400
    deep: dict[str, Any] = {"redelegation_count": 4, "allow_redelegation": True}
    assert ann.post(TRUSTS, lending.facts(**deep)).status == 403
    assert lending.ask("no-such").status == 404
    assert lending.ask(lending.lend()["id"], "carol").status == 403


def test_a_trust_is_used_so_often_and_no_more(lending: Lending) -> None:
    trust_id = lending.lend(remaining_uses=2)["id"]
    first = lending.borrow(trust_id)
    assert lending.ann.get(f"{TRUSTS}/{trust_id}").json()["trust"]["remaining_uses"] == 1
    lending.borrow(trust_id)
    assert lending.ask(trust_id).status == 404
    assert lending.ann.get(f"{TRUSTS}/{trust_id}").status == 404
    assert first.get("/v3/auth/projects").status == 200


def test_a_trust_ends_and_its_tokens_with_it(lending: Lending, held_clock: Clock) -> None:
    lending.ann = lending.cloud.login("ann", "pw", on_project(lending.project))
    trust = lending.lend(expires_at="2030-01-01T00:10:00Z")
    assert trust["expires_at"] == "2030-01-01T00:10:00.000000Z"
    answer = lending.ask(trust["id"])
    assert answer.json()["token"]["expires_at"] == "2030-01-01T00:10:00.000000Z"
    borrowed = Client(lending.cloud.edge, answer.headers["x-subject-token"])
    assert borrowed.get("/v3/auth/projects").status == 200
    held_clock.move(601)
    assert borrowed.get("/v3/auth/projects").status == 401
    assert lending.ask(trust["id"]).status == 404


ENDS = {
    "trust deleted": lambda v, trust: v.ann.delete(f"{TRUSTS}/{trust}").status,
    "role taken": lambda v, _: v.admin.delete(v.grant).status,
    "lender disabled": lambda v, _: _patch(v, "user", v.ids["ann"], enabled=False),
    "lender deleted": lambda v, _: v.admin.delete(f"/v3/users/{v.ids['ann']}").status,
    "lender's password": lambda v, _: _patch(v, "user", v.ids["ann"], password="new"),
    "borrower disabled": lambda v, _: _patch(v, "user", v.ids["bob"], enabled=False),
    "borrower deleted": lambda v, _: v.admin.delete(f"/v3/users/{v.ids['bob']}").status,
    "project disabled": lambda v, _: _patch(v, "project", v.project, enabled=False),
    "project deleted": lambda v, _: v.admin.delete(f"/v3/projects/{v.project}").status,
}


def _patch(lending: Lending, noun: str, one: str, **changes: Any) -> int:
    return lending.admin.patch(f"/v3/{noun}s/{one}", {noun: changes}).status


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("impersonation", [True, False])
def test_a_borrowed_token_is_refused_after(lending: Lending, end: Any, impersonation: bool) -> None:
    """2013-011, 2016-008, 2026-007: at once, through the cache."""
    trust_id = lending.lend(impersonation=impersonation)["id"]
    borrowed = lending.borrow(trust_id)
    assert borrowed.get("/v3/auth/projects").status == 200
    assert end(lending, trust_id) in (200, 204)
    assert borrowed.get("/v3/auth/projects").status == 401


def test_a_trust_can_be_lent_on_but_never_grow(lending: Lending) -> None:
    """2014-018."""
    first = lending.lend(allow_redelegation=True, expires_at="2090-01-01T00:00:00Z")
    assert first["redelegation_count"] == 3
    bob = lending.borrow(first["id"])
    on: dict[str, Any] = {"borrower": "carol", "allow_redelegation": True}
    wider: list[tuple[dict[str, Any], int]] = [
        ({"roles": [{"name": "manager"}]}, 404),
        ({"expires_at": "2090-01-02T00:00:00Z"}, 403),
        ({"remaining_uses": 1, "allow_redelegation": False}, 403),
        ({"redelegation_count": 1}, 403),
        ({"project_id": lending.cloud.project(lending.admin, "admin")}, 403),
    ]
    for more, status in wider:
        assert bob.post(TRUSTS, lending.facts(**{**on, **more})).status == status, more
    second = lending.lend(bob, **on)
    assert second["redelegated_trust_id"] == first["id"]
    assert second["redelegation_count"] == 2
    assert second["expires_at"] == first["expires_at"]
    carol = lending.borrow(second["id"], "carol")
    assert carol.get("/v3/auth/projects").status == 200
    assert lending.ann.delete(f"{TRUSTS}/{first['id']}").status == 204
    assert lending.ann.get(f"{TRUSTS}/{first['id']}").status == 404
    assert lending.ann.delete(f"{TRUSTS}/{first['id']}").status == 404
    assert carol.get("/v3/auth/projects").status == 401
    assert lending.admin.get(f"{TRUSTS}/{second['id']}").status == 404


def test_what_may_not_be_lent_on_is_not(lending: Lending) -> None:
    closed = lending.borrow(lending.lend()["id"])
    assert closed.post(TRUSTS, lending.facts(borrower="carol")).status == 403
    plain = lending.borrow(lending.lend(impersonation=False, allow_redelegation=True)["id"])
    on = lending.facts(lender="bob", borrower="carol")
    assert plain.post(TRUSTS, on).status == 403
    on["trust"]["impersonation"] = False
    made = plain.post(TRUSTS, on)
    assert made.status == 201
    assert made.json()["trust"]["redelegation_count"] == 0
    token = lending.ask(made.json()["trust"]["id"], "carol").json()["token"]
    assert token["user"]["id"] == lending.ids["carol"]
    # The first lender's roles count, not those of whoever lent on.
    lending.admin.delete(lending.grant)
    assert lending.ask(made.json()["trust"]["id"], "carol").status == 403


def test_a_borrowed_token_makes_nothing_that_outlives_it(lending: Lending) -> None:
    """2014-018, 2020-004, CVE-2026-42998, CVE-2026-43000."""
    borrowed = lending.borrow(lending.lend(allow_redelegation=True)["id"])
    ann = lending.ids["ann"]
    assert lending.cloud.ask(by_token(borrowed.token)).status == 403
    assert lending.cloud.ask(by_token(borrowed.token, on_project(lending.project))).status == 403
    credential = {"application_credential": {"name": "mine"}}
    path = f"/v3/users/{ann}/application_credentials"
    assert borrowed.post(path, credential).status == 403


def test_a_trust_without_a_project_lends_a_name_only(lending: Lending) -> None:
    trust = lending.lend(project_id=None, roles=[])
    assert trust["project_id"] is None
    token = lending.ask(trust["id"]).json()["token"]
    assert token["user"]["id"] == lending.ids["ann"]
    assert "project" not in token
    assert "roles" not in token
