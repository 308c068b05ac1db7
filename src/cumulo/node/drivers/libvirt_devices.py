"""Devices plugged into and out of a guest, whether it runs or not."""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

import libvirt

from cumulo.node.api import HostError

_POLL_S = 0.1
_ASK_AGAIN_S = 5.0  # a guest that still boots does not hear that it is to let go

Domain: TypeAlias = "libvirt.virDomain"


class Kind(NamedTuple):
    """A kind of device: what to call one, and how to find those that a domain has, by id."""

    noun: str
    present: Callable[[Domain, int], dict[str, str]]


def ensure(domain: Domain, kind: Kind, wanted: Mapping[str, str], timeout_s: float) -> None:
    """Let the domain have exactly `wanted`, id -> its definition, now and when it starts."""
    places = [libvirt.VIR_DOMAIN_AFFECT_CONFIG]
    if domain.isActive():
        places.append(libvirt.VIR_DOMAIN_AFFECT_LIVE)
    present = {place: kind.present(domain, place) for place in places}
    for device_id, text in wanted.items():
        # At once where both lack it, so that it has one place on the bus in both.
        lacking = sum(place for place in places if device_id not in present[place])
        if lacking:
            domain.attachDeviceFlags(text, lacking)
    for place in places:
        for device_id in present[place].keys() - wanted.keys():
            _detach(domain, kind, device_id, place, timeout_s)


def renew(domain: Domain, kind: Kind, device_ids: Iterable[str], timeout_s: float) -> None:
    """Take devices out of a running domain, and put them in again as they were."""
    live = libvirt.VIR_DOMAIN_AFFECT_LIVE
    stored = kind.present(domain, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    for device_id in device_ids:
        _detach(domain, kind, device_id, live, timeout_s)
        domain.attachDeviceFlags(stored[device_id], live)


def _detach(domain: Domain, kind: Kind, device_id: str, place: int, timeout_s: float) -> None:
    """Take a device out; a running guest is asked until it lets go."""
    end, ask = time.monotonic() + timeout_s, 0.0
    while (text := kind.present(domain, place).get(device_id)) is not None:
        now = time.monotonic()
        if now >= end:
            message = f"Guest {domain.UUIDString()} does not let go of {kind.noun} {device_id}"
            raise HostError(f"{message} within {timeout_s:g} s: stop it, then try again.")
        if now >= ask:
            # Asked twice, QEMU complains that it is asking already.
            with contextlib.suppress(libvirt.libvirtError):
                domain.detachDeviceFlags(text, place)
            ask = now + _ASK_AGAIN_S
            continue
        time.sleep(_POLL_S)
