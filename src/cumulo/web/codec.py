"""Bytes to structs and back: what clients send is checked here, once, against its type."""

import functools
import re
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias, TypeVar, Union, get_args, get_origin

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.web.versions import Version
from cumulo.web.views import shaped, view, view_of

B = TypeVar("B")

# OpenStack's services read some booleans and numbers from text too: "True", "on", "1".
LooseBool: TypeAlias = Annotated[bool, msgspec.Meta(extra={"loose": bool})]
# A function as the mark reads a value in a way of its own, before its type is checked.
LooseInt: TypeAlias = Annotated[int, msgspec.Meta(extra={"loose": int})]

# An escape of NUL, unless the backslash is itself escaped.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_TRUE = {"1", "t", "true", "on", "y", "yes"}
_FALSE = {"0", "f", "false", "off", "n", "no"}


def parse(data: bytes) -> Any:
    """Read JSON of any shape."""
    _check_no_nul(data)
    return _read(data)


def _read(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"The request body is not valid JSON: {error}.") from error


def decode(data: bytes, kind: type[B], version: Version) -> B:
    """Read a request body as it was at `version`."""
    _check_no_nul(data)
    whole: Any = kind
    if loosener(whole) is None and view_of(kind, version) is kind:
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.ValidationError as error:
            raise invalid(error, parse(data)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(f"The request body is not valid JSON: {error}.") from error
    return convert(parse(data), kind, version)


def _check_no_nul(data: bytes) -> None:
    """Refuse the one character that PostgreSQL cannot store, wherever it stands."""
    if rb"\u0000" in data and _NUL.search(data):
        where = ".".join(_way_to_nul(_read(data)))
        raise Invalid(
            f"Invalid input for field/attribute {where or 'body'}. "
            "The request body must not contain NUL characters.",
            field=where,
        )


def _way_to_nul(value: Any) -> list[str]:
    """Return the names on the way to the first text with a NUL; none for a text itself."""
    inside = value.items() if isinstance(value, dict) else ()
    for name, inner in enumerate(value) if isinstance(value, list) else inside:
        if "\0" in str(name) or (isinstance(inner, str) and "\0" in inner):
            return [str(name).replace("\0", "")]
        if way := _way_to_nul(inner):
            return [str(name), *way]
    return []


def convert(value: Any, kind: type[B], version: Version) -> B:
    """Check a value that was read from JSON against `kind` as it was at `version`."""
    whole: Any = kind
    loosen = loosener(whole)
    value = loosen(value) if loosen else value
    shown = view_of(kind, version)
    try:
        checked = msgspec.convert(value, type=shown)
        return checked if shown is kind else _whole(checked, kind)
    except msgspec.ValidationError as error:
        raise invalid(error, value) from error


def decode_query(values: Mapping[str, list[str]], kind: type[B], version: Version) -> B:
    """Read a query; the last of repeated values counts, unless the field is a list."""
    whole: Any = kind
    shown = view(whole, version)
    lists = _list_fields(shown)
    flat: Any = {name: found if name in lists else found[-1] for name, found in values.items()}
    loosen = loosener(whole)
    flat = loosen(flat) if loosen else flat
    try:
        checked: Any = msgspec.convert(flat, type=shown, strict=False)
        return checked if shown is kind else _whole(checked, kind)
    except msgspec.ValidationError as error:
        raise invalid(error, flat, what="query parameter") from error


def _whole(checked: Any, kind: type[B]) -> B:
    """Return a value of a view as one of the whole struct; what is unset stays unset."""
    return msgspec.convert(msgspec.to_builtins(checked), kind)


def encode(value: Any, version: Version) -> bytes:
    """Write an answer as it was at `version`."""
    if isinstance(value, msgspec.Struct):
        value = shaped(value, version)
    return msgspec.json.encode(value)


def invalid(
    error: msgspec.ValidationError, value: Any, what: str = "input for field/attribute"
) -> Invalid:
    """Say what is wrong and where: the field's path, the value found there, what was expected."""
    reason, _, where = str(error).partition(" - at `$")
    path = _spelled(value, where.rstrip("`").lstrip("."))
    name = path or "body"
    found = _at(value, path)
    shown = "" if found is _MISSING else f" Value: {_short(found)}."
    return Invalid(f"Invalid {what} {name}.{shown} {reason}.", field=path, reason=reason)


_MISSING = object()


def _spelled(value: Any, path: str) -> str:
    """Name the key of a mapping's value where msgspec only says that it is one of them."""
    before, is_one_of_many, after = path.partition("[...]")
    mapping = _inside(value, before)
    if is_one_of_many and isinstance(mapping, Mapping) and len(mapping) == 1:
        before = f"{before}.{next(iter(mapping))}".lstrip(".")
    return before + after.replace("[...]", "")


def _at(value: Any, path: str) -> Any:
    found = _inside(value, path)
    return _MISSING if isinstance(found, dict | list) else found


def _inside(value: Any, path: str) -> Any:
    for part in path.replace("[", ".[").split("."):
        if part.startswith("[") and isinstance(value, list) and part[1:-1].isdigit():
            value = value[int(part[1:-1])] if int(part[1:-1]) < len(value) else _MISSING
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        elif part:
            return _MISSING
    return value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:120]}..."


@functools.cache
def _list_fields(struct: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(f.encode_name for f in msgspec.structs.fields(struct) if _has_list(f.type))


def _has_list(annotation: Any) -> bool:
    if get_origin(annotation) is list:
        return True
    return any(_has_list(arg) for arg in get_args(annotation))


@functools.cache
def loosener(kind: Any) -> Callable[[Any], Any] | None:
    """Return the function that reads loose booleans and numbers in a value of `kind`, if any."""
    return _loosener(kind, ())


def _loosener(kind: Any, above: tuple[Any, ...]) -> Callable[[Any], Any] | None:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return None if kind in above else _struct_loosener(kind, (*above, kind))
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _one_after_the_other(_loose_mark(args[1:]), _loosener(args[0], above))
    if origin in (Union, types.UnionType):
        found = [one for arg in args if (one := _loosener(arg, above))]
        return found[0] if found else None
    if origin is list and (item := _loosener(args[0], above)):
        return lambda value: [item(v) for v in value] if isinstance(value, list) else value
    if origin is dict and (entry := _loosener(args[1], above)):
        return lambda value: (
            {k: entry(v) for k, v in value.items()} if isinstance(value, dict) else value
        )
    return None


def _struct_loosener(
    kind: type[msgspec.Struct], above: tuple[Any, ...]
) -> Callable[[Any], Any] | None:
    parts = {
        field.encode_name: found
        for field in msgspec.structs.fields(kind)
        if (found := _loosener(field.type, above))
    }
    if not parts:
        return None

    def loosen(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: parts[k](v) if k in parts else v for k, v in value.items()}

    return loosen


def _one_after_the_other(
    first: Callable[[Any], Any] | None, then: Callable[[Any], Any] | None
) -> Callable[[Any], Any] | None:
    if first is None or then is None:
        return first or then
    return lambda value: then(first(value))


def _loose_mark(metadata: tuple[Any, ...]) -> Callable[[Any], Any] | None:
    for meta in metadata:
        wanted = (getattr(meta, "extra", None) or {}).get("loose")
        if wanted is bool:
            return _to_bool
        if wanted is int:
            return _to_int
        if callable(wanted):
            found: Callable[[Any], Any] = wanted
            return found
    return None


def _to_bool(value: Any) -> Any:
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    if text in _TRUE:
        return True
    return False if text in _FALSE else value


def _to_int(value: Any) -> Any:
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal() and len(value) < 20:
        return int(value)
    return value
