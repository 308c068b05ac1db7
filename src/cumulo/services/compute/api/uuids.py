"""Ids in paths that must be UUIDs."""

import re

from cumulo.kit.errors import Invalid

_FORM = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
UUID_PATTERN = rf"^{_FORM}$(?!\n)"  # of a field
_UUID = re.compile(_FORM)


def is_uuid(text: str) -> bool:
    """Say whether `text` looks like a UUID, with or without dashes."""
    return _UUID.fullmatch(text) is not None


def check_uuid(text: str) -> str:
    """Return `text`; refuse what is no UUID."""
    if not is_uuid(text):
        raise Invalid(f"Invalid uuid {text}", field="id")
    return text
