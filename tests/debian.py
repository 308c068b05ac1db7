"""Debian with its own cloud-init and guest agent, as a disk to start servers from.

Made of the distribution's packages, once; later tests take it from the cache.  Its only source of
packages is a directory of its own, with one package in it that does nothing.
"""

import hashlib
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from cumulo.guest import disk, packages
from cumulo.kit.units import MIB

PACKAGE = "cumulo-hello"  # the one that can be installed, with a command of the same name
CACHE = Path.home() / ".cache/cumulo-tests"
_RELEASE, _MIRROR = "bookworm", "http://deb.debian.org/debian"
_PACKAGES = (
    *("systemd-sysv", "udev", "dbus", "netbase", "ifupdown", "iproute2", "isc-dhcp-client"),
    *("cloud-init", "openssh-server", "sudo", "linux-image-cloud-amd64", "qemu-guest-agent"),
)
_UNREAD = ("doc", "man", "locale", "info")
_ROOT_MIB = 900
_LABEL = "debian-root"
_SYSLINUX = f"""
SERIAL 0 115200
DEFAULT debian
LABEL debian
  KERNEL /vmlinuz
  APPEND initrd=/initrd root=LABEL={_LABEL} ro console=tty0 console=ttyS0 quiet cryptomgr.notests
"""
# A mirror of the distribution and locales are not to be had here; a key of one kind is enough.
_CLOUD_CFG = """
apt: {preserve_sources_list: true}
ssh_genkeytypes: [ed25519]
locale: C.UTF-8
"""


def debian_image() -> Path:
    """Return the disk, made anew when this file says something else than when it was made."""
    for program in ("mmdebstrap", "mke2fs"):
        if shutil.which(program) is None:
            pytest.skip(f"a Debian guest is made with {program}, which is not installed")
    CACHE.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    image = CACHE / f"debian-{digest}.qcow2"
    if not image.exists():
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="debian-") as work:
            _build(Path(work), image)
    return image


def _build(work: Path, image: Path) -> None:
    root = work / "root"
    unread = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _UNREAD]
    _run(
        *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(_PACKAGES)}"),
        *(*unread, _RELEASE, str(root), _MIRROR),
    )
    (root / "etc/fstab").write_text(f"LABEL={_LABEL} / ext4 errors=remount-ro 0 1\n")
    (root / "etc/cloud/cloud.cfg.d/99_here.cfg").write_text(_CLOUD_CFG)
    _repository(work, root)
    boot, file_system = work / "boot.img", work / "root.img"
    _boot(work, root, boot)
    shutil.rmtree(root / "boot")
    (root / "boot").mkdir()
    file_system.touch()
    size = f"{_ROOT_MIB}M"
    _run("mke2fs", "-q", "-t", "ext4", "-L", _LABEL, "-d", str(root), str(file_system), size)
    _append(boot, file_system)
    disk.convert(boot, image)


def _repository(work: Path, root: Path) -> None:
    """Let apt find one package on the disk, and look nowhere else."""
    tree = work / "package"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/bin").mkdir(parents=True)
    program = tree / "usr/bin" / PACKAGE
    program.write_text("#!/bin/sh\necho installed\n")
    program.chmod(0o755)
    control = f"Package: {PACKAGE}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@invalid>\n"
    control += "Description: what a test installs\n"
    (tree / "DEBIAN/control").write_text(control)
    place = root / "srv/packages"
    place.mkdir()
    deb = place / f"{PACKAGE}.deb"
    _run("dpkg-deb", "--build", "--root-owner-group", str(tree), str(deb))
    data = deb.read_bytes()
    about = (
        f"Filename: ./{deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
    )
    (place / "Packages").write_text(control + about)
    (root / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/srv/packages ./\n")
    shutil.rmtree(root / "var/lib/apt/lists")


def _boot(work: Path, root: Path, boot: Path) -> None:
    """Write a disk with the kernel on its first partition."""
    unpacked = work / "packages"
    packages.unpack(packages.Packages(CACHE / "guest", print).fetch(), unpacked)
    settings = work / "syslinux.cfg"
    settings.write_text(_SYSLINUX)
    files = {
        "vmlinuz": next((root / "boot").glob("vmlinuz-*")),
        "initrd": next((root / "boot").glob("initrd.img-*")),
        "syslinux.cfg": settings,
    }
    disk.write_disk(boot, files, disk.Tools(unpacked, work), work)


def _append(image: Path, file_system: Path) -> None:
    """Put a file system behind the first partition, as the second one."""
    start = -(-image.stat().st_size // MIB) * MIB
    linux, far = 0x83, b"\xfe\xff\xff"
    size = file_system.stat().st_size
    entry = struct.pack("<B3sB3sII", 0, far, linux, far, start // 512, size // 512)
    with image.open("r+b") as whole, file_system.open("rb") as part:
        whole.seek(446 + 16)
        whole.write(entry)
        whole.seek(start)
        shutil.copyfileobj(part, whole, MIB)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-2000:]}"
