"""A volume of a running guest that goes elsewhere: copied there while the guest writes to it.

QEMU writes to both places from the moment that both hold the same, and then to the new one alone.
Whoever is cut short here finds by what libvirt says where it was.
"""

import time
from typing import NamedTuple, TypeAlias
from xml.etree import ElementTree

import libvirt

from cumulo.node.api import GuestSpec, HostError, Volume, place_of
from cumulo.node.drivers import libvirt_domain

_POLL_S = 0.1
# The guest's definition keeps the old place until the guest writes to the new one only: should the
# guest end before, what it wrote is there.
_COPY = libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB

Domain: TypeAlias = "libvirt.virDomain"


class _Disk(NamedTuple):
    """A disk as libvirt tells of it."""

    element: ElementTree.Element
    name: str
    place: list[str]
    going_to: list[str]  # empty: nowhere
    is_ready: bool  # both places hold the same


def exchange(domain: Domain, spec: GuestSpec, volume: Volume) -> None:
    """Let the domain have the volume where it says now, or find that it has."""
    if not domain.isActive():
        if place(domain, volume.volume_id) != place_of(volume):
            raise _is_off(domain)
        return
    disk, wanted = _found(domain, volume.volume_id), place_of(volume)
    if disk.place != wanted:
        if disk.going_to and disk.going_to != wanted:
            domain.blockJobAbort(disk.name)
        if disk.going_to != wanted:
            domain.blockCopy(disk.name, libvirt_domain.place_xml(spec, volume), flags=_COPY)
        _await_copy(domain, volume.volume_id)
        domain.blockJobAbort(disk.name, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
    _define(domain, spec, volume)


def place(domain: Domain, volume_id: str) -> list[str]:
    """Return where the domain has a volume: the running one, else the one that would start."""
    disk = _find(domain, volume_id, 0)
    return disk.place if disk is not None else []


def _await_copy(domain: Domain, volume_id: str) -> None:
    while not (disk := _found(domain, volume_id)).is_ready:
        if not disk.going_to:
            raise HostError(
                f"Volume {volume_id} was not copied: the new place failed or has no room."
            )
        time.sleep(_POLL_S)
        if not domain.isActive():
            raise _is_off(domain)


def _define(domain: Domain, spec: GuestSpec, volume: Volume) -> None:
    """Let the guest have the volume there when it starts the next time, too."""
    disk = _find(domain, volume.volume_id, libvirt.VIR_DOMAIN_XML_INACTIVE)
    if disk is None or disk.place == place_of(volume):
        return
    told = ElementTree.fromstring(libvirt_domain.place_xml(spec, volume))  # noqa: S314 - ours
    source, old = told.find("source"), disk.element.find("source")
    assert source is not None
    if old is not None:
        disk.element.remove(old)
    disk.element.set("type", told.get("type", "file"))
    disk.element.append(source)
    text = ElementTree.tostring(disk.element, "unicode")
    domain.updateDeviceFlags(text, libvirt.VIR_DOMAIN_AFFECT_CONFIG)


def _is_off(domain: Domain) -> HostError:
    return HostError(f"Guest {domain.UUIDString()} is off: only one that runs can copy a volume.")


def _found(domain: Domain, volume_id: str) -> _Disk:
    disk = _find(domain, volume_id, 0)
    if disk is None:
        raise HostError(f"Guest {domain.UUIDString()} does not have volume {volume_id}.")
    return disk


def _find(domain: Domain, volume_id: str, which: int) -> _Disk | None:
    tree = ElementTree.fromstring(domain.XMLDesc(which))  # noqa: S314 - libvirt wrote it
    for element in tree.iterfind("./devices/disk"):
        target, mirror = element.find("target"), element.find("mirror")
        if element.findtext("serial") == volume_id and target is not None:
            going_to = _place(mirror) if mirror is not None else []
            is_ready = mirror is not None and mirror.get("ready") == "yes"
            return _Disk(element, target.get("dev", ""), _place(element), going_to, is_ready)
    return None


def _place(element: ElementTree.Element) -> list[str]:
    """Return what `place_of` says of a volume whose definition this is."""
    source = element.find("source")
    if source is None:
        return []
    if source.get("protocol") is None:
        return ["file", source.get("file", "")]
    hosts = [(one.get("name", ""), one.get("port", "")) for one in source.iterfind("host")]
    monitors = [f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name, port in hosts]
    return [source.get("protocol", ""), source.get("name", ""), *sorted(monitors)]
