"""What a client wants different about a resource, laid over what is stored."""

from collections.abc import Mapping
from typing import Protocol

from cumulo.services.identity.refusals import immutable


class Kept(Protocol):
    """A stored resource with options and attributes of the client's own."""

    @property
    def id(self) -> str: ...  # noqa: D102

    @property
    def extra(self) -> dict[str, object]: ...  # noqa: D102

    @property
    def options(self) -> dict[str, object]: ...  # noqa: D102


Changes = Mapping[str, object]


def laid_over(before: Kept, changes: Changes) -> dict[str, object]:
    """Return the columns to write: options and attributes are added to, not replaced."""
    values = dict(changes)
    if "extra" in values:
        values["extra"] = {**before.extra, **_dict(values["extra"])}
    if "options" in values:
        merged = {**before.options, **_dict(values["options"])}
        values["options"] = {name: value for name, value in merged.items() if value is not None}
    return values


def check_mutable(noun: str, before: Kept, changes: Changes) -> None:
    """Raise when a protected resource would change in more than losing the protection."""
    if before.options.get("immutable") is not True:
        return
    lifted = _dict(changes.get("options")).get("immutable", True) in (False, None)
    given = [name for name in changes if name != "extra" or changes["extra"]]
    if not lifted or given != ["options"]:
        raise immutable("update", noun, before.id)


def check_deletable(noun: str, before: Kept) -> None:
    """Raise when a resource is protected."""
    if before.options.get("immutable") is True:
        raise immutable("delete", noun, before.id)


def _dict(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, Mapping) else {}
