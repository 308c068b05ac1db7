"""`cumulo explain`: what becomes of packets, who is connected to what, why servers are where."""

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
    """Say what becomes of packets and servers, and why."""
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


@command.command("server")
@click.argument("server")
@click.option("--json", "as_json", is_flag=True, help="Show all there is, as JSON.")
@click.pass_obj
def server_(cloud: tuple[State, Path | None], server: str, as_json: bool) -> None:
    """Say why SERVER, by name or id, is on its host or on none, and what would make it fit."""
    admin = _administrator(cloud)
    found = admin.get("compute", f"/explain/servers/{_server(admin, server)}")["explanation"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{found['name']} is {found['state']}, on {found['host'] or 'no host'}.")
    if found["fault"]:
        click.echo(f"Fault: {found['fault']}")
    for decision in found["decisions"]:
        _tell_decision(decision)
    if not found["decisions"]:
        click.echo("The scheduler has not placed it, or that was more than a month ago.")


def _tell_decision(decision: dict[str, Any]) -> None:
    wanted = ", ".join(f"{amount} {name}" for name, amount in decision["requested"].items())
    where = decision["host"] or "no valid host"
    click.echo(f"{decision['decided_at']}: {wanted} -> {where}")
    for one in decision["hosts"]:
        if one["fits"]:
            free = ", ".join(f"{amount} {name}" for name, amount in sorted(one["free"].items()))
            click.echo(f"  {one['host']:20} fits, weight {one['weight']:g}, free: {free}")
        for each in one["reasons"]:
            click.echo(f"  {one['host']:20} {each['filter']}: {each['reason']}")
    for remedy in decision["would_fit"]:
        click.echo(f"  To make it fit: {remedy}")


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
