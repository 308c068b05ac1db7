"""Rings: replicas apart, weights kept, little moved."""

import pytest

from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.services.objectstore.ring import Builder, RingDevice

HOUR = 3600.0


def built(*zones: int, replicas: int = 3, weights: dict[int, float] | None = None) -> Builder:
    builder = Builder(part_power=8, replicas=replicas, min_part_hours=1)
    for number, zone in enumerate(zones):
        weight = (weights or {}).get(number, 100.0)
        builder.add(RingDevice(id=0, zone=zone, device=f"d{number}", weight=weight))
    builder.rebalance(HOUR * 100)
    return builder


def test_every_part_has_all_its_replicas_apart() -> None:
    ring = built(1, 1, 2, 2, 3, 3).ring()
    for part in range(256):
        devices = ring.primaries(part)
        assert len({one.id for one in devices}) == 3
        assert {one.zone for one in devices} == {1, 2, 3}


def test_devices_carry_by_weight() -> None:
    builder = built(1, 2, 3, 4, weights={0: 200.0})
    load = builder.load()
    assert load[0] == 256
    assert all(abs(load[number] - 512 / 3) < 2 for number in (1, 2, 3))
    assert builder.balance() < 2


def test_a_new_device_takes_its_share_and_no_more_moves() -> None:
    builder = built(1, 2, 3)
    before = [list(row) for row in builder.assignment]
    builder.add(RingDevice(id=0, zone=4, device="new"))
    assert builder.rebalance(HOUR * 100.5) == 0
    moved = builder.rebalance(HOUR * 102)
    assert abs(moved - 192) <= 2
    changed = sum(
        old != new
        for row, other in zip(before, builder.assignment, strict=True)
        for old, new in zip(row, other, strict=True)
    )
    assert changed == moved
    for part in range(256):
        assert len({row[part] for row in builder.assignment}) == 3


def test_what_a_removed_device_held_goes_to_others_at_once() -> None:
    builder = built(1, 2, 3, 4)
    builder.remove(0)
    builder.rebalance(HOUR * 100.1)
    assert 0 not in builder.load()
    assert sum(builder.load().values()) == 768
    builder.set_weight(1, 0)
    builder.rebalance(HOUR * 102)
    assert builder.load()[1] < 256


def test_handoffs_are_all_the_others() -> None:
    ring = built(1, 2, 3, 4, 5).ring()
    for part in range(256):
        first = {one.id for one in ring.primaries(part)}
        rest = [one.id for one in ring.handoffs(part)]
        assert len(rest) == 2
        assert not first & set(rest)
    ring.devices[2].weight = 0.0  # type: ignore[union-attr]
    for part in range(256):
        ids = [one.id for one in (*ring.primaries(part), *ring.handoffs(part))]
        assert set(ids) == {0, 1, 2, 3, 4}
        assert 2 in (*ids[:3], ids[-1])


def test_refusals() -> None:
    builder = Builder(part_power=4, replicas=3, min_part_hours=1)
    with pytest.raises(Invalid):
        builder.rebalance(0)
    with pytest.raises(Conflict):
        builder.ring()
    builder.add(RingDevice(id=0, device="d1"))
    with pytest.raises(Conflict):
        builder.add(RingDevice(id=0, device="d1"))
    with pytest.raises(NotFound):
        builder.remove(7)
    with pytest.raises(Invalid):
        builder.set_weight(0, -1)
