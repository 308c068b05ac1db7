"""What settings have imports do with bytes before they are an image's: unpack, convert.

Each writes a new upload beside the old one, inspected and hashed as if it had come from a client;
then the image waits for the new one, and the old one goes.
"""

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias
from uuid import UUID, uuid5

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.image import image_data
from cumulo.services.image.drivers import programs
from cumulo.services.image.errors import NoLongerThere
from cumulo.services.image.image_data import Received
from cumulo.services.image.images import Image
from cumulo.services.image.store import images, staged
from cumulo.services.image.stores import wanted
from cumulo.services.image.tools import ImageTools

_ORDER: tuple[Literal["image_decompression", "image_conversion"], ...] = (
    "image_decompression",
    "image_conversion",
)
# What qemu-img calls the formats that it may be given here.
_CONVERTIBLE = {
    "raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx",
}  # fmt: skip
_PIECE = 1 << 20
Cancelled: TypeAlias = Callable[[], bool]


def stages(upload_id: str) -> list[str]:
    """Return the uploads that an import of `upload_id` may write, itself first."""
    return [upload_id, *(_after(upload_id, name) for name in (*_ORDER, "file"))]


def transform(tools: ImageTools, image_id: str, upload_id: str, cancelled: Cancelled) -> str:
    """Do what settings wish, from where an earlier attempt stopped; return the last upload."""
    for plugin in _ORDER:
        image, current = tools.db.read(_waiting, image_id)
        target = _after(upload_id, plugin)
        ahead = stages(upload_id).index(current) < stages(upload_id).index(target)
        if plugin in tools.image_limits.image_import_plugins and ahead:
            change = _unpack if plugin == "image_decompression" else _convert
            change(tools, image, (upload_id, current, target), cancelled)
    return tools.db.read(_waiting, image_id)[1]


def _unpack(
    tools: ImageTools, image: Image, uploads: tuple[str, str, str], cancelled: Cancelled
) -> None:
    if image.container_format != "compressed":
        return
    _, source, target = uploads
    made = msgspec.structs.replace(image, container_format="bare")
    pieces = programs.unpacked(tools.images.parked_path(image.id, source))
    _replace(tools, made, (source, target), wanted(pieces, cancelled))


def _convert(
    tools: ImageTools, image: Image, uploads: tuple[str, str, str], cancelled: Cancelled
) -> None:
    output = tools.image_limits.image_conversion.output_format
    form = image.disk_format or ""
    if image.container_format != "bare" or form not in _CONVERTIBLE or form == output:
        return
    first, source, target = uploads
    made = msgspec.structs.replace(image, disk_format=output)
    beside = _after(first, "file")
    tools.images.delete_upload(image.id, beside)
    path = tools.images.parked_path(image.id, beside)
    programs.convert(
        (tools.images.parked_path(image.id, source), _CONVERTIBLE[form]),
        (path, output),
        most_bytes=tools.image_limits.image_size_cap,
    )
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(_PIECE), b"")
        _replace(tools, made, (source, target), wanted(pieces, cancelled))
    tools.images.delete_upload(image.id, beside)


def _replace(
    tools: ImageTools, image: Image, uploads: tuple[str, str], pieces: Iterator[bytes]
) -> None:
    source, target = uploads
    tools.images.delete_upload(image.id, target)
    received = image_data.park(tools.images, image, target, tools.image_limits, pieces)
    if not tools.db.write(_switch, image.id, uploads, received):
        tools.images.delete_upload(image.id, target)
        raise NoLongerThere(f"Image {image.id} is no longer wanted.")
    tools.images.delete_upload(image.id, source)


def _switch(tx: Tx, image_id: str, uploads: tuple[str, str], received: Received) -> bool:
    source, target = uploads
    moved = images.image_move(
        tx,
        image_id,
        to="importing",
        expected=["importing"],
        upload_id=source,
        values={"upload_id": target},
    )
    if moved:
        image_data.set_staged(tx, image_id, received)
    return moved


def _waiting(tx: Tx, image_id: str) -> tuple[Image, str]:
    """Return an image as its waiting bytes make it, and the upload that they are of."""
    image, upload_id = images.image_find(tx, image_id), images.upload_of(tx, image_id)
    found = staged.staged_find(tx, image_id)
    if image is None or upload_id is None or found is None:
        raise NotFound(f"Image {image_id} waits for no import any more.")
    formats = {"disk_format": found.disk_format, "container_format": found.container_format}
    return msgspec.structs.replace(image, **formats), upload_id


def _after(upload_id: str, name: str) -> str:
    return str(uuid5(UUID(upload_id), name))
