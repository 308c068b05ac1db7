"""A guest goes from a host that its server has left."""

from typing import TypeAlias

import msgspec

from cumulo.services.compute.store import servers as store
from cumulo.services.compute.tools import Tools
from cumulo.services.compute.workflows.hosts import remove_guest
from cumulo.work import Run as _Run
from cumulo.work import Step, Workflow


class LeaveHost(msgspec.Struct, frozen=True, kw_only=True):
    """Whose guest to remove where."""

    server_id: str
    host: str


Run: TypeAlias = _Run[LeaveHost, Tools]


def remove(run: Run) -> None:
    """Remove the guest, unless its server is there again."""
    params = run.params
    server = run.db.read(store.server_find, params.server_id)
    if server is None or server.is_deleted or server.host != params.host:
        remove_guest(run, params.host, params.server_id)


LEAVE_HOST = Workflow("compute.leave_host", LeaveHost, [Step(remove)])
