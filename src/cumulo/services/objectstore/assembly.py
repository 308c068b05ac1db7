"""A cluster as rings say: directories of this machine as devices, devices of others over a wire."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from cumulo.kit import clock
from cumulo.kit.errors import Invalid
from cumulo.kit.ids import new_secret
from cumulo.services.objectstore.cluster import Cluster
from cumulo.services.objectstore.coding import scheme_of
from cumulo.services.objectstore.drivers.asking import Answerer
from cumulo.services.objectstore.drivers.base import Device, DeviceFailed, Scheme
from cumulo.services.objectstore.drivers.connections import Connections
from cumulo.services.objectstore.drivers.disk import DiskDevice
from cumulo.services.objectstore.drivers.frames import secret_of
from cumulo.services.objectstore.drivers.locks import Locks
from cumulo.services.objectstore.drivers.remote import Channel, remote_device
from cumulo.services.objectstore.drivers.server import DeviceServer
from cumulo.services.objectstore.policies import ring_name
from cumulo.services.objectstore.ring import (
    DEVICE_PORT,
    LOOPBACK,
    OBJECTS,
    Builder,
    Ring,
    RingDevice,
)
from cumulo.services.objectstore.settings import ObjectStoreSettings

_AREA = re.compile(r"object-[1-9][0-9]?")
KINDS = ("account", "container", "object")


def kinds_of(settings: ObjectStoreSettings) -> list[str]:
    """Return the rings there must be: for listings, and for the objects of each policy."""
    more = [ring_name(number) for number in range(1, len(settings.policies))]
    return [*KINDS, *more]


def _schemes(settings: ObjectStoreSettings) -> dict[str, Scheme]:
    """Return by which scheme the rings of policies place fragments, those that do."""
    named = enumerate(settings.storage_policies)
    found = {ring_name(number): scheme_of(policy) for number, policy in named}
    return {kind: scheme for kind, scheme in found.items() if scheme}


def _check_rings(settings: ObjectStoreSettings, rings: Mapping[str, Ring]) -> None:
    for number, policy in enumerate(settings.storage_policies):
        ring, wanted = ring_name(number), policy.fragments
        has = rings[ring].replicas
        if wanted and has != wanted:
            raise Invalid(
                f"Policy {policy.name} spreads an object over {wanted} devices, but the ring "
                f"{ring} has {has} replicas: `cumulo ring {ring} create` one with {wanted}."
            )


def assembled(directory: Path, settings: ObjectStoreSettings) -> Cluster:
    """Return the cluster whose rings, salt and devices lie in a directory, made if it is not."""
    directory.mkdir(parents=True, exist_ok=True)
    kinds, schemes = kinds_of(settings), _schemes(settings)
    _make_builders(directory, settings)
    builders = {kind: load(directory / f"{kind}.builder") for kind in kinds}
    rings = {kind: builder.ring() for kind, builder in builders.items()}
    _check_rings(settings, rings)
    salt, is_new = salt_of(directory)
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
    return Cluster(
        rings,
        devices,
        salt,
        Locks(directory / "locks"),
        areas=areas,
        schemes=schemes,
        releases=[found.close],
        is_here=found.are_here,
    )


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

    @property
    def are_here(self) -> bool:
        """Say whether none of those returned is another machine's."""
        return not self._channels

    def close(self) -> None:
        """Hang up."""
        for channel in self._channels.values():
            channel.close()


def area_of(kind: str) -> str:
    """Return the directory, on each device, of the objects of a policy."""
    return kind.replace(OBJECTS, "objects", 1)


def served(directory: Path, settings: ObjectStoreSettings, answerer: Answerer) -> DeviceServer:
    """Return what serves the devices of this machine to the cluster's other machines."""
    salt, _ = salt_of(directory)
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
    return DeviceServer(device, address, secret_of(salt), answerer)


def salt_of(directory: Path) -> tuple[str, bool]:
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


def device_at(directory: Path, name: str, kind: str = OBJECTS) -> DiskDevice:
    """Return a device for a look at it, as it holds the objects of a policy."""
    return DiskDevice(name, directory / name, Connections(), area_of(kind))


def load(path: Path) -> Builder:
    """Read a builder."""
    return msgspec.json.decode(path.read_bytes(), type=Builder)


def _make_builders(directory: Path, settings: ObjectStoreSettings) -> None:
    """Make the rings that are not there, and the devices of a policy that came later."""
    policies = dict(enumerate(settings.storage_policies))
    fragments = {ring_name(number): policy.fragments for number, policy in policies.items()}
    first: dict[int, Builder] = {}  # rings alike are balanced once: it is most of a start
    for kind in kinds_of(settings):
        path = directory / f"{kind}.builder"
        if path.exists():
            continue
        known = {
            one.device for made in directory.glob("*.builder") for one in load(made).devices if one
        }
        count = fragments.get(kind, 0)
        if count not in first:
            first[count] = _first_builder(settings, count)
        builder = first[count]
        for one in builder.devices:
            if one and known and one.device not in known:
                (directory / one.device).mkdir(exist_ok=True)
        save(path, builder)


def _first_builder(settings: ObjectStoreSettings, fragments: int) -> Builder:
    """Return a ring of this machine's directories, as many as an object has fragments at least."""
    replicas = fragments or settings.replicas
    builder = Builder(settings.part_power, replicas, settings.min_part_hours)
    for number in range(1, max(settings.devices, fragments) + 1):
        builder.add(RingDevice(id=0, zone=number, device=f"d{number}"))
    builder.rebalance(clock.timestamp())
    return builder


def save(path: Path, builder: Builder) -> None:
    """Write a builder, in one stroke."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(builder))
    temporary.rename(path)
