"""Access lists as S3 spells them: a bucket is its project's alone, or everybody may read or write.

An object has its bucket's list.  A request for any other is refused: nothing would hold it.
"""

import xml.etree.ElementTree as ET

from cumulo.services.objectstore import containers
from cumulo.services.objectstore.api.s3.answers import (
    Signed,
    document,
    leaf,
    malformed,
    not_built,
    owner,
    parsed,
    tag,
)
from cumulo.services.objectstore.containers import Container
from cumulo.web import Reply, Upload

_READ = ".r:*,.rlistings"
_ANYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_CANNED = {"private": set[str](), "public-read": {"READ"}}
# On an object these say no more than that it is its bucket's.
_OWNERS = ("bucket-owner-read", "bucket-owner-full-control")
_GRANTS = ("read", "write", "read-acp", "write-acp", "full-control")


def shown(signed: Signed, bucket: Container) -> Reply:
    """Show who may use a bucket, or an object in it."""
    user = _grantee("CanonicalUser", leaf("ID", _me(signed)), leaf("DisplayName", _me(signed)))
    grants = [tag("Grant", user, leaf("Permission", "FULL_CONTROL"))]
    for permission in sorted(_public(bucket)):
        everybody = _grantee("Group", leaf("URI", _ANYBODY))
        grants.append(tag("Grant", everybody, leaf("Permission", permission)))
    return document("AccessControlPolicy", owner(signed), tag("AccessControlList", *grants))


def headers_of(signed: Signed) -> dict[str, str]:
    """Return what a new bucket's access list is in the store's own terms."""
    return _stored(_canned(signed) or set())


def put_on_bucket(signed: Signed, bucket: Container, body: Upload) -> Reply:
    """Set a bucket's access list."""
    visit = signed.visit.sub("POST", _stored(_wanted(signed, body)))
    containers.update(visit, bucket.account, bucket.name)
    return Reply("", status=200)


def put_on_object(signed: Signed, bucket: Container, body: Upload) -> Reply:
    """Take an object's access list if it is the one that the object has already."""
    _check_same(_wanted(signed, body), bucket)
    return Reply("", status=200)


def check_new_object(signed: Signed, bucket: Container) -> None:
    """Refuse to store an object with an access list other than its bucket's."""
    if signed.header("x-amz-acl") in _OWNERS:
        return
    wanted = _canned(signed)
    if wanted:
        _check_same(wanted, bucket)


def _check_same(wanted: set[str], bucket: Container) -> None:
    if wanted - {"WRITE"} != _public(bucket) - {"WRITE"}:
        raise not_built("an access list other than the bucket's")


def _me(signed: Signed) -> str:
    return signed.visit.ctx.user_id or ""


def _grantee(kind: str, *content: str) -> str:
    return f'<Grantee xmlns:xsi="{_XSI}" xsi:type="{kind}">{"".join(content)}</Grantee>'


def _public(bucket: Container) -> set[str]:
    """Return what everybody may do."""
    readers = bucket.header("X-Container-Read").split(",")
    return {"READ"} if ".r:*" in readers else set()


def _stored(permissions: set[str]) -> dict[str, str]:
    return {
        "x-container-read": _READ if "READ" in permissions else "",
        "x-container-write": "",
    }


def _canned(signed: Signed) -> set[str] | None:
    """Return what everybody may do as headers say it, or None when they say nothing."""
    for name in _GRANTS:
        if signed.header(f"x-amz-grant-{name}"):
            raise not_built(f"x-amz-grant-{name}")
    name = signed.header("x-amz-acl")
    if not name:
        return None
    if name not in _CANNED:
        raise not_built(f"x-amz-acl: {name}")
    return _CANNED[name]


def _wanted(signed: Signed, body: Upload) -> set[str]:
    canned = _canned(signed)
    if canned is not None:
        return canned
    found = parsed(signed.body(body), "AccessControlPolicy").find("AccessControlList")
    if found is None:
        raise malformed()
    granted = [_granted(signed, grant) for grant in found.findall("Grant")]
    return {permission for permission in granted if permission}


def _granted(signed: Signed, grant: ET.Element) -> str:
    """Return what a grant lets everybody do; what it lets the owner do is the owner's anyway."""
    grantee, permission = grant.find("Grantee"), grant.findtext("Permission")
    if grantee is None or permission is None:
        raise malformed()
    if grantee.findtext("ID") == _me(signed):
        return ""
    if grantee.findtext("URI") == _ANYBODY and permission == "READ":
        return permission
    raise not_built(f"a grant of {permission} to others than everybody or the owner")
