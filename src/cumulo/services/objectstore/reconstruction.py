"""Bringing fragments to where they belong, and making those anew that are nowhere."""

import contextlib
from collections.abc import Sequence

import msgspec

from cumulo.kit import log
from cumulo.kit.errors import Unavailable
from cumulo.services.objectstore.cluster import Cluster, Place
from cumulo.services.objectstore.coding import coder
from cumulo.services.objectstore.drivers.base import Device, DeviceFailed, Held, State
from cumulo.services.objectstore.fragments import IDLE_S, Reading, Sight, Track, put_aside
from cumulo.services.objectstore.replicas import asked

LOG = log.get("objectstore")


def mend(cluster: Cluster, place: Place) -> bool:
    """Give each device of an object its fragment, then take others away; say if all have theirs."""
    sight = Sight(asked(cluster, place, [*place.primaries, *place.others]))
    is_whole = all(device in sight.known for _, device in place.slots)
    if sight.is_there:
        is_whole &= _fill(cluster, place, sight)
    elif sight.gone:
        is_whole &= _bury(place, sight)
    if is_whole:
        _tidy(place, sight)
    return is_whole


def put_aside_remains(cluster: Cluster, place: Place, before: str) -> None:
    """Put aside fragments of an old object of which too few are left, on any device, to read it.

    They come with a device that was away while the object was deleted, and its mark forgotten.
    """
    everybody = [*place.primaries, *place.others]
    sight = Sight(asked(cluster, place, everybody))
    holders = sight.holders()
    is_lost = place.scheme is not None and len(holders) < place.scheme.data
    if len(sight.known) == len(everybody) and sight.is_there and is_lost and sight.stamp < before:
        LOG.warning("object lost", key=place.key, stamp=sight.stamp, fragments=sorted(holders))
        for index, devices in holders.items():
            for device in devices:
                put_aside(device, place, sight.stamp, index)


def _fill(cluster: Cluster, place: Place, sight: Sight) -> bool:
    """Give each device its fragment of what counts, durable, with the newest headers."""
    missing = list[tuple[int, Device]]()
    for index, device in place.slots:
        if device is None or device not in sight.known:
            continue
        one = Held(sight.stamp, index, is_durable=True)
        if one in sight.known[device].fragments:
            continue
        if msgspec.structs.replace(one, is_durable=False) in sight.known[device].fragments:
            device.commit(place.part, place.key, sight.stamp)
        else:
            missing.append((index, device))
    behind = [device for _, device in place.slots if device and _is_behind(sight, device)]
    if not missing and not behind:
        return True
    try:
        with contextlib.closing(Reading(cluster, place, sight)) as reading:
            left = [one for one in missing if not _moved(place, sight, one)]
            if left:
                _rebuild(place, reading, left)
            _post(place, reading, [*behind, *(device for _, device in missing)])
    except (DeviceFailed, Unavailable) as error:
        LOG.warning("not reconstructed", key=place.key, error=str(error))
        return False
    return True


def _is_behind(sight: Sight, device: Device) -> bool:
    return device in sight.known and not sight.is_up(device)


def _moved(place: Place, sight: Sight, missing: tuple[int, Device]) -> bool:
    """Copy a fragment from whoever has it; say whether anybody does."""
    index, target = missing
    for source in sight.holders().get(index, []):
        incoming = target.begin()
        try:
            opened = source.open_fragment(place.part, place.key, sight.stamp, index)
            with contextlib.closing(opened):
                for number in range(opened.stored.block_count):
                    incoming.write(opened.block(number))
                incoming.keep(place.part, place.key, opened.stored)
        except DeviceFailed as error:
            LOG.warning("not moved", key=place.key, source=source.name, error=str(error))
            continue
        finally:
            incoming.discard()
        target.commit(place.part, place.key, sight.stamp)
        return True
    return False


def _rebuild(place: Place, reading: Reading, missing: Sequence[tuple[int, Device]]) -> None:
    """Make fragments anew from others, a segment at a time."""
    tracks: list[Track] = []
    try:
        for index, device in missing:
            tracks.append(Track(index, device, device.begin()))
        indexes = sorted({track.index for track in tracks})
        for number in range(reading.segments):
            size = reading.size_of(number)
            made = coder(reading.scheme).rebuild(reading.fragments(number), indexes, size)
            for track in tracks:
                track.write(made[track.index])
        for track in tracks:
            track.keep(place, reading.stored, reading.scheme)
    finally:
        for track in tracks:
            track.incoming.discard()
    for track in tracks:
        track.device.commit(place.part, place.key, reading.stored.stamp)


def _post(place: Place, reading: Reading, devices: Sequence[Device]) -> None:
    """Bring the headers that replaced the first."""
    stored = reading.stored
    if stored.posted:
        headers = {**stored.headers, "Content-Type": stored.content_type}
        for device in devices:
            device.post(place.part, place.key, stored.posted, headers)


def _bury(place: Place, sight: Sight) -> bool:
    """Tell those of a deletion that missed it."""
    for _, device in place.slots:
        if device and device in sight.known and sight.known[device].gone != sight.gone:
            device.bury(place.part, place.key, sight.gone)
    return True


def _tidy(place: Place, sight: Sight) -> None:
    """Take away what belongs elsewhere or was given up, now that each device has its own."""
    counts = max(sight.stamp, sight.gone)
    own = {device.name: index for index, device in place.slots if device}
    for device, state in sight.known.items():
        mine = own.get(device.name)
        waiting = tuple(one for one in state.fragments if one.stamp > counts)
        strange = tuple(one for one in state.fragments if one.stamp <= counts and one.index != mine)
        seen = State(fragments=strange)
        if mine is None:
            seen = State(state.data, state.meta, state.gone, strange)
        if seen != State():
            device.release(place.part, place.key, seen, 0.0)
        if waiting:
            device.release(place.part, place.key, State(fragments=waiting), IDLE_S)
