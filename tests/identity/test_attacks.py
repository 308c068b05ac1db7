"""What was once done to identity services and must not be done to this one.

Each test names, where there is one, the advisories that it guards against by OpenStack's number.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import msgspec
import pytest
import sqlalchemy as sa

from cumulo.db import Database
from cumulo.kit import clock
from cumulo.services.identity import public
from cumulo.work.tables import event
from tests.client import Client
from tests.identity.conftest import (
    SETTINGS,
    Cloud,
    by_password,
    by_token,
    made,
    on_project,
)
from tests.stores import db, servers

__all__ = ["db", "servers"]  # fixtures: these tests run on every kind of database


class Victim:
    """A user of a domain of its own, with a role on one project there, through each way."""

    def __init__(self, cloud: Cloud, admin: Client) -> None:
        self.cloud, self.admin = cloud, admin
        self.domain = made(admin, "domain", {"name": "branch"})["id"]
        inside = {"domain_id": self.domain}
        self.project = made(admin, "project", {"name": "lab", **inside})["id"]
        self.user = made(admin, "user", {"name": "ann", "password": "pw", **inside})["id"]
        self.group = made(admin, "group", {"name": "crew", **inside})["id"]
        self.role = made(admin, "role", {"name": "operator"})["id"]
        self.grant = f"/v3/projects/{self.project}/users/{self.user}/roles/{self.role}"
        self.through_group = f"/v3/projects/{self.project}/groups/{self.group}/roles/{self.role}"

    def login(self, password: str = "pw") -> Client:
        auth = by_password("ann", password, on_project(self.project))
        auth["identity"]["password"]["user"]["domain"] = {"id": self.domain}
        answer = self.cloud.ask(auth)
        assert answer.status == 201, answer.text
        return Client(self.cloud.edge, answer.headers["x-subject-token"])

    def patch(self, noun: str, one: str, **changes: Any) -> int:
        return self.admin.patch(f"/v3/{noun}s/{one}", {noun: changes}).status

    def join(self) -> None:
        self.admin.put(self.through_group)
        self.admin.put(f"/v3/groups/{self.group}/users/{self.user}")


def change_own_password(v: Victim) -> int:
    body = {"user": {"original_password": "pw", "password": "new"}}
    return Client(v.cloud.edge, None).post(f"/v3/users/{v.user}/password", body).status


def delete_domain(v: Victim) -> int:
    v.patch("domain", v.domain, enabled=False)
    return v.admin.delete(f"/v3/domains/{v.domain}").status


ENDS = {
    "user disabled": lambda v: v.patch("user", v.user, enabled=False),
    "user deleted": lambda v: v.admin.delete(f"/v3/users/{v.user}").status,
    "password set": lambda v: v.patch("user", v.user, password="new"),
    "password changed": change_own_password,
    "project disabled": lambda v: v.patch("project", v.project, enabled=False),
    "project deleted": lambda v: v.admin.delete(f"/v3/projects/{v.project}").status,
    "domain disabled": lambda v: v.patch("domain", v.domain, enabled=False),
    "domain deleted": delete_domain,
    "role taken": lambda v: v.admin.delete(v.grant).status,
    "role deleted": lambda v: v.admin.delete(f"/v3/roles/{v.role}").status,
    "all tokens revoked": lambda v: v.admin.delete(f"/v3/users/{v.user}/tokens").status,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_token_is_refused_after(
    cloud: Cloud, admin: Client, end: Callable[[Victim], int]
) -> None:
    """2012-014, 2012-016, 2013-011, 2016-005, 2016-008, 2026-007; through every cache."""
    victim = Victim(cloud, admin)
    admin.put(victim.grant)
    ann = victim.login()
    other_process = public.new_tools(cloud.db, SETTINGS).tokens
    other_process.validate(ann.token or "")
    subject = {"X-Subject-Token": ann.token or ""}
    assert ann.get(f"/v3/projects/{victim.project}").status == 200
    assert admin.get("/v3/auth/tokens", headers=subject).status == 200
    assert end(victim) in (200, 204)
    assert ann.get(f"/v3/projects/{victim.project}").status == 401
    assert admin.get("/v3/auth/tokens", headers=subject).status == 404
    assert cloud.ask(by_token(ann.token)).status == 404
    with pytest.raises(Exception, match="requires authentication"):
        other_process.validate(ann.token or "")


@pytest.mark.parametrize("end", ["member removed", "group deleted", "group's role taken"])
def test_a_token_from_a_group_is_refused_after(cloud: Cloud, admin: Client, end: str) -> None:
    victim = Victim(cloud, admin)
    victim.join()
    ann = victim.login()
    assert ann.get("/v3/auth/projects").status == 200
    ends = {
        "member removed": f"/v3/groups/{victim.group}/users/{victim.user}",
        "group deleted": f"/v3/groups/{victim.group}",
        "group's role taken": victim.through_group,
    }
    assert admin.delete(ends[end]).status == 204
    assert ann.get("/v3/auth/projects").status == 401


@pytest.mark.parametrize("noun", ["user", "project", "domain"])
def test_what_was_disabled_does_not_revive_old_tokens(
    cloud: Cloud, admin: Client, noun: str
) -> None:
    victim = Victim(cloud, admin)
    admin.put(victim.grant)
    ann = victim.login()
    one = {"user": victim.user, "project": victim.project, "domain": victim.domain}[noun]
    assert victim.patch(noun, one, enabled=False) == 200
    assert victim.patch(noun, one, enabled=True) == 200
    assert ann.get("/v3/auth/projects").status == 401
    assert victim.login().get("/v3/auth/projects").status == 200


def test_a_token_loses_only_the_role_that_was_taken(cloud: Cloud, admin: Client) -> None:
    victim = Victim(cloud, admin)
    admin.put(victim.grant)
    reader = cloud.role(admin, "reader")
    admin.put(f"/v3/projects/{victim.project}/users/{victim.user}/roles/{reader}")
    ann = victim.login()
    admin.delete(victim.grant)
    shown = ann.get("/v3/auth/tokens", headers={"X-Subject-Token": ann.token or ""})
    assert [role["name"] for role in shown.json()["token"]["roles"]] == ["reader"]


def test_a_new_password_is_good_in_the_same_second(cloud: Cloud, admin: Client) -> None:
    """Others compare times of whole seconds and void the token that was just issued."""
    victim = Victim(cloud, admin)
    admin.put(victim.grant)
    with clock.CLOCK.held():
        old = victim.login()
        victim.patch("user", victim.user, password="new")
        assert victim.login("new").get("/v3/auth/projects").status == 200
        assert old.get("/v3/auth/projects").status == 401


def test_an_old_password_is_not_remembered(cloud: Cloud, admin: Client) -> None:
    victim = Victim(cloud, admin)
    admin.put(victim.grant)
    victim.login()
    victim.patch("user", victim.user, password="new")
    auth = by_password("ann", "pw")
    auth["identity"]["password"]["user"]["domain"] = {"id": victim.domain}
    assert cloud.ask(auth).status == 401


def test_a_remembered_password_does_not_open_a_disabled_account(
    cloud: Cloud, admin: Client
) -> None:
    victim = Victim(cloud, admin)
    admin.put(victim.grant)
    victim.login()
    victim.patch("user", victim.user, enabled=False)
    auth = by_password("ann", "pw")
    auth["identity"]["password"]["user"]["domain"] = {"id": victim.domain}
    assert cloud.ask(auth).status == 401


@pytest.mark.parametrize(
    "noise",
    [
        {"target": {"user": {"domain_id": "default", "id": "me"}}},
        {"user_id": "me", "target.user.id": "me", "domain_id": "default"},
    ],
)
def test_a_body_cannot_speak_for_the_stored_object(
    cloud: Cloud, admin: Client, noise: dict[str, object]
) -> None:
    """CVE-2026-42999: what rules compare with comes from the database only."""
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    me = admin.get("/v3/users?name=demo").json()["users"][0]["id"]
    said = msgspec.json.decode(msgspec.json.encode(noise).replace(b'"me"', f'"{me}"'.encode()))
    ann = cloud.user(admin, "ann")
    for path in (f"/v3/users/{ann}", "/v3/users", "/v3/role_assignments", "/v3/projects"):
        query = f"?user_id={me}&target.user.id={me}&domain_id=default&target.domain_id=default"
        assert demo.request("GET", f"{path}{query}", said).status == 403
    assert demo.patch(f"/v3/users/{ann}", {"user": {"name": "x"}, **said}).status in (400, 403)
    assert demo.patch(f"/v3/users/{ann}", {"user": {"enabled": False, **said}}).status in (400, 403)
    query = f"/v3/users/{ann}/groups?user_id={me}"
    assert demo.request("GET", query, {"user_id": me}).status == 403
    assert admin.get(f"/v3/users/{ann}").json()["user"]["enabled"] is True


def test_nobody_learns_who_is_there(cloud: Cloud, admin: Client) -> None:
    """2021-003: unknown, disabled, without a password or just wrong look the same."""
    cloud.user(admin, "off", enabled=False)
    made(admin, "user", {"name": "mute"})
    answers = [
        cloud.ask(by_password(name, password, {"unscoped": {}}))
        for name, password in (
            ("nobody", "pw"),
            ("off", "pw"),
            ("off", "no"),
            ("mute", "pw"),
            ("demo", "no"),
        )
    ]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert len({frozenset(answer.headers) for answer in answers}) == 1


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every check of a password against a hash, as the beginning of the hash."""
    seen: list[bytes] = []
    real = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        seen.append(hashed[:7])
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return seen


def test_each_refusal_costs_one_hash(cloud: Cloud, admin: Client, checks: list[bytes]) -> None:
    """2021-003 by the clock: whoever is not there is looked for just as long."""
    cloud.user(admin, "off", enabled=False)
    made(admin, "user", {"name": "mute"})
    for name in ("nobody", "off", "mute", "demo"):
        checks.clear()
        cloud.ask(by_password(name, "no"))
        assert checks == [b"$2b$04$"], name


def test_a_huge_password_costs_no_more_than_any(
    cloud: Cloud, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2012-002: what is hashed, and what is kept of it, has a bound."""
    lengths: list[int] = []
    real = bcrypt.checkpw

    def measured(given: bytes, kept: bytes) -> bool:
        lengths.append(len(given))
        return real(given, kept)

    monkeypatch.setattr(bcrypt, "checkpw", measured)
    for name in ("demo", "nobody"):
        assert cloud.ask(by_password(name, "x" * 500_000)).status == 401
        assert cloud.ask(by_password(name * 50_000, "x")).status in (400, 401)
    assert lengths
    assert max(lengths) <= 72
    huge = {"user": {"name": "x" * 500_000, "password": "pw"}}
    assert admin.post("/v3/users", huge).status == 400


def test_a_right_password_is_hashed_once_in_a_while(
    cloud: Cloud, admin: Client, checks: list[bytes]
) -> None:
    cloud.user(admin, "ann")
    with clock.CLOCK.held() as held:
        for _ in range(3):
            assert cloud.ask(by_password("ann", "pw")).status == 201
        assert len(checks) == 1
        assert cloud.ask(by_password("ann", "no")).status == 401
        assert len(checks) == 2
        held.move(SETTINGS.remember_password + 1)
        assert cloud.ask(by_password("ann", "pw")).status == 201
        assert len(checks) == 3


def test_secrets_are_neither_logged_nor_told(
    cloud: Cloud, admin: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """2014-036, 2019-003, 2020-001."""
    user_id = cloud.user(admin, "ann", password="hush-hush")
    ann = cloud.login("ann", "hush-hush", {"unscoped": {}})
    ann.get("/v3/users")
    admin.patch(f"/v3/users/{user_id}", {"user": {"password": "hush-again"}})
    wrong = cloud.ask(by_password("ann", "hush-hush"))
    broken = cloud.ask(by_password("ann", "hush-hush", {"project": 5}))
    told = wrong.text + broken.text + "".join(capsys.readouterr())
    logged = cloud.db.read(lambda tx: str(tx.execute(sa.select(event)).all()))
    for secret in ("hush", ann.token or "", "$2b$"):
        assert secret not in told
        assert secret not in logged


def test_urls_in_the_catalog_tell_no_settings(cloud: Cloud, admin: Client) -> None:
    """2014-029: only ids are put into URLs, however the URL is written."""
    service = made(admin, "service", {"type": "metric"})["id"]
    for url in ("http://x/$(admin_password)s", "http://x/%(connection)s", "http://x/{0.db}"):
        spec = {"interface": "public", "service_id": service, "url": url}
        admin.post("/v3/endpoints", {"endpoint": spec})
    catalog = admin.get("/v3/auth/catalog").json()["catalog"]
    (entry,) = [one for one in catalog if one["id"] == service]
    assert [one["url"] for one in entry["endpoints"]] == ["http://x/{0.db}"]


@pytest.mark.parametrize("token", ["gAAAAA", "x" * 10_000, "../..", "gAAAAABé", "=" * 5, "\0"])
def test_a_forged_token_is_no_token(cloud: Cloud, token: str) -> None:
    assert Client(cloud.edge, token).get("/v3/users").status == 401


def test_a_token_of_another_cloud_is_no_token(cloud: Cloud, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path}/other.db")
    other.create_all()
    tools = public.new_tools(other, SETTINGS)
    public.bootstrap(other, tools, public.Bootstrap("secret", "demo-secret"))
    token = cloud.login().token or ""
    with pytest.raises(Exception, match="requires authentication"):
        tools.tokens.validate(token)
    other.close()


def test_junk_does_not_fill_the_cache(cloud: Cloud) -> None:
    """2021-006."""
    for number in range(20):
        Client(cloud.edge, f"junk{number}").get("/v3/users")
    assert cloud.tools.tokens.remembered == 0
    cloud.login().get("/v3/users")
    assert cloud.tools.tokens.remembered == 1
