"""Bringing replicas to where they belong, and to the same state."""

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import msgspec

from cumulo.kit import log
from cumulo.kit.errors import Unavailable
from cumulo.services.objectstore import fragments, listings, reconstruction
from cumulo.services.objectstore.cluster import KINDS, Cluster, Place
from cumulo.services.objectstore.drivers.base import (
    Device,
    DeviceFailed,
    Opened,
    Row,
    State,
    Stored,
    fill,
)
from cumulo.services.objectstore.drivers.ranges import ACTIVE
from cumulo.services.objectstore.replicas import asked
from cumulo.services.objectstore.stamps import iso
from cumulo.services.objectstore.updates import put_row, report_container

T = TypeVar("T")
LOG = log.get("objectstore")


def mend_object(cluster: Cluster, place: Place) -> bool:
    """Give every primary the newest of an object, then take it from stand-ins; say if all have."""
    holders = [*place.primaries, *place.others]
    known = asked(cluster, place, holders)
    newest = max((state.newest for state in known.values()), default=("", ""))
    is_whole = all(device in known for device in place.primaries)
    if not newest[0]:
        return is_whole
    source = next(one for one, state in known.items() if state.newest == newest)
    for device in place.primaries:
        if device in known and known[device].newest != newest:
            is_whole &= _bring(cluster, place, (source, known[source]), device)
    if is_whole:
        for device in place.others:
            if known.get(device, State()) != State():
                device.release(place.part, place.key, known[device], 0.0)
    return is_whole


def mend_index(cluster: Cluster, place: Place) -> bool:
    """Give every primary the rows that any replica has; say whether all have them."""
    strangers = [one for one in place.others if _has(one, place)]
    holders = [*place.primaries, *strangers]
    is_whole = True
    for source in holders:
        for target in place.primaries:
            if source is not target:
                is_whole &= _tell(place, source, target)
    if is_whole:
        for device in strangers:
            if not _owes(device, place):
                device.drop_index(place.kind, place.part, place.key)
    return is_whole


def sweep_objects(cluster: Cluster, before: str) -> int:
    """Mend every object whose replicas or fragments differ; return how many could not be.

    What cannot be since too little is left of it is put aside if it is older than a stamp.
    """
    return sum(_sweep(cluster, kind, before) for kind in cluster.object_kinds)


def _sweep(cluster: Cluster, kind: str, before: str) -> int:
    left = 0
    devices = list(cluster.holding(kind).values())
    parts = {part for device in devices for part in _asked(device, device.parts, list[int]())}
    for part in sorted(parts):
        nothing = dict[str, State]()
        held = {one.name: _asked(one, partial(one.inventory, part), nothing) for one in devices}
        for key in {key for each in held.values() for key in each}:
            place = cluster.place_of_key(kind, "", key)
            if _is_settled(place, key, held) or mended(cluster, place):
                continue
            left += 1
            if place.scheme is not None:
                reconstruction.put_aside_remains(cluster, place, before)
    return left


def _is_settled(place: Place, key: str, held: Mapping[str, Mapping[str, State]]) -> bool:
    """Say whether all primaries, and nobody else, have the same of an object."""
    if place.scheme is not None:
        known = {one: held[one.name].get(key, State()) for one in place.primaries}
        is_elsewhere = any(key in held[one.name] for one in place.others)
        return not is_elsewhere and fragments.is_settled(place, fragments.Sight(known))
    mine = {held[one.name].get(key) for one in place.primaries}
    return len(mine) == 1 and sum(key in each for each in held.values()) == len(place.primaries)


def _asked(device: Device, ask: Callable[[], T], default: T) -> T:
    try:
        return ask()
    except DeviceFailed as error:
        LOG.warning("device does not answer", device=device.name, error=str(error))
        return default


def sweep_indexes(cluster: Cluster, before: str) -> int:
    """Mend every index, dropping what is older than a stamp; return how many could not be."""
    left = 0
    for kind in KINDS:
        for key in _index_keys(cluster, kind):
            place = cluster.place_of_key(kind, "", key)
            is_whole = mended(cluster, place)
            left += not is_whole
            if is_whole:
                _forget(place, before)
    return left


def audit(cluster: Cluster, kind: str, device: Device) -> int:
    """Have a device read all that it holds and put aside what is not whole; return how much."""
    bad = 0
    for part in device.parts():
        for key in device.inventory(part):
            try:
                stored = device.verify(part, key)
                if stored is not None:
                    _check_row(cluster, stored)
            except (DeviceFailed, Unavailable) as error:
                bad += 1
                LOG.warning("quarantined", device=device.name, key=key, error=str(error))
                mended(cluster, cluster.place_of_key(kind, "", key))
    return bad


def containers_of(cluster: Cluster) -> list[tuple[str, str]]:
    """Return account and name of every container."""
    found: list[tuple[str, str]] = []
    for key in _index_keys(cluster, "container"):
        index = cluster.index(cluster.place_of_key("container", "", key))
        changes = index.read(lambda one: one.changes(1 << 62))
        if changes is not None and changes.put_at > changes.deleted_at:
            account, _, container = changes.name.partition("/")
            found.append((account, container))
    return found


def _index_keys(cluster: Cluster, kind: str) -> set[str]:
    devices, nothing = cluster.devices.values(), list[tuple[int, str]]()
    return {
        key
        for device in devices
        for _, key in _asked(device, partial(device.indexes, kind), nothing)
    }


def report_all(cluster: Cluster) -> None:
    """Tell every account what its containers sum up to."""
    for account, container in containers_of(cluster):
        report_container(cluster, account, container)


def mended(cluster: Cluster, place: Place) -> bool:
    """Bring all replicas to the same state; say whether that was possible with all of them."""
    try:
        if place.kind in KINDS:
            return mend_index(cluster, place)
        return (reconstruction.mend if place.scheme else mend_object)(cluster, place)
    except DeviceFailed as error:
        LOG.warning("not mended", key=place.key, error=str(error))
        return False


def _bring(cluster: Cluster, place: Place, source: tuple[Device, State], target: Device) -> bool:
    device, state = source
    try:
        if not state.is_there:
            target.bury(place.part, place.key, state.gone)
            return True
        with contextlib.closing(device.open(place.part, place.key)) as opened:
            _copy(place, opened, target)
    except DeviceFailed as error:
        LOG.warning("not copied", key=place.key, to=target.name, error=str(error))
        return False
    return True


def _copy(place: Place, opened: Opened, target: Device) -> None:
    stored = opened.stored
    blocks = (opened.block(number) for number in range(stored.block_count))
    fill(target.begin(), place.part, place.key, blocks, stored)
    if stored.posted:
        headers = {**stored.headers, "Content-Type": stored.content_type}
        target.post(place.part, place.key, stored.posted, headers)


def _owes(device: Device, place: Place) -> bool:
    """Say whether a stand-in has names that are still to go to a shard."""
    index = device.index(place.kind, place.part, place.key)
    return any(
        (batch := index.batch(one.shard, 1)) is not None and bool(batch.rows or batch.gone)
        for one in index.ranges()
        if one.state == ACTIVE
    )


def _has(device: Device, place: Place) -> bool:
    """Say whether a device holds an index; one that is away will be asked again."""
    return _asked(device, device.index(place.kind, place.part, place.key).is_there, False)


def _tell(place: Place, source: Device, target: Device) -> bool:
    """Tell a replica what another has and it was not told yet."""
    try:
        mine = source.index(place.kind, place.part, place.key)
        other = target.index(place.kind, place.part, place.key)
        since = mine.peer_revision(target.name) if other.changes(1 << 62) else -1
        changes = mine.changes(since)
        if changes is None:
            return True
        if changes.rows or changes.gone or since < 0 or _differs(changes, other.changes(1 << 62)):
            other.merge(changes)
        mine.told(target.name, changes.revision)
    except DeviceFailed as error:
        LOG.warning("not told", key=place.key, to=target.name, error=str(error))
        return False
    return True


def _differs(mine: msgspec.Struct, other: msgspec.Struct | None) -> bool:
    names = ("put_at", "deleted_at", "headers", "ranges")
    return other is None or any(getattr(mine, name) != getattr(other, name) for name in names)


def _forget(place: Place, before: str) -> None:
    for device in place.primaries:
        with contextlib.suppress(DeviceFailed):
            index = device.index(place.kind, place.part, place.key)
            if index.changes(1 << 62) is not None and index.forget(before):
                device.drop_index(place.kind, place.part, place.key)


def _check_row(cluster: Cluster, stored: Stored) -> None:
    """Put an object into its listing that a crash of the machine took out of it."""
    account, container, name = stored.name[1:].split("/", 2)
    index = cluster.container(account, container)
    if index.head() is None or listings.get(cluster, account, container, name) is not None:
        return
    size = int(stored.system.get("slo-size") or stored.system.get("version-size") or stored.size)
    at = stored.headers.get("X-Delete-At")
    row = Row(
        name,
        stored.stamp,
        iso(stored.stamp),
        size=size,
        count=1,
        content_type=stored.content_type,
        etag=stored.system.get("version-etag", stored.etag),
        expires=int(at) if at else None,
    )
    put_row(cluster, account, container, row)
