"""Building the guest: packages, a file system in memory, an archive of it, a disk around that."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from cumulo.guest import disk, packages
from cumulo.guest.initramfs import Tree
from cumulo.guest.modules import WANTED, Modules
from cumulo.kit.errors import Unavailable

_FOLDERS = (
    *("bin", "dev", "disk", "etc/dropbear", "mnt", "newroot", "proc", "run", "sbin", "sys"),
    *("usr/bin", "var/log"),
)
_PROGRAMS = ("usr/sbin/dropbear", "usr/bin/dropbearkey")
_LIBRARIES = "lib/x86_64-linux-gnu"
_LOADER = f"{_LIBRARIES}/ld-linux-x86-64.so.2"


def build_guest(output: Path, cache: Path, tell: Callable[[str], None]) -> Path:
    """Return `guest.qcow2` in `output`, built again only when what it is made of has changed."""
    _check_programs()
    output.mkdir(parents=True, exist_ok=True)
    debs = packages.Packages(cache, tell).fetch()
    image, made_of = output / "guest.qcow2", output / "guest.made-of"
    fingerprint = _fingerprint(debs)
    if image.exists() and made_of.exists() and made_of.read_text() == fingerprint:
        tell("The guest is up to date")
        return image
    with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as folder:
        _build(debs, Path(folder), image, tell)
    made_of.write_text(fingerprint)
    return image


def _build(debs: list[Path], work: Path, image: Path, tell: Callable[[str], None]) -> None:
    unpacked = work / "packages"
    tell("Unpacking the kernel, busybox and dropbear")
    packages.unpack(debs, unpacked)
    tell("Packing the guest's first file system")
    archive, initrd = work / "initrd.cpio", work / "initrd"
    archive.write_bytes(_tree(unpacked).archive())
    _run("lz4", "-q", "-l", "-9", str(archive), str(initrd))  # the fastest to unpack, by far
    tell("Writing the disk")
    kernel = next((unpacked / "boot").glob("vmlinuz-*"))
    settings = work / "syslinux.cfg"
    settings.write_bytes((_own() / "syslinux.cfg").read_bytes())
    on_disk = {"vmlinuz": kernel, "initrd": initrd, "syslinux.cfg": settings}
    raw = work / "guest.img"
    disk.write_disk(raw, on_disk, disk.Tools(unpacked, work), work)
    disk.convert(raw, image)


def _tree(unpacked: Path) -> Tree:
    tree = Tree()
    for folder in _FOLDERS:
        tree.folder(folder)
    tree.folder("root/.ssh", 0o700)
    tree.folder("root", 0o700)
    tree.folder("tmp", 0o1777)
    tree.link("var/run", "../run")
    tree.link("sbin/init", "../bin/busybox")
    tree.link("sbin/modprobe", "../bin/busybox")  # where the kernel looks for it
    tree.link("bin/sudo", "../usr/bin/sudo")
    tree.device("dev/console", 0o600, 5, 1)
    tree.device("dev/null", 0o666, 1, 3)
    _add_programs(tree, unpacked)
    _add_modules(tree, unpacked)
    _add_own_files(tree)
    return tree


def _add_programs(tree: Tree, unpacked: Path) -> None:
    busybox = unpacked / "bin/busybox"
    tree.file("bin/busybox", busybox.read_bytes(), 0o755)
    # Links made here need not be made in the guest, where everything takes ten times as long.
    for applet in _run(str(busybox), "--list").split():
        tree.link(f"bin/{applet}", "busybox")
    for name in _PROGRAMS:
        program = unpacked / name
        tree.file(f"bin/{program.name}", program.read_bytes(), 0o755)
        for library in _libraries(unpacked, program):
            tree.file(f"{_LIBRARIES}/{library.name}", library.read_bytes(), 0o755)
    tree.file(_LOADER, (unpacked / _LOADER).read_bytes(), 0o755)
    tree.link("lib64/ld-linux-x86-64.so.2", f"../{_LOADER}")


def _libraries(unpacked: Path, program: Path) -> list[Path]:
    """Return the libraries a program needs, as its own loader finds them."""
    places = f"{unpacked}/{_LIBRARIES}:{unpacked}/usr/{_LIBRARIES}"
    told = _run(str(unpacked / _LOADER), "--library-path", places, "--list", str(program))
    paths = [line.split(" => ")[1].split(" (")[0] for line in told.splitlines() if " => /" in line]
    missing = [path for path in paths if not path.startswith(str(unpacked))]
    if missing:
        raise Unavailable(f"{program.name} needs {', '.join(missing)}, which no package brought.")
    return [Path(path) for path in paths if Path(path).name != Path(_LOADER).name]


def _add_modules(tree: Tree, unpacked: Path) -> None:
    modules = Modules(next((unpacked / "lib/modules").iterdir()))
    folder, needs = f"lib/modules/{modules.version}", modules.with_dependencies(WANTED)
    for name in needs:
        tree.file(f"{folder}/{name}.ko", modules.content(name))
    # modprobe reads a line from its end.
    lines = [
        " ".join([f"{name}.ko:", *(f"{n}.ko" for n in reversed(needs[name]))]) for name in needs
    ]
    tree.file(f"{folder}/modules.dep", "".join(f"{line}\n" for line in lines).encode())
    called = [f"alias {word} {name}\n" for name in needs for word in modules.file_systems(name)]
    tree.file(f"{folder}/modules.alias", "".join(called).encode())


def _add_own_files(tree: Tree) -> None:
    top = _own() / "rootfs"
    for folder, _, names in os.walk(top):
        for name in names:
            path = Path(folder, name)
            content = path.read_bytes()
            mode = 0o755 if content.startswith(b"#!") else 0o644
            tree.file(str(path.relative_to(top)), content, mode)


def _own() -> Path:
    return Path(str(files("cumulo.guest")))


def _fingerprint(debs: list[Path]) -> str:
    """Return a digest of all that a guest is made of, this program's part included."""
    digest = hashlib.sha256("\n".join(sorted(deb.name for deb in debs)).encode())
    for path in sorted(_own().rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _check_programs() -> None:
    needed = {"qemu-img": "qemu-utils", "lz4": "lz4", "dpkg-deb": "dpkg", "apt-get": "apt"}
    missing = [package for program, package in needed.items() if shutil.which(program) is None]
    if missing:
        raise Unavailable(f"Building a guest needs the packages {', '.join(missing)}.")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
