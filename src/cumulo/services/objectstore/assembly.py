"""A cluster on this machine: directories as devices, rings made when there are none."""

from pathlib import Path

import msgspec

from cumulo.kit import clock
from cumulo.kit.ids import new_secret
from cumulo.services.objectstore.cluster import Cluster
from cumulo.services.objectstore.drivers.connections import Connections
from cumulo.services.objectstore.drivers.disk import DiskDevice
from cumulo.services.objectstore.ring import Builder, RingDevice
from cumulo.services.objectstore.settings import ObjectStoreSettings

KINDS = ("account", "container", "object")


def assembled(directory: Path, settings: ObjectStoreSettings) -> Cluster:
    """Return the cluster whose rings, salt and devices lie in a directory, made if it is not."""
    directory.mkdir(parents=True, exist_ok=True)
    if not (directory / "object.builder").exists():
        builder = _first_builder(settings)
        for kind in KINDS:
            save(directory / f"{kind}.builder", builder)
    builders = {kind: load(directory / f"{kind}.builder") for kind in KINDS}
    rings = {kind: builder.ring() for kind, builder in builders.items()}
    connections = Connections()
    names = sorted({one.device for ring in rings.values() for one in ring.devices if one})
    devices = {name: DiskDevice(name, directory / name, connections) for name in names}
    salt = directory / "salt"
    if not salt.exists():
        # A directory without a salt is new; later, a device that vanished stays away until
        # somebody puts an empty directory in its place.
        for device in devices.values():
            device.prepare()
        salt.write_text(new_secret(16).hex())
    for device in devices.values():
        device.adopt()
    return Cluster(rings, devices, salt.read_text())


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
