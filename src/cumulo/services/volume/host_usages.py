"""What projects have in a back end."""

from typing import NamedTuple

from cumulo.db import Tx
from cumulo.services.volume.backends import Backend
from cumulo.services.volume.store import snapshots, volumes


class Usage(NamedTuple):
    """What a project has."""

    project_id: str
    volumes: int
    volume_gib: int
    snapshots: int
    snapshot_gib: int


def usages_on(tx: Tx, backend: Backend) -> list[Usage]:
    """Return what each project has in a back end."""
    of_volumes = volumes.sums_on(tx, backend.pool)
    of_snapshots = snapshots.sums_on(tx, backend.pool)
    projects = sorted(of_volumes.keys() | of_snapshots.keys())
    nothing = (0, 0)
    return [
        Usage(one, *of_volumes.get(one, nothing), *of_snapshots.get(one, nothing))
        for one in projects
    ]
