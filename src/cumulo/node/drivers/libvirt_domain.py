"""A guest as libvirt is told of it: its domain's XML, from its spec and where its files are.

Nothing is left to guess: each disk names its format and its whole chain, so that no content of
an image decides how it is opened.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import Literal
from uuid import UUID, uuid5
from xml.etree import ElementTree

import msgspec

from cumulo.node.api import GuestSpec, HostError, Nic, Volume
from cumulo.node.drivers import libvirt_wishes
from cumulo.node.properties import has_agent

NAMESPACE = "https://cumulo.invalid/guest/1"
_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
_SPARE_SLOTS = 6  # disks and NICs that can be attached while it runs
_FIRST_FIXED_SLOT = 8  # on the root bus, for what stays: every bridge takes time at boot
_TAP_PREFIX = "tap"
_LIMITS = frozenset(
    f"{way}_{what}_sec{rest}"
    for way in ("read", "write", "total")
    for what in ("bytes", "iops")
    for rest in ("", "_max")
)
_SOURCES = {"file": "file", "rbd": "network", "fake": "file"}
_DISK_BUSES = {"virtio": "vd", "scsi": "sd", "sata": "sd"}
_VIF_MODELS = ("virtio", "e1000", "e1000e", "rtl8139", "vmxnet3")
_VIDEO_MODELS = ("vga", "virtio", "bochs", "none")
_OFF = {"csum": "off", "gso": "off", "tso4": "off", "tso6": "off", "ecn": "off", "ufo": "off"}
_GUEST_OFF = {key: value for key, value in _OFF.items() if key != "gso"}

Element = ElementTree.Element


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """One disk of a guest, in the order in which the guest sees them."""

    path: Path
    format: Literal["raw", "qcow2"]
    backing: Path | None = None
    backing_format: Literal["raw", "qcow2"] = "raw"
    is_cdrom: bool = False
    is_boot_disk: bool = False


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where a guest's files are and what the host can do."""

    virt_type: Literal["kvm", "qemu"]
    disks: Sequence[Disk]
    volumes: Sequence[Volume] = ()
    console_log: Path
    console_socket: Path
    vnc_socket: Path
    tap_offloads: bool  # off where Open vSwitch moves packets in user space
    tb_cache_mib: int = 32


def tap_name(port_id: str) -> str:
    """Return the name of the link by which a port of the network reaches its guest."""
    return _TAP_PREFIX + port_id[:11]


def domain_xml(spec: GuestSpec, layout: Layout) -> str:
    """Return the definition of the guest."""
    domain = Element("domain", type=layout.virt_type)
    _add(domain, "name", spec.name)
    _add(domain, "uuid", spec.id)
    _metadata(domain, spec)
    _add(domain, "memory", str(spec.memory_mib), unit="MiB")
    _add(domain, "vcpu", str(spec.vcpus), placement="static")
    libvirt_wishes.shares(domain, spec)
    _firmware(domain, spec)
    _processor(domain, spec, layout)
    libvirt_wishes.clock(_add(domain, "clock"), spec)
    for event, what in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        _add(domain, f"on_{event}", what)
    devices = _add(domain, "devices")
    slots = itertools.count(_FIRST_FIXED_SLOT)
    _controllers(devices, spec, _buses(spec, layout))
    used: set[str] = set()
    # The guest's first disk is the one it boots from, also where that is a volume.
    for volume in (one for one in layout.volumes if one.is_boot_disk):
        used.add(_volume(devices, spec, volume, used, slots))
    _disks(devices, spec, layout.disks, used, slots)
    for volume in (one for one in layout.volumes if not one.is_boot_disk):
        used.add(_volume(devices, spec, volume, used, slots))
    for nic in spec.nics:
        _interface(devices, nic, _chosen(spec, "hw_vif_model", _VIF_MODELS), layout.tap_offloads)
    _consoles(devices, spec, layout)
    if libvirt_wishes.is_random(spec):
        rng = _add(devices, "rng", model="virtio")
        libvirt_wishes.randomness(rng, spec)
        _add(rng, "backend", "/dev/urandom", model="random")
        _fixed(rng, slots)
    libvirt_wishes.extra_devices(devices, spec)
    # Reporting free pages is cheap for a processor that has help from hardware only.
    reporting = "on" if layout.virt_type == "kvm" else "off"
    _fixed(_add(devices, "memballoon", model="virtio", freePageReporting=reporting), slots)
    if layout.virt_type == "qemu":
        _ask_features_at_once(domain)
    return ElementTree.tostring(domain, encoding="unicode")


def _ask_features_at_once(domain: Element) -> None:
    """Have libvirt ask for all features of an emulated processor at once, as it once did.

    It asks for each of 400 by itself else, which QEMU reads byte by byte: half a second of each
    start.
    """
    ElementTree.register_namespace("qemu", _QEMU)
    capabilities = _add(domain, f"{{{_QEMU}}}capabilities")
    _add(capabilities, f"{{{_QEMU}}}del", capability="cpu-unavailable-features")


def interfaces_xml(spec: GuestSpec, nics: Sequence[Nic], *, tap_offloads: bool) -> dict[str, str]:
    """Return the definitions of interfaces of a guest, by their ports."""
    model = _chosen(spec, "hw_vif_model", _VIF_MODELS)
    found = {}
    for nic in nics:
        devices = Element("devices")
        _interface(devices, nic, model, tap_offloads)
        found[nic.port_id] = ElementTree.tostring(devices[0], encoding="unicode")
    return found


def _metadata(domain: Element, spec: GuestSpec) -> None:
    """Tell operators at virsh whose guest it is."""
    ElementTree.register_namespace("cumulo", NAMESPACE)
    guest = _add(_add(domain, "metadata"), f"{{{NAMESPACE}}}guest")
    for name, text in (
        ("name", spec.display_name),
        ("project", spec.project_id),
        ("image", spec.image.image_id if spec.image else ""),
    ):
        # XML has no words for control characters, not even escaped.
        legible = "".join(
            char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
        )
        _add(guest, f"{{{NAMESPACE}}}{name}", legible)


def _firmware(domain: Element, spec: GuestSpec) -> None:
    # By the product's name cloud-init knows on what it runs, and looks for the metadata service.
    system = _add(_add(domain, "sysinfo", type="smbios"), "system")
    for name, text in (
        ("manufacturer", "OpenStack Foundation"),
        ("product", "OpenStack Nova"),
        ("version", "Cumulo"),
        ("serial", spec.id),
        ("uuid", spec.id),
        ("family", "Virtual Machine"),
    ):
        _add(system, "entry", text, name=name)
    firmware = _add(domain, "os")
    _add(firmware, "type", "hvm", arch="x86_64", machine=libvirt_wishes.machine_of(spec))
    libvirt_wishes.firmware(firmware, spec)
    _add(firmware, "smbios", mode="sysinfo")


def _processor(domain: Element, spec: GuestSpec, layout: Layout) -> None:
    features = _add(domain, "features")
    _add(features, "acpi")
    _add(features, "apic")
    libvirt_wishes.features(features, spec)
    if layout.virt_type == "qemu":
        tcg = _add(features, "tcg")
        _add(tcg, "tb-cache", str(layout.tb_cache_mib), unit="MiB")
        cpu = _add(domain, "cpu", mode="maximum")
    else:
        cpu = _add(domain, "cpu", mode="host-passthrough", migratable="on")
    libvirt_wishes.processor(cpu, spec)


def _controllers(devices: Element, spec: GuestSpec, buses: set[str]) -> None:
    usb = "qemu-xhci" if libvirt_wishes.wants_tablet(spec) else "none"
    _add(devices, "controller", type="usb", model=usb)
    _add(devices, "controller", type="pci", index="0", model="pcie-root")
    for index in range(len(spec.nics) + len(spec.volumes) + _SPARE_SLOTS):
        _add(devices, "controller", type="pci", index=str(index + 1), model="pcie-root-port")
    if "scsi" in buses:  # looking for disks on it takes a while, even when there are none
        _add(devices, "controller", type="scsi", index="0", model="virtio-scsi")


def _buses(spec: GuestSpec, layout: Layout) -> set[str]:
    """Return the buses that the guest's disks are on when it starts."""
    return {
        *(_bus_of(spec, disk) for disk in layout.disks),
        *(_disk_bus(spec) for _ in layout.volumes),
    }


def _bus_of(spec: GuestSpec, disk: Disk) -> str:
    if disk.is_cdrom:
        return _chosen(spec, "hw_cdrom_bus", ("virtio", "scsi", "sata"))
    return _disk_bus(spec)


def _disk_bus(spec: GuestSpec) -> str:
    return _chosen(spec, "hw_disk_bus", tuple(_DISK_BUSES))


def _disks(
    devices: Element, spec: GuestSpec, disks: Sequence[Disk], used: set[str], slots: Iterator[int]
) -> None:
    """Add disks, and the names they were given to those in use."""
    for disk in disks:
        bus = _bus_of(spec, disk)
        # A drive that is read only is a disk to virtio, which knows no others.
        as_cdrom = disk.is_cdrom and bus != "virtio"
        element = _add(devices, "disk", type="file", device="cdrom" if as_cdrom else "disk")
        how = {} if disk.is_cdrom else {"discard": "unmap"}
        _add(element, "driver", name="qemu", type=disk.format, **how)
        _add(element, "source", file=str(disk.path))
        _backing(element, disk)
        name = _free(_DISK_BUSES[bus], used)
        _add(element, "target", dev=name, bus=bus)
        used.add(name)
        if disk.is_cdrom:
            _add(element, "readonly")
        else:
            _limits(element, libvirt_wishes.disk_limits(spec))
        if disk.is_boot_disk:
            _add(element, "boot", order="1")
        if bus == "virtio":
            _fixed(element, slots)


def _free(prefix: str, used: Collection[str]) -> str:
    """Return the first name for a disk that none has."""
    return next(prefix + letter for letter in ascii_lowercase if prefix + letter not in used)


def volume_alias(volume_id: str) -> str:
    """Return the name by which a volume is found again among a guest's disks."""
    return f"ua-{volume_id}"


def volume_xml(spec: GuestSpec, volume: Volume, used: Collection[str]) -> str:
    """Return the definition of a volume that is plugged in beside disks of these names."""
    devices = Element("devices")
    _volume(devices, spec, volume, used, None)
    return ElementTree.tostring(devices[0], encoding="unicode")


def place_xml(spec: GuestSpec, volume: Volume) -> str:
    """Return the definition of where a volume is, and of nothing else of it."""
    devices = Element("devices")
    element = _add(devices, "disk", type=_SOURCES[volume.protocol], device="disk")
    _add(element, "driver", name="qemu", type="raw", discard="unmap")
    _volume_source(element, spec, volume)
    return ElementTree.tostring(element, encoding="unicode")


def _volume(
    devices: Element,
    spec: GuestSpec,
    volume: Volume,
    used: Collection[str],
    slots: Iterator[int] | None,
) -> str:
    bus = _disk_bus(spec)
    if slots is None and bus == "sata":
        bus = "virtio"  # nothing can be plugged into that bus while the guest runs
    element = _add(devices, "disk", type=_SOURCES[volume.protocol], device="disk")
    _add(element, "driver", name="qemu", type="raw", discard="unmap")
    _volume_source(element, spec, volume)
    _add(element, "backingStore")
    prefix = _DISK_BUSES[bus]
    wish = volume.device if volume.device.startswith(prefix) else ""
    name = wish if wish and wish not in used and not volume.is_boot_disk else _free(prefix, used)
    _add(element, "target", dev=name, bus=bus)
    if volume.is_readonly:
        _add(element, "readonly")
    if volume.is_shared:
        _add(element, "shareable")
    _limits(element, {k: v for k, v in volume.limits.items() if k in _LIMITS})
    _add(element, "serial", volume.volume_id)
    if volume.is_boot_disk:
        _add(element, "boot", order="1")
    _add(element, "alias", name=volume_alias(volume.volume_id))
    if volume.is_boot_disk and bus == "virtio" and slots is not None:
        _fixed(element, slots)
    return name


def _limits(element: Element, limits: Mapping[str, int]) -> None:
    if limits:
        tune = _add(element, "iotune")
        for key, value in sorted(limits.items()):
            _add(tune, key, str(value))


def _volume_source(element: Element, spec: GuestSpec, volume: Volume) -> None:
    if volume.protocol == "file":
        source = _add(element, "source", file=volume.path)
    elif volume.protocol == "rbd":
        source = _add(element, "source", protocol="rbd", name=volume.path)
        for monitor in volume.monitors:
            host, _, port = monitor.rpartition(":")
            _add(source, "host", name=host.strip("[]"), port=port)
        if volume.user:
            auth = _add(source, "auth", username=volume.user)
            _add(auth, "secret", type="ceph", uuid=secret_id(spec.id, volume.volume_id, "ceph"))
    else:
        raise HostError(f"Volume {volume.volume_id} is {volume.protocol}: no guest can have it.")
    if volume.header:
        encryption = _add(source, "encryption", format="luks")
        opens = secret_id(spec.id, volume.volume_id, "luks")
        _add(encryption, "secret", type="passphrase", uuid=opens)


def secret_id(guest_id: str, volume_id: str, kind: str) -> str:
    """Return by what libvirt knows a secret that opens a guest's volume."""
    return str(uuid5(UUID(volume_id), f"{guest_id} {kind}"))


def _fixed(element: Element, slots: Iterator[int]) -> None:
    """Put a device where it cannot be taken out while the guest runs."""
    _add(element, "address", type="pci", bus="0", slot=str(next(slots)))


def _backing(element: Element, disk: Disk) -> None:
    """Spell the chain to its end, so that nobody looks into a file to find more of it."""
    if disk.backing is not None:
        backing = _add(element, "backingStore", type="file")
        _add(backing, "format", type=disk.backing_format)
        _add(backing, "source", file=str(disk.backing))
        element = backing
    _add(element, "backingStore")


def _interface(devices: Element, nic: Nic, model: str, offloads: bool) -> None:
    interface = _add(devices, "interface", type="bridge")
    _add(interface, "mac", address=nic.mac)
    _add(interface, "source", bridge=nic.bridge)
    _add(_add(interface, "virtualport", type="openvswitch"), "parameters", interfaceid=nic.port_id)
    _add(interface, "target", dev=tap_name(nic.port_id))
    _add(interface, "model", type=model)
    if model == "virtio" and not offloads:
        # A checksum left to the hardware is left out for good: there is none on this way.
        driver = _add(interface, "driver", name="qemu")
        _add(driver, "host", **_OFF)
        _add(driver, "guest", **_GUEST_OFF)
    _add(interface, "mtu", size=str(nic.mtu))
    _add(interface, "rom", enabled="no")


def _consoles(devices: Element, spec: GuestSpec, layout: Layout) -> None:
    serial = _add(devices, "serial", type="unix")
    _add(serial, "source", mode="bind", path=str(layout.console_socket))
    _add(serial, "log", file=str(layout.console_log), append="on")
    _add(serial, "target", type="isa-serial", port="0")
    if has_agent(spec):
        channel = _add(devices, "channel", type="unix")
        _add(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    video = _chosen(spec, "hw_video_model", _VIDEO_MODELS)
    if video != "none":
        graphics = _add(devices, "graphics", type="vnc")
        _add(graphics, "listen", type="socket", socket=str(layout.vnc_socket))
    libvirt_wishes.video_memory(_add(_add(devices, "video"), "model", type=video), spec)


def _chosen(spec: GuestSpec, key: str, allowed: Sequence[str]) -> str:
    """Return what the image or flavor asks for, by default the first; refuse what there is not."""
    value = spec.properties.get(key, allowed[0])
    if value not in allowed:
        known = ", ".join(allowed)
        raise HostError(f"{key}={value} is not possible on this host: use one of {known}.")
    return value


def _add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = text
    return element
