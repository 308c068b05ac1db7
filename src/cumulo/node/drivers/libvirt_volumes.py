"""Volumes plugged into and out of a guest, whether it runs or not."""

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree

import libvirt

from cumulo.kit.units import GIB
from cumulo.node.api import GuestSpec, HostError, Volume
from cumulo.node.drivers import libvirt_devices, libvirt_domain

Domain: TypeAlias = "libvirt.virDomain"


def ensure(domain: Domain, spec: GuestSpec, volumes: Sequence[Volume], timeout_s: float) -> None:
    """Let the domain have exactly these volumes, now and when it starts, as large as they are."""
    used = _names(domain)
    wanted = {}
    present = _present(domain, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    for volume in volumes:
        wanted[volume.volume_id] = libvirt_domain.volume_xml(spec, volume, used)
        if volume.volume_id not in present:
            used |= set(_targets(wanted[volume.volume_id]))
    libvirt_devices.ensure(domain, _VOLUMES, wanted, timeout_s)
    if domain.isActive():
        for volume in volumes:
            _resize(domain, volume)


def open_up(volumes: Iterable[Volume], owner: tuple[int, int]) -> None:
    """Let QEMU's user open the files; who made them may go on to, by their group.

    The directory belongs to those who have no root: what is opened here must be a plain file.
    """
    for volume in volumes:
        if volume.protocol != "file" or os.geteuid() != 0:
            continue
        try:
            descriptor = os.open(volume.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise HostError(f"Volume {volume.volume_id} cannot be opened: {error}.") from error
        try:
            found, place = os.fstat(descriptor), os.stat(Path(volume.path).parent)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise HostError(f"Volume {volume.volume_id} is no file of its own.")
            if found.st_uid not in (place.st_uid, owner[0]):
                raise HostError(f"Volume {volume.volume_id} belongs to somebody else.")
            os.fchown(descriptor, owner[0], place.st_gid)
            os.fchmod(descriptor, 0o660)
        finally:
            os.close(descriptor)


def own_disks(domain: Domain) -> list[str]:
    """Return the names of the disks of a running guest that are no volumes and can be written."""
    tree = ElementTree.fromstring(domain.XMLDesc(0))  # noqa: S314 - libvirt wrote it
    found = []
    for disk in tree.iterfind("./devices/disk"):
        target = disk.find("target")
        is_own = disk.findtext("serial") is None and disk.find("readonly") is None
        if target is not None and is_own and disk.get("device") == "disk":
            found.append(target.get("dev", ""))
    return found


def _resize(domain: Domain, volume: Volume) -> None:
    for name in _targets(_present(domain, libvirt.VIR_DOMAIN_AFFECT_LIVE)[volume.volume_id]):
        size = volume.size_gib * GIB - volume.header
        if volume.size_gib and domain.blockInfo(name)[0] != size:
            domain.blockResize(name, size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)


def _names(domain: Domain) -> set[str]:
    return set(_targets(domain.XMLDesc(0))) | set(
        _targets(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    )


def _targets(text: str) -> list[str]:
    tree = ElementTree.fromstring(text)  # noqa: S314 - libvirt wrote it
    return [target.get("dev", "") for target in tree.iter("target") if target.get("bus")]


def _present(domain: Domain, place: int) -> dict[str, str]:
    """Return the volumes that are there, by id."""
    stored = libvirt.VIR_DOMAIN_XML_INACTIVE if place == libvirt.VIR_DOMAIN_AFFECT_CONFIG else 0
    tree = ElementTree.fromstring(domain.XMLDesc(stored))  # noqa: S314 - libvirt wrote it
    found = {}
    for disk in tree.iterfind("./devices/disk"):
        serial = disk.findtext("serial")
        if serial:
            found[serial] = ElementTree.tostring(disk, "unicode")
    return found


_VOLUMES = libvirt_devices.Kind("volume", _present)
