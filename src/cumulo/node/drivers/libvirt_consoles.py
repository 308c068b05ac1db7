"""Connections to the consoles of libvirt's domains.

A screen is reached through libvirt, which hands QEMU one end of a pair of sockets: QEMU's user,
who may be a guest that broke out, has no say in where we connect to.  The serial console's socket
lies in a directory of root's.
"""

import contextlib
import socket
import threading
import weakref
from pathlib import Path
from typing import TypeAlias

import libvirt

from cumulo.kit.errors import Conflict, Unavailable

Domain: TypeAlias = "libvirt.virDomain"
_TIMEOUT_S = 5.0
_NOT_THERE = (libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_INVALID_ARG)


def screen(domain: Domain) -> socket.socket:
    """Return a connection to a running domain's screen."""
    _check_runs(domain)
    try:
        descriptor = domain.openGraphicsFD(0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
    except libvirt.libvirtError as error:
        if error.get_error_code() in _NOT_THERE:
            raise Conflict(f"Guest {domain.UUIDString()} has no screen.") from error
        raise
    return socket.socket(fileno=descriptor)


class Serials:
    """Who has which serial console: QEMU lets one in, and that is the last who asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: weakref.WeakValueDictionary[Path, socket.socket] = weakref.WeakValueDictionary()

    def take(self, domain: Domain, path: Path) -> socket.socket:
        """Return a connection to a running domain's serial console; whoever has one loses it."""
        _check_runs(domain)
        with self._lock:
            earlier = self._open.get(path)
            if earlier is not None:
                with contextlib.suppress(OSError):
                    earlier.shutdown(socket.SHUT_RDWR)
            taken = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            taken.settimeout(_TIMEOUT_S)
            try:
                taken.connect(str(path))
            except OSError as error:
                taken.close()
                raise Unavailable(f"The serial console does not answer: {error}") from error
            self._open[path] = taken
            return taken


def _check_runs(domain: Domain) -> None:
    if not domain.isActive():
        raise Conflict(f"Guest {domain.UUIDString()} does not run: start it.")
