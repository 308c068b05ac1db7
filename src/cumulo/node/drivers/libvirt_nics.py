"""Interfaces plugged into and out of a guest, whether it runs or not."""

from collections.abc import Mapping
from typing import TypeAlias
from xml.etree import ElementTree

import libvirt

from cumulo.node import links
from cumulo.node.drivers import libvirt_devices
from cumulo.node.drivers.libvirt_domain import tap_name

Domain: TypeAlias = "libvirt.virDomain"


def ensure(domain: Domain, wanted: Mapping[str, str], timeout_s: float) -> None:
    """Let the domain have exactly `wanted`, port id -> its definition, now and when it starts."""
    libvirt_devices.ensure(domain, _PORTS, wanted, timeout_s)


def mend(domain: Domain, timeout_s: float) -> None:
    """Plug a running domain in anew where its link is gone.

    Nothing else brings the link back: it is QEMU's end of it that went.
    """
    if not domain.isActive():
        return
    live = _present(domain, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    stored = _present(domain, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    lost = [
        port_id for port_id in stored if port_id not in live or not links.exists(tap_name(port_id))
    ]
    libvirt_devices.renew(domain, _PORTS, lost, timeout_s)


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


_PORTS = libvirt_devices.Kind("port", _present)
