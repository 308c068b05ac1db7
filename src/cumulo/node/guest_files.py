"""The directory of one guest: its disks, its console log and what we must remember of it.

The directory belongs to root and only what QEMU writes to belongs to QEMU's user, so that a guest
which broke out of its QEMU still cannot put a link where we will write.
"""

import os
import re
import shutil
import uuid
from pathlib import Path

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.node.api import GuestSpec
from cumulo.node.shapes import without_secrets


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a guest that libvirt does not remember for us."""

    # Without the config drive, which is on its disk, and without what opens volumes.
    spec: GuestSpec
    is_made: bool = False  # it was started once; until then it is half-made
    boot_token: str = ""  # of the last reboot carried out
    rebooting: str = ""  # the token of a reboot under way ...
    rebooting_run: int = -1  # ... and which run of the guest it is to end
    offered_to: str = ""  # the host that may have it
    expected_from: str = ""  # the host that it comes from, while it does
    is_leaving: bool = False  # it is being sent: should it not be here, it is there


class GuestFiles:
    """Where things of one guest are."""

    def __init__(self, root: Path, guest_id: str) -> None:
        if not _is_id(guest_id):
            raise Invalid(f"{guest_id!r} is not the id of a guest: give a UUID.")
        self.directory = root / guest_id
        self.config_drive = self.directory / "config.iso"
        self.console_log = self.directory / "console.log"
        self.console_socket = self.directory / "console.sock"
        self.vnc_socket = self.directory / "run" / "vnc.sock"
        self.snapshots = self.directory / "snapshots"
        self.rescue_disk = self.directory / "rescue.qcow2"
        self._record = self.directory / "guest.json"

    def snapshot(self, snapshot_id: str) -> Path:
        """Return where a copy of the root disk is."""
        if not _is_id(snapshot_id):
            raise Invalid(f"{snapshot_id!r} is not the id of a snapshot: give a UUID.")
        return self.snapshots / f"{snapshot_id}.qcow2"

    def ephemeral_disk(self, number: int) -> Path:
        """Return where an ephemeral disk is."""
        return self.directory / f"ephemeral{number}.raw"

    def make(self, owner: tuple[int, int]) -> None:
        """Make the directory, or find it made."""
        for path, mode in ((self.directory, 0o711), (self.vnc_socket.parent, 0o700)):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)
        os.chown(self.vnc_socket.parent, *owner)

    def remove(self) -> None:
        """Remove the directory with all that is in it, or find it gone."""
        if self.directory.exists():
            shutil.rmtree(self.directory)

    def record(self) -> Record | None:
        """Return what is remembered; None for a guest whose making had barely begun."""
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=Record)
        except FileNotFoundError:
            return None

    def remember(self, record: Record) -> None:
        """Replace what is remembered, in one piece and for good; never what opens volumes."""
        record = msgspec.structs.replace(record, spec=without_secrets(record.spec))
        draft = self._record.with_suffix(".new")
        draft.touch(mode=0o600)
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(record))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._record)


def known_guests(root: Path) -> list[str]:
    """Return the ids of all guests that have a directory."""
    if not root.is_dir():
        return []
    return sorted(path.name for path in root.iterdir() if _is_id(path.name))


def is_disk(name: str) -> bool:
    """Say whether a file in a guest's directory is one of its disks."""
    return re.fullmatch(r"root\.qcow2|ephemeral\d{1,3}\.raw|swap\.raw", name) is not None


def _is_id(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False
