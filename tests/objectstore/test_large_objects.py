"""Objects made of others: by a list, by a prefix, by a link."""

import base64
import hashlib
from typing import Any

import msgspec
import pytest

from cumulo.services.objectstore import reconcile
from tests.objectstore.service import Service, User

PARTS = [b"first part ", b"second part ", b"third"]


@pytest.fixture(autouse=True)
def parts(ann: User) -> None:
    ann.filled("box", "parts")
    for number, body in enumerate(PARTS):
        ann.put(f"parts/big/{number}", body)


def manifest(*lines: dict[str, Any]) -> bytes:
    return msgspec.json.encode(lines)


def whole() -> bytes:
    return manifest(*({"path": f"/parts/big/{number}"} for number in range(3)))


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_a_static_large_object(ann: User) -> None:
    answer = ann.put("box/big?multipart-manifest=put", whole(), content_type="text/plain")
    etag = f'"{md5("".join(md5(part) for part in PARTS).encode())}"'
    assert (answer.status, answer.headers["etag"]) == (201, etag)
    answer = ann.get("box/big")
    assert (answer.body, answer.headers["etag"]) == (b"".join(PARTS), etag)
    assert answer.headers["x-static-large-object"] == "True"
    assert ann.head("box/big").headers["content-length"] == str(len(b"".join(PARTS)))
    assert ann.get("box/big", range="bytes=9-12").body == b"".join(PARTS)[9:13]
    row = ann.get("box?format=json").json()[0]
    assert (row["bytes"], row["slo_etag"]) == (len(b"".join(PARTS)), etag)
    shown = ann.get("box/big?multipart-manifest=get").json()
    assert [line["name"] for line in shown] == [f"/parts/big/{number}" for number in range(3)]
    raw = ann.get("box/big?multipart-manifest=get&format=raw").body
    assert ann.put("box/again?multipart-manifest=put", raw).headers["etag"] == etag
    assert ann.ask("COPY", "box/big", destination="box/copy").headers["etag"] == md5(
        b"".join(PARTS)
    )


def test_parts_of_parts_ranges_and_inline_bytes(ann: User) -> None:
    ann.put("box/inner?multipart-manifest=put", whole())
    lines: list[dict[str, Any]] = [
        {"path": "/parts/big/0", "range": "0-4"},
        {"data": base64.b64encode(b"--").decode()},
        {"path": "/box/inner"},
        {"path": "/parts/big/2", "range": "-3"},
    ]
    assert ann.put("box/outer?multipart-manifest=put", manifest(*lines)).status == 201
    assert ann.get("box/outer").body == b"first--" + b"".join(PARTS) + b"ird"


def test_a_wrong_list_is_refused_with_every_reason(ann: User) -> None:
    lines: list[dict[str, Any]] = [
        {"path": "/parts/big/0", "etag": "0" * 32},
        {"path": "/parts/big/1", "size_bytes": 3},
        {"path": "/parts/absent"},
    ]
    answer = ann.put("box/big?multipart-manifest=put", manifest(*lines))
    assert answer.status == 400
    assert answer.text == (
        "Errors:\n/parts/big/0, Etag Mismatch\n/parts/big/1, Size Mismatch\n"
        "/parts/absent, 404 Not Found"
    )
    for body in (b"[", b"{}", b"[]", b'[{"path": 1}]', b"[" * 100_000):
        assert ann.put("box/big?multipart-manifest=put", body).status == 400, body[:10]


def test_a_part_that_changed_is_not_served(ann: User) -> None:
    ann.put("box/big?multipart-manifest=put", whole())
    ann.put("parts/big/0", b"other bytes")
    assert ann.get("box/big").status == 409


def test_deleting_with_all_parts(ann: User) -> None:
    ann.put("box/big?multipart-manifest=put", whole())
    answer = ann.delete("box/big?multipart-manifest=delete", accept="application/json")
    assert answer.json()["Number Deleted"] == 4
    assert ann.names("parts") + ann.names("box") == []


def test_one_part_of_a_large_object(ann: User) -> None:
    ann.put("box/big?multipart-manifest=put", whole())
    size = sum(len(part) for part in PARTS)
    answer = ann.get("box/big?part-number=2")
    assert (answer.status, answer.body) == (206, PARTS[1])
    assert answer.headers["content-range"] == f"bytes 11-22/{size}"
    assert answer.headers["x-parts-count"] == "3"
    head = ann.head("box/big?part-number=1")
    assert (head.status, head.headers["content-length"]) == (206, str(len(PARTS[0])))
    beyond = ann.get("box/big?part-number=4")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert beyond.headers["x-parts-count"] == "3"
    for number in ("0", "-1", "x", ""):
        assert ann.get(f"box/big?part-number={number}").status == 400, number
    assert ann.get("box/big?part-number=1", range="bytes=0-1").status == 400
    assert "x-parts-count" not in ann.get("box/big").headers
    assert ann.get("parts/big/0?part-number=7").body == PARTS[0]


def test_parts_may_be_deleted_later(ann: User, service: Service) -> None:
    ann.put("box/big?multipart-manifest=put", whole())
    assert ann.delete("box/big?multipart-manifest=delete&async=on").status == 204
    assert ann.names("box") == []
    ann.put("parts/big/1", b"written again")
    reconcile.delete_later(service.tools)
    assert ann.names("parts") == ["big/1"]
    reconcile.delete_later(service.tools)
    assert ann.names("parts") == ["big/1"]


def test_which_parts_may_not_be_deleted_later(ann: User) -> None:
    ann.put("box/own", b"part")
    lines: list[dict[str, Any]] = [{"path": "/parts/big/0"}, {"path": "/box/own"}]
    ann.put("box/both?multipart-manifest=put", manifest(*lines))
    refused = ann.delete("box/both?multipart-manifest=delete&async=1")
    assert (refused.status, refused.text) == (
        400,
        'All segments must be in one container. Found segments in "box", "parts"',
    )
    ann.put("box/inner?multipart-manifest=put", whole())
    ann.put("box/outer?multipart-manifest=put", manifest({"path": "/box/inner"}))
    assert ann.delete("box/outer?multipart-manifest=delete&async=1").status == 400
    assert ann.delete("box/own?multipart-manifest=delete&async=1").status == 404
    assert ann.names("box") == ["both", "inner", "outer", "own"]


def test_a_list_of_itself_ends(ann: User) -> None:
    ann.put("box/a?multipart-manifest=put", manifest({"path": "/parts/big/0"}))
    ann.put("box/b?multipart-manifest=put", manifest({"path": "/box/a"}))
    ann.put("box/a?multipart-manifest=put", manifest({"path": "/box/b"}))
    assert ann.get("box/a").status == 409
    answer = ann.delete("box/a?multipart-manifest=delete", accept="application/json")
    assert answer.status == 200


def test_a_dynamic_large_object(ann: User) -> None:
    ann.put("box/big", x_object_manifest="parts/big/")
    answer = ann.get("box/big")
    assert answer.body == b"".join(PARTS)
    assert answer.headers["etag"] == f'"{md5("".join(md5(part) for part in PARTS).encode())}"'
    assert answer.headers["x-object-manifest"] == "parts/big/"
    ann.put("parts/big/3", b"!")
    assert ann.get("box/big", range="bytes=-6").body == b"third!"
    assert ann.get("box/big?multipart-manifest=get").body == b""
    assert ann.put("box/big", x_object_manifest="parts").status == 400


def test_parts_are_read_with_the_readers_rights(ann: User, anybody: User) -> None:
    ann.put("box/big?multipart-manifest=put", whole())
    ann.put("box/dynamic", x_object_manifest="parts/big/")
    ann.post("box", x_container_read=".r:*")
    assert anybody.get("box/big").status == 401
    assert anybody.get("box/dynamic").status == 401
    ann.post("parts", x_container_read=".r:*")
    assert anybody.get("box/big").status == 200
    assert anybody.get("box/dynamic").status == 200


def test_links(ann: User) -> None:
    assert ann.put("box/link", x_symlink_target="parts/big/0").status == 201
    answer = ann.get("box/link")
    assert answer.body == PARTS[0]
    assert answer.headers["content-location"] == "/v1/AUTH_p1/parts/big/0"
    itself = ann.head("box/link?symlink=get")
    assert itself.headers["x-symlink-target"] == "parts/big/0"
    assert itself.headers["content-length"] == "0"
    row = ann.get("box?format=json").json()[0]
    assert row["symlink_path"] == "/v1/AUTH_p1/parts/big/0"
    assert ann.post("box/link", x_object_meta_a="1").status == 307
    ann.delete("box/link")
    assert ann.get("parts/big/0").status == 200


def test_links_that_lead_nowhere(ann: User) -> None:
    ann.put("box/a", x_symlink_target="box/b")
    assert ann.get("box/a").status == 404
    ann.put("box/b", x_symlink_target="box/a")
    assert ann.get("box/a").status == 409
    assert ann.put("box/c", x_symlink_target="box/c").status == 400
    assert ann.put("box/c", x_symlink_target="/box/c").status == 400
    assert ann.put("box/c", b"bytes", x_symlink_target="box/d").status == 400


def test_links_that_know_what_they_lead_to(ann: User) -> None:
    etag = ann.put("box/o", b"bytes").headers["etag"]
    asked: dict[str, Any] = {"x_symlink_target": "box/o"}
    assert ann.put("box/link", **asked, x_symlink_target_etag="other").status == 409
    assert ann.put("box/link", **asked, x_symlink_target_etag=etag).status == 201
    assert ann.get("box/link").body == b"bytes"
    ann.put("box/o", b"other")
    assert ann.get("box/link").status == 409


def test_links_give_no_rights(ann: User, anybody: User) -> None:
    ann.put("box/link", x_symlink_target="parts/big/0")
    ann.post("box", x_container_read=".r:*")
    assert anybody.get("box/link").status == 401
