"""The disks of guests: images kept as read-only bases, and what each guest writes above them.

An image was inspected where it was uploaded; it is again here, before QEMU opens it for the first
time.  Programs that read what users gave run as the guests' user, with limits, and are told the
format.  A file has its final name only once it is complete.
"""

import functools
import hashlib
import io
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

import msgspec

from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.kit.units import GIB, MIB
from cumulo.node.api import GuestSpec, HostError, ImageSource
from cumulo.node.guest_files import GuestFiles

_PIECE = 4 * MIB
_HEAD = MIB  # enough for every inspector to know its own
_MAY_BE = {"raw": {"raw", "gpt", "iso", "gpt,iso"}, "qcow2": {"qcow2"}}
_LIMITS = ["prlimit", f"--as={GIB}", "--cpu=30", "--"]
_TIMEOUT_S = 120
_COPY_TIMEOUT_S = 3600
_ISO_PROGRAMS = ("genisoimage", "mkisofs", "xorrisofs")

Owner = tuple[int, int]
Pieces: TypeAlias = Callable[[ImageSource], Iterator[bytes]]  # where an image's bytes come from


class CachedImage(msgspec.Struct, frozen=True):
    """An image as guests' disks stand on it."""

    path: Path
    format: Literal["raw", "qcow2"]


class ImageCache:
    """Images on this host, each copied and checked once."""

    def __init__(self, directory: Path, owner: Owner, pieces: Pieces | None = None) -> None:
        self._directory = directory
        self._owner = owner
        self._pieces = pieces or pieces_of_file
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def has(self, image: ImageSource) -> bool:
        """Say whether the image is here."""
        return self.path_of(image).exists()

    @property
    def directory(self) -> Path:
        """Return where they are."""
        return self._directory

    def ensure(self, image: ImageSource, pieces: Pieces | None = None) -> CachedImage:
        """Return the image as a base, copied here if it was not yet.

        From `pieces`, as another host has it, if its owner deleted it since.
        """
        path = self.path_of(image)
        with self._locked(path.name):
            if not path.exists():
                try:
                    self._copy(image, path, self._pieces)
                except NotFound as error:
                    if pieces is None:
                        raise HostError(error.message) from error
                    self._copy(image, path, pieces)
            os.utime(path, (clock.timestamp(),) * 2)
        return CachedImage(path, image.disk_format)

    def remove_unused(self, used: set[str], older_than_s: float) -> None:
        """Remove bases that no disk stands on and that were not asked for in a while."""
        for path in self._directory.glob("*"):
            with self._locked(path.name):
                age_s = clock.timestamp() - path.stat().st_mtime
                if path.name.partition(".")[0] not in used and age_s > older_than_s:
                    path.unlink()

    def path_of(self, image: ImageSource) -> Path:
        """Return where an image is, or would be."""
        key = image.sha256 or image.image_id
        if not re.fullmatch(r"[A-Za-z0-9-]{1,128}", key):
            raise HostError(f"Image {key!r} has no usable id.")
        return self._directory / f"{key}.{image.disk_format}"

    def _copy(self, image: ImageSource, path: Path, pieces: Pieces) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o711)
        with drafted(path, None) as draft:
            try:
                _copy_checked(image, pieces(image), draft)
            except FileNotFoundError as error:
                message = f"Image {image.image_id} cannot be copied to this host: {error}"
                raise NotFound(message) from error
            except OSError as error:
                message = f"Image {image.image_id} cannot be copied to this host: {error}"
                raise HostError(message) from error
            draft.chmod(0o444)
            _check_with_qemu(image, draft, self._owner)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            yield


def root_disk(files: GuestFiles, spec: GuestSpec, base: CachedImage, owner: Owner) -> Path:
    """Make the guest's root disk above its image, or find it made."""
    size = max(spec.root_gib * GIB, spec.image.virtual_size if spec.image else 0)

    def fill(draft: Path) -> None:
        options = ["-f", "qcow2", "-F", base.format, "-b", str(base.path)]
        qemu_img("create", "-q", *options, "--", str(draft), str(size), owner=owner)

    return _ensure(files.directory / "root.qcow2", owner, fill)


def rescue_disk(files: GuestFiles, base: CachedImage, owner: Owner) -> Path:
    """Make a disk to rescue the guest from, or find it made."""

    def fill(draft: Path) -> None:
        options = ["-f", "qcow2", "-F", base.format, "-b", str(base.path)]
        qemu_img("create", "-q", *options, "--", str(draft), owner=owner)

    return _ensure(files.rescue_disk, owner, fill)


def grow(files: GuestFiles, spec: GuestSpec, owner: Owner) -> None:
    """Let disks that are there be as large as they should be; what is larger stays so."""
    root = files.directory / "root.qcow2"
    if spec.image is not None:
        _grow_root(root, spec, owner)
    for number, wanted in enumerate(spec.ephemeral_disks):
        ephemeral = files.ephemeral_disk(number)
        if ephemeral.exists() and ephemeral.stat().st_size < wanted.size_gib * GIB:
            os.truncate(ephemeral, wanted.size_gib * GIB)
    # Nobody misses what was swapped out by a guest that is off.
    swap = files.directory / "swap.raw"
    if swap.exists() and swap.stat().st_size != spec.swap_mib * MIB:
        swap.unlink()


def _grow_root(root: Path, spec: GuestSpec, owner: Owner) -> None:
    told = qemu_img("info", "-f", "qcow2", "--output=json", "--", str(root), owner=owner)
    if msgspec.json.decode(told, type=_Info).virtual_size < spec.root_gib * GIB:
        size = str(spec.root_gib * GIB)
        qemu_img("resize", "-q", "-f", "qcow2", "--", str(root), size, owner=owner)


def stand_on(files: GuestFiles, base: CachedImage, owner: Owner) -> None:
    """Let a root disk that came from another host stand on the image as it is here."""
    options = ["-u", "-f", "qcow2", "-F", base.format, "-b", str(base.path)]
    qemu_img("rebase", "-q", *options, "--", str(files.directory / "root.qcow2"), owner=owner)


def copy_root(files: GuestFiles, path: Path, owner: Owner) -> None:
    """Write the root disk of a guest that is off, with all it stands on, into one file."""
    with drafted(path, owner) as draft:
        names = (str(files.directory / "root.qcow2"), str(draft))
        limits = ["prlimit", f"--as={2 * GIB}", "--"]
        command = ["qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", "--", *names]
        _run([*limits, *command], owner, timeout_s=_COPY_TIMEOUT_S)


def ephemeral_disk(files: GuestFiles, spec: GuestSpec, number: int, owner: Owner) -> Path:
    """Make an empty disk with a file system, or find it made."""
    wanted = spec.ephemeral_disks[number]

    def fill(draft: Path) -> None:
        os.truncate(draft, wanted.size_gib * GIB)
        program = f"mkfs.{wanted.format}"
        _run([program, "-q", "-F", "-L", f"ephemeral{number}", str(draft)], owner)

    return _ensure(files.ephemeral_disk(number), owner, fill)


def swap_disk(files: GuestFiles, spec: GuestSpec, owner: Owner) -> Path:
    """Make a disk to swap to, or find it made."""

    def fill(draft: Path) -> None:
        os.truncate(draft, spec.swap_mib * MIB)
        _run(["mkswap", str(draft)], owner)

    return _ensure(files.directory / "swap.raw", owner, fill)


def config_drive(files: GuestFiles, contents: Mapping[str, bytes], owner: Owner) -> Path:
    """Make the drive that tells the guest what it is, or find it made."""

    def fill(draft: Path) -> None:
        with tempfile.TemporaryDirectory(dir=files.directory, prefix="config-") as directory:
            for name, content in contents.items():
                path = Path(directory) / _inside(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            program = next((name for name in _ISO_PROGRAMS if shutil.which(name)), None)
            if program is None:
                raise HostError(f"A config drive needs {' or '.join(_ISO_PROGRAMS)}: install one.")
            options = ["-quiet", "-o", str(draft), "-ldots", "-allow-lowercase", "-J", "-r"]
            _run([program, *options, "-V", "config-2", directory], None)

    return _ensure(files.config_drive, owner, fill)


@functools.cache
def qemu_version() -> int:
    """Return QEMU's version as one number, 7002022 for 7.2.22."""
    told = _run(["qemu-system-x86_64", "--version"], None)
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", told)
    major, minor, micro = (int(part) for part in found.groups()) if found else (0, 0, 0)
    return major * 1_000_000 + minor * 1_000 + micro


def qemu_img(*arguments: str, owner: Owner) -> str:
    """Run qemu-img as the guests' user and within limits; return what it says."""
    return _run([*_LIMITS, "qemu-img", *arguments], owner)


@contextmanager
def drafted(path: Path, owner: Owner | None) -> Iterator[Path]:
    """Give the block an empty file to fill, which then gets its name at once."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if owner is not None:
            os.fchown(descriptor, *owner)
        yield draft
        os.fsync(descriptor)
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _ensure(path: Path, owner: Owner, fill: Callable[[Path], None]) -> Path:
    if not path.exists():
        with drafted(path, owner) as draft:
            fill(draft)
    return path


def pieces_of_file(image: ImageSource) -> Iterator[bytes]:
    """Yield an image's bytes from the file that its source names."""
    with Path(image.path).open("rb") as source:
        while piece := source.read(_PIECE):
            yield piece


def _copy_checked(image: ImageSource, pieces: Iterable[bytes], draft: Path) -> None:
    """Copy an image; it must be what the image service says of it."""
    digest = hashlib.sha256()
    size = 0
    with draft.open("wb") as target:
        for piece in pieces:
            if size == 0:
                _inspect(image, piece[:_HEAD])
            size += len(piece)
            if image.sha256:
                digest.update(piece)
            target.write(piece)
    if size != image.size:
        raise HostError(f"Image {image.image_id} has {size} bytes instead of {image.size}.")
    if image.sha256 and digest.hexdigest() != image.sha256:
        raise HostError(f"Image {image.image_id} is damaged: its SHA-256 is not {image.sha256}.")


def _inspect(image: ImageSource, head: bytes) -> None:
    """Refuse what is not of the declared format, or would make QEMU open other files."""
    from oslo_utils.imageutils import format_inspector  # large, and only needed for a new image

    wrapper = format_inspector.InspectWrapper(io.BytesIO(head))
    while wrapper.read(_PIECE):
        pass
    wrapper.close()
    found = wrapper.formats or []
    names = ",".join(sorted(str(one) for one in found))
    if names not in _MAY_BE[image.disk_format]:
        message = f"Image {image.image_id} is {names or 'unknown'}, not {image.disk_format}."
        raise HostError(message)
    if image.disk_format == "qcow2":
        try:
            found[0].safety_check()
        except (format_inspector.SafetyCheckFailed, format_inspector.ImageFormatError) as error:
            raise HostError(f"Image {image.image_id} is not safe to open: {error}") from error


class _Info(msgspec.Struct):
    """What qemu-img tells of an image; the names are its own."""

    format: str
    virtual_size: int = msgspec.field(name="virtual-size")
    backing_filename: str | None = msgspec.field(name="backing-filename", default=None)
    encrypted: bool = False


def _check_with_qemu(image: ImageSource, path: Path, owner: Owner) -> None:
    told = qemu_img("info", "-f", image.disk_format, "--output=json", "--", str(path), owner=owner)
    info = msgspec.json.decode(told, type=_Info)
    if info.backing_filename is not None or info.encrypted:
        raise HostError(f"Image {image.image_id} has a backing file or is encrypted.")
    # The size of a raw file that is no whole number of sectors is rounded up.
    if not 0 <= info.virtual_size - image.virtual_size < 512:
        message = f"Image {image.image_id} is a disk of {info.virtual_size} bytes"
        raise HostError(f"{message} instead of {image.virtual_size}.")


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise HostError(f"{name!r} is no path on a config drive.")
    return path


def _run(command: list[str], owner: Owner | None, timeout_s: float = _TIMEOUT_S) -> str:
    if os.geteuid() != 0:
        owner = None  # only root can become another user
    uid, gid = owner if owner is not None else (None, None)
    program = next(word for word in command if word != "prlimit" and not word.startswith("--"))
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "/usr/bin") + ":/usr/sbin:/sbin", "LC_ALL": "C"},
            user=uid,
            group=gid,
            extra_groups=None if owner is None else [],
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(f"{program} took more than {timeout_s:g} s.") from error
    except FileNotFoundError as error:
        raise HostError(f"{program} is missing on this host: install it.") from error
    if done.returncode != 0:
        raise HostError(f"{program} failed: {done.stderr.strip()[-1000:]}")
    return done.stdout
