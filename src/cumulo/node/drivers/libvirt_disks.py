"""The disks that a guest is started with, its volumes aside, as its definition names them."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from cumulo.node import disks
from cumulo.node.api import GuestSpec
from cumulo.node.drivers import libvirt_domain
from cumulo.node.guest_files import GuestFiles


def of_guest(
    spec: GuestSpec, files: GuestFiles, base: disks.CachedImage | None, owner: disks.Owner
) -> list[libvirt_domain.Disk]:
    """Make what disks the guest is to have, its volumes aside."""
    made = []
    if base is not None:
        made.append(over(disks.root_disk(files, spec, base, owner), base))
    for number in range(len(spec.ephemeral_disks)):
        path = disks.ephemeral_disk(files, spec, number, owner)
        made.append(libvirt_domain.Disk(path=path, format="raw"))
    if spec.swap_mib:
        made.append(libvirt_domain.Disk(path=disks.swap_disk(files, spec, owner), format="raw"))
    if spec.config_drive is not None or spec.config_drive_bytes:
        contents = {name: text.encode() for name, text in (spec.config_drive or {}).items()}
        path = disks.config_drive(files, contents | spec.config_drive_bytes, owner)
        made.append(libvirt_domain.Disk(path=path, format="raw", is_cdrom=True))
    return made


def over(path: Path, base: disks.CachedImage) -> libvirt_domain.Disk:
    """Return a disk to boot from that stands on an image."""
    return libvirt_domain.Disk(
        path=path,
        format="qcow2",
        backing=base.path,
        backing_format=base.format,
        is_boot_disk=True,
    )


def behind(
    rescue: libvirt_domain.Disk, others: Sequence[libvirt_domain.Disk]
) -> list[libvirt_domain.Disk]:
    """Put the disk to rescue from first; the others are there to be mended."""
    return [rescue, *(msgspec.structs.replace(one, is_boot_disk=False) for one in others)]
