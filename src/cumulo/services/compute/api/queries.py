"""Which query parameters an operation knows; of unknown ones old versions take no notice."""

import functools
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.kit.errors import Invalid
from cumulo.web import Call, Version
from cumulo.web.views import view

MOST = 1000  # things on one page

Limit: TypeAlias = Annotated[int, Meta(ge=0)]


class Paging(msgspec.Struct, kw_only=True):
    """Which page of a list."""

    limit: Limit = MOST
    marker: str | None = None

    @property
    def most(self) -> int:
        """Return how many things the page may hold."""
        return min(self.limit, MOST)


def check_known(
    call: Call[Any], known: type[msgspec.Struct] | None = None, *, since: tuple[int, int]
) -> None:
    """Refuse parameters that `known` has no field for, from version `since` on."""
    if call.version < since:
        return
    unknown = sorted(call.filters.keys() - _names(known, call.version))
    if unknown:
        names = ", ".join(repr(name) for name in unknown)
        raise Invalid(
            "Invalid input for query parameters. Additional properties are not allowed "
            f"({names} unexpected)",
            field=unknown[0],
        )


@functools.cache
def _names(known: type[msgspec.Struct] | None, version: Version) -> frozenset[str]:
    if known is None:
        return frozenset()
    return frozenset(f.encode_name for f in msgspec.structs.fields(view(known, version)))
