"""`cumulo status`: what runs, and whether it answers."""

import contextlib
import http.client
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State

if TYPE_CHECKING:
    from rich.table import Table

    from cumulo.settings import Settings

_NOT_RUNNING = 3  # as init scripts have it


@click.command("status")
@state_option
@config_option
def command(state: State, config: Path | None) -> None:
    """Tell what runs; exit with 0 when the cloud does and answers, else with 3."""
    from rich.console import Console

    console = Console()
    program = state.program() if state.directory.exists() else None
    if program is None:
        console.print(f"No cloud runs in {state.directory}.")
        sys.exit(_NOT_RUNNING)
    settings = settings_of(state, config)
    answers = _answers(settings)
    console.print(_processes(state, program.pid), _services(settings, answers))
    for user in ("admin", "demo"):
        console.print(f"To use it as {user}: source {state.openrc(user)}", soft_wrap=True)
    sys.exit(0 if all(answers.values()) else _NOT_RUNNING)


def _answers(settings: "Settings") -> dict[str, str]:
    """Return what each service says to a request for nothing in particular; empty: nothing."""
    from cumulo.app import ports

    found = {}
    for name, port in ports(settings):
        found[name] = ""
        connection = http.client.HTTPConnection(settings.http.host, port, timeout=5)
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(connection),
        ):
            connection.request("GET", "/")
            found[name] = str(connection.getresponse().status)
    return found


def _services(settings: "Settings", answers: dict[str, str]) -> "Table":
    from rich.table import Table

    from cumulo.app import ports

    table = Table("service", "address", "answers")
    for name, port in ports(settings):
        url = f"http://{settings.http.public_host or settings.http.host}:{port}"
        table.add_row(name, url, "yes" if answers[name] else "[red]no")
    return table


def _processes(state: State, program: int) -> "Table":
    from rich.table import Table

    from cumulo.node.supervise import Supervisor

    table = Table("process", "pid", "running for", "memory (PSS)")
    rows = {name: one.pid for name, one in Supervisor(state.run, state.log).alive().items()}
    for name, pid in {"cumulo up": program, **rows}.items():
        table.add_row(name, str(pid), str(_age(pid)), _memory(pid))
    return table


def _age(pid: int) -> timedelta:
    with contextlib.suppress(FileNotFoundError):
        return timedelta(seconds=int(time.time() - Path(f"/proc/{pid}").stat().st_mtime))
    return timedelta()


def _memory(pid: int) -> str:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return f"{int(line.split()[1]) / 1024:.0f} MB"
    return "?"
