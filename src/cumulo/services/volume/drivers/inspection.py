"""Looking into an image before a program that follows what it says does."""

from pathlib import Path

from cumulo.services.volume.drivers.base import BackendError

# What qemu-img and the inspector call a format.
_NAMES = {"vpc": "vhd"}
_PACKED = ("qcow2", "qed", "vmdk", "vdi", "vhd", "vhdx")


def check_image(path: Path, disk_format: str, size: int) -> None:
    """Refuse an image that is not of its format, reaches for other files, or is too large."""
    from oslo_utils.imageutils import format_inspector  # large, and only needed for an image

    try:
        found = format_inspector.detect_file_format(str(path))
        name = str(found) if found is not None else "unknown"
        if found is None or name != _NAMES.get(disk_format, disk_format):
            raise BackendError(f"The image is {name}, not {disk_format}.")
        found.safety_check()
    except (format_inspector.SafetyCheckFailed, format_inspector.ImageFormatError) as error:
        raise BackendError(f"The image is not safe to open: {error}") from error
    if found.virtual_size > size:
        raise BackendError(f"The image is a disk of {found.virtual_size} bytes, more than {size}.")


def check_plain(path: Path) -> None:
    """Refuse a file whose disk is packed in a format of its own: volumes are disks as they are."""
    from oslo_utils.imageutils import format_inspector

    try:
        found = format_inspector.detect_file_format(str(path))
    except format_inspector.ImageFormatError as error:
        raise BackendError(f"{path.name} cannot be read: {error}") from error
    if found is not None and str(found) in _PACKED:
        raise BackendError(f"{path.name} is {found}: convert it to raw first.")
