"""A bucket's tags, its rules for browsers and its rules of age, over HTTP."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.objectstore import access, bucket_settings
from cumulo.services.objectstore.api.s3.answers import (
    Signed,
    document,
    leaf,
    malformed,
    not_built,
    parsed,
    tag,
)
from cumulo.services.objectstore.bucket_settings import AgeRule, CorsRule
from cumulo.services.objectstore.containers import Container
from cumulo.web import Reply, Upload

_METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
_NOT_BUILT = ("Transition", "NoncurrentVersionTransition")
_KINDS: dict[str, tuple[str, Any, str]] = {
    "cors": ("Cors", list[CorsRule], "NoSuchCORSConfiguration"),
    "tagging": ("Tagging", dict[str, str], "NoSuchTagSet"),
    "lifecycle": ("Lifecycle", list[AgeRule], "NoSuchLifecycleConfiguration"),
}


def wanted(signed: Signed) -> str | None:
    """Return which of the settings a request is about, if it is about one."""
    return next((kind for kind in _KINDS if kind in signed.visit.query), None)


def shown(bucket: Container, kind: str) -> Reply:
    """Show a setting."""
    name, shape, code = _KINDS[kind]
    found = bucket_settings.get(bucket, name, shape)
    if found is None:
        raise NotFound(f"The bucket has no {kind} configuration.", code=code)
    if kind == "tagging":
        return tag_set(found)
    if kind == "cors":
        return document("CORSConfiguration", *map(_cors_rule, found))
    return document("LifecycleConfiguration", *map(_age_rule, found))


def put(signed: Signed, bucket: Container, kind: str, body: Upload) -> Reply:
    """Set a setting."""
    access.require_owner(signed.visit, bucket.account)
    read: dict[str, Callable[[Signed, Upload], Any]] = {
        "cors": _read_cors,
        "tagging": lambda signed, body: read_tag_set(signed, body, "bucket"),
        "lifecycle": _read_ages,
    }
    bucket_settings.put(signed.visit, bucket, _KINDS[kind][0], read[kind](signed, body))
    return Reply("" if kind != "tagging" else None, status=204 if kind == "tagging" else 200)


def delete(signed: Signed, bucket: Container, kind: str) -> Reply:
    """Remove a setting."""
    access.require_owner(signed.visit, bucket.account)
    bucket_settings.put(signed.visit, bucket, _KINDS[kind][0], None)
    return Reply(status=204)


def cross_origin(signed: Signed, bucket: Container, method: str) -> dict[str, str]:
    """Return what lets a page of another origin read the answer, if a rule of its bucket does."""
    origin = signed.header("origin")
    rules = bucket_settings.get(bucket, "Cors", list[CorsRule]) if origin else None
    asked = signed.header("access-control-request-headers").replace(" ", "")
    headers = [one for one in asked.split(",") if one]
    for rule in rules or []:
        if rule.allows(origin, method, headers):
            anybody = "*" in rule.origins
            told = {
                "Access-Control-Allow-Origin": "*" if anybody else origin,
                "Access-Control-Allow-Methods": ", ".join(rule.methods),
                "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
            }
            told |= {"Access-Control-Allow-Headers": ", ".join(headers)} if headers else {}
            exposed = ", ".join(rule.exposed)
            told |= {"Access-Control-Expose-Headers": exposed} if exposed else {}
            age = rule.max_age_s
            return told | ({"Access-Control-Max-Age": str(age)} if age is not None else {})
    return {}


def tag_set(tags: dict[str, str]) -> Reply:
    """Show tags."""
    each = [tag("Tag", leaf("Key", key), leaf("Value", value)) for key, value in tags.items()]
    return document("Tagging", tag("TagSet", *each))


def read_tag_set(signed: Signed, body: Upload, kind: str) -> dict[str, str]:
    """Read the tags of a bucket or an object."""
    found = parsed(signed.body(body), "Tagging").find("TagSet")
    if found is None:
        raise malformed()
    pairs = [(one.findtext("Key") or "", one.findtext("Value") or "") for one in found]
    return bucket_settings.checked_tags(pairs, kind)


def _read_cors(signed: Signed, body: Upload) -> list[CorsRule]:
    rules = []
    for one in parsed(signed.body(body), "CORSConfiguration").findall("CORSRule"):
        texts = {
            name: [each.text or "" for each in one.findall(name)]
            for name in ("AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader")
        }
        methods, origins = texts["AllowedMethod"], texts["AllowedOrigin"]
        if not methods or not origins or set(methods) - set(_METHODS):
            raise malformed()
        if any(text.count("*") > 1 for text in [*origins, *texts["AllowedHeader"]]):
            raise Invalid("A value has more than one wildcard.", code="InvalidRequest")
        age = one.findtext("MaxAgeSeconds")
        rules.append(
            CorsRule(
                id=one.findtext("ID") or "",
                origins=origins,
                methods=methods,
                headers=texts["AllowedHeader"],
                exposed=texts["ExposeHeader"],
                max_age_s=None if age is None else _number(age, 0),
            )
        )
    if not 1 <= len(rules) <= 100:
        raise malformed()
    return rules


def _cors_rule(rule: CorsRule) -> str:
    return tag(
        "CORSRule",
        *([leaf("ID", rule.id)] if rule.id else []),
        *(leaf("AllowedOrigin", one) for one in rule.origins),
        *(leaf("AllowedMethod", one) for one in rule.methods),
        *(leaf("AllowedHeader", one) for one in rule.headers),
        *(leaf("ExposeHeader", one) for one in rule.exposed),
        *([] if rule.max_age_s is None else [leaf("MaxAgeSeconds", rule.max_age_s)]),
    )


def _read_ages(signed: Signed, body: Upload) -> list[AgeRule]:
    found = parsed(signed.body(body), "LifecycleConfiguration").findall("Rule")
    rules = [_read_age(one, number) for number, one in enumerate(found, 1)]
    if not 1 <= len(rules) <= 1000 or len({rule.id for rule in rules}) != len(rules):
        raise malformed()
    return rules


def _read_age(one: ET.Element, number: int) -> AgeRule:
    for name in _NOT_BUILT:
        if one.find(name) is not None:
            raise not_built(name)
    if one.find("Expiration/ExpiredObjectDeleteMarker") is not None:
        raise not_built("ExpiredObjectDeleteMarker")
    if one.find("NoncurrentVersionExpiration/NewerNoncurrentVersions") is not None:
        raise not_built("NewerNoncurrentVersions")
    status, filters = one.findtext("Status"), _filters(one)
    rule = AgeRule(
        id=one.findtext("ID") or f"rule-{number}",
        is_enabled=status == "Enabled",
        days=_days(one, "Expiration/Days"),
        date=_date(one.findtext("Expiration/Date")),
        noncurrent_days=_days(one, "NoncurrentVersionExpiration/NoncurrentDays"),
        abort_days=_days(one, "AbortIncompleteMultipartUpload/DaysAfterInitiation"),
        **filters,
    )
    acts = (rule.days, rule.date, rule.noncurrent_days, rule.abort_days)
    if status not in ("Enabled", "Disabled") or all(each is None for each in acts):
        raise malformed()
    if rule.days is not None and rule.date is not None:
        raise malformed()
    return rule


def _filters(one: ET.Element) -> dict[str, Any]:
    outer = one.find("Filter")
    where = one if outer is None else outer
    inner = where.find("And")
    where = where if inner is None else inner
    pairs = [(t.findtext("Key") or "", t.findtext("Value") or "") for t in where.findall("Tag")]
    sizes = {"ObjectSizeGreaterThan": "larger_than", "ObjectSizeLessThan": "smaller_than"}
    found: dict[str, Any] = {"prefix": where.findtext("Prefix") or ""}
    found["tags"] = bucket_settings.checked_tags(pairs, "object")
    for name, field in sizes.items():
        text = where.findtext(name)
        found |= {} if text is None else {field: _number(text, 0)}
    return found


def _age_rule(rule: AgeRule) -> str:
    limits = [leaf("Prefix", rule.prefix)]
    limits += [tag("Tag", leaf("Key", k), leaf("Value", v)) for k, v in rule.tags.items()]
    sizes = ("ObjectSizeGreaterThan", rule.larger_than), ("ObjectSizeLessThan", rule.smaller_than)
    limits += [leaf(name, size) for name, size in sizes if size is not None]
    inside = tag("And", *limits) if len(limits) > 1 else limits[0]
    acts = [leaf("ID", rule.id), tag("Filter", inside)]
    acts.append(leaf("Status", "Enabled" if rule.is_enabled else "Disabled"))
    if rule.days is not None:
        acts.append(tag("Expiration", leaf("Days", rule.days)))
    if rule.date is not None:
        date = rule.date.strftime("%Y-%m-%dT%H:%M:%SZ")
        acts.append(tag("Expiration", leaf("Date", date)))
    if rule.noncurrent_days is not None:
        days = leaf("NoncurrentDays", rule.noncurrent_days)
        acts.append(tag("NoncurrentVersionExpiration", days))
    if rule.abort_days is not None:
        days = leaf("DaysAfterInitiation", rule.abort_days)
        acts.append(tag("AbortIncompleteMultipartUpload", days))
    return tag("Rule", *acts)


def _days(one: ET.Element, path: str) -> int | None:
    text = one.findtext(path)
    return None if text is None else _number(text, 1)


def _number(text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16 and int(text) >= least):
        raise Invalid(f"A number must be {least} or more.", code="InvalidArgument")
    return int(text)


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise malformed() from error
    when = when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)
    if (when.hour, when.minute, when.second, when.microsecond) != (0, 0, 0, 0):
        raise Invalid("'Date' must be at midnight GMT", code="InvalidArgument")
    return when
