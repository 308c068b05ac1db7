"""Keypairs, made here or brought along."""

import base64
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from cumulo.db import Database
from cumulo.kit.clock import CLOCK
from cumulo.services.compute import quotas
from cumulo.work import events
from tests.client import Answer, Client

K = "/v2.1/os-keypairs"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILLlqaHwuOQIVBuSPMlCZ9U7fMLmsGIGpX7F1PQ8lRAc ann@home"
FINGERPRINT = ":".join(["0"] * 16)


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    with CLOCK.held(datetime(2026, 3, 4, 5, 6, 7, 890, tzinfo=UTC)):
        yield


def add(api: Client, name: str = "k", **more: Any) -> Answer:
    return api.post(K, {"keypair": {"name": name, "public_key": PUBLIC} | more})


def names(api: Client, query: str = "") -> list[str]:
    return [one["keypair"]["name"] for one in api.get(f"{K}{query}").json()["keypairs"]]


def test_a_key_is_brought_along_and_shown(cloud: Client, db: Database) -> None:
    answer = add(cloud)
    assert answer.status == 200
    keypair = answer.json()["keypair"]
    fingerprint = keypair.pop("fingerprint")
    assert keypair == {"name": "k", "public_key": PUBLIC, "user_id": "ann"}
    assert len(fingerprint.split(":")) == 16

    assert cloud.get(K).json() == {
        "keypairs": [{"keypair": {"name": "k", "public_key": PUBLIC, "fingerprint": fingerprint}}]
    }
    shown = cloud.get(f"{K}/k").json()["keypair"]
    assert shown == {
        "name": "k",
        "public_key": PUBLIC,
        "fingerprint": fingerprint,
        "user_id": "ann",
        "id": 1,
        "created_at": "2026-03-04T05:06:07.000890",
        "updated_at": None,
        "deleted": False,
        "deleted_at": None,
    }
    assert db.read(events.events_since)[-1].resource == "keypair"


def test_the_fingerprint_is_the_one_ssh_keygen_shows(cloud: Client, tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(PUBLIC)
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-E", "md5", "-f", str(file)], capture_output=True, check=True
    )
    assert f"MD5:{add(cloud).json()['keypair']['fingerprint']}" in shown.stdout.decode()


def test_a_key_is_made_and_its_private_half_shown_once(cloud: Client) -> None:
    keypair = cloud.post(K, {"keypair": {"name": "made"}}).json()["keypair"]
    assert keypair["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    private = load_pem_private_key(keypair["private_key"].encode(), None)
    public: Any = private.public_key()
    assert public.key_size == 2048
    assert keypair["public_key"].startswith("ssh-rsa ")
    assert keypair["public_key"].endswith(" Generated-by-Nova")
    assert "private_key" not in cloud.get(f"{K}/made").text
    assert keypair["private_key"] not in cloud.get(K).text


def test_a_certificate_is_made_and_brought_along(cloud: Client) -> None:
    new = cloud.at("compute 2.2")
    made = new.post(K, {"keypair": {"name": "w", "type": "x509"}}).json()["keypair"]
    key, certificate, _ = pkcs12.load_key_and_certificates(
        base64.b64decode(made["private_key"]), None
    )
    assert key is not None
    assert certificate is not None
    assert "ann" in certificate.subject.rfc4514_string()
    assert len(made["fingerprint"].split(":")) == 20
    again = add(new, "brought", type="x509", public_key=made["public_key"]).json()["keypair"]
    assert (again["fingerprint"], again["type"]) == (made["fingerprint"], "x509")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "ssh-rsa",
        "ssh-rsa x",
        "not a key",
        "ssh-rsa AAAA\nssh-rsa BBBB",
        "ssh-ed25519 é",
    ],
)
def test_what_is_no_key_is_refused(cloud: Client, key: str) -> None:
    for kind in ("ssh", "x509"):
        answer = add(cloud.at("compute 2.2"), public_key=key, type=kind)
        assert answer.status == 400
        assert "Keypair data is invalid" in answer.json()["badRequest"]["message"]
    assert names(cloud) == []


@pytest.mark.parametrize("name", ["", "a/b", "a\n", "é", " a", "a ", "a" * 256, None, 3, "a@b"])
def test_names_are_plain(cloud: Client, name: object) -> None:
    answer = cloud.post(K, {"keypair": {"name": name, "public_key": PUBLIC}})
    assert answer.status == 400
    assert "name" in answer.json()["badRequest"]["message"]


def test_a_name_is_given_once_a_user(cloud: Client) -> None:
    add(cloud)
    again = add(cloud)
    assert again.status == 409
    assert again.json()["conflictingRequest"]["message"] == "Key pair 'k' already exists."
    assert add(cloud.as_("bob:p1:member")).status == 200


def test_others_see_none_of_it(cloud: Client) -> None:
    add(cloud)
    bob = cloud.as_("bob:p1:member").at("compute 2.10")
    assert names(bob) == []
    assert bob.get(f"{K}/k").status == 404
    assert bob.delete(f"{K}/k").status == 404
    for query in ("?user_id=ann", "/k?user_id=ann"):
        assert bob.get(f"{K}{query}").status == 403
    assert bob.delete(f"{K}/k?user_id=ann").status == 403
    assert add(bob, user_id="ann").status == 403
    assert names(cloud) == ["k"]


def test_administrators_handle_others_from_2_10_on(cloud: Client, admin: Client) -> None:
    new = admin.at("compute 2.10")
    assert add(new, user_id="ann").json()["keypair"]["user_id"] == "ann"
    assert names(cloud) == ["k"]
    assert names(new) == []
    assert names(new, "?user_id=ann") == ["k"]
    assert new.get(f"{K}/k?user_id=ann").status == 200
    old = admin.at("compute 2.9")
    assert old.get(f"{K}/k?user_id=ann").status == 404
    assert add(old, user_id="ann").status == 400
    assert new.delete(f"{K}/k?user_id=ann").status == 204
    assert names(cloud) == []


@pytest.mark.parametrize(
    ("version", "created", "deleted", "has_type"),
    [("2.1", 200, 202, False), ("2.2", 201, 204, True), ("latest", 201, 204, True)],
)
def test_statuses_and_types_by_version(
    cloud: Client, version: str, created: int, deleted: int, has_type: bool
) -> None:
    api = cloud.at(f"compute {version}")
    answer = add(api)
    assert answer.status == created
    assert ("type" in answer.json()["keypair"]) is has_type
    assert ("type" in api.get(f"{K}/k").json()["keypair"]) is has_type
    assert ("type" in api.get(K).json()["keypairs"][0]["keypair"]) is has_type
    assert api.delete(f"{K}/k").status == deleted
    assert api.delete(f"{K}/k").status == 404


def test_a_type_is_asked_for_from_2_2_on(cloud: Client) -> None:
    assert add(cloud, type="ssh").status == 400
    assert add(cloud.at("compute 2.2"), type="pgp").status == 400


def test_pages_came_with_2_35(cloud: Client) -> None:
    for name in "cabd":
        add(cloud, name)
    assert names(cloud, "?limit=1") == ["a", "b", "c", "d"]
    new = cloud.at("compute 2.35")
    page = new.get(f"{K}?limit=2").json()
    assert [one["keypair"]["name"] for one in page["keypairs"]] == ["a", "b"]
    assert page["keypairs_links"] == [{"rel": "next", "href": f"http://cloud{K}?limit=2&marker=b"}]
    assert names(new, "?limit=2&marker=b") == ["c", "d"]
    assert "keypairs_links" not in new.get(f"{K}?limit=5").json()
    assert new.get(f"{K}?marker=z").status == 400
    assert new.get(f"{K}?limit=-1").status == 400


def test_from_2_92_on_keys_are_brought_only_and_names_may_have_dots(cloud: Client) -> None:
    new, old = cloud.at("compute 2.92"), cloud.at("compute 2.91")
    assert new.post(K, {"keypair": {"name": "k"}}).status == 400
    assert add(old, "ann@home.net").status == 400
    assert add(new, "ann@home.net").status == 201
    assert add(new, "a/b").status == 400
    assert new.get(f"{K}/ann@home.net").status == 200
    assert old.post(K, {"keypair": {"name": "k"}}).json()["keypair"]["private_key"]


def test_unknown_parameters_are_refused_from_2_75_on(cloud: Client) -> None:
    add(cloud)
    for path in (K, f"{K}/k"):
        assert cloud.at("compute 2.74").get(f"{path}?colour=red").status == 200
        assert cloud.at("compute 2.75").get(f"{path}?colour=red").status == 400
    assert cloud.at("compute 2.75").delete(f"{K}/k?colour=red").status == 400


def test_a_user_has_so_many_keys_and_gets_them_back(
    cloud: Client, admin: Client, db: Database
) -> None:
    admin.put("/v2.1/os-quota-sets/p1", {"quota_set": {"key_pairs": 2}})
    assert [add(cloud, name).status for name in "abc"] == [200, 200, 403]
    refused = add(cloud, "c").json()["forbidden"]
    assert refused == {"code": 403, "message": "Quota exceeded, too many key pairs."}
    assert add(cloud.as_("bob:p1:member")).status == 200
    cloud.delete(f"{K}/a")
    assert add(cloud, "c").status == 200
    assert db.read(quotas.usages, "p1")["key_pairs"].in_use == 0
