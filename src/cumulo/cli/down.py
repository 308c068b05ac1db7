"""`cumulo down`: end a cloud, whatever state it is in."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from cumulo.cli import report
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State
from cumulo.kit.errors import Unavailable

if TYPE_CHECKING:
    from cumulo.cli.up import Program
    from cumulo.settings import Settings

_PATIENCE_S = 120.0


@click.command("down")
@click.option("--purge", is_flag=True, help="Delete the state directory too, with all servers.")
@state_option
@config_option
def command(state: State, config: Path | None, purge: bool) -> None:
    """Stop the cloud and leave the machine as it was.

    Guests are switched off; servers, images and networks stay in the database, for the next
    `cumulo up`.
    """
    if not state.control.exists() and not state.membership.exists():
        click.echo(f"There is no cloud in {state.directory}.")
        return
    tell = report.to_terminal()
    program = state.program()
    if program is not None:
        tell(f"Stopping the program (process {program.pid})")
        program.end(15, grace_s=_PATIENCE_S)
    if not state.is_emulated():
        if os.geteuid() != 0:
            raise Unavailable("The cloud's daemons are root's: use sudo.")
        with state.held(emulated=False):
            _host_program(state, _settings(state, config)).stop(tell)
    if purge:
        import shutil

        shutil.rmtree(state.directory)
    tell("Nothing runs any more" + (", nothing is kept" if purge else ""))


def _host_program(state: State, settings: "Settings") -> "Program":
    """Return what runs, or ran, on this machine: its own cloud, or a part of another's."""
    if state.membership.exists():
        from cumulo.cli.member import MemberProgram

        return MemberProgram(state, settings)
    from cumulo.cli.real import RealProgram

    return RealProgram(state, settings)


def _settings(state: State, config: Path | None) -> "Settings":
    """Return the settings that the cloud was started with; the file may have changed since."""
    from cumulo.settings import Settings

    with contextlib.suppress(OSError, msgspec.MsgspecError):
        if config is None:
            return msgspec.json.decode(state.started_with.read_bytes(), type=Settings)
    return settings_of(state, config)
