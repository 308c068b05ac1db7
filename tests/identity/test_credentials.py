import hashlib

import msgspec
import pytest
import sqlalchemy as sa

from cumulo.services.identity.store import tables
from cumulo.work.tables import event
from tests.client import Client
from tests.identity.conftest import SYSTEM, Cloud, made, on_project


def blob(access: str = "AK", **more: str) -> str:
    return msgspec.json.encode({"access": access, "secret": "hush-hush", **more}).decode()


def test_a_credential_from_first_to_last(cloud: Cloud, admin: Client) -> None:
    ann = cloud.user(admin, "ann")
    credential = made(
        admin, "credential", {"type": "cert", "blob": "hush-hush", "user_id": ann, "note": "n"}
    )
    assert credential == {
        "id": credential["id"],
        "type": "cert",
        "blob": "hush-hush",
        "user_id": ann,
        "project_id": None,
        "note": "n",
        "links": {"self": f"http://cloud/v3/credentials/{credential['id']}"},
    }
    one = f"/v3/credentials/{credential['id']}"
    assert admin.get(one).json()["credential"] == credential
    assert admin.get(f"/v3/credentials?user_id={ann}").json()["credentials"] == [credential]
    assert admin.get("/v3/credentials?type=totp").json()["credentials"] == []
    changed = admin.patch(one, {"credential": {"blob": "again"}})
    assert changed.json()["credential"]["blob"] == "again"
    assert admin.get(one).json()["credential"]["blob"] == "again"
    assert admin.delete(one).status == 204
    assert admin.get(one).json()["error"]["message"] == (
        f"Could not find credential: {credential['id']}."
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": None},
        {"blob": None},
        {"user_id": None},
        {"type": "ec2", "blob": "no json", "project_id": "p"},
        {"type": "ec2", "blob": "[]", "project_id": "p"},
        {"type": "ec2", "blob": "{}", "project_id": "p"},
        {"type": "ec2", "blob": f'{{"access":{"[" * 5000}{"]" * 5000}}}', "project_id": "p"},
        {"type": "ec2", "blob": '{"access": "a"}'},
    ],
)
def test_a_wrong_credential_is_refused(admin: Client, wrong: dict[str, object]) -> None:
    right = {"type": "cert", "blob": "x", "user_id": "u"}
    assert admin.post("/v3/credentials", {"credential": {**right, **wrong}}).status == 400


def test_an_access_key_names_its_credential(cloud: Cloud, admin: Client) -> None:
    facts = {"type": "ec2", "blob": blob(), "user_id": "u", "project_id": "p"}
    credential = made(admin, "credential", facts)
    assert credential["id"] == hashlib.sha256(b"AK").hexdigest()
    assert admin.post("/v3/credentials", {"credential": facts}).status == 409
    one = f"/v3/credentials/{credential['id']}"
    assert admin.patch(one, {"credential": {"blob": blob(trust_id="t")}}).status == 400
    assert admin.patch(one, {"credential": {"blob": "no json"}}).status == 400


def test_a_credential_stays_whose_it_is(cloud: Cloud, admin: Client) -> None:
    """2019-006, 2020-004: owners cannot be changed, nor others' credentials be seen."""
    demo_id = admin.get("/v3/users?name=demo").json()["users"][0]["id"]
    me = admin.get("/v3/users?name=admin").json()["users"][0]["id"]
    theirs = made(admin, "credential", {"type": "cert", "blob": "admin's", "user_id": me})
    demo = cloud.login("demo", "demo-secret", on_project(cloud.project(admin, "demo")))
    mine = made(demo, "credential", {"type": "cert", "blob": "x", "user_id": demo_id})
    own = f"/v3/credentials/{mine['id']}"
    for field in ({"user_id": me}, {"project_id": "p"}, {"type": "ec2"}):
        assert demo.patch(own, {"credential": {"blob": "y", **field}}).status == 400
    assert [one["id"] for one in demo.get("/v3/credentials").json()["credentials"]] == [mine["id"]]
    assert demo.get(f"/v3/credentials?user_id={me}").json()["credentials"] == []
    assert demo.get(f"/v3/credentials/{theirs['id']}").status == 403
    assert demo.get("/v3/credentials/nothing").status == 403
    assert (
        demo.patch(f"/v3/credentials/{theirs['id']}", {"credential": {"blob": "y"}}).status == 403
    )
    assert demo.delete(f"/v3/credentials/{theirs['id']}").status == 403
    foreign = {"type": "cert", "blob": "x", "user_id": me}
    assert demo.post("/v3/credentials", {"credential": foreign}).status == 403
    assert len(cloud.login(scope=SYSTEM).get("/v3/credentials").json()["credentials"]) == 2


def test_access_keys(cloud: Cloud, admin: Client) -> None:
    project = cloud.project(admin, "demo")
    user = admin.get("/v3/users?name=demo").json()["users"][0]["id"]
    demo = cloud.login("demo", "demo-secret", on_project(project))
    keys = f"/v3/users/{user}/credentials/OS-EC2"
    answer = demo.post(keys, {"tenant_id": project})
    assert answer.status == 201
    key = answer.json()["credential"]
    assert (key["user_id"], key["tenant_id"], key["trust_id"]) == (user, project, None)
    assert key["links"]["self"] == f"http://cloud{keys}/{key['access']}"
    one = f"{keys}/{key['access']}"
    assert demo.get(one).json()["credential"] == key
    assert demo.get(keys).json()["credentials"] == [key]
    assert demo.post(keys, {"tenant_id": "nothing"}).status == 404
    me = admin.get("/v3/users?name=admin").json()["users"][0]["id"]
    others = f"/v3/users/{me}/credentials/OS-EC2"
    assert demo.post(others, {"tenant_id": project}).status == 403
    assert demo.get(others).status == 403
    theirs = admin.post(others, {"tenant_id": project}).json()["credential"]["access"]
    assert demo.get(f"{keys}/{theirs}").status == 403
    assert demo.delete(f"{keys}/{theirs}").status == 403
    assert demo.delete(one).status == 204
    assert demo.get(one).status == demo.delete(one).status == 404
    assert demo.get(keys).json()["credentials"] == []


def test_secrets_are_sealed_and_go_with_their_owner(cloud: Cloud, admin: Client) -> None:
    project = made(admin, "project", {"name": "lab"})["id"]
    ann, bob = cloud.user(admin, "ann"), cloud.user(admin, "bob")
    for user, access in ((ann, "A"), (bob, "B")):
        facts = {"type": "ec2", "blob": blob(access), "user_id": user, "project_id": project}
        made(admin, "credential", facts)
    stored = cloud.db.read(lambda tx: str(tx.execute(sa.select(tables.credential)).all()))
    logged = cloud.db.read(lambda tx: str(tx.execute(sa.select(event)).all()))
    assert "hush-hush" not in stored + logged
    assert "gAAAA" not in logged
    admin.delete(f"/v3/users/{ann}")
    left = admin.get("/v3/credentials").json()["credentials"]
    assert [one["user_id"] for one in left] == [bob]
    admin.delete(f"/v3/projects/{project}")
    assert admin.get("/v3/credentials").json()["credentials"] == []
