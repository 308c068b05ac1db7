"""`cumulo image`: images to start guests from."""

from pathlib import Path

import click


@click.group("image")
def command() -> None:
    """Make images."""


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
