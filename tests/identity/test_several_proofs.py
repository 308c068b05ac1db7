"""Passcodes, and users who must prove more than one thing."""

import base64
import hmac
import struct
from typing import Any

import pytest

from cumulo.kit import clock
from cumulo.kit.clock import Clock
from tests.client import Answer, Client
from tests.identity.conftest import Cloud, by_password, by_token, made

SECRET = b"0123456789abcdefghij"


def passcode(steps_ago: int = 0) -> str:
    """Count as RFC 6238 has it; written here anew so that ours is held against something."""
    count = int(clock.timestamp()) // 30 - steps_ago
    digest = hmac.digest(SECRET, struct.pack(">Q", count), "sha1")
    start = digest[-1] & 15
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06}"


class Careful:
    """Ann, who wants a password and a passcode of whoever says to be her."""

    def __init__(self, cloud: Cloud, admin: Client, *rules: list[str]) -> None:
        self.cloud = cloud
        options = {"multi_factor_auth_rules": list(rules), "multi_factor_auth_enabled": True}
        self.user = made(admin, "user", {"name": "ann", "password": "pw", "options": options})["id"]
        blob = base64.b32encode(SECRET).decode()
        made(admin, "credential", {"type": "totp", "user_id": self.user, "blob": blob})

    def ask(self, *methods: str, receipt: str | None = None, code: str | None = None) -> Answer:
        identity: dict[str, Any] = {"methods": list(methods)}
        if "password" in methods:
            identity["password"] = by_password("ann", "pw")["identity"]["password"]
        if "totp" in methods:
            identity["totp"] = {"user": {"id": self.user, "passcode": code or passcode()}}
        headers = {"Openstack-Auth-Receipt": receipt} if receipt else {}
        body = {"auth": {"identity": identity, "scope": {"unscoped": {}}}}
        return Client(self.cloud.edge, None).post("/v3/auth/tokens", body, headers=headers)


@pytest.fixture
def careful(held_clock: Clock, cloud: Cloud, admin: Client) -> Careful:
    return Careful(cloud, admin, ["password", "totp"])


def test_both_at_once(careful: Careful) -> None:
    answer = careful.ask("password", "totp")
    assert answer.status == 201
    assert answer.json()["token"]["methods"] == ["password", "totp"]


def test_one_after_the_other(careful: Careful, held_clock: Clock) -> None:
    first = careful.ask("password")
    assert first.status == 401
    assert first.json() == {
        "receipt": {
            "methods": ["password"],
            "user": {
                "id": careful.user,
                "name": "ann",
                "domain": {"id": "default", "name": "Default"},
                "password_expires_at": None,
            },
            "issued_at": "2030-01-01T00:00:00.000000Z",
            "expires_at": "2030-01-01T00:05:00.000000Z",
        },
        "required_auth_methods": [["password", "totp"]],
    }
    receipt = first.headers["openstack-auth-receipt"]
    second = careful.ask("totp", receipt=receipt)
    assert second.status == 201
    assert set(second.json()["token"]["methods"]) == {"password", "totp"}
    held_clock.move(301)
    assert careful.ask("totp", receipt=receipt).status == 401


def test_a_receipt_is_nothing_by_itself(careful: Careful, cloud: Cloud, admin: Client) -> None:
    receipt = careful.ask("password").headers["openstack-auth-receipt"]
    assert Client(cloud.edge, receipt).get("/v3/auth/projects").status == 401
    assert cloud.ask(by_token(receipt)).status == 404
    assert careful.ask("totp", receipt=admin.token).status == 401
    assert careful.ask("totp", receipt=receipt[:-4]).status == 401
    # Nor for another user, nor after a change of password.
    bob = by_password("demo", "demo-secret", {"unscoped": {}})
    headers = {"Openstack-Auth-Receipt": receipt}
    body = {"auth": bob}
    assert Client(cloud.edge, None).post("/v3/auth/tokens", body, headers=headers).status == 401
    assert (
        cloud.login().patch(f"/v3/users/{careful.user}", {"user": {"password": "pw"}}).status == 200
    )
    assert careful.ask("totp", receipt=receipt).status == 401


def test_a_passcode_is_good_for_a_minute(careful: Careful, held_clock: Clock) -> None:
    assert careful.ask("password", "totp", code=passcode(1)).status == 201
    assert careful.ask("password", "totp", code=passcode(2)).status == 401
    assert careful.ask("password", "totp", code=passcode(-1)).status == 401
    assert careful.ask("password", "totp", code="000000").status == 401
    assert careful.ask("password", "totp", code="none").status == 401


def test_rules_that_nobody_can_meet_lock_nobody_out(cloud: Cloud, admin: Client) -> None:
    careful = Careful(cloud, admin, ["password", "saml2"], ["saml2"])
    assert careful.ask("password").status == 201


def test_a_token_is_no_way_around(cloud: Cloud, admin: Client) -> None:
    """A receipt that a token bought would let its owner live for ever."""
    careful = Careful(cloud, admin, ["password", "totp"])
    token = careful.ask("password", "totp").headers["x-subject-token"]
    admin.patch(
        f"/v3/users/{careful.user}",
        {"user": {"options": {"multi_factor_auth_rules": [["application_credential", "totp"]]}}},
    )
    answer = cloud.ask(by_token(token, {"unscoped": {}}))
    assert answer.status == 401
    assert "openstack-auth-receipt" not in answer.headers
