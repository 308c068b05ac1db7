"""Access rules: the requests that a token is limited to, whatever its roles."""

import functools
import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One kind of request: to a service, by a method, on paths of a form.

    In `path`, `*` and `{name}` stand for one part of a path, `**` for any number of them.
    """

    service: str
    method: str
    path: str

    def permits(self, services: Collection[str], method: str, path: str) -> bool:
        """Say whether a request to one of these service types is of this kind."""
        is_here = self.service in services and self.method == method
        return is_here and _matches(_parts(self.path), path)


_WILD = re.compile(r"(\*\*|\*|\{[^}]*\})")


@functools.lru_cache(maxsize=4096)
def _parts(path: str) -> tuple[str, ...]:
    """Return a path cut into wildcards and what is between them."""
    return tuple("*" if part[0] == "{" else part for part in _WILD.split(path) if part)


def _matches(parts: tuple[str, ...], path: str) -> bool:
    """Follow all places in the path at once: users write these, so none may cost much."""
    places = {0}
    for part in parts:
        if not places:
            return False
        if part == "**":
            places = set(range(min(places), len(path) + 1))
        elif part == "*":
            places = {end for place in places for end in _within_part(path, place)}
        else:
            places = {p + len(part) for p in places if path.startswith(part, p)}
    return len(path) in places


def _within_part(path: str, start: int) -> range:
    """Return where a wildcard that begins at `start` may end: before the next slash."""
    slash = path.find("/", start)
    return range(start + 1, (len(path) if slash < 0 else slash) + 1)
