"""The rings of a machine as operators' commands change them: one builder file for each kind."""

import gzip
import struct
from pathlib import Path

import msgspec

from cumulo.kit import clock
from cumulo.kit.errors import Conflict
from cumulo.services.objectstore.assembly import device_at, load, salt_of, save
from cumulo.services.objectstore.drivers.base import Device
from cumulo.services.objectstore.ring import DEVICE_PORT, LOOPBACK, OBJECTS, Builder, RingDevice
from cumulo.services.objectstore.settings import ObjectStoreSettings, StoragePolicy


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


def write_for_swift(
    directory: Path, settings: ObjectStoreSettings, kind: str, target: Path
) -> None:
    """Write a ring as Swift's tools read it, and the swift.conf that they hash names by."""
    here = (settings.device_address, settings.device_port)
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{kind}.ring.gz").write_bytes(as_swift_reads(builder(directory, kind), here))
    conf = target / "swift.conf"
    conf.touch(0o600)  # the salt is a secret of the cluster
    conf.write_bytes(swift_conf(directory, settings))


def as_swift_reads(ring: Builder, here: tuple[str, int]) -> bytes:
    """Return a ring in Swift's format 1; `here` is where the devices of this machine are reached.

    The same ring gives the same bytes, since Swift's tools compare their sums.
    """
    shown = [one and _as_swift_names(one, *address_of(one, here)) for one in ring.devices]
    facts = {
        "byteorder": "little",
        "devs": shown,
        "part_shift": 32 - ring.part_power,
        "replica_count": len(ring.assignment),
        "version": ring.version,
    }
    text = msgspec.json.encode(facts, order="sorted")
    rows = b"".join(struct.pack(f"<{len(row)}H", *row) for row in ring.assignment)
    head = b"R1NG" + struct.pack("!HI", 1, len(text))
    return gzip.compress(head + text + rows, mtime=0)


def _as_swift_names(one: RingDevice, ip: str, port: int) -> dict[str, object]:
    named = {"ip": ip, "port": port, "replication_ip": ip, "replication_port": port}
    return msgspec.structs.asdict(one) | named


def address_of(one: RingDevice, here: tuple[str, int]) -> tuple[str, int]:
    """Return where a device is reached; those of this machine have no address of their own."""
    return here if (one.ip, one.port) == (LOOPBACK, DEVICE_PORT) else (one.ip, one.port)


def swift_conf(directory: Path, settings: ObjectStoreSettings) -> bytes:
    """Return the swift.conf that says what this store's settings say."""
    salt, _ = salt_of(directory)
    lines = ["[swift-hash]", f"swift_hash_path_prefix = {salt}", ""]
    for number, one in enumerate(settings.policies):
        policy = one if isinstance(one, StoragePolicy) else StoragePolicy(name=one)
        said = msgspec.structs.asdict(policy).items()
        is_coded = policy.policy_type == "erasure_coding"
        shown = [f"{key} = {value}" for key, value in said if is_coded or key == "name"]
        lines += [f"[storage-policy:{number}]", *shown]
        lines += ["default = yes", ""] if number == 0 else [""]
    return "\n".join(lines).encode()


def devices(directory: Path) -> list[Device]:
    """Return every device that any ring of this machine names."""
    names = {
        one.device
        for path in directory.glob("*.builder")
        for one in builder(directory, path.stem).devices
        if one
    }
    return [device_at(directory, name) for name in sorted(names)]


def holdings(directory: Path, name: str) -> tuple[int, int]:
    """Return of how many objects a device keeps anything whole, and how many fragments."""
    whole = fragments = 0
    for path in directory.glob(f"{OBJECTS}*.builder"):
        device = device_at(directory, name, path.stem)
        for part in device.parts():
            held = [len(state.fragments) for state in device.inventory(part).values()]
            whole += held.count(0)
            fragments += sum(held)
    return whole, fragments


def prepare(directory: Path, name: str) -> None:
    """Make a device of this machine, or find it made."""
    device_at(directory, name).prepare()
