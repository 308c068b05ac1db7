"""The data of images: upload and download."""

import re

from cumulo.kit.errors import Invalid
from cumulo.services.image import cache, image_data
from cumulo.services.image.images import Image
from cumulo.services.image.tools import ImageTools
from cumulo.web import Call, Reply, Routes, Stream, Upload
from cumulo.web.errors import RangeNotSatisfiable

routes = Routes()
_BYTES = "application/octet-stream"
_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")


@routes.put("/v2/images/{image_id}/file", policy="upload_image", status=204, media=(_BYTES,))
def upload_image(call: Call[ImageTools], image_id: str, body: Upload) -> None:
    """Upload an image's data; it is checked while it arrives and is used only when it is good."""
    given = image_data.Upload(image_id=image_id, pieces=body, size=_announced(call, body))
    store = call.tools.stores.chosen(call.headers.get("x-image-meta-store"))
    image_data.upload(call.db, call.ctx, store, call.tools.image_limits, given)


@routes.put("/v2/images/{image_id}/stage", policy="modify_image", status=204, media=(_BYTES,))
def stage_image(call: Call[ImageTools], image_id: str, body: Upload) -> None:
    """Upload an image's data for an import to come; it is checked while it arrives."""
    given = image_data.Upload(image_id=image_id, pieces=body, size=_announced(call, body))
    image_data.stage(call.db, call.ctx, call.tools.images, call.tools.image_limits, given)


@routes.get("/v2/images/{image_id}/file", policy="download_image")
def download_image(call: Call[ImageTools], image_id: str) -> Stream | Reply:
    """Download an image's data, all of it or a range; an image without data has no content."""
    image = call.db.read(image_data.readable, call.ctx, image_id)
    if not image_data.has_bytes(image):
        return Reply(status=204)
    size = image.size or 0
    start, end = _asked(call, size)
    headers = {"Content-MD5": image.checksum or ""}
    status = None
    if "range" in call.headers:
        status, headers["Content-Range"] = 206, f"bytes {start}-{end - 1}/{size}"
    return _stream(call, image, (start, end), headers, status)


def _stream(
    call: Call[ImageTools],
    image: Image,
    asked: tuple[int, int],
    headers: dict[str, str],
    status: int | None,
) -> Stream | Reply:
    start, end = asked
    pieces = cache.read(call.tools, image, start, end - start)
    return Stream(pieces, length=end - start, status=status, headers=headers)


def _announced(call: Call[ImageTools], body: Upload) -> int | None:
    text = call.headers.get("x-openstack-image-size")
    if text is None:
        return body.length
    if not re.fullmatch("[0-9]{1,18}", text):
        raise Invalid("Invalid or missing image size in request headers.")
    return int(text)


def _asked(call: Call[ImageTools], size: int) -> tuple[int, int]:
    """Return the first byte asked for and the one after the last."""
    text = call.headers.get("range")
    if text is None:
        return 0, size
    if "," in text:
        raise Invalid(
            "Requests with multiple ranges are not supported in Glance. "
            "You may make multiple single-range requests instead."
        )
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise RangeNotSatisfiable("Invalid Range header.")
    first, last, tail = found.groups()
    start = max(0, size - int(tail)) if tail else int(first)
    end = min(size, int(last) + 1) if last else size
    if start >= size or start >= end:
        raise RangeNotSatisfiable(
            "Invalid start position in Range header. "
            f"Start position MUST be in the inclusive range [0, {size - 1}]."
        )
    return start, end
