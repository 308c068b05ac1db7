"""Which process owns what, and whether it still lives.

A name is host/boot/pid namespace/pid-start/thread of work, so that after a crash the next
process on the same host knows at once that the last one is dead, without waiting for a lease.
"""

import os
import socket
from pathlib import Path

from cumulo.kit.ids import random_bytes

LEASE_S = 60.0


def new_owner() -> str:
    """Return a name for one worker of this process, never used before."""
    return f"{_process(os.getpid())}/{random_bytes(4).hex()}"


def is_dead(owner: str) -> bool:
    """Tell whether `owner` was a process of this host that certainly ended.

    False for what cannot be known: another host, another container, a name of another form.
    """
    parts = owner.split("/")
    if len(parts) != 5 or parts[0] != socket.gethostname():
        return False
    host_boot = _read("/proc/sys/kernel/random/boot_id")
    if parts[1] != host_boot:
        return True
    pid, _, _ = parts[3].partition("-")
    if parts[2] != _namespace() or not pid.isdigit():
        return False
    return _process(int(pid)).split("/")[3] != parts[3]


def _process(pid: int) -> str:
    boot = _read("/proc/sys/kernel/random/boot_id")
    return f"{socket.gethostname()}/{boot}/{_namespace()}/{pid}-{_started(pid)}"


def _started(pid: int) -> str:
    """Return when the process started, in ticks since the boot: a pid is used again, this not."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return "gone" if len(fields) < 20 or fields[0] in "ZX" else fields[19]


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
