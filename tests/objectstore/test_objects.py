"""Objects: in, out, parts of them, conditions, copies, and what is said of them."""

import hashlib
from pathlib import Path

import pytest

from cumulo.kit.clock import CLOCK
from cumulo.services.objectstore import reconcile
from cumulo.services.objectstore.drivers.base import Head
from cumulo.services.objectstore.drivers.index import SqliteIndex
from tests.objectstore.service import BEN, MIB, Service, User


@pytest.fixture(autouse=True)
def container(ann: User) -> None:
    ann.filled("box")


def test_what_goes_in_comes_out(ann: User) -> None:
    body = bytes(range(256)) * 9000
    answer = ann.put("box/a/b c", body, content_type="text/plain", x_object_meta_color="blue")
    assert answer.status == 201
    assert answer.headers["etag"] == hashlib.md5(body).hexdigest()
    assert answer.headers["x-trans-id"] == answer.headers["x-openstack-request-id"]
    answer = ann.get("box/a/b%20c")
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["x-object-meta-color"] == "blue"
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["accept-ranges"] == "bytes"
    head = ann.head("box/a/b%20c")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(body))
    assert ann.head("box").headers["x-container-bytes-used"] == str(len(body))
    assert ann.head("").headers["x-account-object-count"] == "1"


def test_a_container_is_looked_at_only_where_its_list_may_decide(
    ann: User, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann.filled("box/o")
    ben, looked = service.user(BEN), list[str]()
    real = SqliteIndex.head

    def head(index: SqliteIndex) -> Head | None:
        looked.append(index.path)
        return real(index)

    monkeypatch.setattr(SqliteIndex, "head", head)
    assert ann.get("box/o").status == 200
    assert ann.get("box/missing").status == ann.get("nobox/o").status == 404
    assert not looked
    assert ben.get("box/o").status == 403
    assert looked
    assert ann.post("box", x_container_read="p2:ben").status == 204
    assert ben.get("box/o").body == b"box/o"
    assert ben.get("box/missing").status == 404
    assert ben.get("nobox/o").status == 403


def test_what_is_deleted_is_gone(ann: User, service: Service) -> None:
    ann.filled("box/o")
    assert ann.delete("box/o").status == 204
    assert ann.get("box/o").status == 404
    assert ann.delete("box/o").status == 404
    assert ann.names("box") == []
    assert service.files() == []
    assert len(service.files("gone")) == 3


def test_errors_are_pages_in_swifts_words(ann: User) -> None:
    answer = ann.get("box/absent")
    assert answer.headers["content-type"] == "text/html; charset=UTF-8"
    assert answer.text == ("<html><h1>Not Found</h1><p>The resource could not be found.</p></html>")
    assert ann.put("absent/o", b"x").status == 404
    assert ann.ask("PATCH", "box/o").status == 405


def test_a_wrong_checksum_leaves_nothing(ann: User, service: Service) -> None:
    assert ann.put("box/o", b"bytes", etag="0" * 32).status == 422
    assert ann.get("box/o").status == 404
    assert [path for device in service.devices for path in _incoming(device.root)] == []


def _incoming(root: str) -> list[Path]:
    return list(Path(root, "incoming").iterdir())


def test_ranges(ann: User) -> None:
    body = bytes(range(250)) * 9000
    ann.put("box/o", body)
    asked = {
        "bytes=0-0": body[:1],
        "bytes=5-": body[5:],
        "bytes=-7": body[-7:],
        f"bytes={MIB - 3}-{MIB + 3}": body[MIB - 3 : MIB + 4],
        f"bytes=9-{len(body) * 2}": body[9:],
    }
    for text, wanted in asked.items():
        answer = ann.get("box/o", range=text)
        assert (answer.status, answer.body) == (206, wanted), text
        assert answer.headers["content-length"] == str(len(wanted))
    assert ann.get("box/o", range="bytes=0-0").headers["content-range"] == f"bytes 0-0/{len(body)}"
    answer = ann.get("box/o", range=f"bytes={len(body)}-")
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(body)}")
    for ignored in ("lines=1-2", "bytes=5-2", "bytes=a-b"):
        assert ann.get("box/o", range=ignored).status == 200


def test_several_ranges_come_in_one_body(ann: User) -> None:
    ann.put("box/o", b"0123456789", content_type="text/plain")
    answer = ann.get("box/o", range="bytes=0-1,4-5,-1")
    assert answer.status == 206
    kind, _, boundary = answer.headers["content-type"].partition(";boundary=")
    assert kind == "multipart/byteranges"
    assert answer.headers["content-length"] == str(len(answer.body))
    parts = answer.body.split(f"--{boundary}".encode())
    assert [part.split(b"\r\n\r\n")[1] for part in parts[1:-1]] == [b"01\r\n", b"45\r\n", b"9\r\n"]
    assert b"Content-Range: bytes 4-5/10" in parts[2]


def test_conditions(ann: User) -> None:
    etag = ann.put("box/o", b"bytes").headers["etag"]
    modified = ann.head("box/o").headers["last-modified"]
    assert ann.get("box/o", if_none_match=f'"{etag}"').status == 304
    assert ann.get("box/o", if_none_match="other").status == 200
    assert ann.get("box/o", if_match="other").status == 412
    assert ann.get("box/o", if_match=f"other, {etag}").status == 200
    assert ann.get("box/o", if_modified_since=modified).status == 304
    assert ann.get("box/o", if_modified_since="Thu Jan  1 00:00:00 2015").status == 200
    old = "Thu, 01 Jan 2015 00:00:00 GMT"
    assert ann.get("box/o", if_unmodified_since=old).status == 412
    assert ann.get("box/o", range="bytes=0-0", if_range="other").status == 200
    assert ann.get("box/o", range="bytes=0-0", if_range=etag).status == 206


def test_an_object_may_be_made_only_if_it_is_not_there(ann: User) -> None:
    assert ann.put("box/o", b"1", if_none_match="*").status == 201
    assert ann.put("box/o", b"2", if_none_match="*").status == 412
    assert ann.put("box/o", b"2", if_none_match="abc").status == 400
    assert ann.get("box/o").body == b"1"


def test_metadata_is_replaced_as_a_whole(ann: User) -> None:
    ann.put("box/o", b"bytes", x_object_meta_a="1", content_type="text/css")
    assert ann.post("box/o", x_object_meta_b="2").status == 202
    head = ann.head("box/o").headers
    assert "x-object-meta-a" not in head
    assert (head["x-object-meta-b"], head["content-type"]) == ("2", "text/css")
    assert ann.post("box/o", content_type="text/plain").status == 202
    assert ann.get("box?format=json").json()[0]["content_type"] == "text/plain"
    assert ann.get("box/o").body == b"bytes"
    assert ann.post("box/absent").status == 404


def test_limits_of_metadata(ann: User) -> None:
    for length, status in ((128, 201), (129, 400)):
        name = f"x-object-meta-{'n' * length}"
        assert ann.ask("PUT", "box/o", headers={name: "v" * 256}).status == status
    assert ann.put("box/o", x_object_meta_n="v" * 257).status == 400
    assert ann.put("box/o", x_object_meta_="v").text == "Metadata name cannot be empty"
    many = {f"x-object-meta-{number}": "v" for number in range(91)}
    assert ann.ask("PUT", "box/o", headers=many).text == "Too many metadata items; max 90"
    assert ann.put("box/" + "n" * 1025).status == 400
    assert ann.put("n" * 257).status == 400


def test_copies(ann: User) -> None:
    ann.filled("other")
    ann.put("box/o", b"bytes", x_object_meta_a="1", content_type="text/css")
    answer = ann.ask("COPY", "box/o", destination="other/p", x_object_meta_b="2")
    assert answer.status == 201
    assert answer.headers["x-copied-from"] == "box/o"
    assert answer.headers["x-object-meta-a"] == "1"
    head = ann.head("other/p").headers
    assert (head["x-object-meta-a"], head["x-object-meta-b"]) == ("1", "2")
    assert head["content-type"] == "text/css"
    assert ann.put("box/o", x_copy_from="/box/o", x_fresh_metadata="true").status == 201
    assert "x-object-meta-a" not in ann.head("box/o").headers
    assert ann.get("box/o").body == b"bytes"
    assert ann.put("box/o", x_copy_from="box/absent").status == 404
    assert ann.put("box/o", x_copy_from="box").status == 412
    assert ann.put("box/o", b"x", x_copy_from="box/o").status == 400


def test_what_expires_goes(ann: User, service: Service) -> None:
    with CLOCK.held() as clock:
        ann.put("box/o", b"bytes", x_delete_after="10")
        ann.put("box/p", b"bytes")
        assert "x-delete-at" in ann.head("box/o").headers
        clock.move(11)
        assert ann.get("box/o").status == 404
        assert ann.names("box") == ["o", "p"]
        reconcile.expire(service.tools)
        assert ann.names("box") == ["p"]
        assert ann.put("box/o", x_delete_at="5").text == "X-Delete-At in past"
        assert ann.put("box/o", x_delete_after="x").status == 400


def test_names_of_any_kind(ann: User) -> None:
    for name in ("%C3%A9%20%2F/..", "a//b", "/", "with%0Abreak", "%F0%9F%8D%95", "a%3Fb"):
        assert ann.put(f"box/{name}", b"x").status == 201, name
        assert ann.get(f"box/{name}").body == b"x"
        assert ann.delete(f"box/{name}").status == 204
    assert ann.names("box") == []
