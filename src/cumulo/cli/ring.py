"""`cumulo ring`: the rings of object storage, in the words of swift-ring-builder."""

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State

if TYPE_CHECKING:
    from cumulo.services.objectstore.public import Builder

_KINDS = click.Choice(["account", "container", "object", *(f"object-{n}" for n in range(1, 32))])
_AFTER = "A cloud that runs keeps the rings it started with: `cumulo down`, then `cumulo up`."


@click.group("ring", epilog=_AFTER)
@state_option
@click.argument("kind", type=_KINDS, metavar="account|container|object[-N]")
@click.pass_context
def command(ctx: click.Context, state: State, kind: str) -> None:
    """Change the ring of accounts, of containers, or of the objects of a storage policy."""
    ctx.obj = (directory_of(state), kind)


def directory_of(state: State) -> Path:
    """Return where the object store keeps its devices; from now on act as who owns them."""
    owner = state.control.stat() if state.control.exists() else None
    if os.geteuid() == 0 and owner is not None and owner.st_uid != 0:
        # What its user may replace by a link, root must not write to.
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    return state.control / "objects"


@command.command()
@click.argument("part_power", type=click.IntRange(1, 20))
@click.argument("replicas", type=click.IntRange(1, 64))
@click.argument("min_part_hours", type=click.IntRange(0, 720))
@click.pass_obj
def create(ring: tuple[Path, str], part_power: int, replicas: int, min_part_hours: int) -> None:
    """Begin a ring without devices.

    That of a policy of erasure coding has as many replicas as objects have fragments there:
    those of data and of parity, times ec_duplication_factor.
    """
    from cumulo.services.objectstore import public

    public.create(*ring, public.Builder(part_power, replicas, min_part_hours))


@command.command()
@click.option("--region", type=click.IntRange(0), default=1)
@click.option("--zone", type=click.IntRange(0), default=1)
@click.option("--ip", default="127.0.0.1", help="Of the machine it is in; this one's need none.")
@click.option("--port", type=click.IntRange(1, 65535), default=6200)
@click.option("--device", required=True, help="A directory beside the rings of its machine.")
@click.option("--weight", type=click.FloatRange(0), default=100.0)
@click.pass_obj
def add(ring: tuple[Path, str], /, device: str, ip: str, **more: Any) -> None:
    """Add a device of this machine, or of one where `cumulo devices` runs."""
    from cumulo.services.objectstore import public

    if not device.isidentifier():
        raise click.BadParameter("must be a name of letters and digits", param_hint="--device")
    try:
        ipaddress.ip_address(ip)
    except ValueError as error:
        raise click.BadParameter("must be an address", param_hint="--ip") from error
    new = public.RingDevice(id=0, device=device, ip=ip, **more)
    click.echo(f"Device d{public.add(*ring, new)} added: {new.label}, weight {new.weight}.")


@command.command("set_weight")
@click.argument("device_id", type=int)
@click.argument("weight", type=click.FloatRange(0))
@click.pass_obj
def set_weight(ring: tuple[Path, str], device_id: int, weight: float) -> None:
    """Change how much a device should carry."""
    from cumulo.services.objectstore import public

    public.set_weight(*ring, device_id, weight)


@command.command()
@click.argument("device_id", type=int)
@click.pass_obj
def remove(ring: tuple[Path, str], device_id: int) -> None:
    """Take a device out."""
    from cumulo.services.objectstore import public

    public.remove(*ring, device_id)


@command.command()
@click.pass_obj
def rebalance(ring: tuple[Path, str]) -> None:
    """Assign every partition to devices."""
    from cumulo.services.objectstore import public

    moved, balance = public.rebalance(*ring)
    click.echo(f"Reassigned {moved} partitions. Balance is now {balance:.2f}.")


@command.command("write_ring")
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@config_option
@click.pass_context
def write_ring(ctx: click.Context, config: Path | None, target: Path) -> None:
    """Write the ring as Swift's tools read it into a directory, beside a swift.conf for them."""
    from cumulo.services.objectstore import public

    directory, kind = ctx.obj
    assert ctx.parent is not None, "it is a command of the group"
    settings = settings_of(ctx.parent.params["state"], config)
    public.write_for_swift(directory, settings.objectstore, kind, target)


@command.command()
@click.pass_obj
def info(ring: tuple[Path, str]) -> None:
    """Show a ring and its devices."""
    from cumulo.services.objectstore import public

    _show(public.builder(*ring))


def _show(builder: "Builder") -> None:
    count = len([one for one in builder.devices if one])
    click.echo(
        f"build version {builder.version}, {builder.parts} partitions, {builder.replicas} "
        f"replicas, {count} devices, {builder.balance():.2f} balance, at least "
        f"{builder.min_part_hours} hours between moves of a partition"
    )
    load, wanted = builder.load(), builder.wanted()
    click.echo(f"{'id':>4} {'region':>6} {'zone':>4} {'name':>22} {'weight':>8} {'partitions':>10}")
    for one in builder.devices:
        if one:
            click.echo(
                f"{one.id:>4} {one.region:>6} {one.zone:>4} {one.label:>22} {one.weight:>8.2f} "
                f"{load[one.id]:>10} (wanted {wanted.get(one.id, 0.0):.1f})"
            )
