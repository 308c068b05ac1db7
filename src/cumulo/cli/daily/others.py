"""`cumulo flavor`, `keypair`, `volume`: sizes, keys and disks."""

from pathlib import Path
from typing import Any

import click

from cumulo.cli.daily.group import add_common, cloud_option, format_option, named, told
from cumulo.cli.daily.nouns import FLAVOR, IMAGE, KEYPAIR, SERVER, VOLUME
from cumulo.cli.daily.session import Session


@click.group("flavor")
def flavor() -> None:
    """See the sizes of servers."""


@click.group("keypair")
def keypair() -> None:
    """Work with key pairs."""


@click.group("volume")
def volume() -> None:
    """Work with volumes."""


add_common(flavor, FLAVOR)
add_common(keypair, KEYPAIR)
add_common(volume, VOLUME)
del flavor.commands["delete"]


@keypair.command("create")
@click.argument("name")
@click.argument("public_key", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@cloud_option
@format_option
def create_keypair(name: str, public_key: Path, cloud: str | None, shape: str) -> None:
    """Keep the key of the file PUBLIC_KEY, such as ~/.ssh/id_ed25519.pub."""
    wish = {"name": name, "public_key": public_key.read_text().strip()}
    made = Session(cloud).ask("POST", "compute", "/os-keypairs", {"keypair": wish})
    told(made["keypair"], shape)


@volume.command("create")
@click.argument("name")
@click.option("--size", type=click.IntRange(min=1), required=True, help="In GiB.")
@click.option("--image", shell_complete=named(IMAGE), help="What it is filled with.")
@cloud_option
@format_option
def create_volume(name: str, cloud: str | None, shape: str, **wish: Any) -> None:
    """Make a volume."""
    session = Session(cloud)
    spec: dict[str, Any] = {"name": name, "size": wish["size"]}
    spec |= {"imageRef": IMAGE.id(session, wish["image"])} if wish["image"] else {}
    told(session.ask("POST", "volume", "/volumes", {"volume": spec})["volume"], shape)


@volume.command("attach")
@click.argument("name", shell_complete=named(VOLUME))
@click.argument("server", shell_complete=named(SERVER))
@cloud_option
def attach(name: str, server: str, cloud: str | None) -> None:
    """Give a volume to a server."""
    session = Session(cloud)
    where = f"/servers/{SERVER.id(session, server)}/os-volume_attachments"
    body = {"volumeAttachment": {"volumeId": VOLUME.id(session, name)}}
    session.ask("POST", "compute", where, body)


@volume.command("detach")
@click.argument("name", shell_complete=named(VOLUME))
@click.argument("server", shell_complete=named(SERVER))
@cloud_option
def detach(name: str, server: str, cloud: str | None) -> None:
    """Take a volume away from a server."""
    session = Session(cloud)
    where = f"/servers/{SERVER.id(session, server)}/os-volume_attachments"
    session.ask("DELETE", "compute", f"{where}/{VOLUME.id(session, name)}")
