"""A guest's root disk copied as it is at one moment, while the guest goes on."""

import os
import time
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree

import libvirt

from cumulo.node import disks
from cumulo.node.api import HostError
from cumulo.node.guest_files import GuestFiles

_POLL_S = 0.1

Domain: TypeAlias = "libvirt.virDomain"


def ensure(domain: Domain, files: GuestFiles, path: Path, owner: disks.Owner) -> None:
    """Copy the root disk into a file that needs no other, or find it copied."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o711, exist_ok=True)
    if domain.isActive():
        _copy_running(domain, str(files.directory / "root.qcow2"), path, owner)
    else:
        disks.copy_root(files, path, owner)


def copy_volume(domain: Domain, disk: str, path: Path, owner: disks.Owner) -> bool:
    """Copy a volume of a guest that runs into a raw file beside it, or find it copied."""
    if not domain.isActive():
        return False
    if not path.exists():
        # QEMU's user writes it; whose directory it is in has it by the group, as all volumes.
        shared = (owner[0], path.parent.stat().st_gid)
        _copy_running(domain, disk, path, shared, disk_format="raw")
        path.chmod(0o660)
    return True


def _copy_running(
    domain: Domain, disk: str, path: Path, owner: disks.Owner, disk_format: str = "qcow2"
) -> None:
    """Let QEMU copy: what the guest writes meanwhile is kept apart until it is copied."""
    if _is_busy(domain):
        domain.abortJob()  # of one like us that was cut short
    size = domain.blockInfo(disk)[0]
    with disks.drafted(path, owner) as draft:
        if disk_format == "raw":
            os.truncate(draft, size)
        else:
            disks.qemu_img("create", "-q", "-f", "qcow2", "--", str(draft), str(size), owner=owner)
        backup = _backup_xml(domain, disk, draft, disk_format)
        domain.backupBegin(backup, None, libvirt.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL)
        while _is_busy(domain):
            time.sleep(_POLL_S)
        ended = domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
        if ended.get("type") != libvirt.VIR_DOMAIN_JOB_COMPLETED:
            why = ended.get("errmsg") or "the guest stopped meanwhile"
            raise HostError(f"The disk of guest {domain.UUIDString()} was not copied: {why}.")


def _is_busy(domain: Domain) -> bool:
    return bool(domain.jobStats().get("type", 0) != libvirt.VIR_DOMAIN_JOB_NONE)


def _backup_xml(domain: Domain, disk: str, target: Path, disk_format: str) -> str:
    """Say which disk is to be copied, and that the others are not."""
    backup = ElementTree.Element("domainbackup", mode="push")
    found = ElementTree.SubElement(backup, "disks")
    tree = ElementTree.fromstring(domain.XMLDesc(0))  # noqa: S314 - libvirt wrote it
    for each in tree.iterfind("./devices/disk"):
        source, named = each.find("source"), each.find("target")
        assert named is not None
        name = named.get("dev", "")
        if source is None or source.get("file") != disk:
            ElementTree.SubElement(found, "disk", name=name, backup="no")
            continue
        one = ElementTree.SubElement(found, "disk", name=name, backup="yes", type="file")
        ElementTree.SubElement(one, "driver", type=disk_format)
        ElementTree.SubElement(one, "target", file=str(target))
    return ElementTree.tostring(backup, encoding="unicode")
