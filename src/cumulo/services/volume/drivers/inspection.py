"""Looking into an image before a program that follows what it says does."""

from pathlib import Path

from cumulo.services.volume.drivers.base import BackendError

# What qemu-img and the inspector call a format.
_NAMES = {"vpc": "vhd"}


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
