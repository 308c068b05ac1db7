"""A struct as it was at a microversion, derived from the marks on its fields."""

import functools
import operator
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

import msgspec

from cumulo.web.versions import Version, within

# Turns a value into what is written of it, given what is known of others, by their identity.
_Shape: TypeAlias = Callable[[Any, dict[int, Any]], Any]


@functools.cache
def view(struct: type[msgspec.Struct], version: Version) -> type[msgspec.Struct]:
    """Return `struct` with only the fields that exist at `version`; itself when that is all."""
    if is_whole(struct, version):
        return struct
    fields: list[Any] = []
    for field in msgspec.structs.fields(struct):
        if within(_marks(field.type), version):
            declared = (field.name, view_of(field.type, version))
            default = _default(field)
            fields.append(declared if default is msgspec.NODEFAULT else (*declared, default))
    rename = {f.name: f.encode_name for f in msgspec.structs.fields(struct)}
    given = struct.__struct_config__
    return msgspec.defstruct(
        struct.__name__,
        fields,
        kw_only=True,
        rename=rename,
        forbid_unknown_fields=given.forbid_unknown_fields,
        omit_defaults=given.omit_defaults,
        gc=given.gc,
    )


def view_of(annotation: Any, version: Version) -> Any:
    """Return a type with every struct in it as it was at `version`."""
    if _is_struct(annotation):
        return view(annotation, version)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(view_of(args[0], version), *args[1:])]
    if origin is None or not any(_structs_in(arg) for arg in args):
        return annotation
    inner = tuple(view_of(arg, version) for arg in args)
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, inner)
    return origin[inner]


@functools.cache
def is_whole(struct: type[msgspec.Struct], version: Version) -> bool:
    """Say whether `struct`, and all structs in it, have each of their fields at `version`."""
    seen: set[type[msgspec.Struct]] = set()
    rest = [struct]
    while rest:
        one = rest.pop()
        if one in seen:
            continue
        seen.add(one)
        for field in msgspec.structs.fields(one):
            if not within(_marks(field.type), version):
                return False
            rest += _structs_in(field.type)
    return True


def shaped(value: msgspec.Struct, version: Version) -> Any:
    """Return what is written of `value` at `version`; what is in it twice is shaped once."""
    return _shaper(type(value), version)(value, {})


@functools.cache
def _shaper(struct: type[msgspec.Struct], version: Version) -> _Shape:
    """Return the function that turns a value of `struct` into its view at `version`."""
    if is_whole(struct, version):
        return _same
    parts = [
        (field.name, _part(field.type, version))
        for field in msgspec.structs.fields(struct)
        if within(_marks(field.type), version)
    ]
    names = tuple(name for name, _ in parts)
    deep = [(place, convert) for place, (_, convert) in enumerate(parts) if convert is not _same]
    target = _shown(struct, names)
    read = operator.attrgetter(*names, names[0])  # one name more: of a single one it makes no tuple

    def shape(value: Any, known: dict[int, Any]) -> Any:
        shown = list(read(value))
        del shown[-1]
        for place, convert in deep:
            shown[place] = convert(shown[place], known)
        return target(*shown)

    return shape


def _shown(struct: type[msgspec.Struct], names: tuple[str, ...]) -> type[msgspec.Struct]:
    """Return what is written instead of `struct`: some of its fields, given by place."""
    rename = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
    defaults = {field.name: _default(field) for field in msgspec.structs.fields(struct)}
    given = struct.__struct_config__
    # Without defaults, unless they decide what is left out, so that the order does not matter.
    fields: list[Any] = [
        (name, Any, defaults[name])
        if given.omit_defaults and defaults[name] is not msgspec.NODEFAULT
        else (name, Any)
        for name in names
    ]
    return msgspec.defstruct(
        struct.__name__, fields, rename=rename, omit_defaults=given.omit_defaults, gc=False
    )


def _part(annotation: Any, version: Version) -> _Shape:
    """Return the function for one field; values decide, since a field may be of several types."""
    inside = _structs_in(annotation)
    if all(is_whole(struct, version) for struct in inside):
        return _same

    def convert(value: Any, known: dict[int, Any]) -> Any:
        shown = known.get(id(value))
        if shown is not None:
            return shown
        if not value:
            return value
        if isinstance(value, msgspec.Struct):
            shown = known[id(value)] = _shaper(type(value), version)(value, known)
            return shown
        if isinstance(value, list | tuple):
            return [convert(one, known) for one in value]
        if isinstance(value, Mapping):
            return {key: convert(one, known) for key, one in value.items()}
        return value

    return convert


def _same(value: Any, _known: dict[int, Any]) -> Any:
    return value


def _is_struct(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def _structs_in(annotation: Any) -> list[type[msgspec.Struct]]:
    if _is_struct(annotation):
        return [annotation]
    return [struct for arg in get_args(annotation) for struct in _structs_in(arg)]


def _marks(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__metadata__", ())


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return field.default
