"""A copy of a guest's disks, kept while it is tried out at another size.

The copy has its final name only once it is whole; what is put back is moved, so that half-way it
can be gone on with.
"""

import os
import shutil
import subprocess
from pathlib import Path

from cumulo.node.api import HostError
from cumulo.node.guest_files import GuestFiles, is_disk

_RECORD = "guest.json"


def keep(files: GuestFiles) -> None:
    """Copy the disks of a guest that is off, and what is remembered of it, or find it done."""
    target = _place(files)
    if target.exists():
        return
    draft = target.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    for path in files.directory.iterdir():
        if is_disk(path.name) or path.name == _RECORD:
            _copy(path, draft / path.name)
    draft.rename(target)


def are_kept(files: GuestFiles) -> bool:
    """Say whether there are copies."""
    return _place(files).exists()


def restore(files: GuestFiles) -> None:
    """Put the copies back, what is remembered last."""
    source = _place(files)
    for path in sorted(source.iterdir(), key=lambda path: path.name == _RECORD):
        path.replace(files.directory / path.name)
    shutil.rmtree(source)


def drop(files: GuestFiles) -> None:
    """Remove the copies, or find none."""
    source = _place(files)
    if source.exists():
        # Under its name it would look whole while it goes.
        gone = source.with_suffix(".gone")
        shutil.rmtree(gone, ignore_errors=True)
        source.rename(gone)
    for suffix in (".gone", ".new"):
        shutil.rmtree(source.with_suffix(suffix), ignore_errors=True)


def _place(files: GuestFiles) -> Path:
    return files.directory / "kept"


def _copy(path: Path, target: Path) -> None:
    """Copy a file with its holes and its owner."""
    command = ["cp", "--sparse=always", "--reflink=auto", "--preserve=mode,ownership"]
    done = subprocess.run([*command, "--", path, target], capture_output=True, check=False)
    if done.returncode != 0:
        raise HostError(f"{path.name} cannot be copied: {done.stderr.decode().strip()}")
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
