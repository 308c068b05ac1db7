"""A volume that a workflow gave up on: nobody knows what it holds."""

from typing import Any

from cumulo.db import Tx
from cumulo.services.volume import messages, volumes
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.tools import VolumeTools
from cumulo.work import CANCELLED, Failure, Run


def give_up(
    tx: Tx, run: Run[Any, VolumeTools], volume_id: str, status: str, told: tuple[str, str, str]
) -> None:
    """Put a volume that is in `status` in error and tell its project.

    `told` is the message's event, what was tried, and what is said of it when nothing else is
    known.  A volume that is gone, or a run that was cancelled, is left alone.
    """
    event, deed, interrupted = told
    error = run.error or Failure("Interrupted", interrupted)
    volume = store.volume_find(tx, volume_id)
    if volume is None or error == CANCELLED:
        return
    if store.volume_move(tx, volume.id, "error", expected=[status]):
        messages.tell(
            tx,
            run,
            run.tools.settings,
            volume.project_id,
            ("volume", volume.id),
            event=event,
            words=f"{deed}:{error.message}",
        )
        volumes.record(tx, run, volume, "error", reason=error.message)
