"""A disk that a PC starts from: a boot record and one FAT partition with syslinux on it."""

import os
import struct
import subprocess
from pathlib import Path

from cumulo.kit.errors import Unavailable
from cumulo.kit.units import KIB

SIGNATURE = b"RRIC"  # by which the guest knows its own disk
_SERIAL = "43495252"
_START = 64  # sectors before the partition
_SECTOR = 512
_SPARE = 400 * KIB  # for the boot loader and the file system itself
_EPOCH = "1704067200"  # files are dated alike, so that the same files give the same bytes


class Tools:
    """The programs of mtools and syslinux, unpacked rather than installed."""

    def __init__(self, tree: Path, work: Path) -> None:
        self._tree, self._work = tree, work
        self.boot_record = (tree / "usr/lib/syslinux/mbr/mbr.bin").read_bytes()

    def run(self, *command: str) -> None:
        """Run one of them."""
        env = {
            "PATH": f"{self._tree}/usr/bin:{os.environ['PATH']}",
            "MTOOLSRC": str(self._work / "mtoolsrc"),
            "MTOOLS_SKIP_CHECK": "1",
            "SOURCE_DATE_EPOCH": _EPOCH,
            "TZ": "UTC",
        }
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")


def write_disk(image: Path, files: dict[str, Path], tools: Tools, work: Path) -> None:
    """Write a raw disk image with `files` (name on the disk -> file) that starts syslinux."""
    size = sum(path.stat().st_size for path in files.values()) + _SPARE
    sectors = -(-size // (_SECTOR * 63)) * 63
    with image.open("wb") as disk:
        disk.write(boot_record(tools.boot_record, sectors))
        disk.truncate((_START + sectors) * _SECTOR)
    offset = _START * _SECTOR
    (work / "mtoolsrc").write_text(f'drive c: file="{image}" offset={offset}\n')
    geometry = f"-T {sectors} -h 255 -s 63 -H {_START} -N {_SERIAL} -v GUESTBOOT"
    tools.run("mformat", *geometry.split(), "c:")
    for name, path in files.items():
        tools.run("mcopy", str(path), f"c:/{name}")
    tools.run("syslinux", "--install", "--offset", str(offset), str(image))


def convert(image: Path, output: Path) -> None:
    """Turn a raw image into a qcow2; not a compressed one, which is slower to start from."""
    draft = output.with_suffix(".new")
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(image), str(draft)]
    subprocess.run(command, check=True, capture_output=True)
    draft.replace(output)


def boot_record(code: bytes, sectors: int) -> bytes:
    """Return a disk's first sector, with one partition that the machine starts from."""
    fat16_lba, bootable = 0x0E, 0x80
    far = b"\xfe\xff\xff"  # beyond what cylinders and heads can say
    partition = struct.pack("<B3sB3sII", bootable, far, fat16_lba, far, _START, sectors)
    return code[:440].ljust(440, b"\0") + SIGNATURE + bytes(2) + partition + bytes(48) + b"\x55\xaa"
