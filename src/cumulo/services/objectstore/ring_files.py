"""The rings of a machine as operators' commands change them: one builder file for each kind."""

from pathlib import Path

from cumulo.kit import clock
from cumulo.kit.errors import Conflict
from cumulo.services.objectstore.assembly import device_at, load, save
from cumulo.services.objectstore.drivers.base import Device
from cumulo.services.objectstore.ring import Builder, RingDevice


def builder(directory: Path, kind: str) -> Builder:
    """Return the builder of one ring."""
    path = directory / f"{kind}.builder"
    if not path.exists():
        raise Conflict(f"There is no {path}: start the cloud once, or create a ring.")
    return load(path)


def create(directory: Path, kind: str, new: Builder) -> None:
    """Begin a ring, before the cloud is first started."""
    path = directory / f"{kind}.builder"
    if path.exists():
        raise Conflict(f"There is {path} already.")
    directory.mkdir(parents=True, exist_ok=True)
    save(path, new)


def add(directory: Path, kind: str, device: RingDevice) -> int:
    """Add a device, of this machine with an empty directory if it has none; return its id."""
    changed = builder(directory, kind)
    device_id = changed.add(device)
    if device.label == device.device:
        (directory / device.device).mkdir(exist_ok=True)
    save(directory / f"{kind}.builder", changed)
    return device_id


def set_weight(directory: Path, kind: str, device_id: int, weight: float) -> None:
    """Change how much a device should carry."""
    changed = builder(directory, kind)
    changed.set_weight(device_id, weight)
    save(directory / f"{kind}.builder", changed)


def remove(directory: Path, kind: str, device_id: int) -> None:
    """Take a device out of a ring; what it holds is copied from others."""
    changed = builder(directory, kind)
    changed.remove(device_id)
    save(directory / f"{kind}.builder", changed)


def rebalance(directory: Path, kind: str) -> tuple[int, float]:
    """Assign partitions; return how many moved, and the balance."""
    changed = builder(directory, kind)
    moved = changed.rebalance(clock.timestamp())
    save(directory / f"{kind}.builder", changed)
    return moved, changed.balance()


def devices(directory: Path) -> list[Device]:
    """Return every device that any ring of this machine names."""
    names = {
        one.device
        for path in directory.glob("*.builder")
        for one in builder(directory, path.stem).devices
        if one
    }
    return [device_at(directory, name) for name in sorted(names)]


def prepare(directory: Path, name: str) -> None:
    """Make a device of this machine, or find it made."""
    device_at(directory, name).prepare()
