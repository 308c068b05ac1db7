"""Lets a served cloud stand still at steps of its workflows, so that it can be killed just there.

Python runs this at the start of every process that has this directory in its path.  A server, a
volume, a backup or an image is named after the moment at which its run stops for ever, the first
time that it comes there: `compute.create_server:spawn:after` stops when the guest is made and
nobody has noted it yet.  Several moments are joined by `+`, whatever else a name tells is one that
never comes, and what has another name goes on.  What stands still is a file in the state
directory, named after what stands and, if that has several moments, the one.

The network's telling of its backend stops at the moment that the file `park-at` there names.
"""

import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def park(argv: list[str]) -> None:
    """Wrap every step of workflows, in the process that carries them on."""
    if not {"serve", "--emulate"} & {*argv}:
        return
    directory = Path(argv[argv.index("--state") + 1]) / "control" / "parked"
    _park_network(directory)
    from cumulo.services.compute.public import WORKFLOWS
    from cumulo.services.image.workflows import WORKFLOWS as IMAGE_WORKFLOWS
    from cumulo.services.volume.workflows import WORKFLOWS as VOLUME_WORKFLOWS
    from cumulo.work import execution
    from cumulo.work.workflow import Write

    workflows: Iterable[Any] = [*WORKFLOWS, *VOLUME_WORKFLOWS, *IMAGE_WORKFLOWS]
    for workflow in workflows:
        for step in workflow.steps:
            if not isinstance(step, Write):
                step.do = _stopping(directory, workflow.name, step.name, step.do)

    passage: Any = execution._Passage
    take = passage._step

    def taking(self: Any, step: Any) -> object:
        """Stand still around a transaction, never in one, where nobody else could write."""
        if not isinstance(step, Write):
            return take(self, step)
        taken = _stopping(directory, self.workflow.name, step.name, lambda _: take(self, step))
        return taken(self.run)

    passage._step = taking


def _park_network(directory: Path) -> None:
    from cumulo.services.network import projection

    module: Any = projection
    tell, tell_one, carry_out = module._tell, module._tell_one, module._carry_out

    def stop_at(moment: str) -> None:
        wanted = directory.parent / "park-at"
        if wanted.exists() and wanted.read_text() == moment:
            directory.mkdir(exist_ok=True)
            wanted.rename(directory / moment)
            threading.Event().wait()

    def telling(*what: Any) -> object:
        stop_at("claimed")
        result = tell(*what)
        stop_at("told")
        return result

    def telling_one(*what: Any) -> None:
        tell_one(*what)
        stop_at("begun")

    def carrying_out(*what: Any) -> object:
        result = carry_out(*what)
        stop_at("settled")
        return result

    module._tell, module._tell_one, module._carry_out = telling, telling_one, carrying_out


def _stopping(
    directory: Path, workflow: str, step: str, do: Callable[[Any], object]
) -> Callable[[Any], object]:
    def stop_at(name: str | None, when: str) -> None:
        moment = f"{workflow}:{step}:{when}"
        if name is not None and moment in name.split("+"):
            directory.mkdir(exist_ok=True)
            mark = directory / "@".join(dict.fromkeys((name, moment)))
            if not mark.exists():
                mark.touch()
                threading.Event().wait()

    def stopping(run: Any) -> object:
        name = run.db.read(_name, run.params)
        stop_at(name, "before")
        result = do(run)
        stop_at(name, "after")
        return result

    return stopping


def _name(tx: Any, params: Any) -> str | None:
    """Return the name of what a run is about."""
    from cumulo.services.compute.store.migrations import migration_get
    from cumulo.services.compute.store.servers import server_find

    server_id = getattr(params, "server_id", None)
    if server_id is None and hasattr(params, "migration"):
        server_id = migration_get(tx, params.migration).server_id
    if server_id is None:
        return _name_of_stored(tx, params)
    server = server_find(tx, server_id)
    return server.name if server else None


def _name_of_stored(tx: Any, params: Any) -> str | None:
    """Return the name of a volume, a backup or an image, also of one that is called deleted."""
    import sqlalchemy as sa

    from cumulo.services.image.store.tables import image
    from cumulo.services.volume.store.tables import backup, volume

    for field, table in (("volume_id", volume), ("backup_id", backup), ("image_id", image)):
        if hasattr(params, field):
            name = sa.select(table.c.name).where(table.c.id == getattr(params, field))
            found: str | None = tx.scalars(name).first()
            return found
    return None


park(sys.orig_argv)
