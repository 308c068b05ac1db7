"""A volume of another type, or in another back end, while a server's guest has it.

The guest's host copies it, and the guest goes on writing there.  From then on that is where the
volume is, whatever fails: what would be undone is made known instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from cumulo.db import Tx
from cumulo.kit.errors import Unavailable
from cumulo.services.volume import contents
from cumulo.services.volume.backends import backend_get, is_up
from cumulo.services.volume.drivers.base import BackendError
from cumulo.services.volume.secrets import reached_at
from cumulo.services.volume.store import backends as backend_store
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.tools import Reached
from cumulo.services.volume.workflows.move_volume import (
    MoveVolume,
    Run,
    discard,
    give_up,
    leave,
    pieces,
    place,
    switch,
    unplace,
)
from cumulo.work import Step, Workflow, Write


def prepare(run: Run) -> None:
    """Make room for it there, as it is encrypted."""
    params, pool = run.params, run.result_of(place).pool
    if pool == params.old_pool:
        return
    volume = run.db.read(store.volume_get, params.volume_id)
    with _reached(run, pool):
        contents.write_new(run.tools, volume, None, pool)
        if not run.tools.servers.copies_volumes(params.server_id or ""):  # nor writes to them
            run.tools.driver(pool).overwrite(volume.id, pieces(run, volume))


def exchange(run: Run) -> None:
    """Let the guest have it there, with all that it holds."""
    with _reached(run, run.result_of(place).pool):
        there = _there(run)
    if there is not None and run.params.server_id is not None:
        servers = run.tools.servers
        servers.exchange_volume(run.params.server_id, run.params.volume_id, there)


@contextmanager
def _reached(run: Run, pool: str) -> Iterator[None]:
    """Do not wait for a back end that is away: what else is done with the server waits for us."""
    try:
        yield
    except Unavailable as error:
        if not is_up(run.db.read(backend_get, pool)):
            raise BackendError(f"{pool} is down: {error.message}") from error
        raise


def follow(run: Run) -> None:
    """Say that the volume is there if that is where the guest has it by now."""
    params, there = run.params, _there(run)
    if there is None or params.server_id is None:
        return
    if run.tools.servers.is_volume_at(params.server_id, params.volume_id, there):
        run.db.write(_followed, run)


def _followed(tx: Tx, run: Run) -> None:
    volume = store.volume_find(tx, run.params.volume_id)
    if volume is not None and volume.moving_to is not None:
        store.volume_update(tx, volume.id, host=volume.moving_to, moving_to=None)
        backend_store.room_give_back(tx, run.params.old_pool, volume.size_gib)


def _there(run: Run) -> Reached | None:
    """Return how the new place is reached; None: there is none, or no such volume any more."""
    placed = run.find_result_of(place)
    volume = run.db.read(store.volume_find, run.params.volume_id)
    if placed is None or volume is None or placed.pool == run.params.old_pool:
        return None
    return reached_at(run.tools, volume, placed.pool)


MOVE_ATTACHED = Workflow(
    "volume.move_attached",
    MoveVolume,
    [
        Write(place, undo=unplace),
        Step(prepare, undo=discard),
        Step(exchange, undo=follow),
        Write(switch),
        Step(leave),
    ],
    failed=give_up,
)
