"""The fields of an image as clients write them: base ones beside properties of their own."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from cumulo.kit.errors import Forbidden, Invalid
from cumulo.services.image.images import (
    CONTAINER_FORMATS,
    DISK_FORMATS,
    FIELDS,
    VISIBILITIES,
    ImageSpec,
)

READ_ONLY = frozenset(
    {
        "created_at", "updated_at", "status", "checksum", "size", "virtual_size", "os_hash_algo",
        "os_hash_value", "direct_url", "self", "file", "schema", "stores",
    }
)  # fmt: skip
RESERVED = frozenset({"location", "deleted", "deleted_at"})
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def spec_of(body: Mapping[str, Any]) -> ImageSpec:
    """Return what a client asks for when it creates an image."""
    for name, value in body.items():
        check_name(name)
        if name == "locations":
            raise Forbidden("Attribute 'locations' is reserved.")
        check_value(name, value)
    fields = {name: body[name] for name in FIELDS | {"id"} if name in body}
    own = {name: value for name, value in body.items() if name not in fields}
    return ImageSpec(**fields, properties=own)


def check_name(name: str) -> None:
    """Refuse names that only the service writes, and names that are none."""
    if name in READ_ONLY:
        raise Forbidden(f"Attribute '{name}' is read-only.")
    if name in RESERVED or name.startswith("os_glance"):
        raise Forbidden(f"Attribute '{name}' is reserved.")
    if len(name) > 255:
        raise Invalid("Custom property should not be greater than 255 characters.")
    if not name or "\0" in name:
        raise Invalid("Custom property must have a name, without NUL characters.")


def check_value(name: str, value: Any) -> None:
    """Refuse a value that is not of the field's type."""
    problem = _CHECKS.get(name, _text)(value)
    if problem:
        raise Invalid(
            f"Provided object does not match schema 'image': {problem} (in field '{name}')",
            field=name,
        )


def _text(value: Any, *, most: int | None = None) -> str | None:
    if not isinstance(value, str):
        return f"{_short(value)} is not of type 'string'"
    if most is not None and len(value) > most:
        return f"{_short(value)} is too long: {len(value)} characters of at most {most}"
    return "NUL characters are not allowed" if "\0" in value else None


def _text_or_null(value: Any) -> str | None:
    return None if value is None else _text(value, most=255)


def _number(value: Any) -> str | None:
    number = isinstance(value, int) and not isinstance(value, bool)
    return None if number else f"{_short(value)} is not of type 'integer'"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"{_short(value)} is not of type 'boolean'"


def _tags(value: Any) -> str | None:
    if not isinstance(value, list):
        return f"{_short(value)} is not of type 'array'"
    return next((problem for tag in value if (problem := _text(tag, most=255))), None)


def _id(value: Any) -> str | None:
    fits = isinstance(value, str) and _ID.fullmatch(value)
    return None if fits else f"{_short(value)} does not match '{_ID.pattern}'"


def _one_of(values: tuple[str | None, ...]) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        return None if value in values else f"{_short(value)} is not one of {list(values)}"

    return check


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}..."


_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "id": _id,
    "name": _text_or_null,
    "owner": _text_or_null,
    "visibility": _one_of(VISIBILITIES),
    "disk_format": _one_of((None, *DISK_FORMATS)),
    "container_format": _one_of((None, *CONTAINER_FORMATS)),
    "min_disk": _number,
    "min_ram": _number,
    "protected": _flag,
    "os_hidden": _flag,
    "tags": _tags,
}
