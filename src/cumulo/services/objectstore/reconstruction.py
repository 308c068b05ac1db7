"""Bringing fragments to where they belong, and making those anew that are nowhere."""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial

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
    missing, is_whole = list[tuple[int, Device]](), True
    for index, device in place.slots:
        if device is None or device not in sight.known:
            continue
        one = Held(sight.stamp, index, is_durable=True)
        if one in sight.known[device].fragments:
            continue
        if msgspec.structs.replace(one, is_durable=False) in sight.known[device].fragments:
            commit = partial(device.commit, place.part, place.key, sight.stamp)
            is_whole &= _done(place, device, commit)
        else:
            missing.append((index, device))
    behind = [device for _, device in place.slots if device and _is_behind(sight, device)]
    if not missing and not behind:
        return is_whole
    try:
        with contextlib.closing(Reading(cluster, place, sight)) as reading:
            left = [one for one in missing if not _moved(place, sight, one)]
            is_whole &= _rebuild(place, reading, left)
            return _post(place, reading, [*behind, *(one for _, one in missing)]) and is_whole
    except (DeviceFailed, Unavailable) as error:
        LOG.warning("not reconstructed", key=place.key, error=str(error))
        return False


def _done(place: Place, device: Device, act: Callable[[], object]) -> bool:
    """Have one device do something; say whether it did, for others shall not wait for it."""
    try:
        act()
    except DeviceFailed as error:
        LOG.warning("not mended", key=place.key, device=device.name, error=str(error))
        return False
    return True


def _is_behind(sight: Sight, device: Device) -> bool:
    return device in sight.known and not sight.is_up(device)


def _moved(place: Place, sight: Sight, missing: tuple[int, Device]) -> bool:
    """Copy a fragment from whoever has it; say whether that was possible."""
    index, target = missing

    def move(source: Device) -> None:
        opened = source.open_fragment(place.part, place.key, sight.stamp, index)
        with contextlib.closing(opened), contextlib.ExitStack() as stack:
            incoming = target.begin()
            stack.callback(incoming.discard)
            for number in range(opened.stored.block_count):
                incoming.write(opened.block(number))
            incoming.keep(place.part, place.key, opened.stored)
        target.commit(place.part, place.key, sight.stamp)

    holders = sight.holders().get(index, [])
    return any(_done(place, target, partial(move, source)) for source in holders)


def _rebuild(place: Place, reading: Reading, missing: Sequence[tuple[int, Device]]) -> bool:
    """Make fragments anew from others, a segment at a time; say if all devices took theirs."""
    tracks = list[Track]()

    def begin(index: int, device: Device) -> None:
        tracks.append(Track(index, device, device.begin()))

    for index, device in missing:
        _done(place, device, partial(begin, index, device))
    try:
        for number in range(reading.segments if tracks else 0):
            indexes, size = sorted({track.index for track in tracks}), reading.size_of(number)
            made = coder(reading.scheme).rebuild(reading.fragments(number), indexes, size)
            for track in list(tracks):
                if not _done(place, track.device, partial(track.write, made[track.index])):
                    track.incoming.discard()
                    tracks.remove(track)
        stored, scheme = reading.stored, reading.scheme
        kept = [
            one
            for one in tracks
            if _done(place, one.device, partial(one.keep, place, stored, scheme))
        ]
    finally:
        for track in tracks:
            track.incoming.discard()
    for track in kept:
        track.device.commit(place.part, place.key, reading.stored.stamp)
    return len(kept) == len(missing)


def _post(place: Place, reading: Reading, devices: Sequence[Device]) -> bool:
    """Bring the headers that replaced the first; say whether all have them."""
    stored, is_whole = reading.stored, True
    if stored.posted:
        headers = {**stored.headers, "Content-Type": stored.content_type}
        for device in devices:
            post = partial(device.post, place.part, place.key, stored.posted, headers)
            is_whole &= _done(place, device, post)
    return is_whole


def _bury(place: Place, sight: Sight) -> bool:
    """Tell those of a deletion that missed it; say whether all know of it."""
    behind = [one for _, one in place.slots if one and one in sight.known]
    behind = [one for one in behind if sight.known[one].gone != sight.gone]
    done = [
        _done(place, one, partial(one.bury, place.part, place.key, sight.gone)) for one in behind
    ]
    return all(done)


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
