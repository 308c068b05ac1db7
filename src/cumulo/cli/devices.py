"""`cumulo devices`: a machine that lends its disks to the object store of another."""

import signal
import threading
from pathlib import Path

import click

from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.ring import directory_of
from cumulo.cli.state import State
from cumulo.kit.errors import Unavailable

_EPILOG = """Settings: device_address and device_port under [objectstore] say where to listen.
The file `salt` beside the devices must be that of the cloud they belong to: copy it first."""


@click.command("devices", epilog=_EPILOG)
@click.argument("names", nargs=-1)
@state_option
@config_option
def command(state: State, config: Path | None, names: tuple[str, ...]) -> None:
    """Serve the devices that lie here, those NAMED made first if they are not there."""
    from cumulo.kit import log
    from cumulo.services.objectstore import public

    settings = settings_of(state, config)
    log.setup(settings.log_level)
    directory = directory_of(state)
    if not (directory / "salt").exists():
        raise Unavailable(f"There is no {directory}/salt: copy that of the cloud to be served.")
    for name in names:
        if not name.isidentifier():
            raise click.BadParameter("a name must be of letters and digits", param_hint="NAMES")
        public.prepare(directory, name)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    server = public.served(directory, settings.objectstore)
    server.start()
    click.echo(f"Serving at {settings.objectstore.device_address}:{server.port}.")
    while not stop.wait(1):  # a signal that comes just before the wait would not end it
        pass
    server.stop()
