"""The `cumulo` command.  Each subcommand is a module, imported when it is called."""

import importlib
import sys
from collections.abc import Mapping
from typing import ClassVar

import click

from cumulo import __version__
from cumulo.kit.errors import CloudError


class _Commands(click.Group):
    """Subcommands that cost nothing until they are called."""

    modules: ClassVar[Mapping[str, str]] = {
        "up": "Start the cloud.",
        "node": "Let other machines be hosts of the cloud, or join one.",
        "down": "Stop the cloud and leave the machine as it was.",
        "ring": "Say which devices hold objects and listings.",
        "devices": "Serve this machine's devices of the object store to other machines.",
        "objects": "Serve object storage alone, without a cloud.",
        "recon": "Tell how the devices of the object store are.",
        "shards": "Tell into what a long container of the object store was cut, or cut one.",
        "status": "Tell what runs.",
        "demo": "Start the cloud and walk through it: networks, a guest, a login.",
        "server": "Work with servers.",
        "image": "Work with images, and make them.",
        "flavor": "See the sizes of servers.",
        "keypair": "Work with key pairs.",
        "network": "Work with networks.",
        "floating-ip": "Work with floating IPs.",
        "security-group": "Work with security groups.",
        "volume": "Work with volumes.",
        "completion": "Have a shell complete commands and names.",
        "explain": "Say what becomes of packets and servers, and why.",
        "policy": "Show who may do what, and why not.",
        "bootstrap": "Make the first users and what they need, or mend them.",
        "db": "Bring the database to this version.",
        "keys": "List and rotate the keys of tokens and credentials.",
        "doctor": "Look for what would make trouble.",
        "serve": "",
    }

    # Where commands are that have no module of their name.
    places: ClassVar[Mapping[str, str]] = {
        "server": "daily.server",
        "network": "daily.network",
        "floating-ip": "daily.network:floating_ip",
        "security-group": "daily.network:security_group",
        "flavor": "daily.others:flavor",
        "keypair": "daily.others:keypair",
        "volume": "daily.others:volume",
    }

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names for `--help`."""
        return [name for name, line in self.modules.items() if line]

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import a subcommand."""
        if name not in self.modules:
            return None
        module, _, attribute = self.places.get(name, name).partition(":")
        command = getattr(importlib.import_module(f"cumulo.cli.{module}"), attribute or "command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, line in self.modules.items() if line])


@click.command(cls=_Commands)
@click.version_option(__version__, prog_name="cumulo")
def cumulo() -> None:
    """Run an OpenStack cloud on this machine."""


def _steady(message: str) -> str:
    """Return a message, which may name what others made, without what would steer the terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "�" for sign in message)


def main() -> None:
    """Run the command line; a refusal is one line, not a traceback."""
    try:
        cumulo()
    except CloudError as error:
        click.echo(f"cumulo: {_steady(error.message)}", err=True)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        click.echo(f"cumulo: {where}{error.strerror or error}.", err=True)
    else:
        return
    sys.exit(1)
