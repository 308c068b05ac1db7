"""The machine this process runs on, as the kernel tells of it."""

import functools
import os
import platform
import shutil
from pathlib import Path

import msgspec

from cumulo.kit import clock
from cumulo.kit.units import GIB, KIB, MIB

_PROC = Path("/proc")


class Memory(msgspec.Struct, frozen=True):
    """What memory there is."""

    total_mib: int
    used_mib: int


class Space(msgspec.Struct, frozen=True):
    """What room a file system has."""

    total_gib: int
    free_gib: int


class Processor(msgspec.Struct, frozen=True, kw_only=True):
    """What the processor is."""

    architecture: str
    model: str
    vendor: str
    features: list[str]


def kvm_works() -> bool:
    """Say whether guests can run on the hardware.

    That /dev/kvm opens proves nothing: it does, too, where only paravirtual guests can run.
    """
    has_extension = not {"svm", "vmx"}.isdisjoint(processor().features)
    return has_extension and os.access("/dev/kvm", os.R_OK | os.W_OK)


@functools.cache
def processor() -> Processor:
    """Describe the first processor."""
    fields: dict[str, str] = {}
    for line in (_PROC / "cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    return Processor(
        architecture=platform.machine(),
        model=fields.get("model name", ""),
        vendor=fields.get("vendor_id", ""),
        features=sorted(fields.get("flags", "").split()),
    )


def memory_nodes() -> int:
    """Return how many memory nodes the machine has."""
    return max(1, len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))))


def processors() -> int:
    """Return how many processors we may run on."""
    return len(os.sched_getaffinity(0))


def memory() -> Memory:
    """Return the machine's memory and how much of it is taken."""
    found = {}
    for line in (_PROC / "meminfo").read_text().splitlines():
        key, _, value = line.partition(":")
        found[key] = int(value.split()[0]) * KIB
    total = found["MemTotal"]
    return Memory(total // MIB, (total - found["MemAvailable"]) // MIB)


def space(path: Path) -> Space:
    """Return the room on the file system of a path."""
    usage = shutil.disk_usage(path)
    return Space(usage.total // GIB, usage.free // GIB)


def boot_id() -> str:
    """Return what changes when the machine, or the container that we take for one, starts anew."""
    kernel = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    first = (_PROC / "1/stat").read_text()
    started = first[first.rindex(")") + 2 :].split()[19]
    return f"{kernel}-{started}"


def uptime() -> str:
    """Return what the command of that name says."""
    seconds = int(float((_PROC / "uptime").read_text().split()[0]))
    days, rest = divmod(seconds, 86400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    loads = ", ".join(f"{load:.2f}" for load in os.getloadavg())
    lasted = f"{days} days, " if days != 1 else "1 day, "
    return (
        f" {clock.now():%H:%M:%S} up {lasted if days else ''}{hours:2}:{minutes:02},"
        f"  0 users,  load average: {loads}"
    )
