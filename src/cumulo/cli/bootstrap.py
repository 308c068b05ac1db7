"""`cumulo bootstrap`: what a cloud has before anybody logs in."""

from pathlib import Path

import click

from cumulo.cli.database import opened
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State, write_private


@click.command("bootstrap")
@click.option(
    "--bootstrap-password",
    envvar="OS_BOOTSTRAP_PASSWORD",
    help="The admin's password from now on.  [default: as it is, made up at first]",
)
@state_option
@config_option
def command(state: State, config: Path | None, bootstrap_password: str | None) -> None:
    """Make the first domain, projects, users, roles, catalog and keys, or mend them.

    `cumulo up` does so too; this also gives the admin a new password and its roles back.
    """
    import msgspec

    from cumulo import app
    from cumulo.db.migrations import upgrade
    from cumulo.services.identity import public

    settings = settings_of(state, config)
    state.make()
    secrets = state.passwords()
    if bootstrap_password:
        secrets = msgspec.structs.replace(secrets, admin=bootstrap_password)
    with opened(state, settings, must_be=False) as db:
        if bootstrap_password:
            write_private(state.control / "passwords.json", msgspec.json.encode(secrets))
        upgrade(db)
        tools = public.new_tools(db, settings.identity)
        first = public.Bootstrap(
            admin_password=secrets.admin,
            demo_password=secrets.demo,
            services=[public.ServiceSpec(*spec) for spec in app.catalog(settings)],
            region=settings.region,
        )
        public.bootstrap(db, tools, first)
        if bootstrap_password:
            public.restore_admin(db, tools, bootstrap_password)
    click.echo("The cloud has its first domain, projects, users, roles, catalog and keys.")
