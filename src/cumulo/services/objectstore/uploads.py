"""S3's uploads in parts: each part an object, the whole a static large object of them."""

import hashlib
from collections.abc import Sequence

import msgspec

from cumulo.kit.errors import Invalid, NotFound
from cumulo.kit.ids import new_hex_id
from cumulo.services.objectstore import access, accounts, containers, links, objects, versions
from cumulo.services.objectstore.containers import Container
from cumulo.services.objectstore.drivers.base import Asked, Row, Stored
from cumulo.services.objectstore.objects import Given
from cumulo.services.objectstore.segments import SLO, SLO_SIZE, Segment, etag_of, manifest_of
from cumulo.services.objectstore.visits import Visit

S3_ETAG = "s3-etag"
SMALLEST = 5 << 20
MOST_PARTS = 10000
_SUFFIX = "+segments"


def is_parts(name: str) -> bool:
    """Say whether a container holds the parts of uploads."""
    return name.endswith(_SUFFIX)


def begin(visit: Visit, bucket: Container, key: str, one: Given) -> str:
    """Begin an upload; return its id."""
    access.require_owner(visit, bucket.account)
    where, upload_id = bucket.name + _SUFFIX, new_hex_id()
    accounts.ensure(visit, bucket.account)
    if containers.find(visit, bucket.account, where) is None:
        containers.make(visit, bucket.account, where, containers.like(bucket))
    objects.check_name(f"{key}/{upload_id}/{MOST_PARTS}")
    objects.store(visit, bucket.account, where, f"{key}/{upload_id}", one)
    return upload_id


def put_part(
    visit: Visit, bucket: Container, key: str, upload: tuple[str, int], one: Given
) -> Stored:
    """Store a part."""
    upload_id, number = upload
    begun(visit, bucket, key, upload_id)
    objects.check_quotas(visit, bucket, key, one.length or 0)
    name = f"{key}/{upload_id}/{number}"
    return objects.store(visit, bucket.account, bucket.name + _SUFFIX, name, one)


def begun(visit: Visit, bucket: Container, key: str, upload_id: str) -> Stored:
    """Return what an upload began with."""
    found = None
    if upload_id.isalnum() and containers.find(visit, bucket.account, bucket.name + _SUFFIX):
        where = bucket.name + _SUFFIX
        found = objects.find(visit, bucket.account, where, f"{key}/{upload_id}")
    if found is None:
        raise NotFound(
            "The specified multipart upload does not exist. The upload ID might be invalid, or the "
            "multipart upload might have been aborted or completed.",
            code="NoSuchUpload",
        )
    found.close()
    return found.stored


def parts(visit: Visit, bucket: Container, key: str, upload_id: str) -> list[tuple[int, Row]]:
    """Return the parts of an upload, in order."""
    begun(visit, bucket, key, upload_id)
    prefix = f"{key}/{upload_id}/"
    rows = containers.rows(visit, bucket.account, bucket.name + _SUFFIX, Asked(prefix=prefix))
    found = [(row.name.removeprefix(prefix), row) for row in rows if isinstance(row, Row)]
    return sorted((int(number), row) for number, row in found if number.isdecimal())


def unfinished(visit: Visit, bucket: Container, prefix: str) -> list[tuple[str, str, Row]]:
    """Return key, id and row of uploads that were begun and not ended."""
    where = bucket.name + _SUFFIX
    if containers.find(visit, bucket.account, where) is None:
        return []
    rows = containers.rows(visit, bucket.account, where, Asked(prefix=prefix))
    found: list[tuple[str, str, Row]] = []
    for row in rows:
        if isinstance(row, Row):
            key, _, upload_id = row.name.rpartition("/")
            if len(upload_id) == 32 and key:
                found.append((key, upload_id, row))
    return found


def complete(
    visit: Visit, bucket: Container, key: str, upload_id: str, wanted: Sequence[tuple[int, str]]
) -> tuple[Stored, str, str]:
    """Make the whole of its parts; return it, its etag and its version."""
    first = begun(visit, bucket, key, upload_id)
    there = dict(parts(visit, bucket, key, upload_id))
    numbers = [number for number, _ in wanted]
    if not wanted or numbers != sorted(set(numbers)):
        raise Invalid("The list of parts was not in ascending order.", code="InvalidPartOrder")
    segments = [_segment(bucket, there, number, etag) for number, etag in wanted]
    if any(part.bytes < SMALLEST for part in segments[:-1]):
        raise Invalid(
            "Your proposed upload is smaller than the minimum allowed object size.",
            code="EntityTooSmall",
        )
    digest = hashlib.md5(usedforsecurity=False)
    for part in segments:
        digest.update(bytes.fromhex(part.hash))
    etag = f"{digest.hexdigest()}-{len(segments)}"
    one = _whole(first, segments, etag)
    objects.check_quotas(visit, bucket, key, 0)
    stored, version_id = versions.store(visit, bucket, key, one)
    objects.remove(visit, bucket.account, bucket.name + _SUFFIX, f"{key}/{upload_id}")
    return stored, etag, version_id


def abort(visit: Visit, bucket: Container, key: str, upload_id: str) -> None:
    """Give an upload up with all its parts."""
    where = bucket.name + _SUFFIX
    for _, row in parts(visit, bucket, key, upload_id):
        objects.remove(visit, bucket.account, where, row.name)
    objects.remove(visit, bucket.account, where, f"{key}/{upload_id}")


def parts_of(visit: Visit, bucket: Container, key: str) -> list[str]:
    """Return the parts that nobody needs once an object is deleted."""
    if versions.is_enabled(bucket):
        return []
    reading = objects.find(visit, bucket.account, bucket.name, key)
    if reading is None:
        return []
    if S3_ETAG not in reading.stored.system:
        reading.close()
        return []
    found = links.plain((bucket.account, bucket.name, key), reading)
    start = f"/{bucket.name}{_SUFFIX}/"
    names = [part.name for part in manifest_of(found)]
    return [name.removeprefix(start) for name in names if name.startswith(start)]


def drop_part(visit: Visit, bucket: Container, name: str) -> None:
    """Delete a part whose whole is gone."""
    objects.remove(visit, bucket.account, bucket.name + _SUFFIX, name)


def drop_parts(visit: Visit, bucket: Container) -> None:
    """Delete the container of parts with its bucket; parts of no upload go with it."""
    where = bucket.name + _SUFFIX
    if containers.find(visit, bucket.account, where) is None:
        return
    for row in containers.rows(visit, bucket.account, where, Asked()):
        if isinstance(row, Row):
            objects.remove(visit, bucket.account, where, row.name)
    containers.remove(visit, bucket.account, where)


def _segment(bucket: Container, there: dict[int, Row], number: int, etag: str) -> Segment:
    row = there.get(number)
    if row is None or row.etag != etag.strip('"'):
        raise Invalid(
            "One or more of the specified parts could not be found. The part might not have been "
            "uploaded, or the specified entity tag might not have matched the part's entity tag.",
            code="InvalidPart",
        )
    return Segment(
        name=f"/{bucket.name}{_SUFFIX}/{row.name}",
        hash=row.etag,
        bytes=row.size,
        content_type=row.content_type,
        last_modified=row.modified,
    )


def _whole(first: Stored, segments: list[Segment], etag: str) -> Given:
    size, body = sum(part.bytes for part in segments), msgspec.json.encode(segments)
    slo = etag_of(segments)
    facts = {"slo_etag": f'"{slo}"', "s3_etag": f'"{etag}"'}
    return Given(
        pieces=[body],
        length=len(body),
        content_type=first.content_type,
        headers=first.headers,
        system={SLO: slo, SLO_SIZE: str(size), S3_ETAG: etag},
        shown_size=size,
        facts=msgspec.json.encode(facts).decode(),
    )
