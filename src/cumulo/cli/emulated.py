"""The cloud of `cumulo up --emulate`: all in this process, nothing on the machine."""

from typing import TYPE_CHECKING

from cumulo.cli.database import check_tables
from cumulo.cli.report import Tell
from cumulo.cli.state import State

if TYPE_CHECKING:
    from cumulo.serving import Serving
    from cumulo.settings import Settings


class EmulatedProgram:
    """A cloud whose hosts and networks exist in memory."""

    def __init__(self, state: State, settings: "Settings") -> None:
        self._state, self._settings = state, settings
        self._serving: Serving | None = None

    def prepare(self) -> None:
        """Make the state directory, over a database that is of use."""
        check_tables(self._state, self._settings)
        self._state.make()
        self._state.passwords()

    def start(self, tell: Tell) -> None:
        """Return when every port answers."""
        from cumulo import app
        from cumulo.kit import garbage, log, processors
        from cumulo.serving import Serving

        log.setup(self._settings.log_level)
        secrets = self._state.passwords()
        passwords = app.Passwords(secrets.admin, secrets.demo, secrets.metadata)
        cloud = app.emulate(self._settings, self._state.control, passwords)
        cloud.prepare()
        tell(f"{self._settings.emulated.hosts} emulated host(s)")
        self._serving = Serving(cloud)
        self._serving.start()
        processors.keep_together()
        garbage.settle()

    def stop(self, tell: Tell) -> None:
        """Close the ports, let work under way end."""
        if self._serving is not None:
            self._serving.stop()
            tell("The cloud is down")
