"""Earlier versions, in both manners."""

import pytest

from tests.objectstore.service import User


@pytest.fixture(autouse=True)
def containers(ann: User) -> None:
    ann.filled("box", "old")


def test_a_stack_of_versions(ann: User) -> None:
    ann.post("box", x_versions_location="old")
    for body in (b"1", b"2", b"3"):
        ann.put("box/o", body, x_object_meta_n=body.decode())
    assert [name[:5] for name in ann.names("old")] == ["001o/", "001o/"]
    assert ann.delete("box/o").status == 204
    answer = ann.get("box/o")
    assert (answer.body, answer.headers["x-object-meta-n"]) == (b"2", "2")
    ann.delete("box/o")
    ann.delete("box/o")
    assert ann.get("box/o").status == 404
    assert ann.names("old") == []


def test_a_history_of_versions(ann: User) -> None:
    ann.post("box", x_history_location="old")
    ann.put("box/o", b"1")
    ann.put("box/o", b"2")
    assert ann.delete("box/o").status == 204
    assert ann.get("box/o").status == 404
    rows = ann.get("old?format=json").json()
    assert [row["bytes"] for row in rows] == [1, 1, 0]
    assert rows[2]["content_type"] == "application/x-deleted;swift_versions_deleted=1"


def test_a_place_for_versions_that_is_not_there(ann: User) -> None:
    ann.post("box", x_versions_location="absent")
    ann.put("box/o", b"1")
    assert ann.put("box/o", b"2").status == 412
    ann.post("box", x_remove_versions_location="x")
    assert ann.put("box/o", b"2").status == 201


def test_versions_by_id(ann: User) -> None:
    ann.put("box/o", b"before")
    ann.post("box", x_versions_enabled="true")
    first = ann.put("box/o", b"1", x_object_meta_n="1").headers["x-object-version-id"]
    second = ann.put("box/o", b"22").headers["x-object-version-id"]
    assert ann.get("box/o").body == b"22"
    assert ann.get("box/o").headers["x-object-version-id"] == second
    assert ann.get("box?format=json").json()[0]["bytes"] == 2
    answer = ann.get(f"box/o?version-id={first}")
    assert (answer.body, answer.headers["x-object-meta-n"]) == (b"1", "1")
    assert ann.get("box/o?version-id=null").body == b"before"
    rows = ann.get("box?versions&format=json").json()
    assert [(row["version_id"], row["is_latest"]) for row in rows] == [
        (second, True),
        (first, False),
        ("null", False),
    ]
    gone = ann.delete("box/o").headers["x-object-version-id"]
    assert ann.get("box/o").status == 404
    assert ann.names("box") == []
    rows = ann.get("box?versions&format=json").json()
    assert [row["version_id"] for row in rows] == [gone, second, first, "null"]
    assert rows[0]["is_latest"]
    assert ann.get(f"box/o?version-id={gone}").status == 404
    assert ann.put(f"box/o?version-id={first}").status == 201
    assert ann.get("box/o").body == b"1"
    assert ann.delete("box").status == 409
    for version in (gone, second, first, "null"):
        assert ann.delete(f"box/o?version-id={version}").status == 204
    assert ann.get("box?versions&format=json").json() == []
    assert ann.delete("box").status == 204
    assert ann.get("box/o?version-id=x").status == 404


def test_hidden_containers_stay_hidden(ann: User) -> None:
    ann.post("box", x_versions_enabled="true")
    ann.filled("box/o")
    assert ann.names() == ["box", "old"]
    assert ann.get("%00versions%00box").status == 404
    assert ann.post("old", x_versions_location="x", x_versions_enabled="true").status == 400
