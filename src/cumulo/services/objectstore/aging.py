"""Deletes what a bucket's rules say is too old."""

from collections.abc import Iterator
from datetime import UTC, datetime

from cumulo.auth.context import system
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.objectstore import (
    bucket_settings,
    containers,
    objects,
    uploads,
    versions,
)
from cumulo.services.objectstore.bucket_settings import AgeRule
from cumulo.services.objectstore.containers import Container
from cumulo.services.objectstore.drivers.base import Asked, Row
from cumulo.services.objectstore.tools import Tools
from cumulo.services.objectstore.visits import Grant, Visit


def expire(tools: Tools, account: str, name: str) -> None:
    """Apply the rules of one bucket, if it has any."""
    visit = Visit(tools, system(), "DELETE", {}, {}, Grant(account))
    head = containers.find(visit, account, name)
    if head is None:
        return
    bucket = Container(account, name, head)
    found = bucket_settings.get(bucket, "Lifecycle", list[AgeRule]) or []
    rules = [rule for rule in found if rule.is_enabled]
    now = clock.now()
    for rule in rules:
        if rule.days is not None or rule.date is not None:
            _expire_current(visit, bucket, rule, now)
        if rule.noncurrent_days is not None:
            _expire_noncurrent(visit, bucket, rule, now)
        if rule.abort_days is not None:
            _abort(visit, bucket, rule, now)


def _expire_current(visit: Visit, bucket: Container, rule: AgeRule, now: datetime) -> None:
    for row in _rows(visit, bucket, rule.prefix):
        is_old = rule.is_due(bucket_settings.moment(row.modified), now)
        if is_old and rule.covers(row.name, row.size) and _is_tagged(visit, bucket, rule, row):
            parts = uploads.parts_of(visit, bucket, row.name)
            try:
                versions.remove(visit, bucket, row.name)
            except NotFound:
                continue  # deleted meanwhile
            for part in parts:
                uploads.drop_part(visit, bucket, part)


def _expire_noncurrent(visit: Visit, bucket: Container, rule: AgeRule, now: datetime) -> None:
    assert rule.noncurrent_days is not None, "the rule is about such versions"
    followed: tuple[str, datetime] | None = None  # the version that came after, of the same name
    for row, version_id, is_latest in _versions(visit, bucket, rule.prefix):
        after, followed = followed, (row.name, bucket_settings.moment(row.modified))
        if is_latest or after is None or after[0] != row.name:
            continue
        if now >= bucket_settings.due(after[1], rule.noncurrent_days):
            versions.remove_version(visit, bucket, row.name, version_id)


def _abort(visit: Visit, bucket: Container, rule: AgeRule, now: datetime) -> None:
    assert rule.abort_days is not None, "the rule is about uploads"
    for key, upload_id, row in uploads.unfinished(visit, bucket, rule.prefix):
        if now >= bucket_settings.due(bucket_settings.moment(row.modified), rule.abort_days):
            uploads.abort(visit, bucket, key, upload_id)


def _rows(visit: Visit, bucket: Container, prefix: str) -> Iterator[Row]:
    marker = ""
    while True:
        asked = Asked(prefix=prefix, marker=marker, limit=1000)
        found = containers.rows(visit, bucket.account, bucket.name, asked)
        if not found:
            return
        for row in found:
            if isinstance(row, Row):
                marker = row.name
                yield row


def _versions(visit: Visit, bucket: Container, prefix: str) -> Iterator[tuple[Row, str, bool]]:
    if containers.find(visit, bucket.account, versions.hidden(bucket.name)) is None:
        return
    marker = ""
    while found := versions.listed(visit, bucket, Asked(prefix=prefix, marker=marker, limit=1000)):
        yield from found
        row, version_id, _ = found[-1]
        marker = f"{row.name}\0{version_id}"


def _is_tagged(visit: Visit, bucket: Container, rule: AgeRule, row: Row) -> bool:
    if not rule.tags:
        return True
    reading = objects.find(visit, bucket.account, bucket.name, row.name)
    if reading is None:
        return False
    reading.close()
    return rule.tags.items() <= bucket_settings.tags_of(reading.stored.headers).items()


def soonest(rules: list[AgeRule], name: str, size: int, modified: str) -> tuple[str, str] | None:
    """Return when an object goes, and by which rule, as far as that hangs on no tags."""
    since = bucket_settings.moment(modified)
    found = [
        (bucket_settings.due(since, rule.days) if rule.days is not None else rule.date, rule.id)
        for rule in rules
        if rule.is_enabled and rule.covers(name, size) and not rule.tags
    ]
    times = [(when.astimezone(UTC), rule_id) for when, rule_id in found if when is not None]
    if not times:
        return None
    when, rule_id = min(times)
    return when.strftime("%a, %d %b %Y %H:%M:%S GMT"), rule_id
