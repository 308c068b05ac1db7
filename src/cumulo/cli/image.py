"""`cumulo image`: images to start guests from."""

from pathlib import Path

import click

from cumulo.cli.daily.group import add_common, cloud_option, format_option, told
from cumulo.cli.daily.nouns import IMAGE
from cumulo.cli.daily.session import Session


@click.group("image")
def command() -> None:
    """Work with images, and make them."""


add_common(command, IMAGE)


@command.command("build")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="Where to put guest.qcow2.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: Path.home() / ".cache/cumulo/guest",
    show_default="~/.cache/cumulo/guest",
    help="Where to keep the packages it is made of.",
)
def build(output: Path, cache: Path) -> None:
    """Build a small guest from this machine's distribution.

    It has the distribution's kernel, busybox and dropbear, needs 96 MB of memory, and lets the
    user cirros in with the password gocubsgo or with a key.  Nothing is installed and root is not
    needed; apt downloads 32 MB the first time.
    """
    from cumulo.guest.build import build_guest

    cache.mkdir(parents=True, exist_ok=True)
    image = build_guest(output.absolute(), cache.absolute(), click.echo)
    click.echo(f"{image} ({image.stat().st_size / 1e6:.1f} MB)")


@command.command("create")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--disk-format", default="qcow2", show_default=True)
@cloud_option
@format_option
def create(name: str, file: Path, disk_format: str, cloud: str | None, shape: str) -> None:
    """Upload FILE as an image."""
    session = Session(cloud)
    wish = {"name": name, "disk_format": disk_format, "container_format": "bare"}
    made = session.ask("POST", "image", "/images", wish)["id"]
    with file.open("rb") as content:
        session.ask("PUT", "image", f"/images/{made}/file", content)
    told(IMAGE.one(session, made), shape)
