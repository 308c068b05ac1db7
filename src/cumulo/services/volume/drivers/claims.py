"""How many bytes of a disk are spoken for, as what is on it says.

A disk that loses its end must not lose what a file system counts on, whether or not anything was
written there yet.
"""

from collections.abc import Callable
from typing import TypeAlias

from cumulo.kit.zeros import is_zero

HEAD = 1 << 20  # bytes from the beginning that tell it
_SECTOR = 512
_Claim: TypeAlias = Callable[[bytes], int | None]


def claimed(head: bytes) -> tuple[str, int | None]:
    """Return what a disk holds, and how many bytes that takes; None: it does not say.

    `head` is how the disk begins, at least `HEAD` bytes of it.
    """
    for name, claim in _KNOWN:
        size = claim(head)
        if size is not None:
            return name, size
    return ("nothing", 0) if is_zero(head) else ("something", None)


def _number(head: bytes, offset: int, size: int) -> int:
    return int.from_bytes(head[offset : offset + size], "little")


def _ext(head: bytes) -> int | None:
    if _number(head, 1080, 2) != 0xEF53:
        return None
    high = _number(head, 1024 + 0x150, 4) if _number(head, 1024 + 0x60, 4) & 0x80 else 0
    return (high << 32 | _number(head, 1028, 4)) << (10 + _number(head, 1048, 4))


def _xfs(head: bytes) -> int | None:
    if head[:4] != b"XFSB":
        return None
    return int.from_bytes(head[4:8]) * int.from_bytes(head[8:16])


def _btrfs(head: bytes) -> int | None:
    return _number(head, 65_536 + 112, 8) if head[65_600:65_608] == b"_BHRfS_M" else None


def _swap(head: bytes) -> int | None:
    return (_number(head, 1028, 4) + 1) * 4096 if head[4086:4096] == b"SWAPSPACE2" else None


def _lvm(head: bytes) -> int | None:
    return _number(head, 576, 8) if head[512:520] == b"LABELONE" else None


def _ntfs(head: bytes) -> int | None:
    return (_number(head, 40, 8) + 1) * _number(head, 11, 2) if head[3:7] == b"NTFS" else None


def _fat(head: bytes) -> int | None:
    if head[54:57] != b"FAT" and head[82:85] != b"FAT":
        return None
    return (_number(head, 19, 2) or _number(head, 32, 4)) * _number(head, 11, 2)


def _partitions(head: bytes) -> int | None:
    """Return where the last one ends; a GPT has a copy of itself at the end of the disk, too."""
    if head[512:520] == b"EFI PART":
        return (_number(head, 512 + 32, 8) + 1) * _SECTOR
    if head[510:512] != b"\x55\xaa":
        return None
    entries = range(446, 510, 16)
    return max(_number(head, at + 8, 4) + _number(head, at + 12, 4) for at in entries) * _SECTOR


_KNOWN: tuple[tuple[str, _Claim], ...] = (
    ("an ext file system", _ext),
    ("an XFS file system", _xfs),
    ("a Btrfs file system", _btrfs),
    ("swap space", _swap),
    ("a physical volume of LVM", _lvm),
    ("an NTFS file system", _ntfs),
    ("a FAT file system", _fat),
    ("partitions", _partitions),
)
