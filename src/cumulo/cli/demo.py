"""`cumulo demo`: from nothing to a guest that one logs in to, with the unmodified client."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cumulo.cli.database import check_tables
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State
from cumulo.cli.up import start_detached
from cumulo.kit.errors import Unavailable

if TYPE_CHECKING:
    from cumulo.walks.walk import Step, Walk

_CONSOLE_LINES = 12


@click.command("demo")
@state_option
@config_option
def command(state: State, config: Path | None) -> None:
    """Start the cloud, walk through it, log in to guests, tell how long each part took.

    The cloud stays up to play with; `cumulo down` ends it.
    """
    from cumulo.guest.build import build_guest
    from cumulo.walks.client import Client, environment
    from cumulo.walks.walk import Step, Walk

    if os.geteuid() != 0:
        raise Unavailable("Guests and networks need root: use sudo.")
    began = time.monotonic()
    check_tables(state, settings_of(state, config))
    state.make()
    image = build_guest(state.cache / "guest", state.cache / "guest", click.echo)
    steps = [Step("build a guest image", image.name, time.monotonic() - began)]
    if state.program() is None:
        began = time.monotonic()
        start_detached(state, config, emulate=False)
        steps.append(Step("cumulo up", "the cloud is up", time.monotonic() - began))
    walk = Walk(Client(environment(state.openrc("admin"))), state.directory, tell=_tell)
    walk.steps = steps
    addresses = _walk(walk, image)
    _report(state, walk, addresses)


def _walk(walk: "Walk", image: Path) -> list[str]:
    from cumulo.walks import clear, private, provider

    clear.clear(walk)
    provider.identity(walk)
    provider.flavor_and_image(walk, image)
    provider.flat_network(walk)
    provider.access(walk)
    direct = provider.boot(walk)
    provider.log_in(walk, direct)
    log = provider.console_log(walk)
    click.echo("\n".join(f"    | {line}" for line in log.splitlines()[-_CONSOLE_LINES:]))
    private.networks(walk)
    private.guest(walk)
    floating = private.floating_ip(walk)
    private.log_in(walk, floating)
    return [direct, floating]


def _tell(step: "Step") -> None:
    click.echo(f"{step.seconds:6.1f} s  {step.name}" + (f": {step.outcome}" * bool(step.outcome)))


def _report(state: State, walk: "Walk", addresses: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("what", "came of it", "seconds", title="A cloud, step by step")
    table.columns[-1].justify = "right"
    for step in walk.steps:
        table.add_row(step.name, step.outcome, f"{step.seconds:.1f}")
    total = sum(step.seconds for step in walk.steps)
    table.add_section()
    table.add_row("all", f"{len(walk.steps)} steps", f"{total:.1f}")
    console = Console()
    console.print(table)
    openstack = Path(sys.executable).parent / "openstack"
    lines = [
        "The cloud stays up.  To play with it:",
        f"  source {state.openrc('admin')}",
        f"  {openstack} server list",
        *(f"  ssh -i {walk.key} cirros@{address}" for address in addresses),
        "  cumulo status; cumulo down",
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
