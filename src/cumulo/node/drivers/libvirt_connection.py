"""One connection to libvirtd, made again when it is lost, and libvirt's errors in our kinds."""

import contextlib
import threading
from collections.abc import Iterator

import libvirt
import structlog

from cumulo.kit.errors import CloudError, NotFound, Unavailable
from cumulo.node.api import HostError

_KEEPALIVE_S, _KEEPALIVE_COUNT = 5, 4  # a daemon that hangs is given up after 25 s
# What passes: someone else is at it, or a daemon of ours is being started again.
_PASSING = {
    libvirt.VIR_ERR_OPERATION_TIMEOUT,
    libvirt.VIR_ERR_RESOURCE_BUSY,
    libvirt.VIR_ERR_NO_CONNECT,
    libvirt.VIR_ERR_RPC,
}
_PASSING_WORDS = ("OVS bridge", "ovs-vsctl", "Failed to terminate process")
_loop_lock = threading.Lock()
_loop: list[threading.Thread] = []
log = structlog.get_logger(__name__)


class Connection:
    """libvirtd, for any number of threads at once."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._lock = threading.Lock()
        self._opened: libvirt.virConnect | None = None

    @contextlib.contextmanager
    def use(self) -> Iterator["libvirt.virConnect"]:
        """Give the block the connection; errors in it become ours."""
        opened = self._open()
        try:
            yield opened
        except libvirt.libvirtError as error:
            raise self._translated(error, opened) from error

    def close(self) -> None:
        """Part from libvirtd."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            with contextlib.suppress(libvirt.libvirtError):
                opened.close()

    def _open(self) -> "libvirt.virConnect":
        with self._lock:
            if self._opened is None or not _is_alive(self._opened):
                _run_events()
                try:
                    self._opened = libvirt.open(self._uri)
                    self._opened.setKeepAlive(_KEEPALIVE_S, _KEEPALIVE_COUNT)
                except libvirt.libvirtError as error:
                    raise Unavailable(f"libvirtd does not answer: {error}") from error
            return self._opened

    def _translated(
        self, error: "libvirt.libvirtError", opened: "libvirt.virConnect"
    ) -> CloudError:
        message = f"libvirt: {error.get_error_message() or error}"
        code = error.get_error_code()
        if not _is_alive(opened):
            self._drop(opened)
            return Unavailable(f"libvirtd was lost: {message}")
        if code == libvirt.VIR_ERR_NO_DOMAIN:
            return NotFound(message)
        if code in _PASSING or any(words in message for words in _PASSING_WORDS):
            return Unavailable(message)
        return HostError(message, libvirt_code=code)

    def _drop(self, lost: "libvirt.virConnect") -> None:
        with self._lock:
            if self._opened is lost:
                self._opened = None
                log.warning("libvirtd lost", uri=self._uri)
        with contextlib.suppress(libvirt.libvirtError):
            lost.close()


def _is_alive(opened: "libvirt.virConnect") -> bool:
    try:
        return bool(opened.isAlive() == 1)
    except libvirt.libvirtError:
        return False


def _run_events() -> None:
    """Let libvirt notice, once for the process, when a connection has gone silent."""
    with _loop_lock:
        if not _loop:
            libvirt.registerErrorHandler(lambda context, error: None, None)
            libvirt.virEventRegisterDefaultImpl()
            _loop.append(threading.Thread(target=_events, name="libvirt-events", daemon=True))
            _loop[0].start()


def _events() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
