"""Which extra specs of flavors are known, and what their values may be.

An unknown name outside of the known namespaces is an operator's own and is never refused.
"""

import functools
import re
from collections.abc import Mapping

from cumulo.kit.errors import Invalid
from cumulo.services.compute.value_kinds import Kind, Number, OneOf, Text, YesNo

_GROUP = r"([a-zA-Z0-9_-]{1,64})?"
_CPU_SET = r"\^?\d+(-\d+|,\^?\d+)*"
_SCOPES = r"(:\w+)*"


_WANTED = OneOf(("required", "forbidden"))

_CLASSES = (
    "VCPU|PCPU|MEMORY_MB|DISK_GB|PCI_DEVICE|SRIOV_NET_VF|NUMA_SOCKET|NUMA_CORE|NUMA_THREAD"
    "|NUMA_MEMORY_MB|IPV4_ADDRESS|VGPU|VGPU_DISPLAY_HEAD|PGPU|FPGA|MEM_ENCRYPTION_CONTEXT"
    "|NET_BW_(EGR|IGR)_KILOBIT_PER_SEC|NET_PACKET_RATE_((EGR|IGR)_)?KILOPACKET_PER_SEC"
    "|CUSTOM_[A-Z0-9_]+"
)

_KNOWN: Mapping[str, Kind] = {
    r"accel:device_profile": Text(),
    r"aggregate_instance_extra_specs:.+": Text(),
    rf"capabilities:\w+{_SCOPES}": Text(),
    r"group_policy": OneOf(("isolate", "none")),
    r"hide_hypervisor_id": YesNo(),
    r"hw:boot_menu": YesNo(),
    r"hw:cpu_(max_)?(sockets|cores|threads)": Number(1),
    r"hw:cpu_dedicated_mask": Text(_CPU_SET),
    r"hw:cpu_policy": OneOf(("dedicated", "shared", "mixed")),
    r"hw:cpu_realtime": YesNo(),
    r"hw:cpu_realtime_mask": Text(_CPU_SET),
    r"hw:cpu_thread_policy": OneOf(("prefer", "isolate", "require")),
    r"hw:emulator_threads_policy": OneOf(("isolate", "share")),
    r"hw:ephemeral_encryption": YesNo(),
    r"hw:ephemeral_encryption_format": OneOf(("plain", "luks", "luksv2")),
    r"hw:hide_hypervisor_id": YesNo(),
    r"hw:locked_memory": YesNo(),
    r"hw:mem_encryption": YesNo(),
    r"hw:mem_encryption_model": OneOf(("amd-sev", "amd-sev-es", "amd-sev-snp", "intel-tdx")),
    r"hw:mem_page_size": Text(r"(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)"),
    r"hw:numa_cpus\.\d+": Text(_CPU_SET),
    r"hw:numa_mem\.\d+": Number(1),
    r"hw:numa_nodes": Number(1),
    r"hw:pci_numa_affinity_policy": OneOf(("required", "preferred", "legacy", "socket")),
    r"hw:pmem": Text(r"\w+(,\w+)*,?"),
    r"hw:pmu": YesNo(),
    r"hw:redirected_usb_ports": Number(0, 15),
    r"hw:serial_port_count": Number(0),
    r"hw:sound_model": OneOf(("sb16", "es1370", "pcspk", "ich6", "ich9", "ac97", "usb", "virtio")),
    r"hw:tpm_model": OneOf(("tpm-tis", "tpm-crb")),
    r"hw:tpm_secret_security": OneOf(("user", "host", "deployment")),
    r"hw:tpm_version": OneOf(("1.2", "2.0")),
    r"hw:usb_model": OneOf(("none", "nec-xhci", "qemu-xhci")),
    r"hw:vif_multiqueue_enabled": YesNo(),
    r"hw:viommu_model": OneOf(("intel", "smmuv3", "virtio", "auto")),
    r"hw:virtio_packed_ring": YesNo(),
    r"hw:watchdog_action": OneOf(("none", "pause", "poweroff", "reset", "disabled")),
    r"hw_rng:allowed": YesNo(),
    r"hw_rng:rate_(bytes|period)": Number(0),
    r"hw_video:ram_max_mb": Number(0),
    r"os:secure_boot": OneOf(("disabled", "required")),
    r"pci_passthrough:alias": Text(r"[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*"),
    r"quota:cpu_(shares|period)": Number(0),
    r"quota:cpu_quota": Number(),
    r"quota:(cpu|memory|disk_io|vif)_limit": Number(0),
    r"quota:(cpu|memory|disk_io|vif)_reservation": Number(),
    r"quota:(cpu|memory|disk_io|vif)_shares_level": OneOf(("custom", "high", "normal", "low")),
    r"quota:(cpu|memory|disk_io|vif)_shares_share": Number(0),
    r"quota:disk_(read|write|total)_(bytes|iops)_sec": Number(0),
    r"quota:vif_(inbound|outbound)_(average|peak|burst)": Number(0),
    rf"resources{_GROUP}:({_CLASSES})": Number(),
    rf"trait{_GROUP}:[A-Z][A-Z0-9_]*": _WANTED,
    r"vmware:(hw_version|storage_policy)": Text(),
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
def _kind_of(name: str) -> Kind | None:
    return next((kind for known, kind in _KNOWN.items() if re.fullmatch(known, name)), None)
