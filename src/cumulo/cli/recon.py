"""`cumulo recon`: how the devices of the object store are, from the devices themselves."""

import click

from cumulo.cli.options import state_option
from cumulo.cli.ring import directory_of
from cumulo.cli.state import State

_GIB = 1 << 30


@click.command("recon")
@state_option
def command(state: State) -> None:
    """Tell of each device whether it is there, how full it is, and what waits or is broken."""
    from cumulo.services.objectstore import public

    click.echo("      device there   GiB free  objects  fragments  waiting  aside")
    directory = directory_of(state)
    for device in public.devices(directory):
        _, free = device.usage()
        objects, fragments = public.holdings(directory, device.name)
        waiting = len(device.notes())
        click.echo(
            f"{device.name:>12} {'yes' if device.is_there() else 'NO':>5} {free / _GIB:>10.1f} "
            f"{objects:>8} {fragments:>10} {waiting:>8} {device.quarantined():>6}"
        )
