"""A device in a directory: files for objects, SQLite for listings.

    incoming/                                   what is being written
    objects/PART/KEY/                           an object's files, see `object_names.py`
    account/PART/KEY.db, container/...     indexes
    notes/ quarantined/ figures.json figures.lock

A file gets its name only when it is whole, and nobody is told before it is on disk by that name;
the newest name counts.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from cumulo.kit import clock, patience
from cumulo.kit.ids import new_hex_id
from cumulo.services.objectstore.drivers import journals, locks
from cumulo.services.objectstore.drivers.base import (
    DeviceFailed,
    NotWhole,
    State,
    Steps,
    Stored,
    fill,
)
from cumulo.services.objectstore.drivers.connections import Connections
from cumulo.services.objectstore.drivers.incoming import IncomingFile
from cumulo.services.objectstore.drivers.index import SqliteIndex
from cumulo.services.objectstore.drivers.object_files import (
    OpenedFile,
    sync_directory,
    trailer,
    write_file,
    write_pieces,
)
from cumulo.services.objectstore.drivers.object_names import (
    durable,
    held,
    name_of,
    state_of,
    superseded,
)

_FIGURES = "figures.json"
_FIGURES_LOCK = "figures.lock"
_AREAS = ("incoming", "objects", "account", "container", "notes", "quarantined")


class DiskDevice:
    """A directory of our own, made once by `prepare`; one that vanished is not made again."""

    def __init__(
        self, name: str, root: Path, connections: Connections, area: str = "objects"
    ) -> None:
        """Keep objects in `area`, of which a directory has one for each storage policy."""
        self.name, self.root, self._connections = name, str(root), connections
        self._objects = f"{root}/{area}"

    def prepare(self) -> None:
        """Make an empty device, or find it made."""
        for kind in _AREAS:
            Path(self.root, kind).mkdir(parents=True, exist_ok=True)

    def adopt(self) -> None:
        """Take a directory with nobody else's in it as a new device in the place of a lost one."""
        if self.is_there() or not os.path.isdir(self.root):
            return
        # Writes that were under way when the old one went may have left something of ours there.
        names = {name.partition("-")[0] for name in os.listdir(self.root)}
        if names <= {*_AREAS, _FIGURES, _FIGURES_LOCK, "lost+found"}:
            self.prepare()

    def is_there(self) -> bool:
        """Say whether the device can be used."""
        return os.path.isdir(f"{self.root}/incoming")

    def begin(self) -> IncomingFile:
        """Open a place for a replica's bytes."""
        return IncomingFile(self)

    @property
    def disk(self) -> str:
        """Return its disk's number, or a name of its own where names need syncs of directories."""
        with contextlib.suppress(OSError):
            disk = os.stat(self.root).st_dev
            if journals.is_ordered(disk):
                return str(disk)
        return self.name

    def put(self, part: int, key: str, pieces: Sequence[bytes], stored: Stored) -> Steps:
        """Make an object of bytes that are all there, in a file that has no name before its own.

        ext4 puts a file near its directory.  One directory for all that comes in would have every
        file looked for a place in the same corner of the disk, and small ones far from theirs.
        """
        try:
            made = self.make(part, key)
            flags = os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC
            file = os.open(self.place(part, key), flags, 0o600)
        except OSError:  # there are no such files here, or the directory was removed this moment
            fill(self.begin(), part, key, pieces, stored)
            return
        try:
            write_pieces(file, [*pieces, trailer(stored)])
            where = (part, key, name_of(stored))
            yield from self.settle(file, partial(self._link, file), where, made)
        except OSError as error:
            raise DeviceFailed(f"{self.name}: {error.strerror}") from error
        finally:
            os.close(file)

    def _link(self, file: int, path: str) -> None:
        """Give a file without a name one, of which there may be an older file."""
        source = f"/proc/self/fd/{file}"
        try:
            os.link(source, path, src_dir_fd=file)  # without a descriptor it would not be followed
        except FileExistsError:
            temporary = f"{self.root}/incoming/{new_hex_id()}"
            os.link(source, temporary, src_dir_fd=file)
            os.rename(temporary, path)

    def state(self, part: int, key: str) -> State:
        """Return what is known of an object; a device that is away knows nothing for sure."""
        names = self._names(part, key)
        if not names:
            patience.check()
            if not self.is_there():
                raise DeviceFailed(f"{self.name} is not there")
        return state_of(names)

    def open(self, part: int, key: str, seen: State | None = None) -> "OpenedFile":
        """Open an object; what is not whole is put aside."""
        state = seen or self.state(part, key)
        if not state.is_there:
            raise DeviceFailed(f"{self.name} has no object {key}")
        try:
            return self._opened(part, key, f"{state.data}.data", state)
        except NotWhole:
            self.quarantine(part, key)
            raise
        except DeviceFailed:
            if seen is None:
                raise
        return self.open(part, key)  # what was seen was superseded this moment

    def open_fragment(self, part: int, key: str, stamp: str, index: int) -> "OpenedFile":
        """Open a fragment; what is not whole is put aside."""
        names = self._names(part, key)
        found = [name for name in names if _is_fragment(name, stamp, index)]
        if not found:
            raise DeviceFailed(f"{self.name} has no fragment {index} of object {key}")
        try:
            opened = self._opened(part, key, found[0], state_of(names))
            fragment = opened.stored.fragment
            if fragment is None or (opened.stored.stamp, fragment.index) != (stamp, index):
                raise NotWhole("it is another fragment than its name says")
        except NotWhole:
            self.quarantine_fragment(part, key, stamp, index)
            raise
        return opened

    def commit(self, part: int, key: str, stamp: str) -> None:
        """Make fragments durable by giving them their last name."""
        place, names = self.place(part, key), self._names(part, key)
        state = state_of(names)
        waiting = [
            name for name in names if name.startswith(f"{stamp}#") and name.endswith(".part")
        ]
        if not waiting and max(state.data, state.gone) < stamp:
            raise DeviceFailed(f"{self.name} has no fragment of {key} to be made durable")
        try:
            for name in waiting:
                os.rename(f"{place}/{name}", f"{place}/{durable(name)}")
            if waiting:
                sync_directory(place)
        except FileNotFoundError:
            self.commit(part, key, stamp)  # what is newer came this moment
        except OSError as error:
            raise DeviceFailed(f"{self.name}: {error.strerror}") from error
        self._drop_files(part, key, superseded(self._names(part, key)))

    def release(self, part: int, key: str, seen: State, idle_s: float) -> None:
        """Forget what was seen, and the directory if nothing else is in it."""
        since = clock.timestamp() - idle_s
        named = {f"{seen.meta}.meta", f"{seen.gone}.gone", f"{seen.data}.data"}
        for name in self._names(part, key):
            path = f"{self.place(part, key)}/{name}"
            with contextlib.suppress(FileNotFoundError):
                is_seen = held(name) in seen.fragments or name in named
                if is_seen and not (idle_s and os.stat(path).st_mtime > since):
                    os.unlink(path)
        with contextlib.suppress(OSError):
            os.rmdir(self.place(part, key))
            os.rmdir(f"{self._objects}/{part}")

    def quarantine_fragment(self, part: int, key: str, stamp: str, index: int) -> None:
        """Put a fragment aside, and the headers beside it, which may be why it is not whole."""
        target = f"{self.root}/quarantined/{key}-{new_hex_id()}"
        with contextlib.suppress(OSError):
            for name in self._names(part, key):
                if _is_fragment(name, stamp, index) or name.endswith(".meta"):
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(target)
                    os.rename(f"{self.place(part, key)}/{name}", f"{target}/{name}")

    def post(self, part: int, key: str, stamp: str, headers: dict[str, str]) -> None:
        """Replace an object's headers."""
        self._write_small(part, key, f"{stamp}.meta", msgspec.msgpack.encode(headers))

    def bury(self, part: int, key: str, stamp: str) -> None:
        """Mark an object as deleted."""
        self._write_small(part, key, f"{stamp}.gone", b"")

    def quarantine(self, part: int, key: str) -> None:
        """Put an object's directory aside."""
        target = f"{self.root}/quarantined/{key}-{new_hex_id()}"
        with contextlib.suppress(OSError):
            os.rename(self.place(part, key), target)

    def parts(self) -> list[int]:
        """Return the partitions of which anything is kept."""
        return [int(name) for name in _listed(self._objects)]

    def inventory(self, part: int) -> dict[str, State]:
        """Return all that is kept of a partition."""
        keys = _listed(f"{self._objects}/{part}")
        return {key: state_of(self._names(part, key)) for key in keys}

    def verify(self, part: int, key: str) -> Stored | None:
        """Read all of an object."""
        state = self.state(part, key)
        if state.fragments:
            return self._verify_fragments(part, key, state)
        if not state.is_there:
            return None
        try:
            with contextlib.closing(self.open(part, key)) as opened:
                return opened.read()
        except NotWhole:
            self.quarantine(part, key)
            raise

    def reclaim(self, part: int, before: str) -> None:
        """Drop what no longer counts, and old marks."""
        for key in _listed(f"{self._objects}/{part}"):
            names = self._names(part, key)
            self._drop_files(part, key, superseded(names))
            state = state_of(names)
            if state.gone and not state.is_there and state.gone < before:
                self.release(part, key, State(gone=state.gone), 0.0)

    def drop_unfinished(self, before_s: float) -> None:
        """Drop what dead writes left behind."""
        for name in _listed(f"{self.root}/incoming"):
            path = f"{self.root}/incoming/{name}"
            with contextlib.suppress(OSError):
                if os.stat(path).st_mtime < before_s:
                    os.unlink(path)

    def index(self, kind: str, part: int, key: str) -> SqliteIndex:
        """Return an index."""
        return SqliteIndex(self._connections, self._index_path(kind, part, key), self.root)

    def indexes(self, kind: str) -> list[tuple[int, str]]:
        """Return every index of a kind."""
        found: list[tuple[int, str]] = []
        for part in _listed(f"{self.root}/{kind}"):
            for name in _listed(f"{self.root}/{kind}/{part}"):
                key, dot, end = name.partition(".")
                if dot and end == "db":
                    found.append((int(part), key))
        return found

    def drop_index(self, kind: str, part: int, key: str) -> None:
        """Remove an index."""
        self._connections.remove(self._index_path(kind, part, key))

    def note(self, name: str, content: bytes) -> None:
        """Keep a note."""
        self._put_file(content, f"{self.root}/notes", name)

    def notes(self) -> list[tuple[str, bytes]]:
        """Return every note."""
        found: list[tuple[str, bytes]] = []
        for name in sorted(_listed(f"{self.root}/notes")):
            with contextlib.suppress(FileNotFoundError):
                found.append((name, Path(self.root, "notes", name).read_bytes()))
        return found

    def drop_note(self, name: str) -> None:
        """Remove a note."""
        Path(self.root, "notes", name).unlink(missing_ok=True)

    def usage(self) -> tuple[int, int]:
        """Return bytes in all and bytes free."""
        try:
            found = os.statvfs(self.root)
        except OSError:
            return 0, 0
        return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize

    def quarantined(self) -> int:
        """Count what was put aside."""
        return len(_listed(f"{self.root}/quarantined"))

    def remember(self, figures: dict[str, Any]) -> None:
        """Keep figures."""
        try:
            with locks.held(f"{self.root}/{_FIGURES_LOCK}"):
                content = msgspec.json.encode(self.figures() | figures)
                self._put_file(content, self.root, _FIGURES)
        except OSError as error:
            raise DeviceFailed(f"{self.name}: {error.strerror}") from error

    def figures(self) -> dict[str, Any]:
        """Return the figures that were kept, as far as they can be read."""
        try:
            return msgspec.json.decode(Path(self.root, _FIGURES).read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.DecodeError):
            return {}

    def place(self, part: int, key: str) -> str:
        """Return an object's directory."""
        return f"{self._objects}/{part}/{key}"

    def settle(
        self,
        file: int,
        give: Callable[[str], None],
        where: tuple[int, str, str],
        made: Sequence[str] = (),
    ) -> Steps:
        """Have `give` name an open file that is written, both safely; remove what it supersedes.

        `where` is partition, key and name; `made` are the directories that got the object's, or
        those that lead there, just now.
        """
        part, key, name = where
        changed = [*made, *self.make(part, key)]
        disk = os.fstat(file).st_dev
        if journals.is_ordered(disk):
            yield disk, file
            journals.write_out(file)
            changed += self._name(give, part, key, name)
            try:
                yield disk, file
            except OSError:
                self._drop_files(part, key, [name])  # nobody knows what of it is on disk
                raise
        else:
            # Directories were made first: a journal then takes them along with the file, in one go.
            os.fsync(file)
            changed += self._name(give, part, key, name)
            # The name is on disk with its directory, and that with what the directory lies in.
            for directory in (self.place(part, key), *changed):
                sync_directory(directory)
        if not changed:  # in a directory that was not there before nothing is older
            self._drop_files(part, key, superseded(self._names(part, key)))

    def _name(self, give: Callable[[str], None], part: int, key: str, name: str) -> list[str]:
        """Have a file named; return which directories must reach the disk for it."""
        made = list[str]()
        for _ in range(3):
            try:
                give(f"{self.place(part, key)}/{name}")
            except FileNotFoundError:  # its directory was removed as empty this moment
                made += self.make(part, key)
            else:
                return made
        raise DeviceFailed(f"{self.name} cannot be written")

    def _drop_files(self, part: int, key: str, names: list[str]) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self.place(part, key)}/{name}")

    def make(self, part: int, key: str) -> list[str]:
        """Make an object's directory; return which directories must reach the disk for it."""
        area, place = f"{self._objects}/{part}", self.place(part, key)
        try:
            os.mkdir(place)
        except FileExistsError:
            return []
        except FileNotFoundError:
            changed = [one for one in (self.root, self._objects) if self._made_inside(one, area)]
            return [*changed, *self.make(part, key)]
        return [area]

    def _made_inside(self, parent: str, path: str) -> bool:
        """Make the directory below a parent that leads to a path; say whether it was not there."""
        name, _, _ = path.removeprefix(f"{parent}/").partition("/")
        try:
            os.mkdir(f"{parent}/{name}")
        except FileExistsError:
            return False
        return True

    def _opened(self, part: int, key: str, name: str, state: State) -> OpenedFile:
        try:
            return OpenedFile(self.place(part, key), name, state.meta)
        except OSError as error:
            raise DeviceFailed(f"{self.name}: {error.strerror}") from error

    def _verify_fragments(self, part: int, key: str, state: State) -> Stored | None:
        """Read all fragments; return what is known of the object if any of it is durable."""
        found, problems = None, list[NotWhole]()
        for one in state.fragments:
            try:
                with contextlib.closing(self.open_fragment(part, key, one.stamp, one.index)) as it:
                    stored = it.read()
                    found = stored if one.is_durable and one.stamp > state.gone else found
            except NotWhole as problem:
                self.quarantine_fragment(part, key, one.stamp, one.index)
                problems.append(problem)
            except DeviceFailed:
                continue  # superseded this moment
        if problems:
            raise problems[0]
        return found

    def _names(self, part: int, key: str) -> list[str]:
        if patience.is_hurried():
            return _listed_now(self.place(part, key))
        return _listed(self.place(part, key))

    def _write_small(self, part: int, key: str, name: str, content: bytes) -> None:
        try:
            temporary = f"{self.root}/incoming/{new_hex_id()}"
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                give = partial(os.rename, temporary)
                journals.alone(self.settle(file.fileno(), give, (part, key, name)))
        except OSError as error:
            raise DeviceFailed(f"{self.name}: {error.strerror}") from error

    def _put_file(self, content: bytes, directory: str, name: str) -> None:
        try:
            temporary = f"{self.root}/incoming/{new_hex_id()}"
            write_file(temporary, content)
            os.rename(temporary, f"{directory}/{name}")
            sync_directory(directory)
        except OSError as error:
            raise DeviceFailed(f"{self.name}: {error.strerror}") from error

    def _index_path(self, kind: str, part: int, key: str) -> str:
        return f"{self.root}/{kind}/{part}/{key}.db"


def _is_fragment(name: str, stamp: str, index: int) -> bool:
    one = held(name)
    return one is not None and (one.stamp, one.index) == (stamp, index)


def _listed_now(directory: str) -> list[str]:
    try:
        file = patience.open_to_read(directory, os.O_DIRECTORY)
    except OSError:
        return []
    try:
        return os.listdir(file)
    finally:
        os.close(file)


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
