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
@click.option("--dry-run", is_flag=True, help="Only look; mend nothing.")
def command(state: State, config: Path | None, dry_run: bool) -> None:
    """Look for what would make trouble, and put right what can only be meant in one way.

    Keys, roles, credentials, the operator's own rules; servers against placement, ports, quotas
    and the work under way.
    """
    from cumulo import app
    from cumulo.services.compute import public as compute
    from cumulo.services.identity import public

    settings = settings_of(state, config)
    with opened(state, settings) as db:
        found = public.symptoms(db, settings.identity)
        found += app.policy_symptoms(state.control / "policy")
        of_compute = db.write(compute.symptoms, mend=not dry_run)
    found += [f"{one.what} {one.remedy}" for one in of_compute if not one.is_mended]
    mended = [one.what for one in of_compute if one.is_mended]
    for line in found:
        click.echo(line)
    for line in mended:
        click.echo(f"Mended: {line}")
    if found:
        click.echo(f"{len(found)} to look at.")
    elif not mended:
        click.echo("Nothing is wrong.")
    sys.exit(1 if found else 0)
