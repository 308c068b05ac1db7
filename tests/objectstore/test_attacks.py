"""Attacks that a store must withstand, beside those on signatures, parts and links."""

import pytest

from tests.objectstore.service import RESELLER, Service, User


@pytest.fixture(autouse=True)
def container(ann: User) -> None:
    ann.filled("box", "box/o")


def test_identity_headers_of_a_client_say_nothing(anybody: User, ben: User) -> None:
    claims = {
        "x-identity-status": "Confirmed",
        "x-roles": "admin,member,ResellerAdmin",
        "x-project-id": "p1",
        "x-user-id": "ann",
        "x-service-token": "x",
    }
    assert anybody.ask("GET", "box/o", headers=claims).status == 401
    assert ben.ask("GET", "box/o", headers=claims).status == 403


@pytest.mark.parametrize(
    "name",
    [
        "x-backend-storage-policy-index",
        "x-container-host",
        "x-container-device",
        "x-container-partition",
        "x-account-host",
        "x-delete-at-host",
        "x-object-sysmeta-slo-etag",
        "x-container-sysmeta-acl",
        "x-static-large-object",
        "x-timestamp",
        "x-object-transient-sysmeta-a",
        "x-open-expired",
    ],
)
def test_internal_headers_from_outside_do_nothing(ann: User, name: str) -> None:
    assert ann.ask("PUT", "box/p", b"bytes", {name: "evil:80"}).status == 201
    assert ann.ask("POST", "box/p", headers={name: "evil:80"}).status == 202
    answer = ann.get("box/p")
    assert answer.body == b"bytes"
    assert "evil" not in str(answer.headers)


def test_line_breaks_do_not_make_headers(ann: User) -> None:
    for value in ("a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rb", "a\0b"):
        for answer in (
            ann.put("box/p", b"x", x_object_meta_a=value),
            ann.head("box/p"),
            ann.post("box", x_container_meta_a=value),
            ann.head("box"),
            ann.put("box/p", b"x", content_type=value),
            ann.head("box/p"),
        ):
            assert answer.status < 500
            assert not any("\r" in one or "\n" in one for one in answer.headers.values())


def test_line_breaks_are_never_kept(service: Service, ann: User) -> None:
    before = service.files()
    for name in ("x-object-meta-a", "content-type", "content-disposition", "x-object-manifest"):
        assert ann.ask("PUT", "box/p", b"x", {name: "a\r\nX-Evil: 1"}).status == 400, name
        assert ann.ask("POST", "box/o", b"", {name: "a\nX-Evil: 1"}).status == 400, name
    assert service.files() == before


def test_a_list_of_parts_has_a_bound(ann: User) -> None:
    endless = b'[{"path": "box/o"}' + b" " * (8 << 20) + b"]"
    assert ann.put("box/p?multipart-manifest=put", endless).status == 413
    deep = b"[" * 100_000
    assert ann.put("box/p?multipart-manifest=put", deep).status == 400


def test_names_are_no_paths(service: Service, ann: User) -> None:
    before = {path for path in service.directory.parent.rglob("*") if "objects" not in path.parts}
    for name in ("..", "../..", "..%2F..%2Fetc%2Fpasswd", ".", "%2E%2E/%2E%2E"):
        assert ann.put(f"box/{name}", b"mine").status == 201
        assert ann.get(f"box/{name}").body == b"mine"
    assert ann.put("..").status == 201
    after = {path for path in service.directory.parent.rglob("*") if "objects" not in path.parts}
    assert before == after


def test_cheap_requests_stay_cheap(ann: User) -> None:
    accept = "application/json" + ";q=" * 20_000 + "," * 20_000
    assert ann.get("box", accept=accept).status in (200, 204, 406)
    assert ann.get("box/o", range="bytes=" + "0-0," * 5_000).status == 416
    assert ann.get("box/o", if_match="," * 50_000).status == 412
    assert ann.get("box/o", if_modified_since="9" * 10_000).status == 200
    assert ann.post("box", x_container_read="," * 8_000).status == 204
    assert ann.put("box/p", x_delete_at="9" * 10_000).status == 400
    assert ann.get("box?limit=" + "9" * 10_000).status == 200


def test_what_a_store_cannot_take_is_the_callers_mistake(ann: User) -> None:
    for path in ("box?limit=-1", "box?limit=x", "box?marker=%ff", "box?delimiter=%00"):
        assert ann.get(path).status < 500, path
    for name in ("%ff", "%ED%A0%80", "a%00b"):
        assert 400 <= ann.put(f"box/{name}").status < 500, name
        assert 400 <= ann.put(name).status < 500, name


def test_signatures_stay_out_of_the_log(anybody: User, capsys: pytest.CaptureFixture[str]) -> None:
    anybody.get("box/o?temp_url_sig=verysecret&temp_url_expires=4102444800")
    assert "verysecret" not in "".join(capsys.readouterr())


def test_errors_tell_nothing_of_the_inside(ann: User, service: Service) -> None:
    for number in range(4):
        service.lose(number)
    answer = ann.get("box/o")
    assert answer.status == 503
    assert str(service.directory) not in answer.text
    assert "d1" not in answer.text


def test_quota_counts_what_comes_without_length(ann: User, service: Service) -> None:
    ann.post("box", x_container_meta_quota_bytes="20")
    chunked = {"transfer-encoding": "chunked", "content-length": ""}
    assert ann.ask("PUT", "box/p", b"x" * 21, chunked).status == 413
    reseller = service.user(RESELLER)
    assert reseller.post("", x_account_meta_quota_bytes="20").status == 204
    ann.post("box", x_remove_container_meta_quota_bytes="x")
    assert ann.ask("PUT", "box/p", b"x" * 21, chunked).status == 413


def test_keys_are_shown_to_owners_only(ann: User, service: Service) -> None:
    ann.post("", x_account_meta_temp_url_key="verysecret")
    ann.post("box", x_container_meta_temp_url_key="verysecret")
    reader = service.user("eve:p1:reader")
    for path in ("", "box"):
        assert reader.head(path).status == 204
        assert "verysecret" not in str(reader.head(path).headers)
        assert "verysecret" in str(ann.head(path).headers)
