"""Addresses and forms that carry their own right; archives; web sites."""

import hashlib
import hmac
import io
import tarfile
from typing import Any

import pytest

from cumulo.kit.clock import CLOCK
from tests.client import Answer
from tests.objectstore.service import User

KEY = "secret key"
FAR = 4102444800


@pytest.fixture(autouse=True)
def account(ann: User) -> None:
    ann.filled("box", "box/o", "other", "other/o")
    ann.post("", x_account_meta_temp_url_key=KEY)


def sign(
    method: str,
    path: str,
    expires: Any = FAR,
    key: str = KEY,
    kind: str = "sha256",
    start: str = "",
) -> str:
    line = f"{start}{method}\n{expires}\n{path}"
    return hmac.new(key.encode(), line.encode(), kind).hexdigest()


def query(signature: str, expires: Any = FAR, more: str = "") -> str:
    return f"temp_url_sig={signature}&temp_url_expires={expires}{more}"


PATH = "/v1/AUTH_p1/box/o"


@pytest.mark.parametrize("kind", ["sha1", "sha256", "sha512"])
def test_a_signed_address(anybody: User, kind: str) -> None:
    answer = anybody.get(f"box/o?{query(sign('GET', PATH, kind=kind))}")
    assert (answer.status, answer.body) == (200, b"box/o")
    wanted = "attachment; filename=\"o\"; filename*=UTF-8''o"
    assert answer.headers["content-disposition"] == wanted
    assert anybody.head(f"box/o?{query(sign('GET', PATH, kind=kind))}").status == 200


def test_a_signature_is_good_for_what_it_says_only(anybody: User) -> None:
    get, put = sign("GET", PATH), sign("PUT", PATH)
    assert anybody.put(f"box/o?{query(get)}", b"x").status == 401
    assert anybody.get(f"box/p?{query(get)}").status == 401
    assert anybody.get(f"other/o?{query(get)}").status == 401
    assert anybody.get(f"box/o?{query(get, FAR + 1)}").status == 401
    assert anybody.get(f"box/o?{query('', FAR)}").status == 401
    assert anybody.get(f"box/o?{query('é' * 20, FAR)}").status == 401
    assert anybody.get(f"box/o?{query(sign('GET', PATH, key='other'))}").status == 401
    assert anybody.put(f"box/o?{query(put)}", b"x").status == 201
    assert anybody.delete(f"box/o?{query(put)}").status == 401


def test_a_signature_ends(anybody: User) -> None:
    with CLOCK.held() as clock:
        ends = int(clock.now().timestamp()) + 10
        address = f"box/o?{query(sign('GET', PATH, ends), ends)}"
        assert anybody.get(address).status == 200
        clock.move(11)
        assert anybody.get(address).status == 401
    day = "2100-01-01T00:00:00Z"
    assert anybody.get(f"box/o?{query(sign('GET', PATH, FAR), day)}").status == 200
    assert anybody.get(f"box/o?{query(sign('GET', PATH, 'x'), 'x')}").status == 401


def test_a_signature_for_a_prefix_or_an_address(anybody: User) -> None:
    prefix = sign("GET", "prefix:/v1/AUTH_p1/box/", FAR)
    assert anybody.get(f"box/o?{query(prefix, more='&temp_url_prefix=')}").status == 200
    assert anybody.get(f"other/o?{query(prefix, more='&temp_url_prefix=')}").status == 401
    narrow = sign("GET", "prefix:/v1/AUTH_p1/box/a", FAR)
    assert anybody.get(f"box/o?{query(narrow, more='&temp_url_prefix=a')}").status == 401
    assert anybody.get(f"box/o?{query(prefix, more='&temp_url_prefix=x')}").status == 401
    for ip_range, status in (("127.0.0.0/8", 200), ("10.0.0.0/8", 401), ("x", 401)):
        signed = sign("GET", PATH, start=f"ip={ip_range}\n")
        more = f"&temp_url_ip_range={ip_range}"
        assert anybody.get(f"box/o?{query(signed, more=more)}").status == status


def test_a_containers_key_opens_that_container(ann: User, anybody: User) -> None:
    ann.post("box", x_container_meta_temp_url_key="mine")
    good = query(sign("GET", PATH, key="mine"))
    assert anybody.get(f"box/o?{good}").status == 200
    other = query(sign("GET", "/v1/AUTH_p1/other/o", key="mine"))
    assert anybody.get(f"other/o?{other}").status == 401
    ann.put("box/dynamic", x_object_manifest="other/o")
    dynamic = query(sign("GET", "/v1/AUTH_p1/box/dynamic", key="mine"))
    assert anybody.get(f"box/dynamic?{dynamic}").status == 401


def test_a_signed_upload_cannot_reach_further(anybody: User) -> None:
    address = f"box/o?{query(sign('PUT', PATH))}"
    for header in ("x-copy-from", "x-symlink-target", "x-object-manifest"):
        assert anybody.ask("PUT", address, headers={header: "other/o"}).status == 400
    assert anybody.put(f"{address}&multipart-manifest=put", b"[]").status == 400


def form(fields: dict[str, str], files: dict[str, bytes]) -> tuple[bytes, str]:
    lines = b""
    for name, value in fields.items():
        head = f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        lines += head.encode() + value.encode() + b"\r\n"
    for name, content in files.items():
        head = f'--xyz\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n'
        lines += head.encode() + b"Content-Type: text/css\r\n\r\n" + content + b"\r\n"
    return lines + b"--xyz--\r\n", "multipart/form-data; boundary=xyz"


def upload(anybody: User, files: dict[str, bytes], **changes: str) -> Answer:
    fields = {
        "redirect": "",
        "max_file_size": "100",
        "max_file_count": "2",
        "expires": str(FAR),
        **changes,
    }
    line = "\n".join(["/v1/AUTH_p1/box/up-", *list(fields.values())[:4]])
    signature = hmac.new(KEY.encode(), line.encode(), hashlib.sha1).hexdigest()
    body, kind = form({**fields, "signature": signature, **changes}, files)
    return anybody.ask("POST", "box/up-", body, {"content-type": kind})


def test_a_form(ann: User, anybody: User) -> None:
    assert upload(anybody, {"a": b"\r\n--xy\r\n", "b": b""}).status == 201
    assert ann.get("box/up-a").body == b"\r\n--xy\r\n"
    assert ann.get("box/up-a").headers["content-type"] == "text/css"
    assert ann.get("box/up-b").body == b""


def test_a_form_is_held_to_what_was_signed(ann: User, anybody: User) -> None:
    assert upload(anybody, {"a": b"x"}, signature="0" * 40).text == "FormPost: Invalid Signature"
    assert upload(anybody, {"a": b"x"}, expires="5").text == "FormPost: Form Expired"
    assert upload(anybody, {"a": b"x" * 101}).status == 413
    assert upload(anybody, {"a": b"", "b": b"", "c": b""}).status == 400
    assert upload(anybody, {}).status == 400
    answer = upload(anybody, {"a": b"x"}, redirect="http://page/?a=b")
    assert answer.status == 303
    assert answer.headers["location"] == "http://page/?a=b&status=201&message="
    assert ann.names("box?prefix=up-") == ["up-a", "up-b"]


def test_a_form_that_breaks_off(anybody: User) -> None:
    body, kind = form({"redirect": ""}, {"a": b"x" * 100})
    for cut in (0, 3, 40, 90, 150, len(body) - 8):
        answer = anybody.ask("POST", "box/up-", body[:cut], {"content-type": kind})
        assert answer.status in (400, 401), cut


def archive(mode: str = "w", **files: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return held.getvalue()


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.bz2"])
def test_archives(ann: User, ben: User, kind: str) -> None:
    body = archive(f"w:{kind[4:]}", new__a=b"1", new__dir__b=b"22", box__c=b"3", alone=b"x")
    answer = ann.ask("PUT", f"?extract-archive={kind}", body, {"accept": "application/json"})
    assert answer.json()["Number Files Created"] == 3
    assert answer.json()["Response Status"] == "201 Created"
    assert ann.get("new/dir/b").body == b"22"
    assert ben.ask("PUT", f"?extract-archive={kind}", body).status == 403
    answer = ann.ask("PUT", f"box/in?extract-archive={kind}", archive(f"w:{kind[4:]}", z=b"z"))
    assert "Number Files Created: 1" in answer.text
    assert ann.get("box/in/z").body == b"z"


def test_archives_that_are_none(ann: User) -> None:
    for body in (b"", b"x" * 2000, archive(a__b=b"x" * 3000)[:1500]):
        answer = ann.ask("PUT", "?extract-archive=tar", body, {"accept": "application/json"})
        assert answer.status == 200
        assert answer.json()["Response Status"] == "400 Bad Request"
    assert ann.ask("PUT", "?extract-archive=zip", b"").status == 400


def test_deleting_in_bulk(ann: User, ben: User) -> None:
    body = b"box/o\nother/o\nother\nabsent/x\nbox\n"
    ann.filled("box/left")
    answer = ann.ask("POST", "?bulk-delete", body, {"accept": "application/json"})
    facts = answer.json()
    assert (facts["Number Deleted"], facts["Number Not Found"]) == (3, 1)
    assert facts["Errors"] == [["box", "409 Conflict"]]
    assert ben.ask("POST", "?bulk-delete", body).status == 403
    assert ann.ask("POST", "?bulk-delete", b"x" * 100_000).status == 400


def test_a_web_site(ann: User, anybody: User) -> None:
    ann.put("box/index.html", b"index")
    ann.put("box/sub/page", b"page")
    ann.put("box/404error.html", b"not here")
    ann.post("box", x_container_read=".r:*,.rlistings", x_container_meta_web_index="index.html")
    assert anybody.get("box/").body == b"index"
    assert anybody.get("box/absent").status == 404
    ann.post("box", x_container_meta_web_error="error.html", x_container_meta_web_listings="true")
    answer = anybody.get("box/absent")
    assert (answer.status, answer.body) == (404, b"not here")
    assert anybody.get("box/sub").status == 301
    assert '<a href="./page">page</a>' in anybody.get("box/sub/").text
    assert ann.names("box")[0] == "404error.html"
    assert ann.get("box/", x_web_mode="true").body == b"index"
    ann.put("box/sub/<script>", b"x")
    assert "<script>" not in anybody.get("box/sub/").text


def test_a_web_site_that_is_not_public(ann: User, anybody: User) -> None:
    ann.post("box", x_container_meta_web_index="o", x_container_meta_web_listings="true")
    assert anybody.get("box/").status == 401
    assert anybody.get("box/absent").status == 401
