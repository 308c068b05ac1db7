"""What libvirt is told of a guest leaves nothing to guess and nothing to inject."""

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from cumulo.kit.ids import new_id
from cumulo.node.api import GuestSpec, HostError, Nic, Volume
from cumulo.node.drivers.libvirt_domain import Disk, Layout, domain_xml, tap_name
from tests.node.conftest import fake_image

PORT = "0a1b2c3d-4e5f-4aaa-8bbb-ccccdddd0001"
SPEC = GuestSpec(
    id=new_id(),
    name="instance-00000001",
    display_name="web",
    vcpus=2,
    memory_mib=512,
    root_gib=1,
    image=fake_image(),
    nics=[Nic(port_id=PORT, mac="fa:16:3e:00:00:01", mtu=1442)],
)
LAYOUT = Layout(
    virt_type="qemu",
    disks=[
        Disk(
            path=Path("/guests/root"),
            format="qcow2",
            backing=Path("/cache/base"),
            backing_format="qcow2",
            is_boot_disk=True,
        ),
        Disk(path=Path("/guests/swap"), format="raw"),
        Disk(path=Path("/guests/config"), format="raw", is_cdrom=True),
    ],
    console_log=Path("/guests/console.log"),
    console_socket=Path("/guests/console.sock"),
    vnc_socket=Path("/guests/vnc.sock"),
    tap_offloads=False,
)


def domain(spec: GuestSpec = SPEC, layout: Layout = LAYOUT) -> ElementTree.Element:
    return ElementTree.fromstring(domain_xml(spec, layout))


def test_every_disk_names_its_format_and_its_whole_chain() -> None:
    disks = domain().findall("devices/disk")
    assert [disk.find("driver").get("type") for disk in disks] == ["qcow2", "raw", "raw"]  # type: ignore[union-attr]
    backing = disks[0].find("backingStore")
    assert backing is not None
    assert backing.find("format").get("type") == "qcow2"  # type: ignore[union-attr]
    for end in (backing.find("backingStore"), *(disk.find("backingStore") for disk in disks[1:])):
        assert end is not None
        assert list(end) == []


def test_an_emulated_processor_is_asked_for_all_its_features_at_once() -> None:
    hardware = domain(layout=msgspec.structs.replace(LAYOUT, virt_type="kvm"))
    words = "{http://libvirt.org/schemas/domain/qemu/1.0}capabilities/*"
    assert [one.get("capability") for one in domain().findall(words)] == [
        "cpu-unavailable-features"
    ]
    assert hardware.findall(words) == []


def test_disks_have_names_and_the_first_boots() -> None:
    disks = domain().findall("devices/disk")
    assert [disk.find("target").get("dev") for disk in disks] == ["vda", "vdb", "vdc"]  # type: ignore[union-attr]
    assert [disk.find("boot") is not None for disk in disks] == [True, False, False]
    assert [disk.find("readonly") is not None for disk in disks] == [False, False, True]


@pytest.mark.parametrize(("bus", "prefix"), [("virtio", "vd"), ("scsi", "sd"), ("sata", "sd")])
def test_a_volume_to_boot_from_is_the_first_disk(bus: str, prefix: str) -> None:
    data, root = new_id(), new_id()
    volumes = [
        Volume(volume_id=data, path="/volumes/data", device="vdd"),
        Volume(volume_id=root, path="/volumes/root", device="vdc", is_boot_disk=True),
    ]
    properties = {"hw_disk_bus": bus, "hw_cdrom_bus": bus}
    spec = msgspec.structs.replace(SPEC, image=None, volumes=volumes, properties=properties)
    layout = msgspec.structs.replace(LAYOUT, disks=LAYOUT.disks[1:], volumes=volumes)
    disks = domain(spec, layout).findall("devices/disk")
    names = [disk.find("target").get("dev") for disk in disks]  # type: ignore[union-attr]
    assert names == [prefix + letter for letter in "abcd"]
    sources = [disk.find("source").get("file") for disk in disks]  # type: ignore[union-attr]
    assert sources == ["/volumes/root", "/guests/swap", "/guests/config", "/volumes/data"]
    assert [disk.find("boot") is not None for disk in disks] == [True, False, False, False]
    addresses = [disk.find("address") for disk in disks]
    slots = [int(one.get("slot", "")) for one in addresses if one is not None]
    assert slots == sorted(slots)
    assert len(slots) == (3 if bus == "virtio" else 0)


def test_a_bus_is_there_for_volumes_alone() -> None:
    volume = Volume(volume_id=new_id(), path="/volumes/root", is_boot_disk=True)
    asked = {"hw_disk_bus": "scsi"}
    spec = msgspec.structs.replace(SPEC, image=None, volumes=[volume], properties=asked)
    found = domain(spec, msgspec.structs.replace(LAYOUT, disks=[], volumes=[volume]))
    models = {one.get("type"): one.get("model") for one in found.findall("devices/controller")}
    assert models["scsi"] == "virtio-scsi"


def test_a_nic_is_its_port() -> None:
    nic = domain().find("devices/interface")
    assert nic is not None
    assert nic.find("virtualport/parameters").get("interfaceid") == PORT  # type: ignore[union-attr]
    assert nic.find("target").get("dev") == tap_name(PORT) == "tap0a1b2c3d-4e"  # type: ignore[union-attr]
    assert nic.find("mac").get("address") == "fa:16:3e:00:00:01"  # type: ignore[union-attr]
    assert nic.find("mtu").get("size") == "1442"  # type: ignore[union-attr]
    assert nic.find("driver/host").get("csum") == "off"  # type: ignore[union-attr]
    assert nic.find("driver/guest").get("tso4") == "off"  # type: ignore[union-attr]


def test_checksums_may_be_left_to_hardware_where_there_is_some() -> None:
    layout = msgspec.structs.replace(LAYOUT, tap_offloads=True)
    assert domain(layout=layout).find("devices/interface/driver") is None


def test_cloud_init_knows_where_it_is() -> None:
    entries = {entry.get("name"): entry.text for entry in domain().findall("sysinfo/system/entry")}
    assert entries["product"] == "OpenStack Nova"
    assert entries["uuid"] == SPEC.id


def test_a_cpu_for_each_way_to_run() -> None:
    kvm = msgspec.structs.replace(LAYOUT, virt_type="kvm")
    assert (domain().get("type"), domain().find("cpu").get("mode")) == ("qemu", "maximum")  # type: ignore[union-attr]
    assert domain(layout=kvm).find("cpu").get("mode") == "host-passthrough"  # type: ignore[union-attr]
    assert domain(layout=kvm).find("features/tcg") is None


@pytest.mark.parametrize("name", ['</name><x a="', "a\x00b\x1b\ud800\uffff", "&lt;"])
def test_names_cannot_break_out(name: str) -> None:
    found = domain(msgspec.structs.replace(SPEC, display_name=name))
    assert len(found.findall("devices/disk")) == 3
    assert found.find("name").text == "instance-00000001"  # type: ignore[union-attr]


def test_devices_are_what_the_image_asks_for() -> None:
    properties = {"hw_disk_bus": "scsi", "hw_vif_model": "e1000e", "hw_cdrom_bus": "sata"}
    found = domain(msgspec.structs.replace(SPEC, properties=properties))
    targets = [disk.find("target").get("dev") for disk in found.findall("devices/disk")]  # type: ignore[union-attr]
    assert targets == ["sda", "sdb", "sdc"]
    assert found.find("devices/interface/model").get("type") == "e1000e"  # type: ignore[union-attr]
    assert found.findall("devices/disk")[2].get("device") == "cdrom"
    silent = domain(msgspec.structs.replace(SPEC, properties={"hw_video_model": "none"}))
    assert silent.find("devices/graphics") is None


@pytest.mark.parametrize(
    "asked", [{"hw_disk_bus": "ide"}, {"hw_vif_model": "x"}, {"hw_firmware_type": "none"}]
)
def test_devices_there_are_not_are_refused_by_name(asked: dict[str, str]) -> None:
    (key,) = asked
    with pytest.raises(HostError, match=key):
        domain(msgspec.structs.replace(SPEC, properties=asked))
