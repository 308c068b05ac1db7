"""`cumulo shards`: what a long container was cut into, in swift-manage-shard-ranges' words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.ring import directory_of
from cumulo.cli.state import State

if TYPE_CHECKING:
    from cumulo.services.objectstore.public import Cluster

_AFTER = "What is planned here the cloud carries out when it looks next, within half a minute."


@click.group("shards", epilog=_AFTER)
@state_option
@config_option
@click.argument("account")
@click.argument("container")
@click.pass_context
def command(
    ctx: click.Context, state: State, config: Path | None, account: str, container: str
) -> None:
    """Find, plan and show the shards of a container, as of backups in AUTH_0123."""
    ctx.obj = (directory_of(state), settings_of(state, config).objectstore, account, container)


@command.command()
@click.argument("rows", type=click.IntRange(1))
@click.pass_context
def find(ctx: click.Context, rows: int) -> None:
    """Show ranges of about so many names each, for what is in no shard yet."""
    from cumulo.services.objectstore import public

    with _cluster(ctx) as (cluster, account, container):
        for lower, upper in public.find_shards(cluster, account, container, rows):
            click.echo(f"{lower!r:>40} - {upper!r}")


@command.command("find_and_replace")
@click.argument("rows", type=click.IntRange(1))
@click.pass_context
def find_and_replace(ctx: click.Context, rows: int) -> None:
    """Plan shards of about so many names each, for what is in no shard yet."""
    from cumulo.services.objectstore import public

    with _cluster(ctx) as (cluster, account, container):
        if not public.cut(cluster, account, container, rows):
            raise click.ClickException("There is nothing to cut into ranges of that size.")


@command.command()
@click.pass_context
def show(ctx: click.Context) -> None:
    """Show the ranges of a container, their states, and what their shards hold."""
    from cumulo.services.objectstore import public

    with _cluster(ctx) as (cluster, account, container):
        click.echo(f"{'state':>10} {'objects':>10} {'bytes':>14}  names behind - up to")
        for one, head in public.ranges_of(cluster, account, container):
            items, size = (head.items, head.size) if head else (0, 0)
            click.echo(f"{one.state:>10} {items:>10} {size:>14}  {one.lower!r} - {one.upper!r}")


@contextmanager
def _cluster(ctx: click.Context) -> Iterator[tuple["Cluster", str, str]]:
    from cumulo.services.objectstore import public

    directory, settings, account, container = ctx.obj
    if not (directory / "container.builder").exists():
        raise click.ClickException(f"There is no object store in {directory}.")
    cluster = public.assembled(directory, settings)
    try:
        if not public.is_container(cluster, account, container):
            raise click.ClickException(f"There is no container {container} in {account}.")
        yield cluster, account, container
    finally:
        cluster.close()
