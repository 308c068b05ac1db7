"""How much servers were used: hours, and what they held in them."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from cumulo.db import Tx
from cumulo.services.compute.store import usages as store
from cumulo.services.compute.store.usages import Ran as Ran
from cumulo.services.compute.store.usages import Span as Span


class ServerUsage(msgspec.Struct, frozen=True, kw_only=True):
    """A server that ran, and for how many hours of the span."""

    server: Ran
    hours: float
    disk_gib: int


class ProjectUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the servers of a project held, each times its hours."""

    project_id: str
    servers: list[ServerUsage]

    @property
    def hours(self) -> float:
        """Return the hours that its servers ran."""
        return sum(one.hours for one in self.servers)

    @property
    def disk_gib(self) -> float:
        """Return GiB of disk times hours."""
        return sum(one.disk_gib * one.hours for one in self.servers)

    @property
    def memory_mib(self) -> float:
        """Return MiB of memory times hours."""
        return sum(one.server.memory_mib * one.hours for one in self.servers)

    @property
    def vcpus(self) -> float:
        """Return processors times hours."""
        return sum(one.server.vcpus * one.hours for one in self.servers)


def used(tx: Tx, span: Span) -> list[ProjectUsage]:
    """Return what projects used within a span, in the order in which they began to."""
    by_project: dict[str, list[ServerUsage]] = {}
    for server in store.ran_within(tx, span):
        by_project.setdefault(server.project_id, []).append(_usage(server, span))
    return [ProjectUsage(project_id=one, servers=found) for one, found in by_project.items()]


def last_of(found: Sequence[ProjectUsage]) -> tuple[int, str | None]:
    """Return how many servers usages tell of, and the one after which the next page begins."""
    servers = [one.server for project in found for one in project.servers]
    return len(servers), max(servers, key=lambda one: one.launched_at).id if servers else None


def _usage(server: Ran, span: Span) -> ServerUsage:
    begin: datetime = max(server.launched_at, span.start)
    end = min(server.terminated_at or span.stop, span.stop)
    hours = max((end - begin).total_seconds(), 0.0) / 3600
    disk_gib = server.flavor.get("root_gib", 0) + server.flavor.get("ephemeral_gib", 0)
    return ServerUsage(server=server, hours=hours, disk_gib=disk_gib)
