"""Containers and accounts: listings in three forms, metadata, quotas, who may do what."""

from typing import Any

import pytest

from tests.objectstore.service import ANN, RESELLER, Service, User

FRUIT = ("apple", "fig", "pear/a", "pear/b", "pear/c/d", "plum")


@pytest.fixture
def fruit(ann: User) -> User:
    ann.filled("box", *(f"box/{name}" for name in FRUIT))
    return ann


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", list(FRUIT)),
        ("limit=2", ["apple", "fig"]),
        ("marker=fig", ["pear/a", "pear/b", "pear/c/d", "plum"]),
        ("end_marker=pear", ["apple", "fig"]),
        ("marker=apple&end_marker=pear/b", ["fig", "pear/a"]),
        ("prefix=p&limit=1", ["pear/a"]),
        ("delimiter=/", ["apple", "fig", "pear/", "plum"]),
        ("delimiter=/&limit=3", ["apple", "fig", "pear/"]),
        ("delimiter=/&marker=pear/", ["plum"]),
        ("delimiter=/&prefix=pear/", ["pear/a", "pear/b", "pear/c/"]),
        ("delimiter=ea", ["apple", "fig", "pea", "plum"]),
        ("path=pear", ["pear/a", "pear/b"]),
        ("path=", ["apple", "fig", "plum"]),
        ("reverse=on", list(reversed(FRUIT))),
        ("reverse=on&marker=pear/b", ["pear/a", "fig", "apple"]),
        ("reverse=on&end_marker=pear/b", ["plum", "pear/c/d"]),
        ("reverse=on&delimiter=/", ["plum", "pear/", "fig", "apple"]),
        ("delimiter=%F4%8F%BF%BF", list(FRUIT)),
        ("limit=0", []),
    ],
)
def test_parts_of_a_listing(fruit: User, query: str, wanted: list[str]) -> None:
    assert fruit.names(f"box?{query}") == wanted


def test_forms_of_a_listing(fruit: User) -> None:
    rows = fruit.get("box?format=json&delimiter=/").json()
    assert rows[2] == {"subdir": "pear/"}
    assert set(rows[0]) == {"name", "hash", "bytes", "content_type", "last_modified"}
    assert fruit.get("box", accept="application/json").json()[0]["name"] == "apple"
    text = fruit.get("box?format=xml&delimiter=/").text
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<container name="box"><object>')
    assert '<subdir name="pear/"><name>pear/</name></subdir>' in text
    assert fruit.get("box?limit=10001").status == 412
    assert fruit.get("box", accept="image/png").status == 406
    assert fruit.get("", accept="application/xml;q=0.5,application/json").json()[0]["count"] == 6


def test_an_empty_listing_has_no_content(ann: User) -> None:
    ann.filled("box")
    answer = ann.get("box")
    assert (answer.status, answer.headers["content-type"]) == (204, "text/plain; charset=utf-8")
    assert ann.get("box?format=json").json() == []


def test_containers_come_and_go(ann: User) -> None:
    assert ann.get("").status == 204
    assert ann.put("box").status == 201
    assert ann.put("box").status == 202
    ann.filled("box/o")
    assert ann.delete("box").status == 409
    ann.delete("box/o")
    assert ann.delete("box").status == 204
    assert ann.delete("box").status == 404
    assert ann.names() == []
    assert ann.put("box").status == 201
    assert ann.names("box/") == []


def test_metadata_of_containers_and_accounts(ann: User) -> None:
    ann.put("box", x_container_meta_a="1", x_container_meta_b="2")
    ann.post("box", x_remove_container_meta_a="x", x_container_meta_b="", x_container_meta_c="3")
    head = ann.head("box").headers
    assert [name for name in head if name.startswith("x-container-meta")] == ["x-container-meta-c"]
    assert head["x-storage-policy"] == "Policy-0"
    assert ann.put("other", x_storage_policy="gold").status == 400
    assert ann.post("", x_account_meta_a="1").status == 204
    assert ann.head().headers["x-account-meta-a"] == "1"
    assert ann.post("absent").status == 404


def test_quotas_of_containers(ann: User) -> None:
    ann.put("box", x_container_meta_quota_bytes="10", x_container_meta_quota_count="2")
    assert ann.put("box/a", b"x" * 11).status == 413
    assert ann.put("box/a", b"x" * 10).status == 201
    assert ann.put("box/b", b"x").status == 413
    assert ann.put("box/b", b"").status == 201
    assert ann.put("box/c", b"").status == 413
    assert ann.post("box", x_container_meta_quota_bytes="many").status == 400


def test_quotas_of_accounts_are_set_by_who_runs_all(service: Service, ann: User) -> None:
    reseller = service.user(RESELLER)
    assert ann.post("", x_account_meta_quota_bytes="10").status == 403
    assert ann.post("", x_account_quota_count="10").status == 403
    assert reseller.post("", x_account_meta_quota_bytes="10").status == 204
    ann.filled("box")
    assert ann.put("box/a", b"x" * 11).status == 413
    assert reseller.post("", x_remove_account_meta_quota_bytes="x").status == 204
    assert reseller.post("", x_account_quota_count="0").status == 204
    assert ann.put("box/a", b"").status == 413


def test_each_account_is_its_projects(ann: User, ben: User, anybody: User) -> None:
    ann.filled("box", "box/o")
    for user, status in ((ben, 403), (anybody, 401)):
        assert user.get().status == status
        assert user.get("box").status == status
        assert user.get("box/o").status == status
        assert user.get("box/absent").status == status
        assert user.get("absent/o").status == status
        assert user.put("box/p").status == status
        assert user.delete("box/o").status == status
        assert user.post("box").status == status
        assert user.put("new").status == status


def test_readers_read(service: Service, ann: User) -> None:
    ann.filled("box", "box/o")
    reader = service.user("rob:p1:reader")
    assert reader.get("box/o").status == 200
    assert reader.names() == ["box"]
    assert reader.put("box/p").status == 403
    assert reader.post("box", x_container_read=".r:*").status == 403


def test_lists_let_others_in(ann: User, ben: User, anybody: User) -> None:
    ann.filled("box", "box/o")
    ann.post("box", x_container_read="p2:ben")
    assert ben.get("box/o").status == 200
    assert ben.names("box") == ["o"]
    assert "x-container-read" not in ben.head("box").headers
    assert ben.put("box/p").status == 403
    ann.post("box", x_container_write="p2:*", x_container_read="p3:*")
    assert ben.put("box/p", b"x").status == 201
    assert ben.get("box/p").status == 403
    assert ben.delete("box").status == 403
    ann.post("box", x_container_read=".r:*")
    assert anybody.get("box/o").status == 200
    assert anybody.get("box").status == 401
    ann.post("box", x_container_read=".r:*,.rlistings")
    assert anybody.names("box") == ["o", "p"]
    ann.post("box", x_container_read=".r:*,.r:-evil.example")
    assert anybody.get("box/o", referer="http://evil.example/x").status == 401
    assert anybody.get("box/o", referer="http://good.example/x").status == 200
    ann.post("box", x_remove_container_read="x")
    assert anybody.get("box/o").status == 401


def test_lists_have_one_spelling(ann: User) -> None:
    ann.put("box", x_container_read=" .referrer : *.example.com , p:u,, .rlistings")
    assert ann.head("box").headers["x-container-read"] == ".r:.example.com,p:u,.rlistings"
    assert ann.post("box", x_container_write=".r:*").status == 400
    assert ann.post("box", x_container_read=".x:*").status == 400


def test_cross_origin(ann: User, anybody: User) -> None:
    ann.put("box", x_container_read=".r:*")
    ann.filled("box/o")
    ask: dict[str, Any] = {"origin": "http://page", "access_control_request_method": "GET"}
    assert anybody.ask("OPTIONS", "box/o", **ask).status == 401
    ann.post("box", x_container_meta_access_control_allow_origin="http://page")
    answer = anybody.ask("OPTIONS", "box/o", **ask)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "http://page"
    answer = anybody.get("box/o", origin="http://page")
    assert answer.headers["access-control-allow-origin"] == "http://page"
    assert "access-control-allow-origin" not in anybody.get("box/o", origin="http://x").headers


def test_what_anybody_may_know(anybody: User, service: Service) -> None:
    client = service.user(None).client
    facts = client.get("/info").json()
    assert facts["swift"]["policies"] == [
        {"name": "Policy-0", "default": True, "aliases": "Policy-0"}
    ]
    assert client.get("/healthcheck").text == "OK"
    assert client.get("/crossdomain.xml").text.endswith("</cross-domain-policy>")
    assert service.user(ANN).client.get("/v2/nothing").status == 404


def test_a_path_shows_what_is_named_as_a_folder_both_ways(ann: User) -> None:
    ann.filled("shelf", "shelf/f/", "shelf/f/g", "shelf/a")
    assert ann.names("shelf?path=") == ["a", "f/"]
    assert ann.names("shelf?path=&reverse=on") == ["f/", "a"]
