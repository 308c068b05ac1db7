"""What clients may write into fields that several operations share."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.errors import Invalid
from cumulo.web import LooseInt

MAX_INT = 0x7FFFFFFF

Uuid: TypeAlias = Annotated[
    str,
    Meta(pattern=r"^(?i:[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})$(?!\n)"),
]
Name: TypeAlias = Annotated[str, Meta(max_length=255)]
Size: TypeAlias = Annotated[LooseInt, Meta(ge=1, le=MAX_INT)]
MetadataKey: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
MetadataValue: TypeAlias = Annotated[str, Meta(max_length=255)]
Metadata: TypeAlias = dict[MetadataKey, MetadataValue]


class MetadataBody(msgspec.Struct, forbid_unknown_fields=True):
    """Words noted with a resource."""

    metadata: Metadata


class MetaBody(msgspec.Struct, forbid_unknown_fields=True):
    """One of them."""

    meta: Metadata


def stripped(text: str | UnsetType | None) -> str | None:
    """Return a name without the spaces around it."""
    return text.strip() if isinstance(text, str) else None


def one_of(meta: Metadata, key: str) -> Metadata:
    """Return the one pair that a body about `key` may hold."""
    if key not in meta:
        raise Invalid("Request body and URI mismatch.", field="meta")
    if len(meta) > 1:
        raise Invalid("Request body contains too many items.", field="meta")
    return meta


def changes_of(spec: Any, **fields: str) -> dict[str, object]:
    """Return the columns that a body names, each under the first of its names that is set."""
    found: dict[str, object] = {}
    for name, column in fields.items():
        value = getattr(spec, name)
        if value is not UNSET and found.get(column) is None:
            found[column] = stripped(value)
    return found
