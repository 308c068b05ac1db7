"""What flavors and images ask of a guest, as libvirt is told of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree

from cumulo.node.api import GuestSpec, HostError
from cumulo.node.properties import is_on

Element: TypeAlias = ElementTree.Element
_PARTS = ("sockets", "cores", "threads")
_WATCHDOGS = ("pause", "poweroff", "reset", "none")
_MACHINES = ("q35", "pc-q35")
_TUNED = {
    "quota:cpu_shares": "shares",
    "quota:cpu_period": "period",
    "quota:cpu_quota": "quota",
}
_DISK_LIMITS = {
    f"quota:disk_{way}_{what}_sec": f"{way}_{what}_sec"
    for way in ("read", "write", "total")
    for what in ("bytes", "iops")
}
_OVMF = Path("/usr/share/OVMF")


def machine_of(spec: GuestSpec) -> str:
    """Return the machine that the guest is to be; only one kind is offered."""
    machine = spec.properties.get("hw_machine_type", _MACHINES[0])
    if not machine.startswith(_MACHINES):
        raise HostError(f"hw_machine_type={machine} is not possible on this host: use q35.")
    return machine


def firmware(element: Element, spec: GuestSpec) -> None:
    """Have the guest start by UEFI where its image says so, and show a menu if it is to."""
    wanted = spec.properties.get("hw_firmware_type", "bios")
    if wanted == "uefi":
        if not _OVMF.exists():
            raise HostError("hw_firmware_type=uefi needs OVMF: install the package ovmf here.")
        element.set("firmware", "efi")
        secure = ElementTree.SubElement(element, "firmware")
        for name in ("secure-boot", "enrolled-keys"):
            ElementTree.SubElement(secure, "feature", enabled="no", name=name)
    elif wanted != "bios":
        raise HostError(f"hw_firmware_type={wanted} is not possible: use bios or uefi.")
    if _is_on(spec, "boot_menu"):
        ElementTree.SubElement(element, "bootmenu", enable="yes")


def features(element: Element, spec: GuestSpec) -> None:
    """Hide the hypervisor, and count events of the processor, where that is asked for."""
    hidden = spec.properties.get("hide_hypervisor_id") or spec.properties.get(
        "img_hide_hypervisor_id"
    )
    if is_on(hidden) or _is_on(spec, "hide_hypervisor_id"):
        ElementTree.SubElement(ElementTree.SubElement(element, "kvm"), "hidden", state="on")
    counts = _asked(spec, "pmu")
    if counts is not None:
        ElementTree.SubElement(element, "pmu", state="on" if is_on(counts) else "off")


def processor(element: Element, spec: GuestSpec) -> None:
    """Say how the guest's processors are put together, and which memory is near which."""
    sockets, cores, threads = topology(spec)
    ElementTree.SubElement(
        element, "topology", sockets=str(sockets), cores=str(cores), threads=str(threads)
    )
    if not spec.memory_nodes:
        return
    numa = ElementTree.SubElement(element, "numa")
    for number, node in enumerate(spec.memory_nodes):
        cell = ElementTree.SubElement(numa, "cell", id=str(number), unit="MiB")
        cell.set("cpus", ",".join(str(cpu) for cpu in node.cpus))
        cell.set("memory", str(node.memory_mib))


def topology(spec: GuestSpec) -> tuple[int, int, int]:
    """Return sockets, cores and threads: as many as are asked for, the rest in sockets."""
    asked = {part: _number(spec, f"cpu_{part}") for part in _PARTS}
    most = {part: _number(spec, f"cpu_max_{part}") for part in _PARTS}
    threads, cores = asked["threads"] or 1, asked["cores"] or 0
    if not cores:
        cores = spec.vcpus // threads // asked["sockets"] if asked["sockets"] else 1
    sockets = asked["sockets"] or max(1, spec.vcpus // (cores * threads))
    if most["sockets"] and sockets > most["sockets"] and not asked["cores"]:
        sockets = most["sockets"]
        cores = max(1, spec.vcpus // threads // sockets)
    for part, count in (("sockets", sockets), ("cores", cores), ("threads", threads)):
        if most[part] and count > most[part]:
            raise HostError(f"{count} {part} are more than hw:cpu_max_{part}={most[part]} allows.")
    if sockets * cores * threads != spec.vcpus:
        raise HostError(
            f"{sockets} sockets of {cores} cores of {threads} threads are not the {spec.vcpus} "
            "processors of the flavor: change hw:cpu_sockets, hw:cpu_cores or hw:cpu_threads."
        )
    return sockets, cores, threads


def clock(element: Element, spec: GuestSpec) -> None:
    """Give Windows the local time that it takes a machine's clock to have."""
    is_windows = spec.properties.get("os_type") == "windows"
    element.set("offset", "localtime" if is_windows else "utc")
    if is_on(spec.properties.get("hw_time_hpet")):
        ElementTree.SubElement(element, "timer", name="hpet", present="yes")


def shares(domain: Element, spec: GuestSpec) -> None:
    """Say how much of the host's processors the guest gets."""
    told = {tag: spec.properties[key] for key, tag in _TUNED.items() if key in spec.properties}
    if told:
        tune = ElementTree.SubElement(domain, "cputune")
        for tag, text in told.items():
            ElementTree.SubElement(tune, tag).text = text


def disk_limits(spec: GuestSpec) -> Mapping[str, int]:
    """Return how much may go to and from each of the guest's own disks."""
    found = {tag: spec.properties.get(key, "") for key, tag in _DISK_LIMITS.items()}
    return {tag: int(text) for tag, text in found.items() if text.isdigit() and int(text)}


def randomness(element: Element, spec: GuestSpec) -> None:
    """Say how much of the host's randomness the guest may take."""
    rate = spec.properties.get("hw_rng:rate_bytes", "")
    if rate.isdigit() and int(rate):
        period = spec.properties.get("hw_rng:rate_period", "1000")
        ElementTree.SubElement(element, "rate", bytes=rate, period=period)


def is_random(spec: GuestSpec) -> bool:
    """Say whether the guest gets a source of randomness: unless its flavor says no."""
    return is_on(spec.properties.get("hw_rng:allowed", "yes"))


def video_memory(element: Element, spec: GuestSpec) -> None:
    """Give the screen as much memory as the image asks for and the flavor allows."""
    asked = _whole(spec.properties.get("hw_video_ram"))
    allowed = _whole(spec.properties.get("hw_video:ram_max_mb"))
    if asked > allowed:
        raise HostError(
            f"hw_video_ram={asked} is more than the flavor's hw_video:ram_max_mb={allowed} allows."
        )
    if asked and element.get("type") in ("vga", "bochs"):
        element.set("vram", str(asked * 1024))


def extra_devices(devices: Element, spec: GuestSpec) -> None:
    """Add a watchdog and a tablet, where they are asked for."""
    action = _asked(spec, "watchdog_action") or "disabled"
    if action != "disabled":
        if action not in _WATCHDOGS:
            raise HostError(f"hw:watchdog_action={action} is not possible on this host.")
        ElementTree.SubElement(devices, "watchdog", model="i6300esb", action=action)
    if wants_tablet(spec):
        ElementTree.SubElement(devices, "input", type="tablet", bus="usb")


def wants_tablet(spec: GuestSpec) -> bool:
    """Say whether the guest is pointed at by a tablet, which needs a bus for it."""
    return spec.properties.get("hw_pointer_model") == "usbtablet"


def _asked(spec: GuestSpec, name: str) -> str | None:
    """Return what the flavor says; else the image may."""
    return spec.properties.get(f"hw:{name}", spec.properties.get(f"hw_{name}"))


def _is_on(spec: GuestSpec, name: str) -> bool:
    return is_on(_asked(spec, name))


def _number(spec: GuestSpec, name: str) -> int:
    return _whole(_asked(spec, name))


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() else 0
