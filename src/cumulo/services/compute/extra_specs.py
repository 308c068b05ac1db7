"""Which extra specs of flavors are known, and what their values may be.

An unknown name outside of the known namespaces is an operator's own and is never refused.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cumulo.kit.errors import Invalid

_GROUP = r"([a-zA-Z0-9_-]{1,64})?"
_CPU_SET = r"\^?\d+(-\d+|,\^?\d+)*"
_SCOPES = r"(:\w+)*"


@dataclass(frozen=True, slots=True)
class _Text:
    pattern: str = ".*"

    def refuses(self, value: str) -> str | None:
        return None if re.fullmatch(self.pattern, value) else f"must match {self.pattern!r}"


@dataclass(frozen=True, slots=True)
class _OneOf:
    words: tuple[str, ...]

    def refuses(self, value: str) -> str | None:
        return None if value in self.words else f"must be one of: {', '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class _Number:
    least: int | None = None
    most: int | None = None

    def refuses(self, value: str) -> str | None:
        if not re.fullmatch(r"-?\d{1,30}", value.strip()):
            return "must be an integer"
        if self.least is not None and int(value) < self.least:
            return f"must be {self.least} or more"
        too_large = self.most is not None and int(value) > self.most
        return f"must be {self.most} or less" if too_large else None


@dataclass(frozen=True, slots=True)
class _YesNo:
    words: tuple[str, ...] = (
        "1",
        "t",
        "true",
        "on",
        "y",
        "yes",
        "0",
        "f",
        "false",
        "off",
        "n",
        "no",
    )

    def refuses(self, value: str) -> str | None:
        return None if value.strip().lower() in self.words else "must be a boolean"


_Kind = _Text | _OneOf | _Number | _YesNo
_WANTED = _OneOf(("required", "forbidden"))

_CLASSES = (
    "VCPU|PCPU|MEMORY_MB|DISK_GB|PCI_DEVICE|SRIOV_NET_VF|NUMA_SOCKET|NUMA_CORE|NUMA_THREAD"
    "|NUMA_MEMORY_MB|IPV4_ADDRESS|VGPU|VGPU_DISPLAY_HEAD|PGPU|FPGA|MEM_ENCRYPTION_CONTEXT"
    "|NET_BW_(EGR|IGR)_KILOBIT_PER_SEC|NET_PACKET_RATE_((EGR|IGR)_)?KILOPACKET_PER_SEC"
    "|CUSTOM_[A-Z0-9_]+"
)

_KNOWN: Mapping[str, _Kind] = {
    r"accel:device_profile": _Text(),
    r"aggregate_instance_extra_specs:.+": _Text(),
    rf"capabilities:\w+{_SCOPES}": _Text(),
    r"group_policy": _OneOf(("isolate", "none")),
    r"hide_hypervisor_id": _YesNo(),
    r"hw:boot_menu": _YesNo(),
    r"hw:cpu_(max_)?(sockets|cores|threads)": _Number(1),
    r"hw:cpu_dedicated_mask": _Text(_CPU_SET),
    r"hw:cpu_policy": _OneOf(("dedicated", "shared", "mixed")),
    r"hw:cpu_realtime": _YesNo(),
    r"hw:cpu_realtime_mask": _Text(_CPU_SET),
    r"hw:cpu_thread_policy": _OneOf(("prefer", "isolate", "require")),
    r"hw:emulator_threads_policy": _OneOf(("isolate", "share")),
    r"hw:ephemeral_encryption": _YesNo(),
    r"hw:ephemeral_encryption_format": _OneOf(("plain", "luks", "luksv2")),
    r"hw:hide_hypervisor_id": _YesNo(),
    r"hw:locked_memory": _YesNo(),
    r"hw:mem_encryption": _YesNo(),
    r"hw:mem_encryption_model": _OneOf(("amd-sev", "amd-sev-es", "amd-sev-snp", "intel-tdx")),
    r"hw:mem_page_size": _Text(r"(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)"),
    r"hw:numa_cpus\.\d+": _Text(_CPU_SET),
    r"hw:numa_mem\.\d+": _Number(1),
    r"hw:numa_nodes": _Number(1),
    r"hw:pci_numa_affinity_policy": _OneOf(("required", "preferred", "legacy", "socket")),
    r"hw:pmem": _Text(r"\w+(,\w+)*,?"),
    r"hw:pmu": _YesNo(),
    r"hw:redirected_usb_ports": _Number(0, 15),
    r"hw:serial_port_count": _Number(0),
    r"hw:sound_model": _OneOf(("sb16", "es1370", "pcspk", "ich6", "ich9", "ac97", "usb", "virtio")),
    r"hw:tpm_model": _OneOf(("tpm-tis", "tpm-crb")),
    r"hw:tpm_secret_security": _OneOf(("user", "host", "deployment")),
    r"hw:tpm_version": _OneOf(("1.2", "2.0")),
    r"hw:usb_model": _OneOf(("none", "nec-xhci", "qemu-xhci")),
    r"hw:vif_multiqueue_enabled": _YesNo(),
    r"hw:viommu_model": _OneOf(("intel", "smmuv3", "virtio", "auto")),
    r"hw:virtio_packed_ring": _YesNo(),
    r"hw:watchdog_action": _OneOf(("none", "pause", "poweroff", "reset", "disabled")),
    r"hw_rng:allowed": _YesNo(),
    r"hw_rng:rate_(bytes|period)": _Number(0),
    r"hw_video:ram_max_mb": _Number(0),
    r"os:secure_boot": _OneOf(("disabled", "required")),
    r"pci_passthrough:alias": _Text(r"[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*"),
    r"quota:cpu_(shares|period)": _Number(0),
    r"quota:cpu_quota": _Number(),
    r"quota:(cpu|memory|disk_io|vif)_limit": _Number(0),
    r"quota:(cpu|memory|disk_io|vif)_reservation": _Number(),
    r"quota:(cpu|memory|disk_io|vif)_shares_level": _OneOf(("custom", "high", "normal", "low")),
    r"quota:(cpu|memory|disk_io|vif)_shares_share": _Number(0),
    r"quota:disk_(read|write|total)_(bytes|iops)_sec": _Number(0),
    r"quota:vif_(inbound|outbound)_(average|peak|burst)": _Number(0),
    rf"resources{_GROUP}:({_CLASSES})": _Number(),
    rf"trait{_GROUP}:[A-Z][A-Z0-9_]*": _WANTED,
    r"vmware:(hw_version|storage_policy)": _Text(),
}
_NAMESPACES = re.compile(
    r"accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough"
    rf"|quota|resources{_GROUP}|trait{_GROUP}|vmware"
)


def check_extra_spec(name: str, value: str) -> None:
    """Refuse a known extra spec with a value that means nothing, and a misspelt one."""
    kind = _kind_of(name)
    if kind is not None:
        reason = kind.refuses(value)
        if reason:
            message = f"Validation failed; '{value}' is not a valid value for '{name}': {reason}."
            raise Invalid(message, name=name)
    elif ":" in name and _NAMESPACES.fullmatch(name.split(":", 1)[0]):
        message = f"extra spec '{name}' does not appear to be a valid extra spec."
        raise Invalid(f"Validation failed; {message}", name=name)


@functools.lru_cache(maxsize=512)
def _kind_of(name: str) -> _Kind | None:
    return next((kind for known, kind in _KNOWN.items() if re.fullmatch(known, name)), None)
