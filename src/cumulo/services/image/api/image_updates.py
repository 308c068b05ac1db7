"""JSON patches of images, in the two dialects that clients speak."""

import re
from typing import Any, Literal

from cumulo.kit.errors import Forbidden, Invalid
from cumulo.services.image.api.image_fields import check_name, check_value
from cumulo.services.image.images import Change

OLD = "application/openstack-images-v2.0-json-patch"
NEW = "application/openstack-images-v2.1-json-patch"
_OPERATIONS: tuple[Literal["add", "remove", "replace"], ...] = ("add", "remove", "replace")
_ONE_MEMBER = 'Operation objects must contain {} one member named "add", "remove", or "replace".'


def changes_of(body: Any, media: str) -> list[Change]:
    """Return the changes that a patch asks for, in its order."""
    if not isinstance(body, list):
        raise Invalid("Request body must be a JSON array of operation objects.")
    return [_change(one, strict=media == OLD) for one in body]


def _change(raw: Any, *, strict: bool) -> Change:
    if not isinstance(raw, dict):
        raise Invalid("Operations must be JSON objects.")
    op = _old_operation(raw) if strict else _new_operation(raw)
    path = raw[op] if strict else raw.get("path")
    if not isinstance(path, str):
        raise Invalid("Unable to find 'path' in JSON Schema change")
    parts = _decoded(path)
    name = parts[0]
    check_name(name)
    if name == "id":
        raise Forbidden("Attribute 'id' is read-only.")
    if name == "locations":
        # What real services say where locations are not shown, as by default.
        raise Forbidden("It's not allowed to update locations if locations are invisible.")
    if len(parts) > 1:
        raise Invalid(f"Invalid JSON pointer for this resource: '/{'/'.join(parts)}'")
    if op == "remove":
        return Change(op, name)
    if "value" not in raw:
        raise Invalid(f'Operation "{op}" requires a member named "value".')
    check_value(name, raw["value"])
    return Change(op, name, raw["value"], strict)


def _new_operation(raw: dict[str, Any]) -> Literal["add", "remove", "replace"]:
    asked, available = raw.get("op"), ", ".join(_OPERATIONS)
    for op in _OPERATIONS:
        if op == asked:
            return op
    if asked is None:
        raise Invalid(
            "Unable to find `op` in JSON Schema change. "
            f"It must be one of the following: {available}."
        )
    raise Invalid(
        f"Invalid operation: `{str(asked)[:64]}`. It must be one of the following: {available}."
    )


def _old_operation(raw: dict[str, Any]) -> Literal["add", "remove", "replace"]:
    found = [op for op in _OPERATIONS if op in raw]
    if len(found) != 1:
        raise Invalid(_ONE_MEMBER.format("only" if found else "exactly"))
    return found[0]


def _decoded(pointer: str) -> list[str]:
    """Return the parts of a JSON pointer."""
    told = f"Pointer `{pointer[:255]}`"
    if not pointer.startswith("/"):
        raise Invalid(f'{told} does not start with "/".')
    if re.search(r"/\s*/", pointer[1:]):
        raise Invalid(f'{told} contains adjacent "/".')
    if len(pointer) > 1 and pointer.endswith("/"):
        raise Invalid(f'{told} end with "/".')
    if re.search("~(?![01])", pointer):
        raise Invalid(f'{told} contains "~" not part of a recognized escape sequence.')
    return [
        part.replace("~1", "/").replace("~0", "~").strip()
        for part in pointer.lstrip("/").split("/")
    ]
