"""What image bytes really are: decided while they pass, before anything can use them.

Never ask QEMU: it believes what an image says of itself, and an image can say "my contents are
in /etc/shadow".  oslo.utils' inspectors, written for this, look at the bytes only.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cumulo.services.image.errors import InvalidImageData

if TYPE_CHECKING:
    from oslo_utils.imageutils import format_inspector

    from cumulo.services.image.store.images import Image

# Containers whose content is the disk itself; others hold archives that no inspector opens.
DISKS = frozenset({"bare", "ami", "ari", "aki"})
# What each declared format may turn out to be, where that is not its own name.
_MAY_BE = {
    "raw": {"raw", "gpt"},  # a disk with a partition table is raw, too
    "ami": {"raw", "gpt"},
    "ari": {"raw", "gpt"},
    "aki": {"raw", "gpt"},
    "ploop": {"raw"},
}
# The inspectors see this much at once, so that no way of cutting the bytes hides a header.
_HEAD = 1 << 20
_SECTOR = 512
_VMDK_TEXT = b"# disk descriptorfile"


def inspection_of(image: "Image", virtual_size_cap: int) -> "Inspection | None":
    """Return what is to look at an image's bytes, if its format is one that can be looked into."""
    if image.container_format not in DISKS or image.disk_format is None:
        return None
    return Inspection(image.disk_format, virtual_size_cap=virtual_size_cap)


class Inspection:
    """Looks at bytes as they pass; raises `InvalidImageData` as soon as they are wrong."""

    def __init__(self, disk_format: str, *, virtual_size_cap: int) -> None:
        # Large, and needed by the first upload only.
        from oslo_utils.imageutils import format_inspector

        self._declared, self._cap = disk_format, virtual_size_cap
        kinds = format_inspector.ALL_FORMATS.items()
        self._inspectors = {name: kind() for name, kind in kinds if name != "raw"}
        self._head: bytearray | None = bytearray()
        self._size = 0
        self._is_decided = False

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._size += len(piece)
        rest = piece
        while rest and not self._is_decided:
            if self._head is not None:
                missing = _HEAD - len(self._head)
                self._head += rest[:missing]
                rest = rest[missing:]
                if len(self._head) < _HEAD:
                    return
                self._take_head()
            else:
                self._eat(rest[:_HEAD])
                rest = rest[_HEAD:]
            self._check_so_far()

    def finish(self) -> int:
        """Take the end of the bytes; return the size of the disk that a guest would see."""
        if self._head is not None:
            self._take_head()
        for inspector in self._inspectors.values():
            inspector.finish()
        return self._check()

    def _take_head(self) -> None:
        # Inspectors wait for a whole sector; what is shorter must not pass for that alone.
        head = bytes(self._head or b"").ljust(_SECTOR, b"\0")
        self._head = None
        if head.lstrip().lower().startswith(_VMDK_TEXT):
            raise InvalidImageData("Image failed safety checks of vmdk: it is a descriptor only")
        self._eat(head)

    def _eat(self, piece: bytes) -> None:
        """Show the bytes to the inspectors that still may match, and drop those that do not."""
        for name, inspector in list(self._inspectors.items()):
            try:
                inspector.eat_chunk(piece)
                if inspector.complete and not inspector.format_match:
                    del self._inspectors[name]
            except Exception:  # noqa: BLE001 - inspectors fail in many ways on what is not theirs
                del self._inspectors[name]

    def _check_so_far(self) -> None:
        if self._declared not in _MAY_BE and self._declared not in self._inspectors:
            raise InvalidImageData(self._unlike("raw"))
        if all(inspector.complete for inspector in self._inspectors.values()):
            self._check()
            self._is_decided = True

    def _check(self) -> int:
        found = {name: i for name, i in self._inspectors.items() if _or_none(_matches, i)}
        if found.keys() == {"iso", "gpt"}:
            # A CD that also boots from a USB stick begins with a partition table.
            del found["gpt"]
        if len(found) > 1:
            raise InvalidImageData(self._unlike(f"multiple formats: {', '.join(sorted(found))}"))
        name, inspector = next(iter(found.items()), ("raw", None))
        if name not in _MAY_BE.get(self._declared, {self._declared}):
            raise InvalidImageData(self._unlike(name))
        if inspector is not None:
            self._check_safety(name, inspector)
        size = self._size
        if inspector is not None and name != "gpt":
            told = _or_none(_virtual_size, inspector)
            if not told:
                raise InvalidImageData(self._unlike(f"{name} with a broken header"))
            size = told
        if size > self._cap:
            raise InvalidImageData(
                f"Image virtual size {size} is larger than the limit of {self._cap} bytes"
            )
        return size

    def _check_safety(self, name: str, inspector: "format_inspector.FileInspector") -> None:
        from oslo_utils.imageutils import format_inspector

        try:
            inspector.safety_check()
        except format_inspector.SafetyCheckFailed as error:
            failures = {check: str(why) for check, why in error.failures.items()}
            # Kernels may begin with what looks like a broken partition table.
            if self._declared in ("aki", "ari"):
                failures.pop("mbr", None)
            if failures:
                told = "; ".join(f"{check}: {why}" for check, why in sorted(failures.items()))
                raise InvalidImageData(f"Image failed safety checks of {name}: {told}") from error
        except format_inspector.ImageFormatError as error:
            raise InvalidImageData(self._unlike(f"{name}: {error}")) from error

    def _unlike(self, found: str) -> str:
        return f"Image disk_format {self._declared} does not match stream data {found}"


def _matches(inspector: "format_inspector.FileInspector") -> bool:
    return bool(inspector.format_match)


def _virtual_size(inspector: "format_inspector.FileInspector") -> int:
    return int(inspector.virtual_size)


def _or_none(
    ask: "Callable[[format_inspector.FileInspector], int]",
    inspector: "format_inspector.FileInspector",
) -> int | None:
    """Ask an inspector; a header that lies about where its fields are makes it fail anyhow."""
    try:
        return ask(inspector)
    except Exception:  # noqa: BLE001 - see above
        return None
