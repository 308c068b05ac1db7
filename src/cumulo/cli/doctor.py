"""`cumulo doctor`: what is wrong with a cloud, and what to do about it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cumulo.cli.database import opened
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State

if TYPE_CHECKING:
    from cumulo.app import Outside


@click.command("doctor")
@state_option
@config_option
@click.option("--dry-run", is_flag=True, help="Only look; mend nothing.")
def command(state: State, config: Path | None, dry_run: bool) -> None:
    """Look for what would make trouble, and put right what can only be meant in one way.

    Keys, roles, credentials, the operator's own rules; servers against placement, ports, quotas
    and the work under way; while the cloud runs on real hosts, also guests with their disks,
    metadata and what Open vSwitch's and OVN's databases have.
    """
    from cumulo import app
    from cumulo.services.compute import public as compute
    from cumulo.services.identity import public
    from cumulo.serving import outside_symptoms

    settings = settings_of(state, config)
    with opened(state, settings) as db:
        found = public.symptoms(db, settings.identity)
        found += app.policy_symptoms(state.control / "policy")
        wrong = db.write(compute.symptoms, mend=not dry_run)
        outside = _outside(state)
        if outside is not None:
            wrong += outside_symptoms(db, outside, mend=not dry_run)
    found += [f"{one.what} {one.remedy}" for one in wrong if not one.is_mended]
    mended = [one.what for one in wrong if one.is_mended]
    for line in found:
        click.echo(line)
    for line in mended:
        click.echo(f"Mended: {line}")
    if found:
        click.echo(f"{len(found)} to look at.")
    elif not mended:
        click.echo("Nothing is wrong.")
    sys.exit(1 if found else 0)


def _outside(state: State) -> "Outside | None":
    """Return the hosts and the network of a real cloud that runs; None when there are none."""
    import msgspec

    from cumulo import app
    from cumulo.serving import with_machines
    from cumulo.settings import Settings

    if not state.node_socket.exists() or not state.started_with.exists():
        return None
    settings = msgspec.json.decode(state.started_with.read_bytes(), type=Settings)
    ovn = state.directory / "ovn"
    outside = app.attach(settings, state.node_socket, ovn, state.volumes)
    if settings.node.address:
        outside = with_machines(outside, state.authority(), state.control / "tls")
    return outside
