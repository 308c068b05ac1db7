"""`cumulo up`: start a cloud and keep it until told to stop."""

import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from cumulo.cli import report
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.report import Tell
from cumulo.cli.state import State
from cumulo.cli.unprivileged import import_path
from cumulo.kit.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from cumulo.settings import Settings

_SHOWN_LOG_LINES = 15


class Program(Protocol):
    """A cloud that can be started and stopped."""

    def prepare(self) -> None:
        """Make the state directory, and refuse what cannot work before anything is begun."""

    def start(self, tell: Tell) -> None:
        """Return when it serves."""

    def stop(self, tell: Tell) -> None:
        """Stop all of it; also after a start that failed half-way."""


@click.command("up")
@click.option("--detach", "-d", is_flag=True, help="Return once the cloud is ready.")
@click.option("--emulate", is_flag=True, help="Hosts and networks exist in memory only; no root.")
@click.option("--report-to", type=int, hidden=True)
@state_option
@config_option
def command(
    state: State, config: Path | None, detach: bool, emulate: bool, report_to: int | None
) -> None:
    """Start the cloud.

    Without --detach it runs until Ctrl-C or `cumulo down`, which end the guests too.  A cloud
    whose program was killed is taken over with its guests.
    """
    if detach:
        start_detached(state, config, emulate=emulate)
        return
    tell = report.to_terminal() if report_to is None else report.to_pipe(report_to)
    if not emulate and os.geteuid() != 0:
        raise Unavailable(
            "Guests and networks need root: use sudo, or `cumulo up --emulate` without them."
        )
    settings = settings_of(state, config)
    _run(state, settings, tell, emulate=emulate, report_to=report_to)


def _run(
    state: State, settings: "Settings", tell: Tell, *, emulate: bool, report_to: int | None
) -> None:
    program = _program(state, settings, emulate=emulate)
    announce = functools.partial(_announce, state, settings, tell)
    keep(program, state, tell, announce, report_to=report_to, emulate=emulate)


def keep(
    program: Program,
    state: State,
    tell: Tell,
    announce: Callable[[], None],
    *,
    report_to: int | None,
    emulate: bool = False,
) -> None:
    """Run a program until somebody ends it."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    state.directory.mkdir(parents=True, exist_ok=True)
    with state.held(emulated=emulate):
        program.prepare()
        try:
            program.start(tell)
            announce()
            if report_to is not None:
                os.close(report_to)
                tell = _say_nothing
            while not stop.wait(1):  # a signal that comes just before the wait would not end it
                pass
        finally:
            program.stop(tell)


def _program(state: State, settings: "Settings", *, emulate: bool) -> Program:
    if emulate:
        from cumulo.cli.emulated import EmulatedProgram

        return EmulatedProgram(state, settings)
    from cumulo.cli.real import RealProgram

    return RealProgram(state, settings)


def _announce(state: State, settings: "Settings", tell: Tell) -> None:
    from cumulo.cli.credentials import write_credentials

    http = settings.http
    auth_url = f"http://{http.public_host or http.host}:{http.identity_port}/v3"
    write_credentials(state, auth_url, settings.region, state.passwords())
    tell(f"The cloud is up: {auth_url}")
    for user in ("admin", "demo"):
        tell(f"To use it as {user}: source {state.openrc(user)}")
    tell(f"Or: export OS_CLIENT_CONFIG_FILE={state.clouds_yaml} OS_CLOUD=cumulo")
    tell(report.READY)


def start_detached(state: State, config: Path | None, *, emulate: bool) -> None:
    """Start the cloud in a session of its own and wait for what it reports."""
    if state.program() is not None:
        raise Conflict(f"A cloud runs in {state.directory} already: see `cumulo status`.")
    detached(["up", *(["--emulate"] if emulate else [])], state, config, what="The cloud")


def detached(words: Sequence[str], state: State, config: Path | None, *, what: str) -> None:
    """Start a command in a session of its own and wait for what it reports."""
    state.log.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    options = ["--state", str(state.directory), "--report-to", str(writer)]
    options += ["--config", str(config.absolute())] if config else []
    with state.program_log.open("ab") as log:
        begins_at = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "cumulo", *words, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writer],
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": import_path()},
            cwd="/",
        )
    os.close(writer)
    tell, line = report.to_terminal(), ""
    with os.fdopen(reader) as lines:
        for line in lines:
            if line.strip() != report.READY:
                tell(line.strip())
    if line.strip() != report.READY:
        process.wait()
        with state.program_log.open(errors="replace") as log:
            log.seek(begins_at)
            tail = log.read().splitlines()[-_SHOWN_LOG_LINES:]
        raise Unavailable("\n".join([f"{what} did not start.", *tail]))
    process.returncode = 0  # it goes on without us


def _say_nothing(_text: str) -> None:
    """Tell nobody."""
