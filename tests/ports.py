"""Ports for the servers that tests start, each held until the end for the process that got it."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

from cumulo.settings import Http

_RANGE = range(20_000, 32_768)  # below those that outgoing connections are given
_HELD: dict[int, int] = {}


def every_port() -> dict[str, int]:
    """Return a port for each service, by the names of the settings."""
    return {name: free_port() for name in Http.__struct_fields__ if name.endswith("_port")}


def free_port() -> int:
    """Return a port that nobody listens on and that no other test is given."""
    directory = Path(tempfile.gettempdir()) / f"cumulo-test-ports-{os.getuid()}"
    directory.mkdir(exist_ok=True)
    for port in random.sample(_RANGE, len(_RANGE)):
        if port not in _HELD and _hold(directory / str(port), port):
            return port
    raise AssertionError("every port is taken")


def _hold(path: Path, port: int) -> bool:
    lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        os.close(lock)
        return False
    _HELD[port] = lock
    return True
