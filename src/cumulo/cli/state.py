"""The state directory: all that Cumulo keeps on a machine.

    control/    the database, images and policies: of the user that serves the APIs
    volumes/    the files that volumes are, which guests' processes open: of the same user
    run/        sockets and notes of running daemons
    log/        their output
    tls/        the certificate by which the cloud's other machines know this one
    guests/ cache/ libvirt/ ovs/ ovn/    what belongs to the host

Everything outside `control/`, `volumes/` and `ovn/` belongs to root where root runs the host, so
that no other user can put something in the way of what root will open.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cumulo.kit.errors import Conflict, Invalid
from cumulo.node import processes
from cumulo.node.processes import Note, Process

if TYPE_CHECKING:
    from cumulo.node.certificates import Authority

_LONGEST = 60  # bytes; sockets below may have paths of 107
_PROGRAM = "cumulo"


class Passwords(msgspec.Struct, frozen=True):
    """The secrets a cloud is born with."""

    admin: str
    demo: str
    metadata: str

    def __repr__(self) -> str:
        return "Passwords(...)"


class State:
    """Where things are."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.control, self.run = self.directory / "control", self.directory / "run"
        self.log, self.cache = self.directory / "log", self.directory / "cache"
        self.volumes = self.directory / "volumes"
        self.tls = self.directory / "tls"
        self.membership = self.directory / "membership.json"  # of a machine that joined a cloud
        self.node_socket = self.run / "node.sock"
        self.started_with = self.control / "settings.json"
        self.serving = self.control / "serving"  # there once the APIs answer
        self.program_log = self.log / "cumulo.log"
        self.clouds_yaml = self.directory / "clouds.yaml"
        if len(os.fsencode(self.directory)) > _LONGEST:
            raise Invalid(f"{self.directory} is too long a path: sockets could not be named in it.")

    def openrc(self, user: str) -> Path:
        """Return the file that a shell reads to become a user of the cloud."""
        return self.directory / f"{user}-openrc"

    def make(self, owner: tuple[int, int] | None = None) -> None:
        """Make the directories; `owner` gets the one of the APIs."""
        self.make_for_host()
        self.control.mkdir(exist_ok=True)
        self.control.chmod(0o700)
        self.volumes.mkdir(exist_ok=True)
        self.volumes.chmod(0o711)  # guests' processes pass through to what is theirs
        if owner is not None:
            os.chown(self.control, *owner)
            os.chown(self.volumes, *owner)

    def make_for_host(self) -> None:
        """Make the directories of a machine that has no APIs."""
        for path in (self.directory, self.run, self.log, self.cache):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o711)  # guests' processes pass through to their disks

    def passwords(self, owner: tuple[int, int] | None = None) -> Passwords:
        """Return the first users' passwords, made up at the first start."""
        path = self.control / "passwords.json"
        if not path.exists():
            from secrets import token_urlsafe

            made = Passwords(token_urlsafe(12), token_urlsafe(12), token_urlsafe(24))
            write_private(path, msgspec.json.encode(made), owner)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Passwords)
        except msgspec.MsgspecError as error:
            raise Invalid(
                f"{path} with the first users' passwords is damaged ({error}): put it back from a "
                "copy, or remove the whole state directory to begin anew."
            ) from error

    def authority(self, owner: tuple[int, int] | None = None) -> "Authority":
        """Return who vouches for the machines of this cloud, made at the first need."""
        from cumulo.node.certificates import Authority, new_authority

        path = self.control / "authority.json"
        if not path.exists():
            write_private(path, msgspec.json.encode(new_authority()), owner)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Authority)
        except msgspec.MsgspecError as error:
            raise Invalid(
                f"{path} with the key of the cloud's authority is damaged ({error}): put it back "
                "from a copy, or remove it and let every machine join anew."
            ) from error

    def program(self) -> Process | None:
        """Return the running `cumulo up` of this directory."""
        note = processes.notes(self.directory).get(_PROGRAM)
        return note.process() if note else None

    def is_emulated(self) -> bool:
        """Say whether the cloud was last started with `--emulate`."""
        return (self.directory / "emulated").exists()

    @contextlib.contextmanager
    def held(self, *, emulated: bool) -> Iterator[None]:
        """Be the one program that works with this directory."""
        with (self.directory / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Conflict(
                    f"A cloud runs in {self.directory} already: see `cumulo status`."
                ) from error
            note = Note.of(os.getpid(), stop_signal=15, grace_s=90.0)
            processes.write_note(self.directory, _PROGRAM, note)
            mark = self.directory / "emulated"
            mark.touch() if emulated else mark.unlink(missing_ok=True)
            try:
                yield
            finally:
                processes.remove_note(self.directory, _PROGRAM)


def default_directory() -> Path:
    """Return where root, or where any other user, keeps a cloud."""
    if os.geteuid() == 0:
        return Path("/var/lib/cumulo")
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(data) / "cumulo"


def write_private(path: Path, content: bytes, owner: tuple[int, int] | None = None) -> None:
    """Write a file that only its owner reads, in one piece."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if owner is not None:
            os.fchown(descriptor, *owner)
        file.write(content)
    draft.replace(path)
