"""The kernel modules that a guest needs, with what each of them needs in turn."""

import gzip
import lzma
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

WANTED = (
    *("virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "overlay", "8021q"),
    *("virtio_scsi", "sd_mod", "sr_mod", "ata_piix", "isofs", "vfat", "nls_cp437", "nls_ascii"),
    *("virtio_rng", "virtio_balloon", "button", "evdev"),
)


class Modules:
    """The modules of one kernel."""

    def __init__(self, folder: Path) -> None:
        self.version = folder.name
        self._paths = {_name(path): path for path in sorted(folder.rglob("*.ko*"))}
        self._contents: dict[str, bytes] = {}

    def with_dependencies(self, wanted: Iterable[str]) -> dict[str, list[str]]:
        """Return each wanted module and each that it needs, with all that this one needs.

        The needed ones are in the order to load them in; what the kernel has built in, or has not
        at all, is left out.
        """
        found: dict[str, list[str]] = {}
        for name in wanted:
            self._add(name, found)
        return found

    def content(self, name: str) -> bytes:
        """Return a module's file, unpacked."""
        if name not in self._contents:
            self._contents[name] = _unpacked(self._paths[name])
        return self._contents[name]

    def file_systems(self, name: str) -> list[str]:
        """Return by what names the kernel asks for a module when such a file system is mounted."""
        said = re.findall(rb"\0alias=(fs-[^\0]+)", self.content(name))
        return [alias.decode() for alias in said]

    def _add(self, name: str, found: dict[str, list[str]]) -> None:
        if name in found or name not in self._paths:
            return
        said = re.search(rb"\0depends=([^\0]*)\0", self.content(name))
        direct = [n.replace("-", "_") for n in said[1].decode().split(",") if n] if said else []
        needed: list[str] = []
        for other in direct:
            self._add(other, found)
            needed += [n for n in (*found.get(other, []), other) if n not in needed]
        found[name] = needed


def _name(path: Path) -> str:
    return path.name.split(".ko")[0].replace("-", "_")


def _unpacked(path: Path) -> bytes:
    packed = path.read_bytes()
    match path.suffix:
        case ".gz":
            return gzip.decompress(packed)
        case ".xz":
            return lzma.decompress(packed)
        case ".zst":
            return subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
    return packed
