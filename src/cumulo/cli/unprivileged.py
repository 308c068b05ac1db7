"""Running a part of the program as a user without rights.

That user often may not even read the program: it lies in somebody's home.  The part then gets a
view of the file system in which that home is empty but for the program.
"""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from cumulo.kit.errors import Unavailable

_START = """
set -e
user=$1 stash=$2; shift 2
mkdir -p "$stash"
mount -t tmpfs -o mode=755 tmpfs "$stash"
count=0
for path in $SHOWN; do
    mkdir "$stash/$count"
    mount --rbind "$path" "$stash/$count"
    count=$((count + 1))
done
for path in $CLOSED; do mount -t tmpfs -o mode=755 tmpfs "$path"; done
count=0
for path in $SHOWN; do
    mkdir -p "$path"
    mount --rbind "$stash/$count" "$path"
    count=$((count + 1))
done
umount -l "$stash"
rmdir "$stash"
unset SHOWN CLOSED
exec setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups --no-new-privs \\
    --inh-caps=-all --bounding-set=-all -- "$@"
"""


def ensure_user(name: str) -> tuple[int, int]:
    """Return the ids of a system user, made if there is none of that name."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        options = ["--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent"]
        made = subprocess.run(
            ["useradd", *options, "--shell=/usr/sbin/nologin", "--", name],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise Unavailable(f"The user {name} cannot be made: {made.stderr.strip()}") from None
        user = pwd.getpwnam(name)
    return user.pw_uid, user.pw_gid


def command_as(
    user: str, argv: Sequence[str], stash: Path, needed: Iterable[Path] | None = None
) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment that run `argv` as another user.

    `needed` is what it must be able to read: by default this Python and all it may import.
    """
    closed, shown = view(program_paths() if needed is None else needed)
    own = ["unshare", "--mount", "--propagation", "private", "--"]
    command = [*own, "sh", "-c", _START, "sh", user, str(stash), *argv]
    return command, {"CLOSED": " ".join(map(str, closed)), "SHOWN": " ".join(map(str, shown))}


def import_path() -> str:
    """Return where Python finds what we import, for a process that starts elsewhere."""
    return os.pathsep.join(os.path.abspath(entry) for entry in sys.path)


def program_paths() -> set[Path]:
    """Return where this Python and all it may import lies."""
    named = {Path(sys.prefix), Path(sys.base_prefix), *(Path(entry) for entry in sys.path if entry)}
    return {path.resolve() for path in named if path.exists()} | {Path(sys.prefix).absolute()}


def view(needed: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the directories that others may not enter, and what is needed of what is in them."""
    closed: set[Path] = set()
    shown: set[Path] = set()
    for path in needed:
        barred = [each for each in reversed(path.parents) if not os.stat(each).st_mode & 0o001]
        if barred:
            closed.add(barred[0])
            shown.add(path)
    for path in (*closed, *shown):
        if any(character.isspace() for character in str(path)):
            raise Unavailable(f"{path} has a space in its name: install Cumulo somewhere else.")
    outermost = [path for path in shown if not any(other in path.parents for other in shown)]
    return sorted(closed), sorted(outermost)
