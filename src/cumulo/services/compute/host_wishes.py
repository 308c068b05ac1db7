"""What flavors and images may ask of hosts that no host of this cloud does, and says so."""

from collections.abc import Callable, Mapping

from cumulo.node.properties import is_on
from cumulo.services.compute import numa


def _is_said(_value: str) -> bool:
    return True


def _is_not(*usual: str) -> Callable[[str], bool]:
    return lambda value: value not in usual


def _is_more_than(most: int) -> Callable[[str], bool]:
    return lambda value: value.isdigit() and int(value) > most


def _is_special(value: str) -> bool:
    return not numa.is_plain(value)


# The name after hw: in a flavor and after hw_ in an image.
_HARDWARE: Mapping[str, Callable[[str], bool]] = {
    "cpu_realtime": is_on,
    "cpu_thread_policy": _is_not("prefer"),
    "emulator_threads_policy": _is_not("share"),
    "ephemeral_encryption": is_on,
    "firmware_stateless": is_on,
    "ipxe_boot": is_on,
    "locked_memory": is_on,
    "mem_encryption": is_on,
    "mem_page_size": _is_special,
    "pmem": _is_said,
    "redirected_usb_ports": _is_more_than(0),
    "serial_port_count": _is_more_than(1),
    "sound_model": _is_said,
    "tpm_model": _is_said,
    "tpm_version": _is_said,
    "usb_model": _is_not("none"),
    "vif_multiqueue_enabled": is_on,
    "viommu_model": _is_said,
    "virtio_packed_ring": is_on,
}
_FLAVOR: Mapping[str, Callable[[str], bool]] = {
    **{f"hw:{name}": asks for name, asks in _HARDWARE.items()},
    "accel:device_profile": _is_said,
    "os:secure_boot": _is_not("disabled"),
    "pci_passthrough:alias": _is_said,
}
_IMAGE: Mapping[str, Callable[[str], bool]] = {
    **{f"hw_{name}": asks for name, asks in _HARDWARE.items()},
    "hw_vm_mode": _is_not("hvm"),
    "os_secure_boot": _is_not("disabled", "optional"),
}
_SHAPED = "quota:vif_"  # networks limit ports by rules of their own


def flavor_asks_too_much(extra_specs: Mapping[str, str]) -> str | None:
    """Return the first extra spec that no host here can do anything about."""
    for name, value in sorted(extra_specs.items()):
        if name.startswith(_SHAPED):
            return f"{name}={value}: give ports a QoS policy instead"
        if name in _FLAVOR and _FLAVOR[name](value):
            return f"{name}={value}"
    return None


def image_asks_too_much(properties: Mapping[str, str]) -> str | None:
    """Return the first image property that no host here can do anything about."""
    for name, value in sorted(properties.items()):
        if name in _IMAGE and _IMAGE[name](value):
            return f"{name}={value}"
    return None
