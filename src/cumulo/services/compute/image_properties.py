"""Which properties of images mean something to hosts, and what their values may be, as in Nova.

Others are their owner's own and are never refused.
"""

from collections.abc import Mapping

from cumulo.kit.errors import Invalid
from cumulo.services.compute.value_kinds import Kind, Number, OneOf, Text, YesNo

_BUS = OneOf(("fdc", "ide", "lxc", "sata", "scsi", "uml", "usb", "virtio", "xen"))
_CPU_SET = Text(r"\^?\d+(-\d+|,\^?\d+)*")
_VIDEO = ("vga", "cirrus", "vmvga", "xen", "qxl", "gop", "virtio", "none", "bochs")
_VIFS = (
    *("virtio", "ne2k_pci", "pcnet", "rtl8139", "e1000", "e1000e", "lan9118", "netfront"),
    *("sriov", "vmxnet", "vmxnet3", "igb", "spapr-vlan"),
)
_SCSI = (
    *("buslogic", "ibmvscsi", "lsilogic", "lsisas1068", "lsisas1078", "virtio-scsi"),
    *("vmpvscsi",),
)
_KNOWN: Mapping[str, Kind] = {
    **dict.fromkeys(("hw_cdrom_bus", "hw_disk_bus", "hw_floppy_bus", "hw_rescue_bus"), _BUS),
    **dict.fromkeys(
        (
            *("hw_boot_menu", "hw_firmware_stateless", "hw_ipxe_boot", "hw_locked_memory"),
            *("hw_mem_encryption", "hw_pmu", "hw_qemu_guest_agent", "hw_time_hpet"),
            *("hw_vif_multiqueue_enabled", "hw_ephemeral_encryption", "hw_virtio_packed_ring"),
            *("img_config_drive_optional", "img_hide_hypervisor_id", "os_require_quiesce"),
        ),
        YesNo(),
    ),
    **dict.fromkeys(
        (
            *("hw_cpu_cores", "hw_cpu_sockets", "hw_cpu_threads", "hw_cpu_max_cores"),
            *("hw_cpu_max_sockets", "hw_cpu_max_threads", "hw_numa_nodes", "hw_video_ram"),
            "hw_serial_port_count",
        ),
        Number(0),
    ),
    "hw_cpu_policy": OneOf(("dedicated", "shared", "mixed")),
    "hw_cpu_realtime_mask": _CPU_SET,
    "hw_cpu_thread_policy": OneOf(("prefer", "isolate", "require")),
    "hw_firmware_type": OneOf(("bios", "uefi")),
    "hw_input_bus": OneOf(("usb", "virtio")),
    "hw_mem_page_size": Text(r"(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)"),
    "hw_pointer_model": OneOf(("usbtablet",)),
    "hw_rescue_device": OneOf(("cdrom", "disk", "floppy", "fs", "lun")),
    "hw_rng_model": OneOf(("virtio",)),
    "hw_scsi_model": OneOf(_SCSI),
    "hw_tpm_model": OneOf(("tpm-tis", "tpm-crb")),
    "hw_tpm_version": OneOf(("1.2", "2.0")),
    "hw_video_model": OneOf(_VIDEO),
    "hw_vif_model": OneOf(_VIFS),
    "hw_viommu_model": OneOf(("intel", "smmuv3", "virtio", "auto")),
    "hw_vm_mode": OneOf(("hvm", "xen", "uml", "exe")),
    "hw_watchdog_action": OneOf(("none", "pause", "poweroff", "reset", "disabled")),
    "os_secure_boot": OneOf(("disabled", "optional", "required")),
}


def check(properties: Mapping[str, str]) -> None:
    """Refuse to start servers from an image with a known property that means nothing."""
    for name in properties.keys() & _KNOWN.keys():
        reason = _KNOWN[name].refuses(properties[name])
        if reason:
            raise Invalid(
                f"Invalid image metadata. Error: {name}={properties[name][:80]}: it {reason}.",
                field=name,
            )
