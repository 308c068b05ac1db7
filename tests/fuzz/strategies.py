"""Requests that nobody should send, built from what each operation says it reads."""

import types
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
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
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
]
NASTY: list[Any] = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    2**80,
    1.5,
    1e308,
    [],
    {},
    [[]],
    {"a": {}},
    *NASTY_TEXT,
]

nasty = st.sampled_from(NASTY)
anything = st.recursive(
    nasty | st.text(max_size=20) | st.integers() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def of_kind(kind: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return values that mostly have the shape of `kind`, with something wrong here and there."""
    return _shaped(kind, depth) | nasty if depth < 4 else nasty


def _shaped(kind: Any, depth: int) -> st.SearchStrategy[Any]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, depth)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _shaped(args[0], depth)
    if origin in (Union, types.UnionType):
        return st.one_of([_shaped(arg, depth) for arg in args])
    if origin is Literal:
        return st.sampled_from(list(args))
    if origin in (list, tuple):
        return st.lists(of_kind(args[0], depth + 1), max_size=2)
    if origin is dict:
        return st.dictionaries(st.text(max_size=5), of_kind(args[1], depth + 1), max_size=2)
    return _PLAIN.get(kind, anything)


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.sampled_from(NASTY_TEXT) | st.text(max_size=12),
    int: st.sampled_from([0, 1, 4, 6, -1, 2**31, 2**63, 10**30]),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    type(None): st.none(),
    type(msgspec.UNSET): st.none(),
}


def _struct(kind: type[msgspec.Struct], depth: int) -> st.SearchStrategy[Any]:
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        needed = field.required and depth < 3
        (required if needed else optional)[field.encode_name] = of_kind(field.type, depth + 1)
    return st.fixed_dictionaries(required, optional=optional)
