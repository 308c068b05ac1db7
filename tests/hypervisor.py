"""A real hypervisor for tests: a libvirtd of the test's own, and an image to start guests from."""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cumulo.node.api import ImageSource
from cumulo.node.libvirtd import Libvirtd
from cumulo.node.supervise import Supervisor

_NEEDED = ("libvirtd", "qemu-system-x86_64", "qemu-img", "genisoimage", "unshare", "prlimit")
GUEST_IMAGE = "CUMULO_GUEST_IMAGE"  # a qcow2 of the guest that `cumulo image build` makes


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

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.supervisor = Supervisor(directory / "run", directory / "log")
        self.libvirtd = Libvirtd(
            directory / "libvirt", self.supervisor, ovs_directory=directory / "ovs"
        )

    def hypervisor(self, unplug: Callable[[str], None] = lambda device: None):  # type: ignore[no-untyped-def]
        """Return a hypervisor, as a process that starts anew makes one."""
        from cumulo.node.drivers.libvirt import HypervisorSettings, LibvirtHypervisor

        settings = HypervisorSettings(
            name="host-1",
            directory=self.directory,
            uri=self.libvirtd.uri,
            virt_type=self.libvirtd.virt_type,
        )
        return LibvirtHypervisor(settings, unplug)

    def close(self) -> None:
        self.libvirtd.end_guests()
        self.libvirtd.stop()
        self.supervisor.stop_all()
        self.supervisor.let_go()


@contextmanager
def running_host(directory: Path | None = None) -> Iterator[Host]:
    """Run a libvirtd; afterwards nothing of it is left."""
    reason = missing()
    if reason:
        pytest.skip(f"real guests: {reason}")
    directory = directory or Path(tempfile.mkdtemp(prefix="cumulo-", dir="/tmp"))
    directory.chmod(0o711)
    host = Host(directory)
    try:
        host.libvirtd.start()
        yield host
    finally:
        host.close()
        shutil.rmtree(directory)


def guest_image() -> ImageSource:
    """Return the image of a small guest; skip where there is none."""
    path = os.environ.get(GUEST_IMAGE, "")
    if not path:
        pytest.skip(f"real guests: {GUEST_IMAGE} does not name an image")
    return image_source(Path(path))


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
