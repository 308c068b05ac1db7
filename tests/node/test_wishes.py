"""What flavors and images ask of a guest, and how libvirt is told."""

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from cumulo.node.api import GuestSpec, HostError, MemoryNode
from cumulo.node.drivers import libvirt_wishes
from tests.node.bench import Bench
from tests.node.test_domain import SPEC, domain


def asking(vcpus: int = 2, **properties: str) -> GuestSpec:
    named = {name.replace("__", ":"): value for name, value in properties.items()}
    return msgspec.structs.replace(SPEC, vcpus=vcpus, properties=named)


def one(spec: GuestSpec, path: str) -> ElementTree.Element:
    found = domain(spec).find(path)
    assert found is not None, path
    return found


@pytest.mark.parametrize(
    ("vcpus", "asked", "wanted"),
    [
        (4, {}, (4, 1, 1)),
        (4, {"hw__cpu_cores": "2"}, (2, 2, 1)),
        (4, {"hw_cpu_sockets": "1"}, (1, 4, 1)),
        (8, {"hw__cpu_sockets": "2", "hw__cpu_threads": "2"}, (2, 2, 2)),
        (8, {"hw__cpu_max_sockets": "2"}, (2, 4, 1)),
        (4, {"hw__cpu_cores": "4", "hw_cpu_cores": "2"}, (1, 4, 1)),
    ],
)
def test_processors_are_put_together_as_asked(
    vcpus: int, asked: dict[str, str], wanted: tuple[int, int, int]
) -> None:
    assert libvirt_wishes.topology(asking(vcpus, **asked)) == wanted


@pytest.mark.parametrize(
    "asked",
    [
        {"hw__cpu_cores": "3"},
        {"hw__cpu_cores": "4", "hw__cpu_max_cores": "2"},
        {"hw_machine_type": "pc-i440fx-7.2"},
        {"hw_firmware_type": "coreboot"},
        {"hw__watchdog_action": "panic"},
        {"hw_video_ram": "64", "hw_video__ram_max_mb": "32"},
        {"hw_video_ram": "64"},
    ],
)
def test_what_cannot_be_is_refused_with_its_name(asked: dict[str, str]) -> None:
    with pytest.raises(HostError, match=next(iter(asked)).replace("__", ":").removesuffix("cores")):
        domain(asking(4, **asked))


def test_shares_limits_and_devices() -> None:
    spec = asking(
        quota__cpu_shares="512",
        quota__cpu_quota="5000",
        quota__disk_read_iops_sec="100",
        hw__watchdog_action="reset",
        hw__boot_menu="yes",
        hw__hide_hypervisor_id="true",
        hw_pmu="no",
        hw_pointer_model="usbtablet",
        hw_rng__rate_bytes="64",
        os_type="windows",
    )
    assert one(spec, "cputune/shares").text == "512"
    assert one(spec, "cputune/quota").text == "5000"
    assert one(spec, "devices/disk/iotune/read_iops_sec").text == "100"
    assert one(spec, "devices/watchdog").get("action") == "reset"
    assert one(spec, "devices/input").get("type") == "tablet"
    assert one(spec, "devices/controller[@type='usb']").get("model") == "qemu-xhci"
    assert one(spec, "devices/rng/rate").attrib == {"bytes": "64", "period": "1000"}
    assert one(spec, "features/kvm/hidden").get("state") == "on"
    assert one(spec, "features/pmu").get("state") == "off"
    assert one(spec, "os/bootmenu").get("enable") == "yes"
    assert one(spec, "clock").get("offset") == "localtime"
    assert domain(asking(hw_rng__allowed="no")).find("devices/rng") is None


def test_memory_nodes() -> None:
    nodes = [MemoryNode(cpus=[0], memory_mib=128), MemoryNode(cpus=[1], memory_mib=384)]
    cells = domain(msgspec.structs.replace(SPEC, memory_nodes=nodes)).findall("cpu/numa/cell")
    assert [(cell.get("cpus"), cell.get("memory")) for cell in cells] == [
        ("0", "128"),
        ("1", "384"),
    ]


def test_uefi_needs_firmware_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(libvirt_wishes, "_OVMF", tmp_path)
    assert one(asking(hw_firmware_type="uefi"), "os").get("firmware") == "efi"
    monkeypatch.setattr(libvirt_wishes, "_OVMF", tmp_path / "none")
    with pytest.raises(HostError, match="ovmf"):
        domain(asking(hw_firmware_type="uefi"))


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_real_guest_is_what_was_asked_for(libvirt_bench: Bench) -> None:
    properties = {
        "quota:cpu_shares": "512",
        "quota:disk_total_iops_sec": "1000",
        "hw:cpu_cores": "2",
        "hw:watchdog_action": "poweroff",
        "hw:boot_menu": "no",
        "hw_pointer_model": "usbtablet",
        "hw_qemu_guest_agent": "yes",
        "hw_rng:rate_bytes": "65536",
        "hw_video_model": "vga",
    }
    nodes = [MemoryNode(cpus=[0, 1], memory_mib=128)]
    guest_id = libvirt_bench.booted(vcpus=2, properties=properties, memory_nodes=nodes)
    assert b"GUEST-READY" in libvirt_bench.node.console_log(guest_id)


@pytest.mark.real
@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/usr/share/OVMF").exists(), reason="OVMF is not installed")
def test_a_real_guest_of_uefi_starts_and_leaves_nothing(libvirt_bench: Bench) -> None:
    guest_id = libvirt_bench.guest(properties={"hw_firmware_type": "uefi"})
    assert libvirt_bench.power(guest_id) == "running"
    libvirt_bench.node.remove_guest(guest_id)
    assert libvirt_bench.leftovers(guest_id) == []
