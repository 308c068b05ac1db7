"""S3 as boto3 speaks it, to an edge in this process."""

import dataclasses
import functools
import hashlib
import hmac
import io
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest

from cumulo.auth import Context, Policy
from cumulo.db import Database
from cumulo.kit.clock import CLOCK
from cumulo.kit.errors import Forbidden, Invalid, TooLarge, Unauthorized
from cumulo.services.objectstore import reconcile, sharding, signing
from cumulo.services.objectstore.api.s3 import FAMILY, OPERATIONS, is_s3
from cumulo.services.objectstore.api.s3.answers import parsed
from cumulo.services.objectstore.policy import RULES
from cumulo.services.objectstore.signing import Asked, Claim
from cumulo.web.edge import Api, Edge
from cumulo.web.gate import Gate
from tests.client import Answer, authenticate
from tests.objectstore.service import Service, User

boto3 = pytest.importorskip("boto3")
awsrequest = pytest.importorskip("botocore.awsrequest")
config = pytest.importorskip("botocore.config")
ClientError = pytest.importorskip("botocore.exceptions").ClientError

SECRETS = {"annkey": "ann's secret", "benkey": "ben's secret"}
OWNERS = {"annkey": "ann:p1:member", "benkey": "ben:p2:member"}
MIB = 1 << 20


def signer(access: str, is_by: Callable[[str], bool]) -> Context:
    if not is_by(SECRETS.get(access, "nobody's")) or access not in SECRETS:
        raise Unauthorized("")
    return authenticate(OWNERS[access])


class Wire:
    """Carries what boto3 sends to the edge, and may change it on the way."""

    def __init__(self, service: Service, db: Database) -> None:
        tools = dataclasses.replace(service.tools, signer=signer)
        api = Api(
            name="s3",
            port=8080,
            operations=OPERATIONS,
            policy=Policy(RULES),
            family=FAMILY,
            tools=tools,
            slash_counts=True,
            route_first=True,
        )
        self.app = Gate([(is_s3, Edge(api, db, authenticate))], service.edge)
        self.spoil: Callable[[dict[str, Any]], object] = lambda environ: None

    def carry(self, method: str, url: str, headers: Any, body: bytes) -> Answer:
        parts = urlsplit(url)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
            "QUERY_STRING": parts.query,
            "SERVER_NAME": "cloud",
            "SERVER_PORT": "8080",
            "HTTP_HOST": parts.netloc,
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
        }
        for name, value in dict(headers).items():
            text = value.decode() if isinstance(value, bytes) else str(value)
            key = name.upper().replace("-", "_")
            environ[
                key
                if key.startswith("CONTENT_") and key in ("CONTENT_TYPE", "CONTENT_LENGTH")
                else f"HTTP_{key}"
            ] = text
        environ["CONTENT_LENGTH"] = str(len(body))
        self.spoil(environ)
        started: list[Any] = []

        def start_response(status: str, found: list[tuple[str, str]]) -> None:
            started[:] = [int(status[:3]), {k.lower(): v for k, v in found}]

        pieces = b"".join(self.app(environ, start_response))
        return Answer(started[0], started[1], pieces)

    def send(self, request: Any, **_: Any) -> Any:
        body = request.body or b""
        body = body if isinstance(body, bytes) else body.read()
        answer = self.carry(request.method, request.url, request.headers, body)
        raw = io.BytesIO(answer.body)
        raw.stream = lambda *_: iter([answer.body])  # type: ignore[attr-defined]
        return awsrequest.AWSResponse(request.url, answer.status, answer.headers, raw)


@pytest.fixture
def wire(service: Service, empty_db: Database) -> Wire:
    return Wire(service, empty_db)


@functools.cache
def _session() -> Any:
    return boto3.session.Session()  # has read what Amazon offers, which takes long


def client(wire: Wire, access: str = "annkey", version: str = "s3v4", **more: Any) -> Any:
    settings = config.Config(
        signature_version=version,
        s3={"addressing_style": "path"},
        retries={"max_attempts": 0},
        **more,
    )
    made = _session().client(
        "s3",
        endpoint_url="http://cloud:8080",
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=SECRETS.get(access, "wrong"),
        config=settings,
    )
    made.meta.events.register("before-send.s3", wire.send)
    return made


@pytest.fixture
def s3(wire: Wire) -> Iterator[Any]:
    made = client(wire)
    made.create_bucket(Bucket="box")
    yield made
    made.close()


def code(act: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        act(**arguments)
    found: str = error.value.response["Error"]["Code"]
    return found


def test_objects_in_and_out(s3: Any, ann: User) -> None:
    key, body = "dir/a b+é~", bytes(range(256)) * 5000
    etag = s3.put_object(Bucket="box", Key=key, Body=body, Metadata={"a": "1"})["ETag"]
    found = s3.get_object(Bucket="box", Key=key)
    assert found["Body"].read() == body
    assert (found["ETag"], found["Metadata"]) == (etag, {"a": "1"})
    assert s3.head_object(Bucket="box", Key=key)["ContentLength"] == len(body)
    part = s3.get_object(Bucket="box", Key=key, Range="bytes=3-9")
    assert (part["Body"].read(), part["ContentRange"]) == (body[3:10], f"bytes 3-9/{len(body)}")
    assert code(s3.get_object, Bucket="box", Key=key, Range="bytes=9999999-") == "InvalidRange"
    assert code(s3.get_object, Bucket="box", Key="absent") == "NoSuchKey"
    assert code(s3.get_object, Bucket="absent", Key=key) == "NoSuchBucket"
    assert ann.get("box/dir/a%20b+%C3%A9~").body == body
    s3.delete_object(Bucket="box", Key=key)
    s3.delete_object(Bucket="box", Key=key)
    assert ann.names("box") == []


def test_buckets(s3: Any) -> None:
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["box"]
    assert code(s3.create_bucket, Bucket="box") == "BucketAlreadyOwnedByYou"
    assert code(s3.create_bucket, Bucket="B") == "InvalidBucketName"
    assert code(s3.head_bucket, Bucket="absent") == "404"
    s3.put_object(Bucket="box", Key="o", Body=b"x")
    assert code(s3.delete_bucket, Bucket="box") == "BucketNotEmpty"
    wanted = {"Objects": [{"Key": "o"}, {"Key": "absent"}]}
    assert len(s3.delete_objects(Bucket="box", Delete=wanted)["Deleted"]) == 2
    s3.delete_bucket(Bucket="box")
    assert s3.list_buckets()["Buckets"] == []


def test_listings(s3: Any) -> None:
    for name in ("a", "b/1", "b/2", "c é"):
        s3.put_object(Bucket="box", Key=name, Body=b"x")
    for pages in (s3.get_paginator("list_objects"), s3.get_paginator("list_objects_v2")):
        found = list(pages.paginate(Bucket="box", PaginationConfig={"PageSize": 1}))
        assert [page["Contents"][0]["Key"] for page in found] == ["a", "b/1", "b/2", "c é"]
        folded = next(iter(pages.paginate(Bucket="box", Delimiter="/")))
        assert [one["Key"] for one in folded["Contents"]] == ["a", "c é"]
        assert folded["CommonPrefixes"] == [{"Prefix": "b/"}]
    assert s3.list_objects_v2(Bucket="box", Prefix="b/", StartAfter="b/1")["KeyCount"] == 1


def test_listings_of_a_bucket_that_was_cut(s3: Any, service: Service) -> None:
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
    for number in range(9):
        s3.put_object(Bucket="box", Key=f"a/{number}", Body=b"x")

    def listed() -> list[Any]:
        small = {"Bucket": "box", "PaginationConfig": {"PageSize": 2}}
        names = ("list_objects", "list_objects_v2", "list_object_versions")
        pages = [list(s3.get_paginator(name).paginate(**small)) for name in names]
        keys = [one["Key"] for page in (*pages[0], *pages[1]) for one in page["Contents"]]
        versions = [one["VersionId"] for page in pages[2] for one in page["Versions"]]
        return [keys, versions, s3.list_objects_v2(Bucket="box", Delimiter="/")["CommonPrefixes"]]

    before = listed()
    cluster = service.tools.cluster
    assert all(sharding.cut(cluster, "AUTH_p1", name, 4) for name in ("box", "\0versions\0box"))
    reconcile.shard(service.tools)
    assert len(sharding.ranges_of(cluster, "AUTH_p1", "box")) == 3
    assert listed() == before


def test_uploads_in_parts(s3: Any, service: Service) -> None:
    begun = s3.create_multipart_upload(Bucket="box", Key="big", Metadata={"a": "1"})
    where = {"Bucket": "box", "Key": "big", "UploadId": begun["UploadId"]}
    bodies = [b"1" * (5 * MIB), b"2" * (5 * MIB), b"3"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**where, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(bodies, 1)
    ]
    assert [one["PartNumber"] for one in s3.list_parts(**where)["Parts"]] == [1, 2, 3]
    assert s3.list_multipart_uploads(Bucket="box")["Uploads"][0]["Key"] == "big"
    wrong = {"Parts": parts[::-1]}
    assert code(s3.complete_multipart_upload, **where, MultipartUpload=wrong) == "InvalidPartOrder"
    small = {"Parts": [parts[0], parts[2], {**parts[2], "PartNumber": 4}]}
    assert code(s3.complete_multipart_upload, **where, MultipartUpload=small) == "InvalidPart"
    done = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert done["ETag"].endswith('-3"')
    found = s3.get_object(Bucket="box", Key="big")
    assert found["Body"].read() == b"".join(bodies)
    assert (found["ETag"], found["Metadata"]) == (done["ETag"], {"a": "1"})
    listed = s3.list_objects_v2(Bucket="box")["Contents"][0]
    assert (listed["ETag"], listed["Size"]) == (done["ETag"], 10 * MIB + 1)
    second = s3.get_object(Bucket="box", Key="big", PartNumber=2)
    assert (second["PartsCount"], second["ContentLength"]) == (3, len(bodies[1]))
    assert s3.head_object(Bucket="box", Key="big", PartNumber=1)["ContentLength"] == len(bodies[0])
    assert code(s3.get_object, Bucket="box", Key="big", PartNumber=9) == "InvalidPartNumber"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="box")
    assert code(s3.list_parts, **where) == "NoSuchUpload"
    s3.delete_object(Bucket="box", Key="big")
    assert service.files() == []
    begun = s3.create_multipart_upload(Bucket="box", Key="other")
    where = {"Bucket": "box", "Key": "other", "UploadId": begun["UploadId"]}
    s3.put_object(Bucket="box", Key="o", Body=b"0123456789")
    copied = {"CopySource": "box/o", "CopySourceRange": "bytes=2-4"}
    etag = s3.upload_part_copy(**where, PartNumber=2, **copied)["CopyPartResult"]["ETag"]
    assert etag == f'"{hashlib.md5(b"234").hexdigest()}"'
    s3.upload_part(**where, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**where)
    s3.delete_object(Bucket="box", Key="o")
    s3.delete_bucket(Bucket="box")
    assert service.files() == []


def test_copies(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="a", Body=b"bytes", Metadata={"a": "1"}, ContentType="x/y")
    s3.copy_object(Bucket="box", Key="b", CopySource={"Bucket": "box", "Key": "a"})
    found = s3.head_object(Bucket="box", Key="b")
    assert (found["Metadata"], found["ContentType"]) == ({"a": "1"}, "x/y")
    again = {"Bucket": "box", "Key": "a", "CopySource": "box/a"}
    assert code(s3.copy_object, **again) == "InvalidRequest"
    s3.copy_object(**again, MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert s3.head_object(Bucket="box", Key="a")["Metadata"] == {"b": "2"}
    assert s3.get_object(Bucket="box", Key="a")["Body"].read() == b"bytes"
    assert code(s3.copy_object, **again, CopySourceIfMatch="x", Metadata={}) == "PreconditionFailed"


def test_versions(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="o", Body=b"0")
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket="box")["Status"] == "Enabled"
    first = s3.put_object(Bucket="box", Key="o", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket="box", Key="o")["VersionId"]
    assert code(s3.get_object, Bucket="box", Key="o") == "NoSuchKey"
    found = s3.list_object_versions(Bucket="box")
    assert [one["VersionId"] for one in found["Versions"]] == [first, "null"]
    assert [one["VersionId"] for one in found["DeleteMarkers"]] == [marker]
    old = s3.get_object(Bucket="box", Key="o", VersionId="null")
    assert old["Body"].read() == b"0"
    s3.delete_object(Bucket="box", Key="o", VersionId=first)
    assert code(s3.get_object, Bucket="box", Key="o", VersionId=first) == "NoSuchVersion"


def test_access_lists(s3: Any, anybody: User) -> None:
    s3.put_object(Bucket="box", Key="o", Body=b"x")
    assert len(s3.get_bucket_acl(Bucket="box")["Grants"]) == 1
    s3.put_bucket_acl(Bucket="box", ACL="public-read")
    assert len(s3.get_bucket_acl(Bucket="box")["Grants"]) == 2
    assert anybody.get("box/o").status == 200
    grants = s3.get_bucket_acl(Bucket="box")
    assert s3.get_object_acl(Bucket="box", Key="o")["Grants"] == grants["Grants"]
    s3.put_bucket_acl(Bucket="box", ACL="private")
    assert anybody.get("box/o").status == 401
    del grants["ResponseMetadata"]
    s3.put_bucket_acl(Bucket="box", AccessControlPolicy=grants)
    assert anybody.get("box/o").status == 200


def test_an_object_has_its_buckets_access_list_and_no_other(s3: Any) -> None:
    where = {"Bucket": "box", "Key": "o"}
    s3.put_object(**where, Body=b"x", ACL="private")
    s3.put_object_acl(**where, ACL="private")
    assert code(s3.put_object_acl, **where, ACL="public-read") == "NotImplemented"
    assert code(s3.put_object, **where, Body=b"y", ACL="public-read") == "NotImplemented"
    assert code(s3.put_object, **where, Body=b"y", GrantRead="id=ben") == "NotImplemented"
    assert s3.get_object(**where)["Body"].read() == b"x"
    s3.put_bucket_acl(Bucket="box", ACL="public-read")
    s3.put_object(**where, Body=b"z", ACL="public-read")
    s3.put_object_acl(
        **where,
        AccessControlPolicy=_policy("READ", "http://acs.amazonaws.com/groups/global/AllUsers"),
    )
    assert code(s3.put_bucket_acl, Bucket="box", ACL="public-read-write") == "NotImplemented"
    other = _policy("READ", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers")
    assert code(s3.put_bucket_acl, Bucket="box", AccessControlPolicy=other) == "NotImplemented"


def _policy(permission: str, group: str) -> dict[str, Any]:
    grantee = {"Type": "Group", "URI": group}
    return {"Owner": {"ID": "ann"}, "Grants": [{"Grantee": grantee, "Permission": permission}]}


def test_what_is_not_built_says_so(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="o", Body=b"x")
    assert code(s3.get_bucket_policy, Bucket="box") == "NotImplemented"
    assert code(s3.get_bucket_website, Bucket="box") == "NotImplemented"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket="box")
    none = "ObjectLockConfigurationNotFoundError"
    assert code(s3.get_object_lock_configuration, Bucket="box") == none
    locked = {"Bucket": "box", "Key": "o", "Body": b"", "ObjectLockMode": "GOVERNANCE"}
    assert code(s3.put_object, **locked) == "NotImplemented"


def test_every_project_has_its_own_buckets(s3: Any, wire: Wire) -> None:
    s3.put_object(Bucket="box", Key="o", Body=b"x")
    ben = client(wire, "benkey")
    assert code(ben.get_object, Bucket="box", Key="o") == "NoSuchBucket"
    assert ben.list_buckets()["Buckets"] == []
    assert code(client(wire, "nobody").list_buckets) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_signature_is_worth_something_for_minutes(s3: Any, wire: Wire, version: str) -> None:
    old = client(wire, version=version)
    with CLOCK.held() as clock:
        clock.move(14 * 60)
        old.put_object(Bucket="box", Key="o", Body=b"x")
        clock.move(2 * 60)
        assert code(old.put_object, Bucket="box", Key="o", Body=b"y") == "RequestTimeTooSkewed"
        clock.move(-32 * 60)
        assert code(old.put_object, Bucket="box", Key="o", Body=b"y") == "RequestTimeTooSkewed"
    assert old.get_object(Bucket="box", Key="o")["Body"].read() == b"x"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_signed_addresses(s3: Any, wire: Wire, version: str) -> None:
    old = client(wire, version=version)
    old.put_object(Bucket="box", Key="a b", Body=b"bytes")
    where = {"Bucket": "box", "Key": "a b"}
    with CLOCK.held() as clock:
        url = old.generate_presigned_url("get_object", where, ExpiresIn=100)
        assert wire.carry("GET", url, {}, b"").body == b"bytes"
        assert wire.carry("PUT", url, {}, b"").status == 403
        assert wire.carry("GET", url.replace("box", "other"), {}, b"").status == 403
        clock.move(1000)
        assert wire.carry("GET", url, {}, b"").status == 403


def test_a_signed_address_makes_no_headers(s3: Any, wire: Wire) -> None:
    s3.put_object(Bucket="box", Key="o", Body=b"x")
    where = {"Bucket": "box", "Key": "o", "ResponseContentType": "a\r\nX-Evil: 1"}
    answer = wire.carry("GET", s3.generate_presigned_url("get_object", where), {}, b"")
    assert answer.status == 400
    assert "x-evil" not in answer.headers
    assert "\n" not in answer.headers["content-type"]


def test_a_signed_upload_takes_no_other_source(s3: Any, wire: Wire) -> None:
    s3.put_object(Bucket="box", Key="secret", Body=b"secret")
    url = s3.generate_presigned_url("put_object", {"Bucket": "box", "Key": "mine"})
    for name in ("x-amz-copy-source", "x-amz-acl", "x-amz-meta-a"):
        assert wire.carry("PUT", url, {name: "box/secret"}, b"").status == 403
    for name in ("x-copy-from", "x-symlink-target", "x-object-manifest"):
        assert wire.carry("PUT", url, {name: "box/secret"}, b"own").status == 200
        assert s3.get_object(Bucket="box", Key="mine")["Body"].read() == b"own"


def test_what_was_signed_is_what_must_come(s3: Any, wire: Wire) -> None:
    def other_body(environ: dict[str, Any]) -> None:
        environ["wsgi.input"] = io.BytesIO(b"other")

    def other_path(environ: dict[str, Any]) -> None:
        environ["PATH_INFO"] = "/box/other"

    def old(environ: dict[str, Any]) -> None:
        environ["HTTP_X_AMZ_DATE"] = "20200101T000000Z"

    plain = client(wire, request_checksum_calculation="when_required")
    for spoil, wanted in (
        (other_body, "XAmzContentSHA256Mismatch"),
        (other_path, "SignatureDoesNotMatch"),
        (old, "RequestTimeTooSkewed"),
    ):
        wire.spoil = spoil
        assert code(plain.put_object, Bucket="box", Key="o", Body=b"bytes") == wanted
    wire.spoil = lambda environ: None
    assert "Contents" not in s3.list_objects_v2(Bucket="box")


STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SCOPE, DATE = "20260101/us-east-1/s3/aws4_request", "20260101T000000Z"
EMPTY = hashlib.sha256(b"").hexdigest()


def in_chunks(*chunks: bytes, key: bytes = b"key") -> bytes:
    """Return a body whose chunks are signed one after another, from the seed "seed"."""
    last, body = "seed", b""
    for chunk in (*chunks, b""):
        digest = hashlib.sha256(chunk).hexdigest()
        text = "\n".join(("AWS4-HMAC-SHA256-PAYLOAD", DATE, SCOPE, last, EMPTY, digest))
        last = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        body += f"{len(chunk):x};chunk-signature={last}\r\n".encode() + chunk + b"\r\n"
    return body


def unchunked(body: bytes, length: int, payload: str = STREAMING, step: int = 7) -> bytes:
    claim = Claim("annkey", "seed", "", SCOPE, DATE, payload, b"key")
    asked = Asked("PUT", "/", {}, {"x-amz-decoded-content-length": str(length)})
    steps = (body[at : at + step] for at in range(0, len(body), step))
    return b"".join(signing.pieces(claim, asked, steps))


def test_a_body_in_signed_chunks() -> None:
    body = in_chunks(b"first ", b"second")
    for step in (1, 7, 1000):
        assert unchunked(body, 12, step=step) == b"first second"
    for cut in range(len(body) - 2):
        with pytest.raises(Invalid, match="number of bytes"):
            unchunked(body[:cut], 12)
    for length in (11, 13):
        with pytest.raises(Invalid, match="number of bytes"):
            unchunked(body, length)
    for spoiled in (body.replace(b"second", b"third!"), in_chunks(b"first second", key=b"other")):
        with pytest.raises(Forbidden, match="signature"):
            unchunked(spoiled, 12)


def test_a_body_in_chunks_that_are_not_signed() -> None:
    payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    body = b"5\r\nbytes\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
    assert unchunked(body, 5, payload) == b"bytes"
    for spoiled in (b"-5\r\nbytes", b"x\r\n", b"5" * 2000, b"ffffffffffffffff\r\nbytes", b""):
        with pytest.raises(Invalid):
            unchunked(spoiled, 5, payload)


def test_bodies_that_define_things_are_not_read() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><Delete><Key>&b;</Key></Delete>'
    for body in (bomb.encode(), bomb.encode("utf-16"), b"<Delete>", b"", b"<Other/>", b"\xff"):
        with pytest.raises(Invalid) as error:
            parsed([body], "Delete")
        assert error.value.data["code"] == "MalformedXML"
    with pytest.raises(TooLarge):
        parsed(iter([b" " * MIB] * 3), "Delete")
    assert parsed([b'<Delete xmlns="x"><Key>a</Key></Delete>'], "Delete").findtext("Key") == "a"
