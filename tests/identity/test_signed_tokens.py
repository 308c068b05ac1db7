"""Tokens as JSON web signatures, beside sealed ones."""

import base64
import json
from collections.abc import Callable

import msgspec
import pytest

from cumulo.services.identity import public
from tests.client import Client
from tests.identity.conftest import SETTINGS, SYSTEM, Cloud, by_token, on_project
from tests.identity.test_application_credentials import Holder


@pytest.fixture
def signing(cloud: Cloud, new_cloud: Callable[[public.IdentitySettings], Cloud]) -> Cloud:
    return new_cloud(msgspec.structs.replace(SETTINGS, provider="jws"))


def decoded(part: str) -> dict[str, object]:
    found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(found, dict)
    return found


def encoded(said: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def test_anyone_can_read_what_it_says(signing: Cloud) -> None:
    admin = signing.login()
    header, payload, _ = (admin.token or "").split(".")
    assert decoded(header) == {"typ": "JWT", "alg": "ES256"}
    shown = admin.get("/v3/auth/tokens", headers={"X-Subject-Token": admin.token or ""})
    token, said = shown.json()["token"], decoded(payload)
    assert said["sub"] == token["user"]["id"]
    assert said["openstack_project_id"] == token["project"]["id"]
    assert said["openstack_methods"] == ["password"]
    assert said["openstack_audit_ids"] == token["audit_ids"]


def test_nobody_can_change_what_it_says(signing: Cloud) -> None:
    demo = signing.login("demo", "demo-secret", {"unscoped": {}})
    admin_id = decoded((signing.login().token or "").split(".")[1])["sub"]
    header, payload, signature = (demo.token or "").split(".")
    forged = encoded({**decoded(payload), "sub": admin_id, "openstack_system": "all"})
    unsigned = encoded({"typ": "JWT", "alg": "none"})
    symmetric = encoded({"typ": "JWT", "alg": "HS256"})
    for token in (
        f"{header}.{forged}.{signature}",
        f"{unsigned}.{forged}.",
        f"{unsigned}.{payload}.{signature}",
        f"{symmetric}.{payload}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-8]}",
        f"{header}.{payload}.{'A' * len(signature)}",
        f"{header}.{payload}.{signature}é",
        f"{header}.{payload}",
        "..",
    ):
        assert Client(signing.edge, token).get("/v3/auth/projects").status == 401, token


def test_both_kinds_are_good_whichever_is_made(cloud: Cloud, signing: Cloud) -> None:
    sealed, signed = cloud.login(), signing.login()
    assert "." not in (sealed.token or "")
    for token in (sealed.token, signed.token):
        for one in (cloud, signing):
            assert Client(one.edge, token).get("/v3/users").status == 200


def test_keys_rotate_while_it_is_used(signing: Cloud) -> None:
    old = signing.login()
    for _ in range(3):
        public.rotate(signing.db, SETTINGS)
        assert old.get("/v3/users").status == 200
        assert signing.login().get("/v3/users").status == 200


def test_every_scope_and_delegation_is_kept(signing: Cloud) -> None:
    admin = signing.login(scope=SYSTEM)
    subject = {"X-Subject-Token": admin.token or ""}
    assert admin.get("/v3/auth/tokens", headers=subject).json()["token"]["system"]
    domain = {"domain": {"id": "default"}}
    me = admin.get("/v3/users?name=admin").json()["users"][0]["id"]
    admin.put(f"/v3/domains/default/users/{me}/roles/{signing.role(admin, 'reader')}")
    assert signing.login(scope=domain).get("/v3/users").status == 200
    holder = Holder(signing, signing.login())
    robot = holder.login(holder.make())
    again = signing.ask(by_token(robot.token, on_project(holder.project)))
    assert again.json()["token"]["application_credential"]["name"] == "robot"


def test_it_ends_at_once_too(signing: Cloud) -> None:
    admin = signing.login()
    user = signing.user(admin, "ann")
    ann = signing.login("ann", "pw", {"unscoped": {}})
    assert ann.get("/v3/auth/projects").status == 200
    admin.patch(f"/v3/users/{user}", {"user": {"enabled": False}})
    assert ann.get("/v3/auth/projects").status == 401
