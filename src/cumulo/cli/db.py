"""`cumulo db`: the tables."""

from pathlib import Path

import click

from cumulo.cli.database import opened
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State


@click.group("db")
def command() -> None:
    """Work on the database."""


@command.command("sync")
@state_option
@config_option
def sync(state: State, config: Path | None) -> None:
    """Bring the tables to this version; `cumulo up` does so too."""
    from cumulo.db.migrations import upgrade

    state.make()
    with opened(state, settings_of(state, config), must_be=False) as db:
        upgrade(db)
    click.echo("The database is up to date.")
