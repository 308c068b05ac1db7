"""Requests that are right but for one thing, built from what each operation says it reads."""

import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

NASTY_TEXT = [
    "",
    " ",
    "a" * 70_000,
    "../../etc/passwd",
    "..%2f..",
    "x\r\nX-Roles: admin",
    "\0",
    "\ufffe\ufeff",
    "' OR 1=1 --",
    "%s%n%(x)s",
    "{{7*7}}",
    "<script>",
    "☃" * 300,
    "0",
    "-1",
    "NaN",
    "null",
    "true",
    "1e400",
    "2020-13-45",
    "fe80::1%eth0",
    "10.0.0.0/99",
    "00000000-0000-0000-0000-000000000000",
    "fa:16:3e:zz",
    "file:///etc/shadow",
    "http://169.254.169.254/",
]
NASTY: list[Any] = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    2**80,
    10**400,
    1.5,
    1e308,
    [],
    {},
    [[]],
    [None],
    {"a": {}},
    {"": ""},
    *NASTY_TEXT,
]
DELETED = object()
# Bodies that are no JSON, or such JSON as breaks readers; and one that is too large.
NASTY_BODIES = [
    b"",
    b"{",
    b"nul",
    b"\xff\xfe",
    b'{"a": "\\ud800"}',
    b'{"a": 1, "a": 2}',
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"1" * 5_000,
    b'"' + b"x" * (2 << 20) + b'"',
]
NASTY_MEDIA = ["", "text/plain", "application/xml", "application/json; charset=x", "a" * 5000]
NASTY_HEADERS = [
    {"x-roles": "admin", "x-project-id": "p", "x-identity-status": "Confirmed"},
    {"openstack-api-version": "compute 2.-1"},
    {"openstack-api-version": "x" * 5000},
    {"x-openstack-nova-api-version": "9.99"},
    {"accept": "*/*" + ",a/b" * 2000},
    {"if-match": "revision_number=-1"},
    {"if-match": "\xe9"},
    {"range": "bytes=9-1"},
    {"content-length": "-1"},
    {"content-length": "x"},
    {"x-openstack-image-size": "-1"},
    {"x-subject-token": "\xe9" * 300},
    {"x-openstack-request-id": "req-\x7f"},
    {"x-forwarded-proto": "javascript"},
]

Where = tuple[str | int, ...]
# What a string may stand for, where the type says no more than that it is one.
_TEXTS = [
    "fuzz", "10.3.0.0/24", "10.1.0.9", "fa:16:3e:00:00:01", "CUSTOM_FUZZ", "VCPU", "tcp",
    "SOFT", "active", "2026-01-01T00:00:00Z", "00000000-0000-4000-8000-000000000000",
]  # fmt: skip


def right(kind: Any, ids: Mapping[str, str], name: str = "", depth: int = 0) -> Any:
    """Return a strategy of values of a kind, with ids of what is there."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, ids, depth)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _marked(args[0], args[1:], ids, name, depth)
    if origin in (Union, types.UnionType):
        wanted = [arg for arg in args if arg not in (type(None), msgspec.UnsetType)]
        return st.one_of([right(arg, ids, name, depth) for arg in wanted])
    if origin is Literal:
        return st.sampled_from(list(args))
    if origin in (list, tuple, frozenset, set):
        return st.lists(right(args[0], ids, name, depth + 1), min_size=1, max_size=2)
    if origin is dict:
        values = right(args[1], ids, "", depth + 1)
        return st.dictionaries(st.sampled_from(["key", ids.get("uuid", "k")]), values, max_size=1)
    if kind is str:
        return st.just(ids[name]) if name in ids else st.sampled_from(_TEXTS)
    return _PLAIN.get(kind, st.just({"key": "value"}))


def _struct(kind: type[msgspec.Struct], ids: Mapping[str, str], depth: int) -> Any:
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if depth < 5 or field.required:
            kinds = required if field.required else optional
            kinds[field.encode_name] = right(field.type, ids, field.encode_name, depth + 1)
    few = st.sets(st.sampled_from(sorted(optional) or [""]), max_size=2)
    return few.flatmap(
        lambda names: st.fixed_dictionaries(
            {**required, **{name: optional[name] for name in sorted(names) if name}}
        )
    )


def _marked(kind: Any, marks: Any, ids: Mapping[str, str], name: str, depth: int) -> Any:
    """Keep to the bounds that a type names."""
    meta = next((mark for mark in marks if isinstance(mark, msgspec.Meta)), msgspec.Meta())
    if meta.pattern and name not in ids:
        fits = [text for text in _TEXTS if re.search(meta.pattern, text)]
        return st.sampled_from(fits or ["fuzz"])
    if kind is int and (meta.ge is not None or meta.gt is not None):
        return st.just(int(meta.ge if meta.ge is not None else (meta.gt or 0) + 1))
    return right(kind, ids, name, depth)


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: st.sampled_from([1, 4]),
    bool: st.booleans(),
    float: st.just(1.0),
    type(None): st.none(),
}


def places(value: Any, where: Where = ()) -> Iterator[Where]:
    """Yield every place in a value."""
    yield where
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*where, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from places(inner, (*where, at))


def changed(value: Any, where: Where, to: Any) -> Any:
    """Return a value with another one in one of its places, or none there."""
    if not where:
        return None if to is DELETED else to
    key, rest = where[0], where[1:]
    copy = value.copy()
    if not rest and to is DELETED:
        del copy[key]
    else:
        copy[key] = changed(value[key], rest, to)
    return copy
