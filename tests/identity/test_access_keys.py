"""Requests signed with access keys, as EC2 and S3 front ends forward them."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from cumulo.kit import clock
from cumulo.kit.clock import Clock
from tests.client import Answer, Client
from tests.identity.conftest import Cloud, on_project
from tests.identity.test_application_credentials import Holder

EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def holder(cloud: Cloud, admin: Client) -> Holder:
    """Ann, a member of the demo project."""
    return Holder(cloud, admin)


def new_key(client: Client, user: str, project: str) -> dict[str, str]:
    answer = client.post(f"/v3/users/{user}/credentials/OS-EC2", {"tenant_id": project})
    assert answer.status == 201, answer.text
    found = answer.json()["credential"]
    return {"access": found["access"], "secret": found["secret"]}


def version_2(key: dict[str, str], *, is_timed: bool = True) -> dict[str, Any]:
    params = {
        "Action": "DescribeInstances",
        "AWSAccessKeyId": key["access"],
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Filter.1.Name": "a b/c",
    }
    if is_timed:
        params["Timestamp"] = clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    query = "&".join(f"{k}={_quoted(v)}" for k, v in sorted(params.items()))
    text = f"GET\nec2.cloud:8788\n/\n{query}"
    digest = hmac.digest(key["secret"].encode(), text.encode(), "sha256")
    return {
        "access": key["access"],
        "signature": base64.b64encode(digest).decode(),
        "host": "ec2.cloud:8788",
        "verb": "GET",
        "path": "/",
        "params": params,
        "headers": {},
        "body_hash": EMPTY,
    }


def _quoted(text: str) -> str:
    return text.replace("/", "%2F").replace(":", "%3A").replace(" ", "%20")


# What botocore sends on 2030-01-01 with this key; taken once, so that no clock is asked.
BOTO_KEY = {"access": "an-access-key", "secret": "a-secret"}
_SCOPE = "an-access-key/20300101/RegionOne/ec2/aws4_request"
_POSTED = "16b6889916fd6df3c4ac3ffbb8b12c0fc2fc6539a8a7672b5052c7d0bae4e823"
_IN_QUERY = "7f14218e11cf0fd54e5689494a05d10adc5405bdff2416f20ba57222db3e0d1d"
BOTO = {
    "in a header": {
        "access": "an-access-key",
        "signature": _POSTED,
        "host": "ec2.cloud:8788",
        "verb": "POST",
        "path": "/",
        "params": {"Action": "DescribeInstances"},
        "headers": {
            "X-Amz-Date": "20300101T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={_SCOPE}, "
            f"SignedHeaders=host;x-amz-date, Signature={_POSTED}",
        },
        "body_hash": hashlib.sha256(b"Action=DescribeInstances").hexdigest(),
    },
    "in the query": {
        "access": "an-access-key",
        "signature": _IN_QUERY,
        "host": "ec2.cloud:8788",
        "verb": "GET",
        "path": "/",
        "params": {
            "Action": "DescribeInstances",
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": _SCOPE,
            "X-Amz-Date": "20300101T000000Z",
            "X-Amz-Expires": "3600",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": _IN_QUERY,
        },
        "headers": {},
        "body_hash": EMPTY,
    },
}


def ask(client: Client, said: dict[str, Any], path: str = "/v3/ec2tokens") -> Answer:
    return client.post(path, {"credentials": said})


def test_who_signed_gets_a_token(holder: Holder) -> None:
    key = new_key(holder.ann, holder.user, holder.project)
    answer = ask(holder.admin, version_2(key))
    assert answer.status == 200, answer.text
    token = answer.json()["token"]
    assert token["methods"] == ["ec2credential"]
    assert token["user"]["id"] == holder.user
    assert token["project"]["id"] == holder.project
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    ann = Client(holder.cloud.edge, answer.headers["x-subject-token"])
    assert ann.get("/v3/auth/projects").status == 200
    assert ask(holder.admin, version_2({**key, "secret": "x"})).status == 401
    assert ask(holder.admin, {**version_2(key), "path": "/other"}).status == 401


@pytest.mark.parametrize("said", BOTO.values(), ids=BOTO.keys())
def test_botocores_signatures_are_understood(
    held_clock: Clock, holder: Holder, said: dict[str, Any]
) -> None:
    blob = msgspec.json.encode(BOTO_KEY).decode()
    spec = {"type": "ec2", "user_id": holder.user, "project_id": holder.project, "blob": blob}
    assert holder.ann.post("/v3/credentials", {"credential": spec}).status == 201
    assert ask(holder.admin, said).json()["token"]["user"]["id"] == holder.user
    for change in (
        {"host": "elsewhere"},
        {"verb": "PUT"},
        {"body_hash": hashlib.sha256(b"Action=TerminateInstances").hexdigest()},
        {"params": {**said["params"], "X-Amz-Date": ""}, "headers": {}},
        {"signature": ""},
    ):
        assert ask(holder.admin, {**said, **change}).status == 401, change


def test_only_front_ends_may_ask(holder: Holder, cloud: Cloud) -> None:
    """2025-002."""
    key = new_key(holder.ann, holder.user, holder.project)
    for path in ("/v3/ec2tokens", "/v3/s3tokens"):
        assert ask(Client(cloud.edge, None), version_2(key), path).status == 401
        assert ask(holder.ann, version_2(key), path).status == 403
    service = cloud.user(holder.admin, "front")
    role = cloud.role(holder.admin, "service")
    holder.admin.put(f"/v3/projects/{holder.project}/users/{service}/roles/{role}")
    front = cloud.login("front", "pw", on_project(holder.project))
    assert ask(front, version_2(key)).status == 200


@pytest.mark.parametrize("offset_s", [-901, 901])
def test_a_signature_is_good_for_minutes(holder: Holder, offset_s: int) -> None:
    """2020-003: neither an old one, nor one from the future, nor one without a time."""
    key = new_key(holder.ann, holder.user, holder.project)
    with clock.CLOCK.held() as held:
        said = version_2(key)
        assert ask(holder.admin, said).status == 200
        held.move(offset_s)
        assert ask(holder.cloud.login(), said).status == 401
    assert ask(holder.admin, version_2(key, is_timed=False)).status == 401


def test_no_signature_at_all_is_a_wrong_one(holder: Holder) -> None:
    """Where nothing can be expected, nothing given is no match."""
    key = new_key(holder.ann, holder.user, holder.project)
    now = clock.now().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    for scope in ("", "/", "/20300101/region/ec2", "/20300101/region/ec2/aws4_request"):
        credential = f"Credential={key['access']}{scope}, SignedHeaders=host, Signature="
        headers = {"X-Amz-Date": now, "Authorization": f"AWS4-HMAC-SHA256 {credential}"}
        said = {**version_2(key), "params": {}, "headers": headers, "signature": ""}
        assert ask(holder.admin, said).status == 401
    unsigned = {"access": key["access"], "signature": "", "token": ""}
    assert ask(holder.admin, unsigned, "/v3/s3tokens").status == 401


def s3_text(at: datetime, key: dict[str, str]) -> dict[str, str]:
    """Sign some text as S3's version 4 does."""
    scope = f"{at:%Y%m%d}/RegionOne/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at:%Y%m%dT%H%M%SZ}\n{scope}\n{EMPTY}"
    mac = f"AWS4{key['secret']}".encode()
    for part in scope.split("/"):
        mac = hmac.digest(mac, part.encode(), "sha256")
    signature = hmac.digest(mac, text.encode(), "sha256").hex()
    token = base64.urlsafe_b64encode(text.encode()).decode()
    return {"access": key["access"], "signature": signature, "token": token}


def test_s3_clients_get_tokens_too(holder: Holder, held_clock: Clock) -> None:
    admin = holder.cloud.login()
    key = new_key(holder.cloud.login(), holder.user, holder.project)
    said = s3_text(clock.now(), key)
    answer = ask(admin, said, "/v3/s3tokens")
    assert answer.status == 200, answer.text
    assert answer.json()["token"]["user"]["id"] == holder.user
    wrong = {**said, "signature": said["signature"][::-1]}
    assert ask(admin, wrong, "/v3/s3tokens").status == 401
    for broken in ("", "!", base64.b64encode(b"AWS4-HMAC-SHA256\nx").decode()):
        assert ask(admin, {**said, "token": broken}, "/v3/s3tokens").status == 401
    text = base64.b64encode(b"GET\n\n\ndate\n/bucket/key")
    digest = hmac.digest(key["secret"].encode(), base64.b64decode(text), "sha1")
    old = {"access": key["access"], "signature": base64.b64encode(digest).decode()}
    assert ask(admin, {**old, "token": text.decode()}, "/v3/s3tokens").status == 200
    held_clock.move(7 * 24 * 3600 + 1)
    late = holder.cloud.login()
    assert ask(late, said, "/v3/s3tokens").status == 401


def test_a_key_that_is_not_there_is_like_a_wrong_one(holder: Holder) -> None:
    key = new_key(holder.ann, holder.user, holder.project)
    none = ask(holder.admin, version_2({"access": "none", "secret": "x"}))
    wrong = ask(holder.admin, version_2({**key, "secret": "x"}))
    assert none.status == wrong.status == 401
    assert none.body == wrong.body
    assert holder.admin.post("/v3/ec2tokens", {}).status == 400


def test_a_key_ends_with_what_it_rests_on(holder: Holder) -> None:
    key = new_key(holder.ann, holder.user, holder.project)
    front = ask(holder.admin, version_2(key)).headers["x-subject-token"]
    holder.admin.delete(holder.grant)
    assert ask(holder.admin, version_2(key)).status == 401
    assert Client(holder.cloud.edge, front).get("/v3/auth/projects").status == 401
    holder.admin.put(holder.grant)
    holder.admin.delete(f"/v3/users/{holder.user}/credentials/OS-EC2/{key['access']}")
    assert ask(holder.admin, version_2(key)).status == 401


def test_a_key_made_by_a_program_is_no_more_than_the_program(holder: Holder) -> None:
    """2026-005, 2020-004."""
    restricted = holder.login(holder.make(name="r", roles=[{"name": "member"}]))
    body = {"tenant_id": holder.project}
    path = f"/v3/users/{holder.user}/credentials/OS-EC2"
    assert restricted.post(path, body).status == 403
    blob = '{"access": "a", "secret": "b"}'
    spec = {"user_id": holder.user, "project_id": holder.project, "blob": blob}
    for kind in ("ec2", "totp"):
        new = {"credential": {**spec, "type": kind}}
        assert restricted.post("/v3/credentials", new).status == 403
    made = holder.make(name="u", roles=[{"name": "member"}], unrestricted=True)
    open_one = holder.login(made)
    admin_project = holder.cloud.project(holder.admin, "admin")
    assert open_one.post(path, {"tenant_id": admin_project}).status == 403
    key = new_key(open_one, holder.user, holder.project)
    token = ask(holder.admin, version_2(key)).json()["token"]
    assert token["application_credential"]["id"] == made["id"]
    said = {**spec, "type": "ec2", "blob": '{"access": "a", "secret": "b", "app_cred_id": "x"}'}
    posted = open_one.post("/v3/credentials", {"credential": said}).json()["credential"]
    assert f'"app_cred_id":"{made["id"]}"' in posted["blob"]
    assert holder.ann.delete(f"{holder.path}/{made['id']}").status == 204
    assert ask(holder.admin, version_2(key)).status == 401


def test_a_program_does_not_read_its_users_keys(holder: Holder) -> None:
    """With one it would have all that its user has."""
    key = new_key(holder.ann, holder.user, holder.project)
    robot = holder.login(holder.make())
    path = f"/v3/users/{holder.user}/credentials/OS-EC2"
    assert robot.get(path).json()["credentials"] == []
    assert robot.get(f"{path}/{key['access']}").status == 403
    assert robot.delete(f"{path}/{key['access']}").status == 403
    assert robot.get("/v3/credentials").json()["credentials"] == []
    assert holder.ann.get(f"{path}/{key['access']}").status == 200


@pytest.mark.parametrize("end", ["deleted", "over"])
def test_a_borrowed_key_is_no_more_than_the_trust(
    held_clock: Clock, holder: Holder, end: str
) -> None:
    bob = holder.cloud.user(holder.admin, "bob")
    trust = {
        "trustor_user_id": holder.user,
        "trustee_user_id": bob,
        "project_id": holder.project,
        "impersonation": True,
        "roles": [{"name": "member"}],
        "expires_at": "2030-01-01T02:00:00.000000Z",
    }
    made = holder.ann.post("/v3/OS-TRUST/trusts", {"trust": trust}).json()["trust"]
    borrowed = holder.cloud.login("bob", "pw", {"OS-TRUST:trust": {"id": made["id"]}})
    key = new_key(borrowed, holder.user, holder.project)
    token = ask(holder.cloud.login(), version_2(key)).json()["token"]
    assert token["OS-TRUST:trust"]["id"] == made["id"]
    assert token["user"]["id"] == holder.user
    if end == "deleted":
        holder.ann.delete(f"/v3/OS-TRUST/trusts/{made['id']}")
    else:
        held_clock.move(2 * 3600)
    assert ask(holder.cloud.login(), version_2(key)).status == 401


@pytest.mark.parametrize("noun", ["trust_id", "app_cred_id", "access_token_id"])
def test_nobody_says_by_what_delegation_a_key_is(holder: Holder, noun: str) -> None:
    """2020-004: Eve's key, made out to what Ann lent to somebody else, is Eve's own."""
    trust = {
        "trustor_user_id": holder.user,
        "trustee_user_id": holder.cloud.user(holder.admin, "bob"),
        "project_id": holder.project,
        "impersonation": True,
        "roles": [{"name": "member"}],
    }
    lent = holder.ann.post("/v3/OS-TRUST/trusts", {"trust": trust}).json()["trust"]["id"]
    target = {"trust_id": lent, "app_cred_id": holder.make()["id"]}.get(noun, "token")
    eve = holder.cloud.user(holder.admin, "eve")
    reader = holder.cloud.role(holder.admin, "reader")
    holder.admin.put(f"/v3/projects/{holder.project}/users/{eve}/roles/{reader}")
    client = holder.cloud.login("eve", "pw", on_project(holder.project))
    key = {"access": "A" * 32, "secret": "s" * 32}
    facts = {"type": "ec2", "user_id": eve, "project_id": holder.project}
    blob = msgspec.json.encode({**key, noun: target}).decode()
    answer = client.post("/v3/credentials", {"credential": {**facts, "blob": blob}})
    assert answer.status == 201, answer.text
    token = ask(holder.admin, version_2(key)).json()["token"]
    assert token["user"]["id"] == eve
    assert [role["name"] for role in token["roles"]] == ["reader"]
    assert {"OS-TRUST:trust", "application_credential"}.isdisjoint(token)
