"""`cumulo server`: launch, list, show, start, stop, log, delete."""

import base64
import time
from pathlib import Path
from typing import Any

import click

from cumulo.cli.daily.group import add_common, cloud_option, format_option, named, told
from cumulo.cli.daily.nouns import FLAVOR, IMAGE, NETWORK, SECURITY_GROUP, SERVER
from cumulo.cli.daily.output import printable
from cumulo.cli.daily.session import Session
from cumulo.kit.errors import Conflict

_WAIT_S = 600
_ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "start": ("Start what is stopped.", {"os-start": None}),
    "stop": ("Have the guest power off.", {"os-stop": None}),
    "reboot": ("Have the guest reboot.", {"reboot": {"type": "SOFT"}}),
    "reset": ("Switch it off and on.", {"reboot": {"type": "HARD"}}),
    "pause": ("Stop its clock.", {"pause": None}),
    "unpause": ("Let it go on.", {"unpause": None}),
    "suspend": ("Write its memory to disk and stop it.", {"suspend": None}),
    "resume": ("Let it go on where it was.", {"resume": None}),
    "lock": ("Keep it from being changed.", {"lock": None}),
    "unlock": ("Let it be changed again.", {"unlock": None}),
}


@click.group("server")
def command() -> None:
    """Work with servers."""


add_common(command, SERVER)


@command.command("create")
@click.argument("name")
@click.option("--image", required=True, shell_complete=named(IMAGE))
@click.option("--flavor", required=True, shell_complete=named(FLAVOR))
@click.option("--network", multiple=True, shell_complete=named(NETWORK), help="May be repeated.")
@click.option("--key", help="The key pair to log in with.")
@click.option("--security-group", multiple=True, shell_complete=named(SECURITY_GROUP))
@click.option("--user-data", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--wait", is_flag=True, help="Return when it runs, or has failed.")
@cloud_option
@format_option
def create(name: str, cloud: str | None, shape: str, wait: bool, **wish: Any) -> None:
    """Launch a server."""
    session = Session(cloud)
    spec: dict[str, Any] = {
        "name": name,
        "imageRef": IMAGE.id(session, wish["image"]),
        "flavorRef": FLAVOR.id(session, wish["flavor"]),
        "networks": [{"uuid": NETWORK.id(session, one)} for one in wish["network"]] or "auto",
        "min_count": wish["count"],
        "max_count": wish["count"],
    }
    spec |= {"key_name": wish["key"]} if wish["key"] else {}
    if wish["security_group"]:
        spec["security_groups"] = [{"name": one} for one in wish["security_group"]]
    if wish["user_data"]:
        spec["user_data"] = base64.b64encode(wish["user_data"].read_bytes()).decode()
    made = session.ask("POST", "compute", "/servers", {"server": spec})["server"]
    told(_settled(session, made["id"]) if wait else SERVER.one(session, made["id"]), shape)


def _settled(session: Session, server_id: str) -> Any:
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        found = SERVER.one(session, server_id)
        if found["status"] == "ERROR":
            raise Conflict(found.get("fault", {}).get("message", "The server is in ERROR."))
        if found["status"] != "BUILD":
            return found
        time.sleep(0.2)
    raise Conflict(f"The server is still being made after {_WAIT_S} s.")


def _add_action(verb: str, words: str, body: dict[str, Any]) -> None:
    @command.command(verb, help=words)
    @click.argument(
        "references", metavar="NAME...", nargs=-1, required=True, shell_complete=named(SERVER)
    )
    @cloud_option
    def act(references: tuple[str, ...], cloud: str | None) -> None:
        session = Session(cloud)
        for reference in references:
            where = f"/servers/{SERVER.id(session, reference)}/action"
            session.ask("POST", "compute", where, body)


for _verb, (_words, _body) in _ACTIONS.items():
    _add_action(_verb, _words, _body)


@command.command("log")
@click.argument("reference", metavar="NAME", shell_complete=named(SERVER))
@click.option("--lines", type=click.IntRange(min=1), help="Only the last so many.")
@cloud_option
def log(reference: str, lines: int | None, cloud: str | None) -> None:
    """Show what the guest wrote to its console."""
    session = Session(cloud)
    wish = {"os-getConsoleOutput": {"length": lines} if lines else {}}
    where = f"/servers/{SERVER.id(session, reference)}/action"
    output = session.ask("POST", "compute", where, wish)["output"]
    click.echo("\n".join(printable(line) for line in output.splitlines()))
