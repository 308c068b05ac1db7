"""`cumulo serve`: the APIs and the workers of a real cloud; `cumulo up` starts it."""

import signal
import threading

import click
import msgspec

from cumulo.cli.options import state_option
from cumulo.cli.state import State


@click.command("serve", hidden=True)
@state_option
def command(state: State) -> None:
    """Serve the APIs and carry out workflows, without any rights on the machine."""
    from cumulo import app
    from cumulo.kit import garbage, log
    from cumulo.serving import Serving, with_machines
    from cumulo.settings import Settings

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    settings = msgspec.json.decode(state.started_with.read_bytes(), type=Settings)
    log.setup(settings.log_level)
    secrets = state.passwords()
    passwords = app.Passwords(secrets.admin, secrets.demo, secrets.metadata)
    ovn = state.directory / "ovn"
    outside = app.attach(settings, state.node_socket, ovn, state.volumes)
    if settings.node.address:
        outside = with_machines(outside, state.authority(), state.control / "tls")
    cloud = app.Cloud(settings, state.control, outside, passwords)
    cloud.prepare()
    serving = Serving(cloud)
    serving.start()
    garbage.settle()
    state.serving.touch()
    stop.wait()
    serving.stop()
