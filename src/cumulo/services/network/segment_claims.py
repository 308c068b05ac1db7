"""Segments: by what - a VLAN, a tunnel's number - a network's frames are told from others'."""

import random
from collections.abc import Iterator

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import CloudError, Conflict, Unavailable
from cumulo.services.network import refusals
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.store import segments as store
from cumulo.services.network.store.segments import Segment

TUNNELS = {"geneve": 58, "vxlan": 50}  # bytes that the encapsulation costs
TYPES = ("flat", "vlan", *TUNNELS)
_VLAN, _VNI = (1, 4094), (1, 2**24 - 1)
_TRIES, _WINDOW = 8, 1024


class _Range(msgspec.Struct, frozen=True):
    """Segmentation ids that projects' networks are given."""

    physical_network: str | None
    first: int
    last: int


def claim(
    tx: Tx, settings: NetworkSettings, network_id: str, wanted: Segment, position: int = 0
) -> Segment:
    """Give the network the segment that an administrator asked for, whole or in part."""
    check(settings, wanted)
    if wanted.network_type != "flat" and wanted.segmentation_id is None:
        picked = _pick(tx, settings, network_id, wanted, position)
        if picked is None:
            raise _exhausted()
        return picked
    if not store.segment_insert(tx, network_id, wanted, position):
        raise _in_use(wanted)
    return wanted


def claim_any(tx: Tx, settings: NetworkSettings, network_id: str) -> Segment:
    """Give the network a segment of the first type that has one left."""
    for network_type in settings.tenant_network_types:
        picked = _pick(tx, settings, network_id, Segment(network_type))
        if picked is not None:
            return picked
    raise _exhausted()


def mtu_of(settings: NetworkSettings, network_type: str) -> int:
    """Return the largest packet that fits into such a network's frames."""
    return settings.global_physnet_mtu - TUNNELS.get(network_type, 0)


def check(settings: NetworkSettings, wanted: Segment) -> None:
    """Refuse a segment that cannot exist here."""
    if wanted.network_type not in TYPES:
        raise refusals.invalid_input(f"network_type value '{wanted.network_type}' not supported")
    {"flat": _check_flat, "vlan": _check_vlan}.get(wanted.network_type, _check_tunnel)(
        settings, wanted
    )


def _check_flat(settings: NetworkSettings, wanted: Segment) -> None:
    if not wanted.physical_network:
        raise refusals.invalid_input("physical_network required for flat provider network")
    if not {"*", wanted.physical_network} & set(settings.flat_networks):
        raise refusals.invalid_input(
            f"physical_network '{wanted.physical_network}' unknown for flat provider network"
        )
    if wanted.segmentation_id is not None:
        raise refusals.invalid_input("segmentation_id prohibited for flat provider network")


def _check_vlan(settings: NetworkSettings, wanted: Segment) -> None:
    name, number = wanted.physical_network, wanted.segmentation_id
    if name and name not in {r.partition(":")[0] for r in settings.network_vlan_ranges}:
        raise refusals.invalid_input(f"physical_network '{name}' unknown for VLAN provider network")
    if number is not None and not _VLAN[0] <= number <= _VLAN[1]:
        raise refusals.invalid_input(
            f"segmentation_id out of range ({_VLAN[0]} through {_VLAN[1]})"
        )
    if number is not None and not name:
        raise refusals.invalid_input(
            "segmentation_id requires physical_network for VLAN provider network"
        )


def _check_tunnel(settings: NetworkSettings, wanted: Segment) -> None:
    if wanted.physical_network:
        raise refusals.invalid_input(
            f"provider:physical_network specified for {wanted.network_type} network"
        )
    number = wanted.segmentation_id
    if number is not None and not _VNI[0] <= number <= _VNI[1]:
        raise refusals.invalid_input(f"segmentation_id out of range ({_VNI[0]} through {_VNI[1]})")


def _pick(
    tx: Tx, settings: NetworkSettings, network_id: str, wanted: Segment, position: int = 0
) -> Segment | None:
    for span in _ranges(settings, wanted):
        for number in _candidates(tx, wanted.network_type, span):
            segment = Segment(wanted.network_type, span.physical_network, number)
            if store.segment_insert(tx, network_id, segment, position):
                return segment
    return None


def _ranges(settings: NetworkSettings, wanted: Segment) -> list[_Range]:
    if wanted.network_type in TUNNELS:
        spans = [text.split(":") for text in settings.vni_ranges]
        return [_Range(None, int(first), int(last)) for first, last in spans]
    named = [text.split(":") for text in settings.network_vlan_ranges]
    found = [_Range(part[0], int(part[1]), int(part[2])) for part in named if len(part) == 3]
    name = wanted.physical_network
    return [one for one in found if name in (None, one.physical_network)]


def _candidates(tx: Tx, network_type: str, span: _Range) -> Iterator[int]:
    """Yield numbers to try: one at random, then some that are free, and failing these all."""
    yield random.randint(span.first, span.last)
    guesses = [random.randint(span.first, span.last) for _ in range(_TRIES)]
    taken = store.segments_among(tx, network_type, span.physical_network, guesses)
    lucky = [number for number in guesses if number not in taken]
    yield from lucky
    whole = store.segments_taken(tx, network_type, span.physical_network, (span.first, span.last))
    left = sorted(set(range(span.first, span.last + 1)) - whole)
    random.shuffle(left)
    yield from left[:_WINDOW]


def _in_use(segment: Segment) -> CloudError:
    if segment.network_type == "flat":
        return Conflict(
            "Unable to create the flat network. Physical network "
            f"{segment.physical_network} is in use.",
            type="FlatNetworkInUse",
        )
    if segment.network_type == "vlan":
        return Conflict(
            f"Unable to create the network. The VLAN {segment.segmentation_id} on physical "
            f"network {segment.physical_network} is in use.",
            type="VlanIdInUse",
        )
    return Conflict(
        f"Unable to create the network. The tunnel ID {segment.segmentation_id} is in use.",
        type="TunnelIdInUse",
    )


def _exhausted() -> Unavailable:
    return Unavailable(
        "Unable to create the network. No project network is available for allocation.",
        type="NoNetworkAvailable",
    )
