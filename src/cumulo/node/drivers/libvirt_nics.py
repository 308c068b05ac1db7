"""Interfaces plugged into and out of a guest, whether it runs or not."""

import contextlib
import time
from collections.abc import Mapping
from typing import TypeAlias
from xml.etree import ElementTree

import libvirt

from cumulo.node.api import HostError

_POLL_S = 0.1
_ASK_AGAIN_S = 5.0  # a guest that still boots does not hear that it is to let go

Domain: TypeAlias = "libvirt.virDomain"


def ensure(domain: Domain, wanted: Mapping[str, str], timeout_s: float) -> None:
    """Let the domain have exactly `wanted`, port id -> its definition, now and when it starts."""
    places = [libvirt.VIR_DOMAIN_AFFECT_CONFIG]
    if domain.isActive():
        places.append(libvirt.VIR_DOMAIN_AFFECT_LIVE)
    present = {place: _present(domain, place) for place in places}
    for port_id, text in wanted.items():
        # At once where both lack it, so that it has one place on the bus in both.
        lacking = sum(place for place in places if port_id not in present[place])
        if lacking:
            domain.attachDeviceFlags(text, lacking)
    for place in places:
        for port_id in present[place].keys() - wanted.keys():
            _detach(domain, port_id, place, timeout_s)


def _detach(domain: Domain, port_id: str, place: int, timeout_s: float) -> None:
    """Take an interface out; a running guest is asked until it lets go."""
    end, ask = time.monotonic() + timeout_s, 0.0
    while (text := _present(domain, place).get(port_id)) is not None:
        now = time.monotonic()
        if now >= end:
            message = f"Guest {domain.UUIDString()} does not let go of port {port_id}"
            raise HostError(f"{message} within {timeout_s:g} s: stop it, then try again.")
        if now >= ask:
            # Asked twice, QEMU complains that it is asking already.
            with contextlib.suppress(libvirt.libvirtError):
                domain.detachDeviceFlags(text, place)
            ask = now + _ASK_AGAIN_S
            continue
        time.sleep(_POLL_S)


def _present(domain: Domain, place: int) -> dict[str, str]:
    """Return the interfaces that are there, by port."""
    stored = libvirt.VIR_DOMAIN_XML_INACTIVE if place == libvirt.VIR_DOMAIN_AFFECT_CONFIG else 0
    tree = ElementTree.fromstring(domain.XMLDesc(stored))  # noqa: S314 - libvirt wrote it
    found = {}
    for interface in tree.iterfind("./devices/interface"):
        parameters = interface.find("./virtualport/parameters")
        if parameters is not None:
            found[parameters.get("interfaceid", "")] = ElementTree.tostring(interface, "unicode")
    return found
