"""`cumulo keys`: what tokens and credentials are sealed and signed with."""

from pathlib import Path

import click

from cumulo.cli.database import opened
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State


@click.group("keys")
def command() -> None:
    """Work on the keys of tokens and credentials.

    They are in the database; a running cloud rotates those of tokens by itself.
    """


@command.command("list")
@state_option
@config_option
def list_keys(state: State, config: Path | None) -> None:
    """List the keys, without what they are."""
    from cumulo.services.identity import public

    with opened(state, settings_of(state, config)) as db:
        for purpose, number, kind, since in public.key_states(db):
            click.echo(f"{purpose:10} {number:6} {kind:9} since {since:%Y-%m-%d %H:%M:%S}")


@command.command("rotate")
@click.argument("purpose", type=click.Choice(["tokens", "credentials"]), default="tokens")
@state_option
@config_option
def rotate(state: State, config: Path | None, purpose: str) -> None:
    """Seal with a new key from now on, while the cloud runs or not.

    Tokens that are out stay good.  Credentials are sealed anew, and the key before is forgotten.
    """
    from cumulo.services.identity import public

    settings = settings_of(state, config)
    with opened(state, settings) as db:
        if purpose == "tokens":
            public.rotate(db, settings.identity)
            click.echo("New tokens are made with a new key.")
        else:
            click.echo(f"{public.rotate_credentials(db)} secrets are sealed with a new key.")
