"""Reaching guests over the network, as anybody would."""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cumulo.kit.errors import Unavailable

_SSH = [
    *("ssh", "-q", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
    *("-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5"),
]


def ping(address: str, prefix: Sequence[str] = ()) -> bool:
    """Say whether the address answers one ping."""
    command = [*prefix, "ping", "-n", "-q", "-c", "1", "-W", "1", address]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def ssh(
    address: str,
    key: Path,
    command: str,
    *,
    user: str = "cirros",
    port: int = 22,
    prefix: Sequence[str] = (),
) -> str | None:
    """Return what a command prints on the guest; None when there is no login."""
    words = [*prefix, *_SSH, "-i", str(key), "-p", str(port), f"{user}@{address}", command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def until(what: str, condition: Callable[[], bool], within_s: float, every_s: float = 0.2) -> None:
    """Return when `condition` holds."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            raise Unavailable(f"Waited {within_s:g} s in vain for {what}.")
        time.sleep(every_s)
