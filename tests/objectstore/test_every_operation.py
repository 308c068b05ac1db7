"""Every operation of both APIs: strangers are refused, and what is wrong is refused with a reason.

Object storage has no file of rules as other services have: roles in one's own account, access
lists and signatures decide.  Hence strangers here come to each operation in turn.  FUZZ_EXAMPLES
asks for more of what is wrong, each time other things.
"""

import io
import os
import re
import tarfile
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cumulo.db import Database
from cumulo.services.objectstore.api import OPERATIONS
from cumulo.services.objectstore.api.s3 import OPERATIONS as S3
from cumulo.web import Operation
from tests.client import Answer
from tests.fuzz.strategies import NASTY_BODIES, NASTY_HEADERS, NASTY_MEDIA, NASTY_TEXT
from tests.objectstore.service import ANN, Service, User
from tests.objectstore.test_s3 import Wire

auth = pytest.importorskip("botocore.auth")
awsrequest = pytest.importorskip("botocore.awsrequest")
credentials = pytest.importorskip("botocore.credentials")

# What anybody may ask: what the store is, and whether a page of another origin may ask.
PUBLIC = {
    "show_info",
    "head_info",
    "info_options",
    "healthcheck",
    "crossdomain",
    "container_options",
    "object_options",
}
READS = ("GET", "HEAD")
STRANGERS = {
    "nobody": (None, 401),
    "a bad token": ("what is this", 401),
    "another project's member": ("ben:p2:member", 403),
    "another project's manager": ("ben:p2:manager", 403),
    "without a role": ("eve:p1:nothing", 403),
    "without a project": ("eve:-:member", 403),
}


def _archive() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name in ("box/o", "box/evil", "evil/o"):
            one = tarfile.TarInfo(name)
            one.size = 4
            archive.addfile(one, io.BytesIO(b"evil"))
    return held.getvalue()


# What makes an operation something else than its method says, and what it is asked with then.
TURNS: list[tuple[str, Mapping[str, str], bytes]] = [
    ("", {}, b""),
    ("extract-archive=tar", {}, _archive()),
    ("bulk-delete=1", {"content-type": "text/plain"}, b"/box/o\n"),
    ("multipart-manifest=put", {}, b'[{"path": "/box/o"}]'),
    ("multipart-manifest=get", {}, b""),
    ("multipart-manifest=delete", {}, b""),
    ("multipart-manifest=delete&async=1", {}, b""),
    ("version-id=1700000000.00000", {}, b""),
    ("versions=1", {}, b""),
    ("symlink=get", {}, b""),
    ("format=json", {}, b""),
    ("", {"x-copy-from": "/box/o"}, b""),
    ("", {"x-copy-from": "/box/o", "x-copy-from-account": "AUTH_p1"}, b""),
    ("", {"x-symlink-target": "box/o"}, b""),
    ("", {"x-object-manifest": "box/o"}, b""),
    ("", {"x-web-mode": "true"}, b""),
    ("", {"range": "bytes=0-1"}, b""),
    ("", {"x-timestamp": "9999999999.00000", "x-container-sync-key": "guess"}, b"evil"),
    ("temp_url_sig=" + "0" * 40 + "&temp_url_expires=9999999999", {}, b"evil"),
    ("", {"content-type": "multipart/form-data; boundary=x"}, b"--x\r\n\r\nevil\r\n--x--"),
    ("", {"x-container-read": ".r:*", "x-container-meta-web-listings": "1"}, b""),
    ("", {"x-account-access-control": '{"admin": ["ben"]}', "x-account-meta-a": "evil"}, b""),
]
_PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")
_ASKED_FOR = os.environ.get("FUZZ_EXAMPLES")
_SETTINGS = settings(
    max_examples=int(_ASKED_FOR or 12),
    deadline=None,
    derandomize=not _ASKED_FOR,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def url(operation: Operation, names: Mapping[str, str], query: str = "") -> str:
    path = _PARAMETER.sub(lambda found: quote(names[found[1]][:1500]), operation.path)
    return f"{path}?{query}" if query else path


def named(**more: str) -> dict[str, str]:
    return {"account": "AUTH_p1", "container": "box", "name": "o", "bucket": "box", "key": "o"} | {
        **more
    }


class Kept:
    """What there is, as its owner sees it, and whether all of it is still as it was."""

    def __init__(self, ann: User) -> None:
        self._ann = ann
        self.fill()

    def fill(self) -> None:
        """Have what requests name, whatever those before did to it."""
        for path, body in (("box", b""), ("box/o", b"secret"), ("box/p", b"secret, too")):
            if self._ann.head(path).status != (200 if body else 204):
                assert self._ann.put(path, body).status in (201, 202)

    def seen(self) -> list[tuple[int, Mapping[str, str], bytes]]:
        ways = [("", "format=json"), ("box", "format=json"), ("box/o", ""), ("box/p", "")]
        answers = [self._ann.get(f"{path}?{query}") for path, query in ways]
        return [(one.status, _lasting(one.headers), one.body) for one in answers]


def _lasting(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in headers.items() if not name.endswith("-id")}


@pytest.fixture
def kept(ann: User) -> Kept:
    return Kept(ann)


def is_refusal(answer: Answer, status: int) -> bool:
    """Say whether nothing was done: of many things at once, as Swift has it, the body tells."""
    if answer.status == 200:
        nothing = ("Number Files Created: 0", "Number Deleted: 0")
        return any(one in answer.text for one in nothing) and f"{status} " in answer.text
    # A signature that is wrong, and a form without one, are refused as such, whoever sends it.
    return answer.status in (status, 401, 400)


def ask(
    service: Service, token: str | None, operation: Operation, asked: tuple[str, Any, bytes]
) -> Answer:
    where, headers, body = asked
    return service.user(token).client.request(operation.method, where, body=body, headers=headers)


@pytest.mark.parametrize("who", STRANGERS)
def test_strangers_are_refused_whatever_they_ask(service: Service, kept: Kept, who: str) -> None:
    token, status = STRANGERS[who]
    before, asked = kept.seen(), 0
    for operation in OPERATIONS:
        if operation.name in PUBLIC:
            continue
        for query, headers, body in TURNS:
            more = {"destination": "/box/q", **headers}
            answer = ask(service, token, operation, (url(operation, named(), query), more, body))
            told = (operation.method, operation.path, query, headers, answer.status, answer.body)
            assert is_refusal(answer, status), told
            assert "secret" not in answer.text, told
            asked += 1
        assert kept.seen() == before, (operation.method, operation.path)
    assert asked == len(TURNS) * (len(OPERATIONS) - len(PUBLIC))


def test_what_anybody_may_ask_tells_and_changes_nothing(service: Service, kept: Kept) -> None:
    before = kept.seen()
    for operation in OPERATIONS:
        if operation.name in PUBLIC:
            for query, headers, body in TURNS:
                more = {"origin": "http://evil", **headers}
                answer = ask(service, None, operation, (url(operation, named(), query), more, body))
                assert answer.status < 500
                assert "secret" not in answer.text
    assert kept.seen() == before
    assert {one.name for one in OPERATIONS} >= PUBLIC


def test_readers_change_nothing(service: Service, kept: Kept) -> None:
    before = kept.seen()
    for operation in OPERATIONS:
        if operation.name not in PUBLIC and operation.method not in READS:
            for query, headers, body in TURNS:
                more = {"destination": "/box/q", **headers}
                asked = (url(operation, named(), query), more, body)
                answer = ask(service, "eve:p1:reader", operation, asked)
                assert is_refusal(answer, 403), (operation.method, operation.path, query)
            assert kept.seen() == before, (operation.method, operation.path)


@pytest.mark.parametrize("key", ["nobodykey", "annkey"], ids=["unknown", "wrong secret"])
def test_signatures_by_strangers_are_refused_by_every_operation(
    service: Service, empty_db: Database, kept: Kept, key: str
) -> None:
    wire, before = Wire(service, empty_db), kept.seen()
    signer = auth.S3SigV4Auth(credentials.Credentials(key, "a guess"), "s3", "us-east-1")
    for operation in S3:
        if operation.method == "OPTIONS":
            continue
        for query in ("", "acl", "uploads", "tagging", "versioning", "lifecycle", "delete"):
            request = awsrequest.AWSRequest(
                method=operation.method,
                url=f"http://cloud:8080{url(operation, named(), query)}",
                data=b"evil" if operation.method in ("PUT", "POST") else b"",
            )
            signer.add_auth(request)
            sent = request.prepare()
            answer = wire.carry(sent.method, sent.url, sent.headers, sent.body or b"")
            told = (operation.method, operation.path, query, answer.status, answer.body)
            assert answer.status == 403, told
            assert "secret" not in answer.text, told
    assert kept.seen() == before


HEADERS = [
    "accept", "content-disposition", "content-encoding", "content-length", "content-type",
    "destination", "destination-account", "etag", "expect", "if-match", "if-modified-since",
    "if-none-match", "if-range", "if-unmodified-since", "origin", "range", "referer",
    "transfer-encoding", "x-account-access-control", "x-account-meta-a",
    "x-account-meta-temp-url-key", "x-account-quota-bytes", "x-account-quota-count-policy-policy-0",
    "x-container-meta-a", "x-container-meta-access-control-allow-origin",
    "x-container-meta-quota-bytes", "x-container-meta-quota-count", "x-container-meta-web-error",
    "x-container-meta-web-index", "x-container-meta-web-listings", "x-container-read",
    "x-container-sync-auth", "x-container-sync-key", "x-container-sync-to", "x-container-write",
    "x-copy-from", "x-copy-from-account", "x-delete-after", "x-delete-at", "x-detect-content-type",
    "x-fresh-metadata", "x-history-location", "x-object-manifest", "x-object-meta-a",
    "x-remove-container-read", "x-storage-policy", "x-symlink-target", "x-symlink-target-account",
    "x-symlink-target-etag", "x-timestamp", "x-versions-enabled", "x-versions-location",
    "x-web-mode",
]  # fmt: skip
QUERIES = [
    "async", "bulk-delete", "delimiter", "end_marker", "extract-archive", "filename", "format",
    "inline", "limit", "marker", "multipart-manifest", "part-number", "path", "prefix", "reverse",
    "symlink", "temp_url_expires", "temp_url_ip_range", "temp_url_prefix", "temp_url_sig",
    "version-id", "versions",
]  # fmt: skip
GOOD = [
    "put", "get", "delete", "true", "tar", "tar.gz", "1", "/box/o", "box/o", "box", "AUTH_p1", "*",
    "bytes=0-1", "bytes=-1,0-0", "9999999999", "text/plain", "multipart/form-data; boundary=x",
    ".r:*,.rlistings", "p2:ben", "Mon, 30 Nov 2026 00:00:00 GMT", "http://cloud/v1/AUTH_p1/box",
]  # fmt: skip
BODIES = [
    b"bytes", b"/box/o\n/box/none\n", b'[{"path": "/box/o"}]', b"[{}]",
    b'[{"path": "/box/o", "range": "x"}]', b'[{"data": "YQ=="}]', b'[{"path": 1}]',
    b"--x\r\n\r\n\r\n--x--", *NASTY_BODIES,
]  # fmt: skip


@st.composite
def requests(draw: Any, operation: Operation) -> tuple[str, dict[str, str], bytes]:
    """Draw a request that names what is there, with a few things beside it that may be wrong."""
    texts = st.sampled_from([*GOOD, *NASTY_TEXT])
    query = draw(st.dictionaries(st.sampled_from(QUERIES), texts, max_size=2))
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), texts, max_size=3))
    if draw(st.integers(0, 5)) == 0:
        headers |= draw(st.sampled_from(NASTY_HEADERS))
        headers["content-type"] = draw(st.sampled_from(NASTY_MEDIA))
    names = named()
    if draw(st.integers(0, 3)) == 0:
        names[draw(st.sampled_from(["container", "name"]))] = draw(texts)
    shown = urlencode({name: value[:2000] for name, value in query.items()})
    # As a server hands headers over: bytes in the clothes of latin-1.
    sent = {name: value.encode().decode("latin-1")[:8000] for name, value in headers.items()}
    return url(operation, names, shown), sent, draw(st.sampled_from(BODIES))


@pytest.mark.walk
@pytest.mark.timeout(3600 if _ASKED_FOR else 60)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_requests_are_answered_or_refused_and_then_change_nothing(
    service: Service, kept: Kept, operation: Operation
) -> None:
    @_SETTINGS
    @given(requests(operation))
    def once(asked: tuple[str, dict[str, str], bytes]) -> None:
        kept.fill()
        before = kept.seen()
        answer = ask(service, ANN, operation, asked)
        told = (operation.method, asked, answer.status, answer.body[:2000])
        assert answer.status < 500, told
        assert not any("\r" in one or "\n" in one for one in answer.headers.values()), told
        if answer.status >= 400 or operation.method in READS:
            assert kept.seen() == before, told

    once()
