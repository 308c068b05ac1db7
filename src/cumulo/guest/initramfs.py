"""The archive that the kernel unpacks as its first file system, written without root.

Entries are sorted, owned by root and dated alike, so that the same files give the same bytes.
"""

import stat
from dataclasses import dataclass, field


@dataclass
class Tree:
    """A file system in memory."""

    _entries: dict[str, tuple[int, bytes, tuple[int, int]]] = field(default_factory=dict)

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Add a directory and those above it."""
        self._parents(path)
        self._entries[path] = (stat.S_IFDIR | mode, b"", (0, 0))

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Add a file."""
        self._parents(path)
        self._entries[path] = (stat.S_IFREG | mode, content, (0, 0))

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link, unless something is there."""
        self._parents(path)
        self._entries.setdefault(path, (stat.S_IFLNK | 0o777, target.encode(), (0, 0)))

    def device(self, path: str, mode: int, major: int, minor: int) -> None:
        """Add a character device."""
        self._parents(path)
        self._entries[path] = (stat.S_IFCHR | mode, b"", (major, minor))

    def archive(self) -> bytes:
        """Return it in cpio's `newc` format."""
        records = [
            _record(number, path, *self._entries[path])
            for number, path in enumerate(sorted(self._entries), start=1)
        ]
        return b"".join(records) + _record(0, "TRAILER!!!", 0, b"", (0, 0))

    def _parents(self, path: str) -> None:
        above = path.rpartition("/")[0]
        if above and above not in self._entries:
            self.folder(above)


def _record(number: int, path: str, mode: int, content: bytes, device: tuple[int, int]) -> bytes:
    name = path.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in fields) + name
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
