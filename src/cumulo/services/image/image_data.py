"""The bytes of images: how they come in, who may read them.

An upload holds the image in status saving, or uploading when its bytes are only staged, under an
id of its own, and shows every few seconds that it is alive.  Bytes are hashed and inspected as
they pass; only when all of them are there and good does the image become active, or do they wait
for an import.  However an upload ends otherwise, it leaves a queued image without bytes.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import msgspec

from cumulo.auth import Context
from cumulo.db import Database, Tx, quota
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Forbidden, Invalid, TooLarge
from cumulo.kit.ids import new_id
from cumulo.kit.units import MIB, ceil_div
from cumulo.services.image.digests import ALGORITHM, Digester, Digests
from cumulo.services.image.drivers.base import ImageStore, Incoming
from cumulo.services.image.errors import NoLongerThere
from cumulo.services.image.images import UNFINISHED as _UNFINISHED
from cumulo.services.image.images import Image, Status, image_visible, require
from cumulo.services.image.inspection import inspection_of
from cumulo.services.image.limits import ImageLimits
from cumulo.services.image.store import images as store
from cumulo.services.image.store import locations, staged
from cumulo.work import Caller, events

_ALIVE_EVERY_S = 10
_SIGNATURE = (
    "img_signature",
    "img_signature_hash_method",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
)


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes for an image, and how many the client said there are."""

    image_id: str
    pieces: Iterable[bytes]
    size: int | None = None
    algorithm: str = ALGORITHM  # of the secure hash


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What came in."""

    digests: Digests
    virtual_size: int | None
    disk_format: str
    container_format: str


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What came in, for which image, by which upload, and in which stores it lies."""

    image_id: str
    upload_id: str
    received: Received
    stores: list[str]


def upload(
    db: Database, ctx: Context, images: ImageStore, limits: ImageLimits, given: Upload
) -> None:
    """Take an image's bytes in; afterwards it is active, or nothing has happened."""
    with _arrived(db, ctx, images, limits, given, "saving") as (arrival, incoming):
        incoming.keep()
        if not db.write(finish, ctx, arrival, limits):
            raise _gone(arrival.image_id)


def stage(
    db: Database, ctx: Context, images: ImageStore, limits: ImageLimits, given: Upload
) -> None:
    """Take an image's bytes in for an import to come; afterwards they wait, or nothing is there."""
    with _arrived(db, ctx, images, limits, given, "uploading") as (arrival, incoming):
        incoming.park()
        if not db.write(_set_aside, arrival):
            raise _gone(arrival.image_id)


@contextlib.contextmanager
def _arrived(
    db: Database,
    ctx: Context,
    images: ImageStore,
    limits: ImageLimits,
    given: Upload,
    status: Status,
) -> Iterator[tuple[Arrival, Incoming]]:
    """Yield bytes once they are in the store and good; whatever fails then, too, leaves none."""
    upload_id = new_id()
    image = db.write(_begin, ctx, given.image_id, upload_id, limits, status)
    with contextlib.ExitStack() as undo:
        undo.callback(db.write, _give_up, image, upload_id)
        incoming = images.begin(image.id, upload_id)
        undo.callback(incoming.discard)

        def beat() -> None:
            _show_alive(db, image.id, upload_id)

        received = _receive(image, limits, given, incoming, beat)
        beat()
        arrival = Arrival(
            image_id=image.id, upload_id=upload_id, received=received, stores=[images.name]
        )
        yield arrival, incoming
        undo.pop_all()


def readable(tx: Tx, ctx: Context, image_id: str) -> Image:
    """Return an image whose bytes the caller may read."""
    image = image_visible(tx, ctx, image_id)
    if image.status == "deactivated" and not ctx.is_admin:
        raise Forbidden(
            "The requested image has been deactivated. Image data download is forbidden."
        )
    require(ctx, "download_image", image)
    return image


def has_bytes(image: Image) -> bool:
    """Say whether there is anything to read."""
    return image.status in ("active", "deactivated")


def end_upload(tx: Tx, image_id: str, upload_id: str) -> bool:
    """Put an image whose upload is dead back in the queue; say whether it was waiting for it."""
    image = store.image_find(tx, image_id)
    return image is not None and _give_up(tx, image, upload_id)


def _begin(
    tx: Tx,
    ctx: Context,
    image_id: str,
    upload_id: str,
    limits: ImageLimits,
    status: Status = "saving",
) -> Image:
    image = image_visible(tx, ctx, image_id)
    require(ctx, "upload_image", image)
    if image.status != "queued":
        raise _wrong_status(image, status)
    missing = [name for name in ("disk_format", "container_format") if not getattr(image, name)]
    if missing:
        word = "Property" if len(missing) == 1 else "Properties"
        raise Invalid(f"{word} {', '.join(missing)} must be set prior to saving data.")
    alive = {"upload_id": upload_id, "upload_seen_at": clock.timestamp()}
    if not store.image_move(tx, image_id, to=status, expected=["queued"], values=alive):
        raise _wrong_status(image, status)
    default = limits.totals()["image_count_uploading"]
    quota.claim(tx, "image", image.owner or "", "image_count_uploading", 1, default)
    return image


def park(
    images: ImageStore, image: Image, upload_id: str, limits: ImageLimits, pieces: Iterable[bytes]
) -> Received:
    """Take bytes in that nobody uploads; they wait in the store, or none are there."""
    incoming = images.begin(image.id, upload_id)
    with contextlib.ExitStack() as undo:
        undo.callback(incoming.discard)
        given = Upload(image_id=image.id, pieces=pieces)
        received = _receive(image, limits, given, incoming, lambda: None)
        incoming.park()
        undo.pop_all()
    return received


def examine(image: Image, limits: ImageLimits, given: Upload) -> Received:
    """Look at bytes that are to stay where they are, and hash them."""
    return _receive(image, limits, given, None, lambda: None)


def set_staged(tx: Tx, image_id: str, received: Received) -> None:
    """Record what waiting bytes are."""
    staged.staged_delete(tx, image_id)
    staged.staged_insert(tx, image_id, _staged(received))


def _receive(
    image: Image,
    limits: ImageLimits,
    given: Upload,
    incoming: Incoming | None,
    beat: Callable[[], None],
) -> Received:
    _check_size(given.size or 0, limits)
    _check_signature(image)
    digester = Digester(given.algorithm)
    inspection = inspection_of(image, limits.virtual_size_cap)
    size, alive_at = 0, clock.monotonic()
    with contextlib.closing(digester):
        for piece in given.pieces:
            size += len(piece)
            _check_size(size, limits)
            if inspection:
                inspection.feed(piece)
            digester.update(piece)
            if incoming:
                incoming.write(piece)
            if clock.monotonic() - alive_at > _ALIVE_EVERY_S:
                beat()
                alive_at = clock.monotonic()
        if given.size is not None and size != given.size:
            raise Invalid(f"Image size is {size} bytes where {given.size} were announced.")
        virtual_size = inspection.finish() if inspection else None
        return Received(
            digests=digester.finish(),
            virtual_size=virtual_size,
            disk_format=image.disk_format or "",
            container_format=image.container_format or "",
        )


def _set_aside(tx: Tx, arrival: Arrival) -> bool:
    """Let the bytes wait for an import; say whether the image waited for them."""
    waits = store.image_move(
        tx,
        arrival.image_id,
        to="uploading",
        expected=["uploading"],
        upload_id=arrival.upload_id,
        values={"upload_seen_at": None},
    )
    if waits:
        staged.staged_insert(tx, arrival.image_id, _staged(arrival.received))
    return waits


def _staged(received: Received) -> staged.Staged:
    digests = received.digests
    return staged.Staged(
        size=digests.size,
        virtual_size=received.virtual_size,
        checksum=digests.checksum,
        os_hash_value=digests.os_hash_value,
        disk_format=received.disk_format,
        container_format=received.container_format,
    )


def finish(tx: Tx, ctx: Caller, arrival: Arrival, limits: ImageLimits) -> bool:
    """Make an image whose bytes are in place active; say whether it waited for them."""
    image_id, upload_id, received = arrival.image_id, arrival.upload_id, arrival.received
    before = store.image_find(tx, image_id)
    digests = received.digests
    values: dict[str, object] = {
        "size": digests.size,
        "disk_format": received.disk_format,
        "container_format": received.container_format,
        "virtual_size": received.virtual_size,
        "checksum": digests.checksum,
        "os_hash_algo": digests.os_hash_algo,
        "os_hash_value": digests.os_hash_value,
        "upload_id": None,
        "upload_seen_at": None,
    }
    if before is None or not store.image_move(
        tx,
        image_id,
        to="active",
        expected=["saving", "importing"],
        upload_id=upload_id,
        values=values,
    ):
        return False
    _set_locations(tx, arrival)
    owner, size = before.owner or "", ceil_div(digests.size, MIB)
    quota.claim(tx, "image", owner, "image_size_total", size, limits.image_size_total)
    quota.release(tx, "image", owner, "image_count_uploading", 1)
    events.record(
        tx,
        ctx,
        resource="image",
        resource_id=image_id,
        action="upload",
        before=before,
        after=store.image_find(tx, image_id),
        project_id=before.owner,
    )
    return True


def _set_locations(tx: Tx, arrival: Arrival) -> None:
    locations.locations_delete(tx, arrival.image_id, but=arrival.stores)
    for name in arrival.stores:
        locations.location_set(tx, arrival.image_id, name, "active")


def _give_up(tx: Tx, image: Image, upload_id: str) -> bool:
    nothing = {"upload_id": None, "upload_seen_at": None}
    moved = store.image_move(
        tx, image.id, to="queued", expected=_UNFINISHED, upload_id=upload_id, values=nothing
    )
    if moved:
        quota.release(tx, "image", image.owner or "", "image_count_uploading", 1)
        staged.staged_delete(tx, image.id)
    return moved


def _show_alive(db: Database, image_id: str, upload_id: str) -> None:
    if not db.write(store.upload_seen, image_id, upload_id):
        raise _gone(image_id)


def _check_signature(image: Image) -> None:
    """Refuse bytes that are said to be signed: no key manager here has the certificate."""
    if all(name in image.properties for name in _SIGNATURE):
        raise Invalid(
            "Signature verification for the image failed: Unable to retrieve certificate with ID: "
            f"{image.properties['img_signature_certificate_uuid'][:64]}. This cloud has no key "
            "manager: remove the img_signature properties."
        )


def _check_size(size: int, limits: ImageLimits) -> None:
    if size > limits.image_size_cap:
        raise TooLarge(
            "The incoming image is too large: The provided image is too large. "
            f"The limit is {limits.image_size_cap} bytes."
        )


def _wrong_status(image: Image, to: Status) -> Conflict:
    return Conflict(f"Image status transition from {image.status} to {to} is not allowed")


def _gone(image_id: str) -> NoLongerThere:
    return NoLongerThere(
        f"Image {image_id} could not be found after upload. The image may have been deleted "
        "during the upload, cleaning up the chunks uploaded."
    )
