"""A libvirtd of our own, beside whatever libvirtd the machine runs.

libvirt's directories are fixed when it is compiled.  Ours sees its own in their place, in a mount
namespace that nobody else is in, so that neither finds the other's guests, sockets or settings.
"""

import os
import platform
import pwd
import shutil
import signal
import uuid
from pathlib import Path
from typing import Literal, TypeAlias

import structlog

from cumulo.node import machine
from cumulo.node.api import HostError
from cumulo.node.processes import Process
from cumulo.node.supervise import Daemon, Supervisor

VirtType: TypeAlias = Literal["kvm", "qemu"]

DAEMON = "libvirtd"
MOVES = Path("/run/libvirt/moves")  # sockets of guests on the move, as libvirtd and QEMU see it
_USERS = ("libvirt-qemu", "qemu")  # as Debian and Fedora call who runs guests
_SOCKET_LIMIT = 107  # bytes in the path of a Unix socket
_MOUNTS = {
    "etc": Path("/etc/libvirt"),
    "lib": Path("/var/lib/libvirt"),
    "cache": Path("/var/cache/libvirt"),
    "run": Path("/run/libvirt"),
}
# The kinds of guests and of other things we do not use would only be probed for.
_DRIVERS = ("libvirt_driver_qemu.so", "libvirt_driver_secret.so")
_DRIVER_DIRECTORIES = "usr/lib*/libvirt/connection-driver", "usr/lib/*/libvirt/connection-driver"
_START = """
set -e
hostname "$3"
PATH="$PATH:/usr/sbin:/sbin"
mount --bind "$1/etc" /etc/libvirt
mount --bind "$1/lib" /var/lib/libvirt
mount --bind "$1/cache" /var/cache/libvirt
mount --bind "$1/run" /run/libvirt
hide() { if [ -e "$1" ]; then mount --bind "$2" "$1"; fi; }
hide /usr/bin/qemu-system-i386 /dev/null
if [ "$2" = qemu ]; then hide /dev/kvm "$1/etc/no-kvm"; fi
exec libvirtd --config /etc/libvirt/libvirtd.conf --pid-file /run/libvirt/libvirtd.pid
"""
_LIBVIRTD_CONF = """
unix_sock_rw_perms = "0700"
unix_sock_ro_perms = "0700"
auth_unix_rw = "none"
auth_unix_ro = "none"
max_client_requests = 32
log_outputs = "3:stderr"
"""
_QEMU_CONF = """
user = "+{uid}"
group = "+{gid}"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
seccomp_sandbox = 1
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""
log = structlog.get_logger(__name__)


class Libvirtd:
    """libvirtd in a directory of its own; guests outlive it."""

    def __init__(
        self,
        directory: Path,
        supervisor: Supervisor,
        *,
        virt_type: VirtType | None = None,
        ovs_directory: Path | None = None,
        host: str = "",
    ) -> None:
        self.directory = directory
        self._host = host or platform.node()
        self.virt_type: VirtType = virt_type or ("kvm" if machine.kvm_works() else "qemu")
        self.socket = directory / "run" / "libvirt-sock"
        self.moves = directory / "run" / MOVES.name  # as everybody else sees it
        self._supervisor = supervisor
        self._ovs_directory = ovs_directory

    @property
    def uri(self) -> str:
        """Return how libvirt's clients reach it."""
        return f"qemu+unix:///system?socket={self.socket}"

    def start(self) -> None:
        """Start it, or find it running."""
        if len(os.fsencode(self.socket)) > _SOCKET_LIMIT:
            raise HostError(f"{self.directory} is too long a path: its sockets could not be named.")
        guest_user()
        check_reachable(self.directory.parent)
        self._supervisor.ensure(self._daemon())

    def stop(self) -> None:
        """Stop it and leave its guests running."""
        self._supervisor.stop(DAEMON)
        made = self.directory / "mountpoints"
        if made.exists():
            for path in made.read_text().split():
                if Path(path).is_dir() and not os.listdir(path):
                    Path(path).rmdir()
            made.unlink()

    def end_guests(self) -> None:
        """Pull the plug of every guest, whether or not libvirtd is there to do it."""
        for name in self.running_guests():
            self.end_guest(name)

    def end_guest(self, name: str) -> None:
        """Pull the plug of a guest of which libvirtd may not know that it runs.

        It does not when it was killed just after it started the guest's QEMU.
        """
        process = _guest_process(self._pid_file(name))
        if process is not None:
            process.end(signal.SIGTERM, grace_s=5)
            log.info("guest ended", name=name, pid=process.pid)

    def running_guests(self) -> set[str]:
        """Return the names of the guests whose processes run, whether or not libvirtd does."""
        names = {path.stem for path in self._pid_file("any").parent.glob("*.pid")}
        return {name for name in names if _guest_process(self._pid_file(name)) is not None}

    def _pid_file(self, name: str) -> Path:
        return self.directory / "run" / "qemu" / f"{name}.pid"

    def _daemon(self) -> Daemon:
        isolated = ["unshare", "--mount", "--uts", "--propagation", "slave", "--"]
        script = ["sh", "-c", _START, "sh", str(self.directory), self.virt_type, self._host]
        env = {"LIBVIRT_DRIVER_DIR": str(self.directory / "drivers")} if _driver_files() else {}
        if self._ovs_directory is not None:
            env["OVS_RUNDIR"] = str(self._ovs_directory)  # for the ovs-vsctl that libvirt runs
        return Daemon(
            name=DAEMON,
            argv=[*isolated, *script],
            env=env,
            ready=self.socket,
            prepare=self._prepare,
        )

    def _prepare(self) -> None:
        """Write what the daemon reads at its start."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._forget_former_boot()
        for name in (*_MOUNTS, "drivers"):
            (self.directory / name).mkdir(exist_ok=True)
            (self.directory / name).chmod(0o711)  # QEMU passes through, as its own user
        self.directory.chmod(0o711)
        etc = self.directory / "etc"
        # Hosts of one cloud must differ in both, and clones of a machine do in neither.
        identity = uuid.uuid5(uuid.NAMESPACE_DNS, f"{self._host} {self.directory}")
        (etc / "libvirtd.conf").write_text(f'{_LIBVIRTD_CONF}host_uuid = "{identity}"\n')
        uid, gid = guest_user()
        (etc / "qemu.conf").write_text(_QEMU_CONF.format(uid=uid, gid=gid))
        (etc / "no-kvm").touch(mode=0o600)
        self.moves.mkdir(parents=True, exist_ok=True)
        self.moves.chmod(0o700)
        os.chown(self.moves, uid, gid)
        for file in _driver_files():
            link = self.directory / "drivers" / file.name
            link.unlink(missing_ok=True)
            link.symlink_to(file)
        self._make_mountpoints()

    def _forget_former_boot(self) -> None:
        """Drop what names processes of before the machine restarted: others have their ids now."""
        path, boot = self.directory / "boot", machine.boot_id()
        if not path.exists() or path.read_text() != boot:
            shutil.rmtree(self.directory / "run", ignore_errors=True)
            path.write_text(boot)

    def _make_mountpoints(self) -> None:
        missing = [path for path in _MOUNTS.values() if not path.is_dir()]
        if missing:
            with (self.directory / "mountpoints").open("a") as made:
                made.writelines(f"{path}\n" for path in missing)
            for path in missing:
                path.mkdir(parents=True)


def guest_user() -> tuple[int, int]:
    """Return the user and group that guests run as."""
    for name in _USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return user.pw_uid, user.pw_gid
    wanted = " or ".join(_USERS)
    raise HostError(f"There is no user {wanted}: install libvirt's QEMU driver.")


def check_reachable(directory: Path) -> None:
    """Refuse a directory that guests' processes could not get to."""
    uid, _ = guest_user()
    for path in (directory, *directory.parents):
        if path.exists() and not path.stat().st_mode & 0o001:
            raise HostError(
                f"Guests run as user {uid}, who may not pass through {path}: "
                f"allow it (chmod o+x {path}) or choose another state directory."
            )


def _driver_files() -> list[Path]:
    found = [
        directory / name
        for pattern in _DRIVER_DIRECTORIES
        for directory in Path("/").glob(pattern)
        for name in _DRIVERS
    ]
    return [file for file in found if file.exists()]


def _guest_process(pid_file: Path) -> Process | None:
    """Return the QEMU that a file names, if the process of that id is it."""
    try:
        pid = int(pid_file.read_text())
        process = Process(pid)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    is_it = f"guest={pid_file.stem},".encode() in command
    return process if is_it and process.is_alive() else None
