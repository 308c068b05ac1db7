"""Containers as other services of this cloud use them: for images, backups and the like.

They lie in a project's account, count against its quotas, and its users see them.  Who may ask is
for the service that asks to decide.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cumulo.auth.context import system
from cumulo.kit.errors import Conflict, NotFound
from cumulo.services.objectstore import (
    access,
    accounts,
    containers,
    links,
    objects,
    policies,
    segments,
    versions,
)
from cumulo.services.objectstore.containers import Container
from cumulo.services.objectstore.drivers.base import Asked, Row
from cumulo.services.objectstore.metadata import titled
from cumulo.services.objectstore.objects import Content, Given
from cumulo.services.objectstore.stamps import iso
from cumulo.services.objectstore.tools import Tools
from cumulo.services.objectstore.visits import Grant, Visit

_META = "X-Object-Meta-"


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing tells of it; `modified_at` as in 2026-01-31T12:00:00.000000."""

    name: str
    size: int
    etag: str
    modified_at: str


class OpenedObject:
    """An object's bytes, from anywhere in it, until it is closed."""

    def __init__(self, content: Content, size: int, metadata: Mapping[str, str]) -> None:
        self._content, self.size, self.metadata = content, size, metadata

    def pieces(self, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield bytes, piece by piece."""
        left = max(0, self.size - start)
        return self._content.pieces(start, left if length is None else min(length, left))

    def close(self) -> None:
        """Let go of it."""
        self._content.close()


class IncomingObject:
    """An object on its way in; `discard` may be called at any time, and then it never was."""

    def __init__(
        self, visit: Visit, container: Container, name: str, metadata: Mapping[str, str]
    ) -> None:
        objects.check_name(name)
        objects.check_quotas(visit, container, name, 0)
        self._visit, self._container, self._name = visit, container, name
        headers = {titled(f"{_META}{key}"): value for key, value in metadata.items()}
        self._given = Given(headers=headers, content_type="application/octet-stream")
        self._arriving = objects.Arriving(visit, (container.account, container.name, name))

    def write(self, piece: bytes) -> None:
        """Add bytes at the end; raises `TooLarge` over a quota."""
        size = self._arriving.size + len(piece)
        containers.check_quota(self._visit, self._container, size, 0)
        policy = policies.name_of(self._visit.settings, self._container.head)
        accounts.check_quota(self._visit, self._container.account, size, 0, policy)
        self._arriving.write(piece)

    def keep(self, *, replace: bool = True) -> Listed:
        """Make the bytes the object's, safely on disk, in one stroke.

        Raises `Conflict` when there is such an object and it is not to be replaced.
        """
        one, cluster = self._given, self._visit.cluster
        if replace:
            stored = self._arriving.keep(one)
        else:
            where = (self._container.account, self._container.name, self._name)
            with cluster.lock(objects.place_of(self._visit, where)):
                if objects.find(self._visit, *where) is not None:
                    raise Conflict(f"There is an object {self._name} already.")
                stored = self._arriving.keep(one)
        return Listed(self._name, stored.size, stored.etag, iso(stored.stamp))

    def discard(self) -> None:
        """Leave nothing of what was not kept."""
        self._arriving.discard()


class ProjectContainer:
    """One container of a project, which need not exist yet."""

    def __init__(self, tools: Tools, project_id: str, name: str) -> None:
        self.account, self.name = access.account_of(project_id), name
        self._visit = Visit(tools, system(), "PUT", {}, {}, Grant(self.account))

    def ensure(self) -> None:
        """Make the container, or find it made."""
        accounts.ensure(self._visit, self.account)
        if containers.find(self._visit, self.account, self.name) is None:
            containers.make(self._visit, self.account, self.name, {})

    def put(
        self, name: str, pieces: Iterable[bytes], metadata: Mapping[str, str] | None = None
    ) -> Listed:
        """Store an object; it is on disk, whole, when this returns, or nothing has happened.

        Raises `TooLarge` over a quota, `Unavailable` when too few devices can be written to.
        """
        incoming = self.begin(name, metadata)
        try:
            for piece in pieces:
                incoming.write(piece)
            return incoming.keep()
        finally:
            incoming.discard()

    def begin(self, name: str, metadata: Mapping[str, str] | None = None) -> "IncomingObject":
        """Open a place for an object's bytes, which are nobody's to see before they are kept."""
        return IncomingObject(self._visit, self._found(), name, metadata or {})

    def open(self, name: str) -> OpenedObject:
        """Open an object; raises `NotFound` when there is none."""
        reading = objects.find(self._visit, self.account, self.name, name)
        if reading is None:
            raise NotFound(f"There is no object {name} in container {self.name}.")
        address = (self.account, self.name, name)
        found = versions.followed(self._visit, links.plain(address, reading))
        whole = segments.resolved(self._visit, found)
        said = found.stored.headers.items()
        shown = {k.removeprefix(_META).lower(): v for k, v in said if k.startswith(_META)}
        return OpenedObject(whole.content, whole.size, shown)

    def delete(self, name: str) -> None:
        """Delete an object, or find it gone."""
        objects.remove(self._visit, self.account, self.name, name)

    def listed(self, prefix: str = "") -> Iterator[Listed]:
        """Yield what the container holds, by name; nothing when there is no container."""
        marker = ""
        while rows := self._page(prefix, marker):
            for row in rows:
                yield Listed(row.name, row.size, row.etag, row.modified)
            marker = rows[-1].name

    def remove(self) -> None:
        """Delete the container, or find it gone; raises `Conflict` unless it is empty."""
        head = containers.find(self._visit, self.account, self.name)
        if head is None:
            return
        if containers.summed(self._visit, self.account, head).items:
            raise Conflict(f"Container {self.name} still holds objects.")
        containers.remove(self._visit, self.account, self.name)

    def _found(self) -> Container:
        head = containers.find(self._visit, self.account, self.name)
        if head is None:
            raise NotFound(f"There is no container {self.name}.")
        return Container(self.account, self.name, head)

    def _page(self, prefix: str, marker: str) -> list[Row]:
        if containers.find(self._visit, self.account, self.name) is None:
            return []
        asked = Asked(prefix=prefix, marker=marker)
        rows = containers.rows(self._visit, self.account, self.name, asked)
        return [row for row in rows if isinstance(row, Row)]
