"""`cumulo doctor`: what is wrong with a cloud, and what to do about it."""

import sys
from pathlib import Path

import click

from cumulo.cli.database import opened
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State


@click.command("doctor")
@state_option
@config_option
def command(state: State, config: Path | None) -> None:
    """Look for what would make trouble: keys, roles, credentials, the operator's own rules."""
    from cumulo import app
    from cumulo.services.identity import public

    settings = settings_of(state, config)
    with opened(state, settings) as db:
        found = public.symptoms(db, settings.identity)
        found += app.policy_symptoms(state.control / "policy")
    for line in found:
        click.echo(line)
    click.echo("Nothing is wrong." if not found else f"{len(found)} to look at.")
    sys.exit(1 if found else 0)
