"""Objects as S3 sees them."""

from base64 import b64decode
from binascii import Error as NotBase64
from urllib.parse import unquote

import msgspec

from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.objectstore import (
    aging,
    copies,
    links,
    objects,
    refusals,
    segments,
    uploads,
    versions,
)
from cumulo.services.objectstore import bucket_settings as rules
from cumulo.services.objectstore.api import bodies
from cumulo.services.objectstore.api.s3 import access_lists, bucket_settings, buckets
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
from cumulo.services.objectstore.bucket_settings import AgeRule
from cumulo.services.objectstore.containers import Container
from cumulo.services.objectstore.objects import Found, Given
from cumulo.services.objectstore.records import Stored
from cumulo.services.objectstore.stamps import iso
from cumulo.services.objectstore.tools import Tools
from cumulo.web import Call, Reply, Routes, Stream, Upload

routes = Routes()
_OBJECT = "/{bucket}/{key:path}"
_ABSENT = ("torrent", "restore", "legal-hold", "retention", "select", "attributes")
_SHOWN = ("content-type", "content-disposition", "content-encoding", "content-language",
          "cache-control", "expires")  # fmt: skip
_ASKED_OF_US = ("x-amz-server-side-encryption", "x-amz-object-lock-mode",
                "x-amz-website-redirect-location")  # fmt: skip


@routes.get(_OBJECT, policy=None)
def get_object(call: Call[Tools], bucket: str, key: str) -> Reply | Stream:
    """Download an object, or show its access list or the parts of its upload."""
    if not key:
        return buckets.show_bucket(call, bucket)
    signed = entered(call, "GET")
    found = signed.bucket(bucket)
    _check_built(signed)
    if "acl" in signed.visit.query:
        _opened(signed, found, key).content.close()
        return access_lists.shown(signed, found)
    if "uploadId" in signed.visit.query:
        return _parts(signed, found, key)
    opened = _opened(signed, found, key)
    if "tagging" in signed.visit.query:
        opened.content.close()
        return bucket_settings.tag_set(rules.tags_of(opened.stored.headers))
    return _sent(signed, found, opened)


@routes.head(_OBJECT, policy=None)
def head_object(call: Call[Tools], bucket: str, key: str) -> Reply | Stream:
    """Show an object's metadata."""
    if not key:
        return buckets.head_bucket(call, bucket)
    signed = entered(call, "HEAD")
    found = signed.bucket(bucket)
    return _sent(signed, found, _opened(signed, found, key))


@routes.add("OPTIONS", _OBJECT, policy=None)
def object_options(call: Call[Tools], bucket: str, key: str) -> Reply:
    """Tell a browser whether a page of another origin may ask."""
    return buckets.preflight(call, bucket)


@routes.put(_OBJECT, policy=None)
def put_object(call: Call[Tools], bucket: str, key: str, body: Upload) -> Reply:
    """Store an object or a part of one, from the body or from another object."""
    if not key:
        return buckets.create_bucket(call, bucket, body)
    signed = entered(call, "PUT")
    found = signed.bucket(bucket, writes=True)
    _check_built(signed)
    if "acl" in signed.visit.query:
        _opened(signed, found, key).content.close()
        return access_lists.put_on_object(signed, found, body)
    if "tagging" in signed.visit.query:
        tags = bucket_settings.read_tag_set(signed, body, "object")
        return _tagged(signed, found, key, tags)
    if "uploadId" in signed.visit.query:
        return _put_part(signed, found, key, body)
    if signed.header("x-amz-copy-source"):
        return _copied(signed, found, key)
    access_lists.check_new_object(signed, found)
    one = _given(signed, key, body)
    objects.check_quotas(signed.visit, found, key, one.length or 0)
    objects.check_absent(signed.visit, found.account, found.name, key)
    stored, version_id = versions.store(signed.visit, found, key, one)
    told = bucket_settings.cross_origin(signed, found, "PUT") | _version(version_id)
    return Reply("", status=200, headers=told | {"ETag": f'"{stored.etag}"'})


@routes.post(_OBJECT, policy=None)
def post_object(call: Call[Tools], bucket: str, key: str, body: Upload) -> Reply:
    """Begin an upload in parts, or make the whole of them."""
    if not key:
        return buckets.post_bucket(call, bucket, body)
    signed = entered(call, "POST")
    found = signed.bucket(bucket, writes=True)
    if "uploads" in signed.visit.query:
        one = objects.given(signed.visit, key, (), 0)
        access_lists.check_new_object(signed, found)
        one = msgspec.structs.replace(one, etag="", headers=one.headers | _tags(signed))
        upload_id = uploads.begin(signed.visit, found, key, one)
        fields = leaf("Bucket", bucket), leaf("Key", key), leaf("UploadId", upload_id)
        return document("InitiateMultipartUploadResult", *fields)
    if "uploadId" in signed.visit.query:
        return _completed(signed, found, key, body)
    raise not_built("POST")


@routes.delete(_OBJECT, policy=None, status=204)
def delete_object(call: Call[Tools], bucket: str, key: str) -> Reply:
    """Delete an object, a version or an upload."""
    if not key:
        return buckets.delete_bucket(call, bucket)
    signed = entered(call, "DELETE")
    found = signed.bucket(bucket, writes=True)
    _check_built(signed)
    if "tagging" in signed.visit.query:
        return _tagged(signed, found, key, {})
    upload_id = signed.visit.param("uploadId")
    if upload_id:
        uploads.abort(signed.visit, found, key, upload_id)
        return Reply(status=204)
    version_id = buckets.delete_one(signed, found, key, signed.visit.param("versionId"))
    return Reply(status=204, headers=_version(version_id))


def _tags(signed: Signed) -> dict[str, str]:
    return rules.tags_header(rules.read_tags(signed.header("x-amz-tagging")))


def _tagged(signed: Signed, bucket: Container, key: str, tags: dict[str, str]) -> Reply:
    """Give an object, or a version of it, other tags."""
    found = _opened(signed, bucket, key)
    found.content.close()
    address = (bucket.account, bucket.name, key)
    if found.version_id:
        where = versions.name_of(key, found.version_id)
        address = (bucket.account, versions.hidden(bucket.name), where)
    kept = {k: v for k, v in found.stored.headers.items() if k != rules.TAGS}
    headers = kept | rules.tags_header(tags)
    objects.replace_headers(signed.visit.sub("POST"), address, found.stored, headers)
    status = 200 if tags else 204
    return Reply("" if tags else None, status=status, headers=_version(found.version_id))


def _check_built(signed: Signed) -> None:
    for name in _ABSENT:
        if name in signed.visit.query:
            raise not_built(name)
    for name in _ASKED_OF_US:
        if signed.header(name):
            raise not_built(name)


def _version(version_id: str) -> dict[str, str]:
    return {"x-amz-version-id": version_id} if version_id else {}


def _opened(signed: Signed, bucket: Container, key: str) -> Found:
    visit, version_id = signed.visit, signed.visit.param("versionId")
    if version_id == versions.NULL and not bucket.header("X-Versions-Enabled"):
        version_id = ""
    try:
        if version_id:
            found = versions.open_version(visit, bucket, key, version_id)
        else:
            opened = links.open_found(visit, bucket.account, bucket.name, key)
            found = versions.followed(visit, opened)
    except NotFound as error:
        code = "NoSuchVersion" if version_id else "NoSuchKey"
        raise NotFound("The specified key does not exist.", code=code) from error
    return segments.resolved(visit, found)


def _sent(signed: Signed, bucket: Container, found: Found) -> Reply | Stream:
    native, headers = bodies.described(signed.visit, found), dict[str, str]()
    for name, value in native.items():
        lower = name.lower()
        if lower.startswith("x-object-meta-"):
            headers[f"x-amz-meta-{lower.removeprefix('x-object-meta-')}"] = value
        elif lower in (*_SHOWN, "last-modified", "accept-ranges"):
            headers[name] = value
    etag = found.stored.system.get(uploads.S3_ETAG) or found.etag.strip('"')
    headers |= {"Etag": f'"{etag}"', **_version(found.version_id), **_ages(bucket, found)}
    headers |= bucket_settings.cross_origin(signed, bucket, signed.visit.method)
    if tags := rules.tags_of(found.stored.headers):
        headers["x-amz-tagging-count"] = str(len(tags))
    for name in _SHOWN:
        said = signed.visit.param(f"response-{name}")
        if said:
            headers["-".join(part.capitalize() for part in name.split("-"))] = said
    part = _part(signed, found, headers)
    answer = bodies.sent(signed.visit, msgspec.structs.replace(found, etag=etag), headers, part)
    if answer.status == 416:
        raise refusals.RangeNotSatisfiable("")
    return answer


def _part(signed: Signed, found: Found, headers: dict[str, str]) -> tuple[int, int] | None:
    """Return which bytes the part is that was asked for; what has no parts is its first."""
    if "partNumber" not in signed.visit.query:
        return None
    if signed.header("range"):
        raise Invalid("Cannot specify both Range header and partNumber query parameter")
    number, parts = _part_number(signed), segments.spans(found)
    if parts is not None:
        headers["x-amz-mp-parts-count"] = str(len(parts))
    elif number == 1 and not found.size:
        return None
    parts = parts or [(0, found.size)]
    if number > len(parts):
        found.content.close()
        words = "The requested partnumber is not satisfiable"
        raise refusals.RangeNotSatisfiable(words, code="InvalidPartNumber")
    return parts[number - 1]


def _part_number(signed: Signed) -> int:
    text = signed.visit.param("partNumber")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Invalid("Part number must be an integer.", code="InvalidArgument")
    if not 1 <= int(text) <= uploads.MOST_PARTS:
        words = f"Part number must be an integer between 1 and {uploads.MOST_PARTS}, inclusive"
        raise Invalid(words, code="InvalidArgument")
    return int(text)


def _ages(bucket: Container, found: Found) -> dict[str, str]:
    """Return when a rule of the bucket lets the object go."""
    known = rules.get(bucket, "Lifecycle", list[AgeRule])
    told = aging.soonest(known, found.name, found.size, iso(found.stored.stamp)) if known else None
    if told is None:
        return {}
    return {"x-amz-expiration": f'expiry-date="{told[0]}", rule-id="{told[1]}"'}


def _given(signed: Signed, key: str, body: Upload) -> Given:
    length = signed.length(body)
    if length is None:
        raise refusals.LengthRequired("")
    one = objects.given(signed.visit, key, signed.body(body), length)
    if not signed.header("content-type"):
        one = msgspec.structs.replace(one, content_type="binary/octet-stream")
    headers = one.headers | _tags(signed)
    return msgspec.structs.replace(one, etag=_md5(signed), headers=headers)


def _md5(signed: Signed) -> str:
    text = signed.header("content-md5")
    try:
        digest = b64decode(text, validate=True)
    except (NotBase64, ValueError) as error:
        raise Invalid("The Content-MD5 you specified was invalid.", code="InvalidDigest") from error
    if text and len(digest) != 16:
        raise Invalid("The Content-MD5 you specified was invalid.", code="InvalidDigest")
    return digest.hex()


def _source(signed: Signed) -> Found:
    path, _, query = signed.header("x-amz-copy-source").partition("?")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    version_id = query.partition("versionId=")[2]
    visit = signed.visit.sub("GET", _conditions(signed))
    reader = Signed(visit, signed.account, signed.claim, signed.asked)
    where = reader.bucket(bucket)
    if version_id:
        visit = visit.sub("GET", visit.headers, {"versionId": [version_id]})
        reader = Signed(visit, signed.account, signed.claim, signed.asked)
    found = _opened(reader, where, key)
    if bodies.refused(visit, found):
        found.content.close()
        raise refusals.unmet()
    return found


def _conditions(signed: Signed) -> dict[str, str]:
    prefix = "x-amz-copy-source-"
    headers = signed.asked.headers
    names = [name for name in headers if name.startswith(f"{prefix}if-")]
    return {name.removeprefix(prefix): headers[name] for name in names}


def _copied(signed: Signed, bucket: Container, key: str) -> Reply:
    access_lists.check_new_object(signed, bucket)
    found = _source(signed)
    objects.check_name(key)
    directive = signed.header("x-amz-metadata-directive") or "COPY"
    same = (found.container, found.name) == (bucket.name, key)
    if same and directive == "COPY" and not found.version_id:
        raise Invalid("This copy request is illegal because it would change nothing.")
    fresh = {"x-fresh-metadata": "true"} if directive == "REPLACE" else {}
    headers = signed.visit.headers if fresh else {}
    one = copies.given(signed.visit.sub("PUT", {**headers, **fresh}), found)
    if (signed.header("x-amz-tagging-directive") or "COPY") == "REPLACE":
        kept = {k: v for k, v in one.headers.items() if k != rules.TAGS}
        one = msgspec.structs.replace(one, headers=kept | _tags(signed))
    elif fresh:
        tags = rules.tags_header(rules.tags_of(found.stored.headers))
        one = msgspec.structs.replace(one, headers=one.headers | tags)
    objects.check_quotas(signed.visit, bucket, key, found.size)
    stored, version_id = versions.store(signed.visit.sub("PUT"), bucket, key, one)
    found.content.close()
    return _copy_told("CopyObjectResult", stored, _version(version_id))


def _copy_told(root: str, stored: Stored, headers: dict[str, str]) -> Reply:
    when = buckets.moment(iso(stored.stamp))
    fields = leaf("LastModified", when), leaf("ETag", f'"{stored.etag}"')
    return document(root, *fields, headers=headers)


def _put_part(signed: Signed, bucket: Container, key: str, body: Upload) -> Reply:
    where = (signed.visit.param("uploadId"), _part_number(signed))
    if not signed.header("x-amz-copy-source"):
        one = _given(signed, key, body)
        stored = uploads.put_part(signed.visit, bucket, key, where, one)
        return Reply("", status=200, headers={"ETag": f'"{stored.etag}"'})
    found = _source(signed)
    start, end = 0, found.size
    said = signed.header("x-amz-copy-source-range")
    if said:
        wanted = bodies.ranges(said, found.size)
        if not wanted or len(wanted) != 1:
            raise Invalid("The x-amz-copy-source-range value is wrong.", code="InvalidArgument")
        start, end = wanted[0]
    one = Given(pieces=found.content.pieces(start, end - start), length=end - start)
    stored = uploads.put_part(signed.visit.sub("PUT"), bucket, key, where, one)
    found.content.close()
    return _copy_told("CopyPartResult", stored, {})


def _parts(signed: Signed, bucket: Container, key: str) -> Reply:
    upload_id = signed.visit.param("uploadId")
    after = signed.visit.param("part-number-marker") or "0"
    first = int(after) if after.isascii() and after.isdecimal() else 0
    found = uploads.parts(signed.visit, bucket, key, upload_id)
    left = [(number, row) for number, row in found if number > first]
    shown = left[:1000]
    lines = [
        tag(
            "Part",
            leaf("PartNumber", number),
            leaf("LastModified", buckets.moment(row.modified)),
            leaf("ETag", f'"{row.etag}"'),
            leaf("Size", row.size),
        )
        for number, row in shown
    ]
    fields = [
        leaf("Bucket", bucket.name),
        leaf("Key", key),
        leaf("UploadId", upload_id),
        owner(signed),
        leaf("StorageClass", "STANDARD"),
        leaf("PartNumberMarker", first),
        leaf("NextPartNumberMarker", shown[-1][0] if shown else 0),
        leaf("MaxParts", 1000),
        leaf("IsTruncated", str(len(left) > len(shown)).lower()),
    ]
    return document("ListPartsResult", *fields, *lines)


def _completed(signed: Signed, bucket: Container, key: str, body: Upload) -> Reply:
    wanted: list[tuple[int, str]] = []
    for line in parsed(signed.body(body), "CompleteMultipartUpload").findall("Part"):
        number = line.findtext("PartNumber") or ""
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            raise Invalid("PartNumber must be a number.", code="MalformedXML")
        wanted.append((int(number), line.findtext("ETag") or ""))
    upload_id = signed.visit.param("uploadId")
    visit = signed.visit.sub("PUT")
    _, etag, version_id = uploads.complete(visit, bucket, key, upload_id, wanted)
    fields = (
        leaf("Location", f"/{bucket.name}/{key}"),
        leaf("Bucket", bucket.name),
        leaf("Key", key),
        leaf("ETag", f'"{etag}"'),
    )
    return document("CompleteMultipartUploadResult", *fields, headers=_version(version_id))
