"""How the devices of one machine are, in the words that swift-recon asks in, and where things lie.

What a moment tells (space, load, what waits) is looked up when asked.  What passes of reconcilers
told is kept on the devices themselves (`remember`), so that each machine knows of its own.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from cumulo import __version__
from cumulo.kit import clock
from cumulo.kit.errors import Conflict
from cumulo.services.objectstore import assembly, policies, ring_files
from cumulo.services.objectstore.cluster import Cluster
from cumulo.services.objectstore.drivers.base import Device, DeviceFailed
from cumulo.services.objectstore.drivers.disk import DiskDevice
from cumulo.services.objectstore.drivers.server import DeviceServer
from cumulo.services.objectstore.ring import Ring, RingDevice
from cumulo.services.objectstore.settings import ObjectStoreSettings

SWIFT_CONF = "/etc/swift/swift.conf"  # the name that swift-recon asks for it by
_SUMS = ("replication_time", "replication_stats", "replication_last")
_KINDS = ("account", "container", "object")
_JSON, _TEXT = "application/json", "text/plain"
_VERSIONS = {"v1": 1, "v1.0": 1, "1": 1, "1.0": 1, "v2": 2, "v2.0": 2, "2": 2, "2.0": 2}


class Recon:
    """Answers for the devices in one directory."""

    def __init__(
        self, directory: Path, settings: ObjectStoreSettings, cluster: Cluster | None = None
    ) -> None:
        """Look containers' policies up in `cluster`, where this machine has one."""
        self._directory, self._settings, self._cluster = directory, settings, cluster

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body for what was asked."""
        root, _, rest = path.partition("?")[0].removeprefix("/").partition("/")
        if root == "endpoints":
            return self._endpoints(rest)
        check = self._checks().get(rest.rstrip("/")) if root == "recon" else None
        if check is None:
            return 404, _TEXT, f"Invalid path: {path[:200]}".encode()
        return 200, _JSON, msgspec.json.encode(check())

    def _checks(self) -> dict[str, Callable[[], Any]]:
        kept: dict[str, tuple[str, ...]] = {
            "replication": (*_SUMS, "object_replication_time", "object_replication_last"),
            "replication/account": _SUMS,
            "replication/container": _SUMS,
            "replication/object": (*_SUMS, "object_replication_time", "object_replication_last"),
            "reconstruction/object": ("object_reconstruction_last", "object_reconstruction_time"),
            "updater/container": ("container_updater_sweep",),
            "updater/object": (
                "object_updater_sweep",
                "object_updater_stats",
                "object_updater_last",
            ),
            "expirer/object": ("object_expiration_pass", "expired_last_pass"),
            "auditor/object": ("object_auditor_stats_ALL", "object_auditor_stats_ZBF"),
            "sharding": ("sharding_stats", "sharding_time", "sharding_last"),
            "driveaudit": ("drive_audit_errors",),
        }
        for kind in ("account", "container"):
            words = ("audits_passed", "auditor_pass_completed", "audits_since", "audits_failed")
            kept[f"auditor/{kind}"] = tuple(f"{kind}_{word}" for word in words)
        found: dict[str, Callable[[], Any]] = {
            "mem": memory,
            "load": load,
            "sockstat": sockets,
            "mounted": mounts,
            "time": clock.timestamp,
            "version": lambda: {"version": __version__},
            "async": self._waiting,
            "devices": lambda: {str(self._directory): sorted(one.name for one in self._devices())},
            "unmounted": self._away,
            "diskusage": lambda: [_usage(one) for one in self._devices()],
            "quarantined": self._quarantined,
            "ringmd5": self._rings,
            "swiftconfmd5": self._swift_conf,
            "relinker": dict[str, Any],
        }
        for check, names in kept.items():
            found[check] = lambda check=check, names=names: self._kept(check, names)  # type: ignore[misc]
        return found

    def _kept(self, check: str, names: tuple[str, ...]) -> dict[str, Any]:
        """Return what passes told; of several devices what was told last, and each one's audit."""
        told = [one.figures() for one in self._devices() if one.is_there()]
        told.sort(key=lambda one: float(one.get("told", 0)))
        found = {name: value for one in told for name, value in one.items()}
        _, _, kind = check.partition("/")
        shown = {name: found.get(f"{kind}:{name}", found.get(name)) for name in names}
        if "object_auditor_stats_ALL" in names:
            audits = [one.get("object_auditor_stats_ALL") or {} for one in told]
            shown["object_auditor_stats_ALL"] = {k: v for one in audits for k, v in one.items()}
        return shown

    def _waiting(self) -> dict[str, Any]:
        counts = [len(one.notes()) for one in self._devices()]
        return {"async_pending": sum(counts), "async_pending_last": clock.timestamp()}

    def _away(self) -> list[dict[str, Any]]:
        away = [one for one in self._devices() if not one.is_there()]
        return [{"device": one.name, "mounted": False} for one in away]

    def _quarantined(self) -> dict[str, Any]:
        count = sum(one.quarantined() for one in self._devices())
        kinds = {"accounts": 0, "containers": 0, "objects": count}
        return {**kinds, "policies": {"0": {"objects": count}}}

    def _rings(self) -> dict[str, str]:
        return {
            str(self._directory / f"{path.stem}.ring.gz"): _md5(
                ring_files.as_swift_reads(
                    ring_files.builder(self._directory, path.stem), self._here
                )
            )
            for path in sorted(self._directory.glob("*.builder"))
        }

    def _swift_conf(self) -> dict[str, str]:
        return {SWIFT_CONF: _md5(ring_files.swift_conf(self._directory, self._settings))}

    @property
    def _here(self) -> tuple[str, int]:
        return self._settings.device_address, self._settings.device_port

    def _devices(self) -> list[DiskDevice]:
        """Return the devices that are here, or should be."""
        names = {path.parent.name for path in self._directory.glob("*/incoming")}
        for path in self._directory.glob("*.builder"):
            ring = ring_files.builder(self._directory, path.stem)
            here = [one for one in ring.devices if one and self._address(one) == self._here]
            names |= {one.device for one in here}
        return [assembly.device_at(self._directory, name) for name in sorted(names)]

    def _address(self, one: RingDevice) -> tuple[str, int]:
        return ring_files.address_of(one, self._here)

    def _endpoints(self, rest: str) -> tuple[int, str, bytes]:
        first, _, more = rest.partition("/")
        version = _VERSIONS.get(first)
        if version is None and first.startswith("v") and "_" not in first:
            return 400, _TEXT, f"Unsupported version {first[:100]!r}".encode()
        parts = (more if version else rest).split("/", 2)
        names = [unquote(part) for part in parts if part]
        if not names:
            return 400, _TEXT, b"No account specified"
        try:
            kind, number = self._ring_of(names)
            found = list(self._places(kind, names))
        except Conflict:
            return 503, _TEXT, b"This machine has not all rings: ask one that serves the API"
        if version != 2:
            return 200, _JSON, msgspec.json.encode(found)
        headers = {"X-Backend-Storage-Policy-Index": str(number)} if len(names) > 2 else {}
        return 200, _JSON, msgspec.json.encode({"endpoints": found, "headers": headers})

    def _ring_of(self, names: list[str]) -> tuple[str, int]:
        """Return which ring places something, and the number of its storage policy."""
        if len(names) < 3 or len(self._settings.policy_names) == 1:
            return _KINDS[len(names) - 1], 0
        if self._cluster is None:
            raise Conflict("The policies of containers are known where the API is served.")
        head = self._cluster.container(names[0], names[1]).head()
        policy = policies.name_of(self._settings, head)
        return policies.ring_of(self._settings, policy), self._settings.policy_names.index(policy)

    def _places(self, kind: str, names: list[str]) -> Iterator[str]:
        ring: Ring = ring_files.builder(self._directory, kind).ring()
        key = _md5(f"{assembly.salt_of(self._directory)[0]}/{'/'.join(names)}".encode())
        part = ring.part_of(key)
        for one in ring.primaries(part):
            host, port = self._address(one)
            yield f"http://{host}:{port}/{one.device}/{part}/{quote('/'.join(names))}"


def served(
    directory: Path, settings: ObjectStoreSettings, cluster: Cluster | None = None
) -> DeviceServer:
    """Return what serves the devices of this machine, and answers for them."""
    return assembly.served(directory, settings, Recon(directory, settings, cluster).answer)


def remembered(cluster: Cluster, figures: dict[str, Any]) -> None:
    """Have every device that is there remember what a pass of a reconciler told."""
    told = {**figures, "told": clock.timestamp()}
    for device in cluster.devices.values():
        remember(device, told)


def remember(device: Device, figures: dict[str, Any]) -> None:
    """Have a device remember figures, if it is there; they are worth no error."""
    try:
        device.remember(figures)
    except DeviceFailed:
        return


def memory() -> dict[str, str]:
    """Return what the kernel tells of memory."""
    pairs = (line.split(":", 1) for line in _lines("/proc/meminfo"))
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}


def load() -> dict[str, Any]:
    """Return how busy the machine is."""
    one, five, fifteen, tasks, last = _lines("/proc/loadavg")[0].split()
    averages = {"1m": float(one), "5m": float(five), "15m": float(fifteen)}
    return {**averages, "tasks": tasks, "processes": int(last)}


def mounts() -> list[dict[str, str]]:
    """Return what is mounted where."""
    fields = (line.split() for line in _lines("/proc/mounts"))
    return [{"device": one[0], "path": one[1]} for one in fields if len(one) > 1]


def sockets() -> dict[str, int]:
    """Return how many connections there are, and what memory they hold."""
    found: dict[str, int] = {}
    for line in _lines("/proc/net/sockstat"):
        if line.startswith("TCP: inuse"):
            words = line.split()
            found["tcp_in_use"], found["orphan"] = int(words[2]), int(words[4])
            found["time_wait"] = int(words[6])
            found["tcp_mem_allocated_bytes"] = int(words[10]) * os.sysconf("SC_PAGE_SIZE")
    for line in _lines("/proc/net/sockstat6"):
        if line.startswith("TCP6: inuse"):
            found["tcp6_in_use"] = int(line.split()[2])
    return found


def _usage(device: DiskDevice) -> dict[str, Any]:
    size, free = device.usage()
    if not device.is_there():
        nothing = dict.fromkeys(("size", "used", "avail"), "")
        return {"device": device.name, "mounted": False, **nothing}
    sizes = {"size": size, "used": size - free, "avail": free}
    return {"device": device.name, "mounted": True, **sizes}


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Pass:
    """One pass of a reconciler: how long it took, when it ended."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def took_s(self) -> float:
        """Return how long it has taken."""
        return round(time.monotonic() - self._began, 6)
