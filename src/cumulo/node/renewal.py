"""Another certificate before the one there is ends."""

import threading
from collections.abc import Callable

import structlog

from cumulo.kit.errors import CloudError
from cumulo.node.certificates import Identity

_LOOK_S = 86_400.0  # months are left when it is time
log = structlog.get_logger(__name__)


class Renewal:
    """Looks once a day, from `start` to `close`, and asks for another when it is time."""

    def __init__(self, identity: Identity, ask: Callable[[], None]) -> None:
        self.identity, self.ask = identity, ask
        self._closed = threading.Event()

    def start(self) -> None:
        """Look now, and every day from now on, in a thread of its own."""
        threading.Thread(target=self._run, name="renewal", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    def look(self) -> None:
        """Ask if it is time; who cannot be asked today is asked tomorrow."""
        try:
            if self.identity.is_ending():
                self.ask()
                log.info("certificate renewed", directory=str(self.identity.directory))
        except (CloudError, OSError) as error:
            log.warning("certificate not renewed", reason=str(error))

    def _run(self) -> None:
        while not self._closed.is_set():
            self.look()
            self._closed.wait(_LOOK_S)
