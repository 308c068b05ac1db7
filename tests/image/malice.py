"""Image files as attackers, and honest people, build them; bytes by hand, no tool involved."""

import struct

GIB = 1 << 30
_SECTOR = 512


def qcow2(
    *,
    virtual_size: int = GIB,
    backing_file: str = "",
    incompatible: int = 0,
    version: int = 3,
    size: int = 4 * 65536,
) -> bytes:
    """Build the header of a qcow2; feature bit 2 is an external data file."""
    name = backing_file.encode()
    offset = 112 if name else 0
    header = struct.pack(
        ">4sIQIIQIIQQIIQ",
        b"QFI\xfb", version, offset, len(name), 16, virtual_size, 0, 1, 3 * 65536, 65536, 1, 0, 0,
    )  # fmt: skip
    header += struct.pack(">QQQII", incompatible, 0, 0, 4, 104)
    header = header.ljust(112, b"\0") + name
    return header.ljust(size, b"\0")


def vmdk_text(kind: str = "monolithicFlat", extent: str = "/etc/shadow") -> bytes:
    """Build a VMDK that is only a descriptor, whose data is in another file."""
    return (
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        f'createType="{kind}"\n\n# Extent description\nRW 2048 FLAT "{extent}" 0\n'
    ).encode()


def vmdk_sparse(
    kind: str = "monolithicSparse", extent: str = 'RW 2048 SPARSE "disk.vmdk"', sectors: int = 2048
) -> bytes:
    """Build a VMDK with its descriptor inside."""
    header = struct.pack(
        "<4sIIQQQQIQQQ", b"KDMV", 1, 3, sectors, 128, 1, 20, 512, 21, 26, 128
    ).ljust(_SECTOR, b"\0")
    text = (
        "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
        f'createType="{kind}"\n{extent}\nddb.adapterType = "ide"\n'
    ).encode()
    return (header + text.ljust(20 * _SECTOR, b"\0")).ljust(65536, b"\0")


def vdi(virtual_size: int = GIB) -> bytes:
    return (
        b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0")
        + struct.pack("<I", 0xBEDA107F).ljust(304, b"\0")
        + struct.pack("<Q", virtual_size)
    ).ljust(4096, b"\0")


def vhd(virtual_size: int = GIB) -> bytes:
    footer = b"conectix" + bytes(32) + struct.pack(">QQ", virtual_size, virtual_size)
    return footer.ljust(4096, b"\0")


def vhdx() -> bytes:
    """Build a VHDX that does not tell its size where inspectors find it."""
    table = struct.pack("<IIII", 0x69676572, 0, 0, 0)
    return (b"vhdxfile".ljust(192 * 1024, b"\0") + table).ljust(1 << 19, b"\0")


def qed() -> bytes:
    return b"QED\0".ljust(4096, b"\0")


def luks() -> bytes:
    return b"LUKS\xba\xbe\x00\x01".ljust(1 << 21, b"\0")


def iso(*, boot_sector: bytes = b"") -> bytes:
    """Build a CD; `boot_sector` makes it one that boots from a USB stick, too."""
    start = boot_sector.ljust(32768, b"\0")
    volume = b"\x01CD001\x01\0".ljust(80, b"\0") + struct.pack("<I", 20) + struct.pack(">I", 20)
    volume = volume.ljust(128, b"\0") + struct.pack("<H", 2048) + struct.pack(">H", 2048)
    return start + volume.ljust(2048, b"\0") + bytes(4096)


def partitioned(*, boot_flag: int = 0x80, kind: int = 0x83) -> bytes:
    """Build a disk with a partition table."""
    entry = struct.pack("<B3sB3sII", boot_flag, b"\0\x02\0", kind, b"\0\0\0", 1, 2047)
    return (bytes(446) + entry + bytes(48) + b"\x55\xaa").ljust(65536, b"\0")
