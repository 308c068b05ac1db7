"""What image bytes really are: decided while they pass, before anything can use them.

Never ask QEMU: it believes what an image says of itself, and an image can say "my contents are
in /etc/shadow".  oslo.utils' inspectors, written for this, look at the bytes only.
"""

from oslo_utils.imageutils import format_inspector

from cumulo.services.image.errors import InvalidImageData

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


class Inspection:
    """Looks at bytes as they pass; raises `InvalidImageData` as soon as they are wrong."""

    def __init__(self, disk_format: str, *, virtual_size_cap: int) -> None:
        self._declared, self._cap = disk_format, virtual_size_cap
        expected = disk_format if disk_format not in _MAY_BE else None
        self._piece = b""
        self._wrapper = format_inspector.InspectWrapper(self, expected_format=expected)
        self._decided = False

    def __next__(self) -> bytes:
        return self._piece

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._piece = piece
        try:
            next(self._wrapper)
            formats = None if self._decided else self._wrapper.formats
        except Exception as error:  # the inspectors' own errors are of many kinds
            raise InvalidImageData(self._unlike(str(error))) from error
        if formats is not None:
            self._decided = True
            self._check(formats)

    def finish(self) -> int:
        """Take the end of the bytes; return the size of the disk that a guest would see."""
        self._wrapper.close()
        return self._check(self._wrapper.formats or [])

    def close(self) -> None:
        """Do nothing: what the wrapper closes is this."""

    def _check(self, formats: "list[format_inspector.FileInspector]") -> int:
        found = {str(one): one for one in formats}
        if found.keys() == {"iso", "gpt"}:
            # A CD that also boots from a USB stick begins with a partition table.
            del found["gpt"]
        if len(found) != 1:
            raise InvalidImageData(self._unlike(f"multiple formats: {', '.join(sorted(found))}"))
        ((name, inspector),) = found.items()
        if name not in _MAY_BE.get(self._declared, {self._declared}):
            raise InvalidImageData(self._unlike(name))
        self._check_safety(name, inspector)
        size = int(inspector.actual_size if name in ("raw", "gpt") else self._virtual(inspector))
        if size > self._cap:
            raise InvalidImageData(
                f"Image virtual size {size} is larger than the limit of {self._cap} bytes."
            )
        return size

    def _check_safety(self, name: str, inspector: "format_inspector.FileInspector") -> None:
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
            raise InvalidImageData(self._unlike(str(error))) from error

    def _virtual(self, inspector: "format_inspector.FileInspector") -> int:
        try:
            return int(inspector.virtual_size)
        except Exception as error:  # a header that lies about where its own fields are
            raise InvalidImageData(self._unlike(str(error))) from error

    def _unlike(self, found: str) -> str:
        return f"Image disk_format {self._declared} does not match stream data {found}"
