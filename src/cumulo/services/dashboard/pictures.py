"""Templates and assets: from values to the bytes that a browser gets."""

import functools
import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from cumulo.kit.errors import NotFound

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = "cumulo.services.dashboard"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that never changes under its name."""

    content: bytes
    packed: bytes
    content_type: str
    digest: str


@functools.cache
def assets() -> Mapping[str, Asset]:
    """Return every file that pages refer to, by its name."""
    return dict(_found(files(_HERE).joinpath("assets"), ""))


def _found(directory: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found = []
    for entry in directory.iterdir():
        if entry.is_dir():
            found += _found(entry, f"{prefix}{entry.name}/")
            continue
        content = entry.read_bytes()
        kind = mimetypes.guess_type(entry.name)[0] or "text/plain"
        packed = gzip.compress(content, 9, mtime=0)
        digest = hashlib.sha256(content).hexdigest()[:16]
        found.append((f"{prefix}{entry.name}", Asset(content, packed, kind, digest)))
    return found


def asset(name: str) -> Asset:
    """Return one file."""
    found = assets().get(name)
    if found is None:
        raise NotFound("There is no such file.")
    return found


def asset_url(name: str) -> str:
    """Return the address of a file, another one when its content is another."""
    return f"/assets/{name}?{asset(name).digest}"


def rendered(template: str, values: Mapping[str, Any]) -> bytes:
    """Fill a template; every value is escaped."""
    return environment().get_template(template).render(values).encode()


@functools.cache
def environment() -> "Environment":
    """Return what templates are read with."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from cumulo.services.dashboard import cells

    made = Environment(
        loader=PackageLoader(_HERE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["asset_url"] = asset_url
    made.filters.update(when=cells.when, number=cells.number)
    made.tests["state_cell"] = lambda cell: isinstance(cell, cells.State)
    return made
