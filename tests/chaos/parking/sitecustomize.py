"""Lets a served cloud stand still at steps of its workflows, so that it can be killed just there.

Python runs this at the start of every process that has this directory in its path.  A server is
named after the moment at which its run stops for ever, the first time that it comes there:
`compute.create_server:spawn:after` stops when the guest is made and nobody has noted it yet.
Servers with other names go on.  What stands still is a file in the state directory.
"""

import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def park(argv: list[str]) -> None:
    """Wrap every step of compute's workflows, in the process that carries them on."""
    if "serve" not in argv:
        return
    directory = Path(argv[argv.index("--state") + 1]) / "control" / "parked"
    from cumulo.services.compute.public import WORKFLOWS

    workflows: Iterable[Any] = WORKFLOWS
    for workflow in workflows:
        for step in workflow.steps:
            step.do = _stopping(directory, f"{workflow.name}:{step.name}", step.do)


def _stopping(directory: Path, moment: str, do: Callable[[Any], object]) -> Callable[[Any], object]:
    from cumulo.services.compute.store.servers import server_find

    def stop_at(run: Any, when: str) -> None:
        server = run.db.read(server_find, run.params.server_id)
        if server is not None and server.name == f"{moment}:{when}":
            directory.mkdir(exist_ok=True)
            mark = directory / server.name
            if not mark.exists():
                mark.touch()
                threading.Event().wait()

    def stopping(run: Any) -> object:
        stop_at(run, "before")
        result = do(run)
        stop_at(run, "after")
        return result

    return stopping


park(sys.orig_argv)
