"""`cumulo down`: end a cloud, whatever state it is in."""

import os
from pathlib import Path

import click

from cumulo.cli import report
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State
from cumulo.kit.errors import Unavailable

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
    if not state.directory.exists():
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
        from cumulo.cli.real import RealProgram

        with state.held(emulated=False):
            RealProgram(state, settings_of(state, config)).stop(tell)
    if purge:
        import shutil

        shutil.rmtree(state.directory)
    tell("Nothing runs any more" + (", nothing is kept" if purge else ""))
