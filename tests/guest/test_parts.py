"""The parts a guest is built from."""

import struct
from pathlib import Path

from cumulo.guest import disk
from cumulo.guest.initramfs import Tree
from cumulo.guest.modules import Modules


def small_tree() -> Tree:
    tree = Tree()
    tree.file("etc/rc", b"#!/bin/sh\n", 0o755)
    tree.link("bin/sh", "busybox")
    tree.device("dev/null", 0o666, 1, 3)
    return tree


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Read an archive as the kernel does: name -> mode and content."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = archive[at + 110 : at + 110 + fields[11] - 1].decode()
        at += -(-(110 + fields[11]) // 4) * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (fields[1], archive[at : at + fields[6]])
        at += -(-fields[6] // 4) * 4


def test_the_archive_holds_what_was_added() -> None:
    found = entries(small_tree().archive())
    assert found == {
        "bin": (0o040755, b""),
        "bin/sh": (0o120777, b"busybox"),
        "dev": (0o040755, b""),
        "dev/null": (0o020666, b""),
        "etc": (0o040755, b""),
        "etc/rc": (0o100755, b"#!/bin/sh\n"),
    }
    assert list(found) == sorted(found)


def test_the_order_of_adding_does_not_matter() -> None:
    other = Tree()
    other.device("dev/null", 0o666, 1, 3)
    other.link("bin/sh", "busybox")
    other.file("etc/rc", b"#!/bin/sh\n", 0o755)
    assert other.archive() == small_tree().archive()


def test_a_link_does_not_replace_a_file() -> None:
    tree, same = Tree(), Tree()
    tree.file("bin/dropbear", b"program")
    same.file("bin/dropbear", b"program")
    tree.link("bin/dropbear", "busybox")
    assert tree.archive() == same.archive()


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    needs = {"virtio": "", "virtio_ring": "", "modern": "virtio,virtio_ring", "ring": "virtio"}
    for name, others in {**needs, "virtio_pci": "modern,ring", "unrelated": ""}.items():
        module = tmp_path / "6.1.0/kernel/drivers" / f"{name.replace('_', '-')}.ko"
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_bytes(b"\x7fELF\0license=GPL\0depends=" + others.encode() + b"\0name=x\0")
    modules = Modules(tmp_path / "6.1.0")
    found = modules.with_dependencies(["virtio_pci", "built_in"])
    assert found["virtio_pci"] == ["virtio", "virtio_ring", "modern", "ring"]
    assert found["ring"] == ["virtio"]
    assert set(found) == {"virtio_pci", "modern", "ring", "virtio", "virtio_ring"}
    assert modules.version == "6.1.0"


def test_modules_say_which_file_systems_they_are_for(tmp_path: Path) -> None:
    folder = tmp_path / "6.1.0/kernel"
    folder.mkdir(parents=True)
    said = b"\x7fELF\0license=GPL\0alias=fs-msdos\0alias=fs-vfat\0alias=pci:v1\0name=vfat\0"
    (folder / "vfat.ko").write_bytes(said)
    assert Modules(tmp_path / "6.1.0").file_systems("vfat") == ["fs-msdos", "fs-vfat"]


def test_the_boot_record_starts_one_partition() -> None:
    record = disk.boot_record(b"\xfa" * 500, sectors=1000)
    assert len(record) == 512
    assert record[:440] == b"\xfa" * 440
    assert record[440:444] == disk.SIGNATURE
    first, count = struct.unpack("<II", record[454:462])
    assert (first, count) == (64, 1000)
    assert record[462:510] == bytes(48)
    assert record[510:] == b"\x55\xaa"
