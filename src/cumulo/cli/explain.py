"""`cumulo explain`: what becomes of a packet, and who is connected to what."""

import ipaddress
import json
import uuid
from pathlib import Path
from typing import Any

import click

from cumulo.cli.calls import Administrator
from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State
from cumulo.kit.errors import Conflict, Invalid, NotFound

_PROTOCOLS = click.Choice(["tcp", "udp", "sctp", "icmp"])


@click.group("explain")
@state_option
@config_option
@click.pass_context
def command(ctx: click.Context, state: State, config: Path | None) -> None:
    """Say what becomes of packets, and why."""
    ctx.obj = (state, config)


@command.command("path")
@click.argument("server")
@click.argument("address")
@click.option("--protocol", type=_PROTOCOLS, help="[default: tcp with a port, else icmp]")
@click.option("--source", help="Let the packet lie: another address than the server's own.")
@click.option("--trace", is_flag=True, help="Show the backend's own trace too.")
@click.option("--json", "as_json", is_flag=True, help="Show all there is, as JSON.")
@click.pass_obj
def path(  # noqa: PLR0913, PLR0917 - the options of a command are that many
    cloud: tuple[State, Path | None],
    server: str,
    address: str,
    protocol: str | None,
    source: str | None,
    trace: bool,
    as_json: bool,
) -> None:
    """Follow a packet from SERVER, by name or id, to ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT.

    A port's id will do for SERVER too.
    """
    to, port = split(address)
    admin = _administrator(cloud)
    query = {"from": _server(admin, server), "to": to, "port": port, "source": source}
    query["protocol"] = protocol or ("icmp" if port is None else "tcp")
    found = admin.get("network", "/v2.0/explain/path", **query)["path"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    _tell(found)
    if found["answer"] is not None:
        click.echo("And the answer:")
        _tell(found["answer"])
    if trace:
        click.echo(found["trace"] or f"The backend ({found['backend']}) has no tracer.")


@command.command("topology")
@click.pass_obj
def topology(cloud: tuple[State, Path | None]) -> None:
    """Show every project's networks, routers and servers as JSON."""
    admin = _administrator(cloud)
    found = admin.get("network", "/v2.0/explain/topology")["topology"]
    click.echo(json.dumps(found, indent=2))


def _administrator(cloud: tuple[State, Path | None]) -> Administrator:
    state, config = cloud
    return Administrator(state, settings_of(state, config))


def split(text: str) -> tuple[str, int | None]:
    """Return the address and the port of ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT."""
    address, port = text, ""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise Invalid(f"{address} is no address: write ADDRESS, or ADDRESS:PORT.") from None
    if port and not (port.isascii() and port.isdigit()):
        raise Invalid(f"{port} is no port.")
    return address, int(port) if port else None


def _server(admin: Administrator, server: str) -> str:
    try:
        return str(uuid.UUID(server))
    except ValueError:
        pass
    found = admin.get("compute", "/servers", name=server, all_tenants="1")["servers"]
    named = [one["id"] for one in found if one["name"] == server]
    if not named:
        raise NotFound(f"There is no server {server}: see `openstack server list`.")
    if len(named) > 1:
        raise Conflict(f"Several servers are called {server}: say which by its id: {named}.")
    return str(named[0])


def _tell(way: dict[str, Any]) -> None:
    for hop in way["hops"]:
        name = hop["name"] or hop["id"] or "?"
        click.echo(f"  {hop['kind']:15} {hop['verdict']:10} {name[:24]:24} {hop['detail']}")
    click.echo(f"{way['outcome']}: {way['reason']}")
