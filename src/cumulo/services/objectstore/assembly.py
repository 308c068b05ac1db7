"""A cluster as rings say: directories of this machine as devices, devices of others over a wire."""

import os
import re
from pathlib import Path

import msgspec

from cumulo.kit import clock
from cumulo.kit.ids import new_secret
from cumulo.services.objectstore.cluster import Cluster
from cumulo.services.objectstore.drivers.base import Device, DeviceFailed
from cumulo.services.objectstore.drivers.connections import Connections
from cumulo.services.objectstore.drivers.disk import DiskDevice
from cumulo.services.objectstore.drivers.frames import secret_of
from cumulo.services.objectstore.drivers.remote import Channel, remote_device
from cumulo.services.objectstore.drivers.server import DeviceServer
from cumulo.services.objectstore.ring import DEVICE_PORT, LOOPBACK, OBJECTS, Builder, RingDevice
from cumulo.services.objectstore.settings import ObjectStoreSettings

_AREA = re.compile(r"object-[1-9][0-9]?")
KINDS = ("account", "container", "object")


def kinds_of(settings: ObjectStoreSettings) -> list[str]:
    """Return the rings there must be: for listings, and for the objects of each policy."""
    more = [f"{OBJECTS}-{number}" for number in range(1, len(settings.policies))]
    return [*KINDS, *more]


def assembled(directory: Path, settings: ObjectStoreSettings) -> Cluster:
    """Return the cluster whose rings, salt and devices lie in a directory, made if it is not."""
    directory.mkdir(parents=True, exist_ok=True)
    kinds = kinds_of(settings)
    for kind in kinds:
        if not (directory / f"{kind}.builder").exists():
            save(directory / f"{kind}.builder", _first_builder(settings))
    builders = {kind: load(directory / f"{kind}.builder") for kind in kinds}
    rings = {kind: builder.ring() for kind, builder in builders.items()}
    salt, is_new = _salt(directory)
    found = _Devices(directory, settings, secret_of(salt))
    devices = {
        one.label: found.device(one) for ring in rings.values() for one in ring.devices if one
    }
    for device in devices.values():
        if isinstance(device, DiskDevice):
            # A directory without a salt is new; later, a device that vanished stays away until
            # somebody puts an empty directory in its place.
            if is_new:
                device.prepare()
            device.adopt()
    areas = {
        kind: {one.label: found.device(one, kind) for one in rings[kind].devices if one}
        for kind in kinds
        if kind not in KINDS
    }
    return Cluster(rings, devices, salt, areas=areas, releases=[found.close])


class _Devices:
    """Makes devices, with what those of one machine share."""

    def __init__(self, directory: Path, settings: ObjectStoreSettings, secret: bytes) -> None:
        self._directory, self._secret = directory, secret
        self._here = {(LOOPBACK, DEVICE_PORT), (settings.device_address, settings.device_port)}
        self._connections = Connections()
        self._channels: dict[tuple[str, int], Channel] = {}

    def device(self, one: RingDevice, kind: str = OBJECTS) -> Device:
        """Return a device of this machine or of another, as it holds the objects of a policy."""
        where, area = (one.ip, one.port), area_of(kind)
        if where in self._here:
            return DiskDevice(one.label, self._directory / one.device, self._connections, area)
        if where not in self._channels:
            self._channels[where] = Channel(*where, self._secret)
        called = one.device if kind == OBJECTS else f"{one.device}:{kind}"
        return remote_device(one.label, called, self._channels[where])

    def close(self) -> None:
        """Hang up."""
        for channel in self._channels.values():
            channel.close()


def area_of(kind: str) -> str:
    """Return the directory, on each device, of the objects of a policy."""
    return kind.replace(OBJECTS, "objects", 1)


def served(directory: Path, settings: ObjectStoreSettings) -> DeviceServer:
    """Return what serves the devices of this machine to the cluster's other machines."""
    salt, _ = _salt(directory)
    connections, held = Connections(), dict[str, DiskDevice]()

    def device(called: str) -> Device:
        name, _, kind = called.partition(":")
        if called not in held:
            known = not kind or _AREA.fullmatch(kind)
            if not known or not name.isidentifier() or not (directory / name).is_dir():
                raise DeviceFailed(f"there is no device {called[:64]!r} here")
            area = area_of(kind or OBJECTS)
            held[called] = DiskDevice(name, directory / name, connections, area)
        return held[called]

    address = (settings.device_address, settings.device_port)
    return DeviceServer(device, address, secret_of(salt))


def _salt(directory: Path) -> tuple[str, bool]:
    """Return what names are hashed with, which is a secret, and whether it was made just now."""
    path = directory / "salt"
    if path.exists():
        return path.read_text().strip(), False
    directory.mkdir(parents=True, exist_ok=True)
    made = new_secret(16).hex()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(made)
    return made, True


def device_at(directory: Path, name: str) -> DiskDevice:
    """Return a device for a look at it."""
    return DiskDevice(name, directory / name, Connections())


def load(path: Path) -> Builder:
    """Read a builder."""
    return msgspec.json.decode(path.read_bytes(), type=Builder)


def _first_builder(settings: ObjectStoreSettings) -> Builder:
    builder = Builder(settings.part_power, settings.replicas, settings.min_part_hours)
    for number in range(1, settings.devices + 1):
        builder.add(RingDevice(id=0, zone=number, device=f"d{number}"))
    builder.rebalance(clock.timestamp())
    return builder


def save(path: Path, builder: Builder) -> None:
    """Write a builder, in one stroke."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(builder))
    temporary.rename(path)
