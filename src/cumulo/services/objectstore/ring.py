"""Rings: which devices hold which partition, decided by one program and kept as data.

A partition is the first bits of a name's hash.  Its replicas lie as far apart as the devices
allow (region, zone, address, device), and devices carry parts in proportion to their weights.
"""

import random
from collections.abc import Iterator

import msgspec

from cumulo.kit.errors import Conflict, Invalid, NotFound

_NOBODY = 65535
_HOUR_S = 3600
OBJECTS = "object"  # the ring of the first policy; those of others follow, with a number
LOOPBACK, DEVICE_PORT = "127.0.0.1", 6200


class RingDevice(msgspec.Struct, kw_only=True):
    """One device as rings know it."""

    id: int
    region: int = 1
    zone: int = 1
    ip: str = "127.0.0.1"
    port: int = 6200
    device: str
    weight: float = 100.0
    meta: str = ""

    @property
    def label(self) -> str:
        """Return the name that no other device of the cluster has."""
        is_here = (self.ip, self.port) == (LOOPBACK, DEVICE_PORT)
        return self.device if is_here else f"{self.ip}:{self.port}/{self.device}"


class Ring(msgspec.Struct, frozen=True):
    """Where everything lies; made by a builder, never changed."""

    part_power: int
    replicas: int
    devices: list[RingDevice | None]
    assignment: list[list[int]]  # by replica, then by partition: a device's id

    def part_of(self, key: str) -> int:
        """Return the partition of a name, given the hash of it in hexadecimal."""
        return int(key[:8], 16) >> (32 - self.part_power)

    def primaries(self, part: int) -> list[RingDevice]:
        """Return the devices that should hold a partition."""
        found: dict[int, RingDevice] = {}
        for row in self.assignment:
            device = self.devices[row[part]] if row[part] != _NOBODY else None
            if device is not None:
                found.setdefault(device.id, device)
        return list(found.values())

    def slots(self, part: int) -> list[RingDevice | None]:
        """Return the device of each replica's number, None where nobody has that replica."""
        held = [row[part] for row in self.assignment]
        taken = set[int]()
        found: list[RingDevice | None] = []
        for one in held:
            found.append(None if one == _NOBODY or one in taken else self.devices[one])
            taken.add(one)
        return found

    def handoffs(self, part: int) -> Iterator[RingDevice]:
        """Yield the other devices, in the order in which they stand in for one that is away.

        Last come those of no weight, which should hold nothing but may until they are emptied.
        """
        mine = self.primaries(part)
        ids, zones = {one.id for one in mine}, {(one.region, one.zone) for one in mine}
        others = [one for one in self.devices if one and one.id not in ids]
        rest = [one for one in others if one.weight > 0]
        shift = part % max(1, len(rest))
        turned = rest[shift:] + rest[:shift]
        yield from sorted(turned, key=lambda one: (one.region, one.zone) in zones)
        yield from (one for one in others if one.weight <= 0)


class Builder(msgspec.Struct):
    """A ring in the making, with what must be remembered from one change to the next."""

    part_power: int
    replicas: int
    min_part_hours: int
    version: int = 0
    devices: list[RingDevice | None] = msgspec.field(default_factory=list)
    assignment: list[list[int]] = msgspec.field(default_factory=list)
    moved_at: list[int] = msgspec.field(default_factory=list)  # by partition, seconds

    @property
    def parts(self) -> int:
        """Return how many partitions there are."""
        return int(2**self.part_power)

    def add(self, device: RingDevice) -> int:
        """Add a device; return its id.  It holds nothing before the next rebalance."""
        for one in self.devices:
            if one and (one.ip, one.port, one.device) == (device.ip, device.port, device.device):
                raise Conflict(f"Device {one.id} is already at that address under that name.")
        device.id = len(self.devices)
        self.devices.append(device)
        self.version += 1
        return device.id

    def set_weight(self, device_id: int, weight: float) -> None:
        """Change how much a device should carry."""
        if weight < 0:
            raise Invalid("The weight of a device must be 0 or more.")
        self._device(device_id).weight = weight
        self.version += 1

    def remove(self, device_id: int) -> None:
        """Take a device out; the next rebalance gives away all that it holds, at once."""
        self._device(device_id)
        self.devices[device_id] = None
        for row in self.assignment:
            for part, held_by in enumerate(row):
                if held_by == device_id:
                    row[part] = _NOBODY
        self.version += 1

    def rebalance(self, now_s: float) -> int:
        """Assign every partition; return how many replicas went to another device."""
        if not any(one and one.weight > 0 for one in self.devices):
            raise Invalid("A ring needs a device with a weight above 0.")
        if not self.assignment:
            self.assignment = [[_NOBODY] * self.parts for _ in range(self.replicas)]
            self.moved_at = [0] * self.parts
        moved = _Rebalance(self, now_s).run()
        self.version += 1
        return moved

    def ring(self) -> Ring:
        """Return the ring as it stands."""
        if not self.assignment:
            raise Conflict("This ring has not been rebalanced yet.")
        return Ring(self.part_power, self.replicas, self.devices, self.assignment)

    def load(self) -> dict[int, int]:
        """Return how many parts each device holds."""
        found = {one.id: 0 for one in self.devices if one}
        for row in self.assignment:
            for device_id in row:
                if device_id != _NOBODY:
                    found[device_id] += 1
        return found

    def wanted(self) -> dict[int, float]:
        """Return how many parts each device should hold; none more than one replica of each."""
        live = {one.id: one.weight for one in self.devices if one and one.weight > 0}
        left, wanted = float(self.parts * self.replicas), dict.fromkeys(live, 0.0)
        while live:
            total = sum(live.values())
            full = [i for i, weight in live.items() if left * weight / total > self.parts]
            if not full:
                return wanted | {i: left * weight / total for i, weight in live.items()}
            for device_id in full:
                wanted[device_id] = float(self.parts)
                left -= self.parts
                del live[device_id]
        return wanted

    def balance(self) -> float:
        """Return by how many percent the worst device is off what it should hold."""
        load, wanted = self.load(), self.wanted()
        off = [abs(100.0 * load[i] / want - 100.0) for i, want in wanted.items() if want]
        return max(off, default=0.0)

    def _device(self, device_id: int) -> RingDevice:
        found = self.devices[device_id] if 0 <= device_id < len(self.devices) else None
        if found is None:
            raise NotFound(f"There is no device {device_id} in this ring.")
        return found


class _Rebalance:
    """One rebalance: what must move, then what should, then where to."""

    def __init__(self, builder: Builder, now_s: float) -> None:
        self._builder, self._now_s = builder, int(now_s)
        self._load, self._wanted = builder.load(), builder.wanted()
        self._order = list(range(builder.parts))
        random.Random(builder.version).shuffle(self._order)

    def run(self) -> int:
        free = self._unassigned()
        free |= self._movable(set(free))
        before = {slot: self._builder.assignment[slot[1]][slot[0]] for slot in free}
        for slot in free:
            self._free(slot)
        moved = 0
        for slot in sorted(free, key=lambda one: self._order[one[0]]):
            chosen = self._choose(slot[0])
            if chosen is None:
                continue
            self._builder.assignment[slot[1]][slot[0]] = chosen
            self._load[chosen] += 1
            if chosen != before[slot]:
                moved += 1
                self._builder.moved_at[slot[0]] = self._now_s
        return moved

    def _unassigned(self) -> set[tuple[int, int]]:
        rows = enumerate(self._builder.assignment)
        return {(part, r) for r, row in rows for part, held in enumerate(row) if held == _NOBODY}

    def _movable(self, taken: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Return a replica of each part that may move and is on too full a device or too near."""
        found: set[tuple[int, int]] = set()
        load, busy = dict(self._load), {part for part, _ in taken}
        since = self._now_s - self._builder.min_part_hours * _HOUR_S
        for part in self._order:
            if part in busy or self._builder.moved_at[part] > since:
                continue
            slot = self._worst(part, load)
            if slot is not None:
                load[self._builder.assignment[slot[1]][part]] -= 1
                found.add(slot)
        return found

    def _worst(self, part: int, load: dict[int, int]) -> tuple[int, int] | None:
        held = [row[part] for row in self._builder.assignment]
        over = [load[one] - self._wanted.get(one, 0.0) for one in held]
        most = max(range(len(held)), key=lambda r: over[r])
        if over[most] >= 1:
            return part, most
        near = [r for r, one in enumerate(held) if self._nearness(one, held, r)[1]]
        if near and len(self._zones()) >= self._builder.replicas:
            return part, max(near, key=lambda r: over[r])
        return None

    def _zones(self) -> set[tuple[int, int]]:
        return {(one.region, one.zone) for one in self._builder.devices if one and one.weight > 0}

    def _free(self, slot: tuple[int, int]) -> None:
        row = self._builder.assignment[slot[1]]
        if row[slot[0]] != _NOBODY:
            self._load[row[slot[0]]] -= 1
            row[slot[0]] = _NOBODY

    def _choose(self, part: int) -> int | None:
        held = [row[part] for row in self._builder.assignment if row[part] != _NOBODY]
        able = [i for i in self._wanted if i not in held]
        roomy = [i for i in able if self._load[i] < self._wanted[i]] or able
        if not roomy:
            return None

        def rank(one: int) -> tuple[int, int, int, float, int]:
            lack = (self._wanted[one] - self._load[one]) / max(self._wanted[one], 1.0)
            return (*self._nearness(one, held), -lack, one)

        return min(roomy, key=rank)

    def _nearness(self, one: int, held: list[int], skip: int = -1) -> tuple[int, int, int]:
        """Return how many of `held` are in the same region, zone and address as a device."""
        devices = self._builder.devices
        mine = devices[one]
        others = [devices[i] for r, i in enumerate(held) if r != skip and i != _NOBODY]
        assert mine is not None, "removed devices hold nothing"
        region = [o for o in others if o and o.region == mine.region]
        zone = [o for o in region if o.zone == mine.zone]
        return len(region), len(zone), len([o for o in zone if o.ip == mine.ip])
