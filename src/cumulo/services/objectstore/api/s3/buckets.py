"""Buckets: containers as S3 sees them."""

import re
from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from cumulo.kit.errors import CloudError, Conflict, Forbidden, Invalid, NotFound
from cumulo.services.objectstore import accounts, containers, uploads, versions
from cumulo.services.objectstore.api.s3 import access_lists, bucket_settings
from cumulo.services.objectstore.api.s3.answers import (
    Signed,
    document,
    entered,
    leaf,
    not_built,
    owner,
    parsed,
    tag,
)
from cumulo.services.objectstore.containers import VERSIONS_ENABLED, Container
from cumulo.services.objectstore.records import Asked, Row
from cumulo.services.objectstore.tools import Tools
from cumulo.web import Call, Reply, Routes, Upload

routes = Routes()
_BUCKET = "/{bucket}"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
_MOST = 1000
_ABSENT = (
    "logging", "notification", "object-lock", "policy", "publicAccessBlock", "requestPayment",
    "restore", "torrent", "website", "encryption", "replication",
    "accelerate", "analytics", "inventory", "metrics", "ownershipControls", "policyStatus",
    "intelligent-tiering",
)  # fmt: skip


@routes.get("/", policy=None)
def list_buckets(call: Call[Tools]) -> Reply:
    """List the caller's buckets."""
    signed = entered(call, "GET")
    accounts.account_visible(signed.visit, signed.account)
    rows = accounts.containers(signed.visit, signed.account, Asked())
    shown = [
        tag("Bucket", leaf("Name", row.name), leaf("CreationDate", moment(row.modified)))
        for row in rows
        if isinstance(row, Row) and not uploads.is_parts(row.name)
    ]
    return document("ListAllMyBucketsResult", owner(signed), tag("Buckets", *shown))


@routes.head(_BUCKET, policy=None)
def head_bucket(call: Call[Tools], bucket: str) -> Reply:
    """Tell whether a bucket is there."""
    entered(call, "HEAD").bucket(bucket)
    return Reply("", status=200)


@routes.get(_BUCKET, policy=None)
def show_bucket(call: Call[Tools], bucket: str) -> Reply:
    """List a bucket's objects, or show one of its settings."""
    signed = entered(call, "GET")
    found, query = signed.bucket(bucket), signed.visit.query
    if setting := bucket_settings.wanted(signed):
        return bucket_settings.shown(found, setting)
    if "logging" in query:
        return document("BucketLoggingStatus")  # never set: setting it is not built
    _check_built(signed)
    if "location" in query:
        return document("LocationConstraint")
    if "acl" in query:
        return access_lists.shown(signed, found)
    if "versioning" in query:
        status = {"True": "Enabled", "False": "Suspended"}.get(found.header(VERSIONS_ENABLED))
        return document("VersioningConfiguration", leaf("Status", status) if status else "")
    if "versions" in query:
        return _versions(signed, found)
    if "uploads" in query:
        return _uploads(signed, found)
    return _listing(signed, found)


def _check_built(signed: Signed) -> None:
    if "object-lock" in signed.visit.query:
        words = "Object Lock configuration does not exist for this bucket"
        raise NotFound(words, code="ObjectLockConfigurationNotFoundError")
    for name in _ABSENT:
        if name in signed.visit.query:
            raise not_built(name)


@routes.put(_BUCKET, policy=None)
def create_bucket(call: Call[Tools], bucket: str, body: Upload) -> Reply:
    """Make a bucket, or set one of its settings."""
    signed = entered(call, "PUT")
    if setting := bucket_settings.wanted(signed):
        return bucket_settings.put(signed, signed.bucket(bucket, writes=True), setting, body)
    if "versioning" in signed.visit.query:
        return _set_versioning(signed, signed.bucket(bucket), body)
    if "acl" in signed.visit.query:
        return access_lists.put_on_bucket(signed, signed.bucket(bucket), body)
    for name in _ABSENT:
        if name in signed.visit.query:
            raise not_built(name)
    if not _NAME.fullmatch(bucket) or _ADDRESS.fullmatch(bucket) or ".." in bucket:
        raise Invalid("The specified bucket is not valid.", code="InvalidBucketName")
    _check_location(signed, body)
    if containers.find(signed.visit, signed.account, bucket) is not None:
        raise Conflict(
            "Your previous request to create the named bucket succeeded and you already own it.",
            code="BucketAlreadyOwnedByYou",
        )
    visit = signed.visit.sub("PUT", access_lists.headers_of(signed))
    containers.create(visit, signed.account, bucket)
    return Reply("", status=200, headers={"Location": f"/{bucket}"})


@routes.delete(_BUCKET, policy=None, status=204)
def delete_bucket(call: Call[Tools], bucket: str) -> Reply:
    """Delete an empty bucket."""
    signed = entered(call, "DELETE")
    found = signed.bucket(bucket, writes=True)
    if setting := bucket_settings.wanted(signed):
        return bucket_settings.delete(signed, found, setting)
    for name in _ABSENT:
        if name in signed.visit.query:
            raise not_built(name)
    try:
        containers.check_deletable(signed.visit, signed.account, bucket)
        versions.check_empty(signed.visit, signed.account, bucket)
        uploads.drop_parts(signed.visit, found)
        containers.remove(signed.visit, signed.account, bucket)
    except Conflict as error:
        raise Conflict(
            "The bucket you tried to delete is not empty", code="BucketNotEmpty"
        ) from error
    return Reply(status=204)


@routes.post(_BUCKET, policy=None)
def post_bucket(call: Call[Tools], bucket: str, body: Upload) -> Reply:
    """Delete the objects that the body names."""
    signed = entered(call, "POST")
    if "delete" not in signed.visit.query:
        raise not_built("POST")
    found = signed.bucket(bucket, writes=True)
    wanted = parsed(signed.body(body), "Delete")
    lines = wanted.findall("Object")
    if len(lines) > _MOST:
        raise Invalid("The list names more than 1000 objects.", code="MalformedXML")
    is_quiet, shown = (wanted.findtext("Quiet") or "").lower() == "true", []
    for line in lines:
        key, version_id = line.findtext("Key") or "", line.findtext("VersionId") or ""
        try:
            delete_one(signed, found, key, version_id)
        except CloudError as error:
            code = str(error.data.get("code", "AccessDenied"))
            fields = leaf("Key", key), leaf("Code", code), leaf("Message", error.message)
            shown.append(tag("Error", *fields))
        else:
            shown.append("" if is_quiet else tag("Deleted", leaf("Key", key)))
    return document("DeleteResult", *shown)


@routes.add("OPTIONS", _BUCKET, policy=None)
def bucket_options(call: Call[Tools], bucket: str) -> Reply:
    """Tell a browser whether a page of another origin may ask."""
    return preflight(call, bucket)


def preflight(call: Call[Tools], bucket: str) -> Reply:
    """Answer what a browser asks about an address that is signed for what its page wants to do."""
    method = call.headers.get("access-control-request-method", "")
    signed = entered(call, method)
    told = bucket_settings.cross_origin(signed, signed.bucket(bucket), method)
    if not told:
        raise Forbidden("CORSResponse: This CORS request is not allowed.", code="AccessForbidden")
    return Reply("", status=200, headers=told)


def delete_one(signed: Signed, bucket: Container, key: str, version_id: str) -> str:
    """Delete an object or a version; what is not there is deleted already."""
    try:
        if version_id:
            versions.remove_version(signed.visit, bucket, key, version_id)
            return version_id
        parts = uploads.parts_of(signed.visit, bucket, key)
        gone = versions.remove(signed.visit, bucket, key)
    except NotFound:
        return ""
    for name in parts:
        uploads.drop_part(signed.visit, bucket, name)
    return gone


def moment(iso: str) -> str:
    """Spell a listing's time as S3 does."""
    return f"{iso[:23]}Z"


def etag_of(row: Row) -> str:
    """Return the etag that S3's clients know an object by."""
    held = msgspec.json.decode(row.facts, type=dict[str, object]) if row.facts else {}
    return str(held.get("s3_etag", f'"{row.etag}"'))


def _set_versioning(signed: Signed, bucket: Container, body: Upload) -> Reply:
    status = parsed(signed.body(body), "VersioningConfiguration").findtext("Status")
    if status not in ("Enabled", "Suspended"):
        raise Invalid("Status must be Enabled or Suspended.", code="MalformedXML")
    headers = {VERSIONS_ENABLED.lower(): str(status == "Enabled").lower()}
    containers.update(signed.visit.sub("POST", headers), bucket.account, bucket.name)
    return Reply("", status=200)


def _check_location(signed: Signed, body: Upload) -> None:
    held = b"".join(signed.body(body))
    if not held.strip():
        return
    where = parsed([held], "CreateBucketConfiguration").findtext("LocationConstraint")
    region = [*signed.claim.scope.split("/"), ""][1]
    if where not in (None, "", "us-east-1", region):
        raise Invalid(
            "The specified location constraint is not valid.", code="InvalidLocationConstraint"
        )


def _number(signed: Signed, name: str, default: int) -> int:
    text = signed.visit.param(name)
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Invalid(
            f"Provided {name} not an integer or within integer range", code="InvalidArgument"
        )
    return min(int(text), _MOST)


def _coded(signed: Signed, text: str) -> str:
    return quote(text) if signed.visit.param("encoding-type") == "url" else text


def _listing(signed: Signed, bucket: Container) -> Reply:
    visit = signed.visit
    is_v2 = visit.param("list-type") == "2"
    most = _number(signed, "max-keys", _MOST)
    marker = visit.param("marker")
    if is_v2:
        marker = visit.param("continuation-token") or visit.param("start-after")
    prefix, delimiter = visit.param("prefix"), visit.param("delimiter")
    asked = Asked(limit=most + 1, marker=marker, prefix=prefix, delimiter=delimiter)
    rows = containers.objects(visit, bucket, asked)
    shown, is_more = rows[:most], len(rows) > most > 0
    last = shown[-1] if shown else ""
    last_name = last if isinstance(last, str) else last.name
    fields = [
        leaf("Name", bucket.name),
        leaf("Prefix", _coded(signed, prefix)),
        leaf("MaxKeys", most),
        leaf("IsTruncated", str(is_more).lower()),
    ]
    fields += [leaf("Delimiter", _coded(signed, delimiter))] if delimiter else []
    fields += [leaf("EncodingType", "url")] if visit.param("encoding-type") == "url" else []
    if is_v2:
        fields.append(leaf("KeyCount", len(shown)))
        fields += [leaf("NextContinuationToken", last_name)] if is_more else []
        fields += _said(signed, "continuation-token", "ContinuationToken")
        fields += _said(signed, "start-after", "StartAfter")
    else:
        fields.append(leaf("Marker", _coded(signed, marker)))
        fields += [leaf("NextMarker", _coded(signed, last_name))] if is_more and delimiter else []
    has_owner = not is_v2 or visit.param("fetch-owner") == "true"
    return document("ListBucketResult", *fields, *_members(signed, shown, has_owner=has_owner))


def _said(signed: Signed, name: str, element: str) -> list[str]:
    value = signed.visit.param(name)
    return [leaf(element, _coded(signed, value))] if value else []


def _members(signed: Signed, rows: Sequence[Row | str], *, has_owner: bool) -> list[str]:
    who = owner(signed) if has_owner else ""
    found = []
    for row in rows:
        if isinstance(row, str):
            found.append(tag("CommonPrefixes", leaf("Prefix", _coded(signed, row))))
        else:
            found.append(tag("Contents", _row(signed, row), who, leaf("StorageClass", "STANDARD")))
    return found


def _row(signed: Signed, row: Row) -> str:
    fields = (
        leaf("Key", _coded(signed, row.name)),
        leaf("LastModified", moment(row.modified)),
        leaf("ETag", etag_of(row)),
        leaf("Size", row.size),
    )
    return "".join(fields)


def _versions(signed: Signed, bucket: Container) -> Reply:
    visit = signed.visit
    most = _number(signed, "max-keys", _MOST)
    marker, version = visit.param("key-marker"), visit.param("version-id-marker")
    if visit.param("delimiter"):
        raise not_built("delimiter")
    asked = Asked(
        limit=most + 1,
        marker=f"{marker}\0{version}" if version else marker,
        prefix=visit.param("prefix"),
    )
    found = versions.listed(visit, bucket, asked)
    if not found and containers.find(visit, bucket.account, versions.hidden(bucket.name)) is None:
        rows = containers.objects(visit, bucket, asked)
        found = [(row, versions.NULL, True) for row in rows if isinstance(row, Row)]
    shown, is_more = found[:most], len(found) > most
    fields = [
        leaf("Name", bucket.name),
        leaf("Prefix", visit.param("prefix")),
        leaf("KeyMarker", marker),
        leaf("VersionIdMarker", version),
        leaf("MaxKeys", most),
        leaf("IsTruncated", str(is_more).lower()),
    ]
    if is_more:
        row, version_id, _ = shown[-1]
        fields += [leaf("NextKeyMarker", row.name), leaf("NextVersionIdMarker", version_id)]
    for row, version_id, is_latest in shown:
        said = leaf("VersionId", version_id), leaf("IsLatest", str(is_latest).lower())
        if row.content_type == versions.MARKER:
            when = leaf("Key", row.name), leaf("LastModified", moment(row.modified))
            fields.append(tag("DeleteMarker", *when, *said, owner(signed)))
        else:
            more = owner(signed), leaf("StorageClass", "STANDARD")
            fields.append(tag("Version", _row(signed, row), *said, *more))
    return document("ListVersionsResult", *fields)


def _uploads(signed: Signed, bucket: Container) -> Reply:
    found = uploads.unfinished(signed.visit, bucket, signed.visit.param("prefix"))[:_MOST]
    shown = [
        tag(
            "Upload",
            leaf("Key", key),
            leaf("UploadId", upload_id),
            owner(signed),
            leaf("StorageClass", "STANDARD"),
            leaf("Initiated", moment(row.modified)),
        )
        for key, upload_id, row in found
    ]
    fields = leaf("Bucket", bucket.name), leaf("MaxUploads", _MOST), leaf("IsTruncated", "false")
    return document("ListMultipartUploadsResult", *fields, *shown)
