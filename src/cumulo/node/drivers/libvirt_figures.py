"""How a running guest does, in figures that libvirt counts."""

from typing import TypeAlias
from xml.etree import ElementTree

import libvirt

from cumulo.node.api import Diagnostics, DiskFigures, HostError, NicFigures
from cumulo.node.drivers.libvirt_domain import tap_name
from cumulo.node.guest_files import Record

_COUNTERS = tuple(
    f"{way}_{what}" for way in ("rx", "tx") for what in ("octets", "packets", "errors", "drop")
)

Domain: TypeAlias = "libvirt.virDomain"


def of(domain: Domain, record: Record, hypervisor: str) -> Diagnostics:
    """Return the figures; HostError when the guest does not run."""
    if not domain.isActive():
        raise HostError(f"Guest {domain.UUIDString()} does not run.")
    memory = domain.memoryStats()
    return Diagnostics(
        driver="libvirt",
        hypervisor=hypervisor,
        cpu_ns=[cpu[2] for cpu in domain.vcpus()[0]],
        memory_mib=domain.maxMemory() // 1024,
        memory_used_mib=memory.get("rss", 0) // 1024,
        disks=[_disk(domain, name) for name in _disk_names(domain)],
        nics=[_nic(domain, nic.mac, tap_name(nic.port_id)) for nic in record.spec.nics],
    )


def _disk_names(domain: Domain) -> list[str]:
    tree = ElementTree.fromstring(domain.XMLDesc(0))  # noqa: S314 - libvirt wrote it
    return [target.get("dev", "") for target in tree.iterfind("./devices/disk/target")]


def _disk(domain: Domain, name: str) -> DiskFigures:
    reads, read_bytes, writes, write_bytes, errors = domain.blockStats(name)
    return DiskFigures(
        name=name,
        read_bytes=read_bytes,
        read_requests=reads,
        write_bytes=write_bytes,
        write_requests=writes,
        errors=max(errors, 0),
    )


def _nic(domain: Domain, mac: str, device: str) -> NicFigures:
    figures = dict(zip(_COUNTERS, domain.interfaceStats(device), strict=True))
    return NicFigures(mac=mac, **figures)
