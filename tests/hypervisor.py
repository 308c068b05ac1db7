"""A real hypervisor for tests: a libvirtd of the test's own, and an image to start guests from."""

import functools
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cumulo.guest.build import build_guest
from cumulo.kit.errors import Unavailable
from cumulo.node.api import ImageSource
from cumulo.node.libvirtd import Libvirtd
from cumulo.node.supervise import Supervisor

if TYPE_CHECKING:
    from cumulo.node.drivers.libvirt import LibvirtHypervisor

_NEEDED = ("libvirtd", "qemu-system-x86_64", "qemu-img", "genisoimage", "unshare", "prlimit")
GUEST_IMAGE = "CUMULO_GUEST_IMAGE"  # a guest that `cumulo image build` made before


def missing() -> str:
    """Return why the machine cannot run real guests; empty: it can."""
    if os.geteuid() != 0:
        return "needs root"
    lacking = [program for program in _NEEDED if shutil.which(program) is None]
    if importlib.util.find_spec("libvirt") is None:
        lacking.append("libvirt-python")
    return f"needs {', '.join(lacking)}" if lacking else ""


class Host:
    """A directory with a libvirtd in it, from which hypervisors are made."""

    def __init__(self, directory: Path, ovs_directory: Path | None) -> None:
        self.directory = directory
        self.supervisor = Supervisor(directory / "run", directory / "log")
        self.libvirtd = Libvirtd(
            directory / "libvirt", self.supervisor, ovs_directory=ovs_directory
        )

    def hypervisor(
        self, unplug: Callable[[str], None] = lambda device: None
    ) -> "LibvirtHypervisor":
        """Return a hypervisor, as a process that starts anew makes one."""
        from cumulo.node.drivers.libvirt import HypervisorSettings, LibvirtHypervisor

        settings = HypervisorSettings(name="host-1", directory=self.directory)
        return LibvirtHypervisor(settings, self.libvirtd, unplug)

    def close(self) -> None:
        self.libvirtd.end_guests()
        self.libvirtd.stop()
        self.supervisor.stop_all()
        self.supervisor.let_go()


@contextmanager
def running_host(ovs_directory: Path | None = None) -> Iterator[Host]:
    """Run a libvirtd; afterwards nothing of it is left."""
    reason = missing()
    if reason:
        pytest.skip(f"real guests: {reason}")
    directory = Path(tempfile.mkdtemp(prefix="cumulo-", dir="/tmp"))  # short: sockets are in it
    directory.chmod(0o711)
    host = Host(directory, ovs_directory)
    try:
        host.libvirtd.start()
        yield host
    finally:
        host.close()
        shutil.rmtree(directory)


def guest_image() -> ImageSource:
    """Return the image of a small guest, built where none was named; skip where that fails."""
    named = os.environ.get(GUEST_IMAGE)
    return image_source(Path(named) if named else _built())


@functools.cache
def _built() -> Path:
    cache = Path.home() / ".cache/cumulo-tests/guest"
    cache.mkdir(parents=True, exist_ok=True)
    try:
        return build_guest(cache / "built", cache, print)
    except Unavailable as error:
        pytest.skip(f"real guests: no image could be built: {error.message}")


def image_source(path: Path) -> ImageSource:
    """Describe an image as the image service would, once it had looked into it."""
    from oslo_utils.imageutils import format_inspector

    inspector = format_inspector.detect_file_format(str(path))
    return ImageSource(
        image_id="22222222-2222-4222-8222-222222222222",
        path=str(path),
        disk_format="qcow2" if str(inspector) == "qcow2" else "raw",
        size=path.stat().st_size,
        virtual_size=int(inspector.virtual_size),
    )
