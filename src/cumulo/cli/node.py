"""`cumulo node`: the machines of a cloud besides the one it began with."""

import ipaddress
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from cumulo.cli.database import opened
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State
from cumulo.kit.errors import Conflict, Invalid, Unavailable

if TYPE_CHECKING:
    from cumulo.cli.member import Invitation
    from cumulo.settings import Settings


@click.group("node")
def command() -> None:
    """Let other machines be hosts of this cloud.

    Set `address` under [node] in cumulo.toml, on the machine of the cloud and on each that joins.
    """


@command.command("token")
@click.option("--minutes", type=click.IntRange(1, 10_080), default=60, show_default=True)
@state_option
@config_option
def token(state: State, config: Path | None, minutes: int) -> None:
    """Print a token by which one machine can join."""
    from cumulo.services.machines import public

    settings = settings_of(state, config)
    if not settings.node.address:
        raise Conflict(
            "No other machine reaches this one: set `address` under [node] in cumulo.toml, and "
            "start the cloud anew."
        )
    with opened(state, settings) as db:
        made = db.write(public.new_token, state.authority(), minutes * 60)
    click.echo(made)


@command.command("list")
@state_option
@config_option
def list_nodes(state: State, config: Path | None) -> None:
    """List the machines that joined."""
    from cumulo.services.machines import public

    with opened(state, settings_of(state, config)) as db:
        for one in db.read(public.list_machines):
            place = f"{one.address}:{one.port}"
            click.echo(f"{one.name:32} {place:24} since {one.joined_at:%Y-%m-%d %H:%M:%S}")


@command.command("remove")
@click.argument("name")
@state_option
@config_option
def remove(state: State, config: Path | None, name: str) -> None:
    """Let a machine be part of the cloud no more; it must have no servers."""
    from cumulo import serving

    settings = settings_of(state, config)
    with opened(state, settings) as db:
        serving.remove_host(db, name)
    serving.forget_chassis(state.directory / "ovn", name)
    click.echo(
        f"{name} is no longer a host of this cloud: `cumulo down` there ends what still runs."
    )


@command.command("join")
@click.argument("url")
@click.option("--token", "token_", required=True, help="As `cumulo node token` printed it.")
@click.option("--name", default="", help="What the cloud calls this machine.  [default: its name]")
@click.option("--detach", "-d", is_flag=True, help="Return once the host is ready.")
@state_option
@config_option
def join(state: State, config: Path | None, url: str, token_: str, name: str, detach: bool) -> None:
    """Make this machine a host of the cloud at URL, https://ADDRESS:8791, and keep it one."""
    _need_root()
    settings = settings_of(state, config)
    if state.control.exists() or state.membership.exists():
        raise Conflict(
            f"{state.directory} has a cloud, or is part of one, already: `cumulo node start` "
            "starts a host that joined."
        )
    from cumulo.cli import member
    from cumulo.host import check_programs

    check_programs(joined=True)
    state.make_for_host()
    asked = _invitation(settings, url, token_, name)
    member.join(state, settings, asked)
    click.echo(f"This machine is host {asked.name} of the cloud at {asked.host}.")
    _start(state, config, detach=detach)


@command.command("start")
@click.option("--detach", "-d", is_flag=True, help="Return once the host is ready.")
@click.option("--report-to", type=int, hidden=True)
@state_option
@config_option
def start(state: State, config: Path | None, detach: bool, report_to: int | None) -> None:
    """Start the host that this machine is, as after a restart of the machine."""
    _need_root()
    _start(state, config, detach=detach, report_to=report_to)


def _start(
    state: State, config: Path | None, *, detach: bool, report_to: int | None = None
) -> None:
    from cumulo.cli import report, up
    from cumulo.cli.member import MemberProgram

    if detach:
        up.detached(["node", "start"], state, config, what="The host")
        return
    tell = report.to_terminal() if report_to is None else report.to_pipe(report_to)
    program = MemberProgram(state, settings_of(state, config))
    up.keep(program, state, tell, lambda: tell(report.READY), report_to=report_to)


def _invitation(settings: "Settings", url: str, token: str, name: str) -> "Invitation":
    from cumulo.cli.member import Invitation

    parts = urlsplit(url)
    try:
        port = parts.port or settings.node.join_port
        host = str(ipaddress.ip_address(parts.hostname or ""))
    except ValueError:
        raise Invalid(f"{url} is no https://ADDRESS:PORT.") from None
    if parts.scheme != "https":
        raise Invalid(f"{url} is no https://ADDRESS:PORT.")
    if not settings.node.address:
        raise Conflict("Set `address` under [node] in cumulo.toml: the cloud must reach it.")
    called = name or settings.node.name or platform.node()
    return Invitation(host=host, port=port, token=token, name=called, address=settings.node.address)


def _need_root() -> None:
    if os.geteuid() != 0:
        raise Unavailable("Guests and networks need root: use sudo.")
