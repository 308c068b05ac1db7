"""`cumulo objects`: object storage alone, for who needs Swift or S3 and no cloud."""

import os
import signal
import threading
from pathlib import Path

import click

from cumulo.cli.options import config_option, settings_of, state_option
from cumulo.cli.state import State

_USER = "demo:demo"
_EPILOG = """Users are named PROJECT:USER under [objectstore.users] in cumulo.toml, each with a key.
Their names are S3's access keys, their keys S3's secrets."""


@click.command("objects", epilog=_EPILOG)
@state_option
@config_option
def command(state: State, config: Path | None) -> None:
    """Serve object storage alone, through Swift's API and S3's, until Ctrl-C."""
    from cumulo.alone import ObjectStore, processes
    from cumulo.kit import garbage, log, siblings
    from cumulo.services.objectstore.public import LocalUser
    from cumulo.web.server import listeners

    settings = settings_of(state, config)
    log.setup(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    state.make()
    with state.held(emulated=True):
        users = settings.objectstore.users
        if not users:
            key = state.passwords().demo
            users = {_USER: LocalUser(key=key)}
            click.echo(f"User {_USER}, key {key}")
        store = ObjectStore(settings, state.control / "objects", users)
        http, count = settings.http, processes(settings.objectstore)
        listening = listeners(http.host, http.objectstore_port, count)
        me = siblings.forked(count)
        mine = listening.pop(me.number)
        for other in listening:
            other.close()
        store.start(me, mine)
        garbage.settle()
        if me.is_first:
            address = store.tools.own_address
            click.echo(f"Swift: http://{address}/auth/v1.0   S3: http://{address}")
        missing = None
        while missing is None and not stop.wait(1):  # without an end it would miss some signals
            missing = me.missing()
        store.stop()
        if not me.is_first:
            os._exit(0)  # what the program does at its end is the first one's
        me.stop()
    if missing is not None:
        raise click.ClickException(f"Process {missing} of {count} ended; the others were stopped.")
