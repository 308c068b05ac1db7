"""The making of volumes: everything is checked, counted and recorded in one transaction."""

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, Invalid, NotFound
from cumulo.kit.ids import new_id
from cumulo.kit.units import GIB, ceil_div
from cumulo.services.image import public as images
from cumulo.services.volume import groups, keys, quotas, volumes
from cumulo.services.volume.backends import list_backends
from cumulo.services.volume.drivers.luks import Cipher, cipher_of
from cumulo.services.volume.settings import VolumeSettings
from cumulo.services.volume.snapshots import snapshot_visible
from cumulo.services.volume.store import volumes as store
from cumulo.services.volume.store.items import IMAGE, METADATA, items_insert, items_of
from cumulo.services.volume.store.volumes import Volume
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volume_types import (
    Encryption,
    VolumeType,
    default_type,
    encryption_of,
    type_visible,
)

# By these names clients know what QEMU opens.
PROVIDERS = ("luks", "LuksEncryptor", "nova.volume.encryptors.luks.LuksEncryptor")
KEY, KEY_POLICY = "cinder_encryption_key_id", "cinder_encryption_key_deletion_policy"
MAPPING = "block_device_mapping"
# Formats of images that a volume can be written from, as qemu-img calls them.
FORMATS = {
    "raw": "raw",
    "iso": "raw",
    "ami": "raw",
    "qcow2": "qcow2",
    "vmdk": "vmdk",
    "vdi": "vdi",
    "vhd": "vpc",
    "vhdx": "vhdx",
}


class NewVolume(msgspec.Struct, frozen=True, kw_only=True):
    """The volume somebody wants; at most one source is named."""

    size_gib: int | None = None
    name: str | None = None
    description: str | None = None
    type: str | None = None  # id or name
    snapshot_id: str | None = None
    source_volume_id: str | None = None
    image_id: str | None = None
    availability_zone: str | None = None
    group_id: str | None = None
    metadata: dict[str, str] = {}
    hints: dict[str, Any] = {}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of what a volume is made from."""

    size_gib: int = 0
    type_id: str | None = None
    zone: str | None = None
    image: dict[str, str] = {}  # what is noted of an image
    key_id: str | None = None  # of what is encrypted
    may_encrypt: bool = True  # a copy is encrypted as what it is copied from
    values: dict[str, Any] = {}


class ImageDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A disk of an image without bytes, as its property block_device_mapping says."""

    source_type: str | None = None
    snapshot_id: str | None = None
    boot_index: int | None = None


def from_snapshot_of_image(tx: Tx, ctx: Context, spec: NewVolume) -> NewVolume:
    """Take what an image of a server that booted from a volume stands for: a snapshot."""
    image = images.find_image(tx, ctx, spec.image_id or "")
    if image is None or MAPPING not in image.properties:
        return spec
    try:
        disks = msgspec.json.decode(image.properties[MAPPING], type=list[ImageDisk])
    except (msgspec.DecodeError, RecursionError):
        return spec
    for disk in disks:
        if disk.source_type == "snapshot" and disk.boot_index == 0 and disk.snapshot_id:
            return msgspec.structs.replace(spec, image_id=None, snapshot_id=disk.snapshot_id)
    return spec


def new_volume(tx: Tx, ctx: Context, tools: VolumeTools, spec: NewVolume) -> Volume:
    """Record a volume that is being made, and count it."""
    if ctx.project_id is None:
        raise Invalid("A volume belongs to a project; use a token of one.")
    volumes.check_metadata(spec.metadata)
    source = _source_of(tx, ctx, spec)
    size = _size_of(spec, source)
    kind = _type_of(tx, ctx, tools.settings, spec, source)
    zone = _zone_of(tx, tools.settings, spec, source)
    if spec.group_id is not None:
        groups.check_placed(tx, ctx, spec.group_id, kind.id)
    is_multiattach = kind.extra_specs.get("multiattach", "").lower() == "<is> true"
    if is_multiattach:
        ctx.require("volume:multiattach")
    quotas.claim_volume(tx, tools.settings.quota, ctx.project_id, size, kind.id)
    volume = Volume(
        id=new_id(),
        project_id=ctx.project_id,
        user_id=ctx.user_id,
        size_gib=size,
        status="creating",
        attach_status="detached",
        availability_zone=zone,
        type_id=kind.id,
        created_at=clock.now(),
        name=spec.name,
        description=spec.description,
        is_multiattach=is_multiattach,
        group_id=spec.group_id,
        encryption_key_id=_key_for(tx, ctx, tools, kind, source),
        **source.values,
    )
    store.volume_insert(tx, volume)
    items_insert(tx, volume.id, METADATA, spec.metadata)
    items_insert(tx, volume.id, IMAGE, source.image)
    volumes.record(tx, ctx, volume, "create", name=spec.name, type=kind.name)
    return volume


def _key_for(
    tx: Tx, ctx: Context, tools: VolumeTools, kind: VolumeType, source: Source
) -> str | None:
    """Return the key that the volume is encrypted by, as its type and its source want it."""
    encryption = encryption_of(tx, kind.id)
    if encryption is None:
        if source.key_id is not None:
            raise Invalid(
                f"Invalid input received: what the volume is made from is encrypted: type "
                f"{kind.name} must be, too.",
                field="volume_type",
            )
        return None
    check_encryption(encryption)
    if source.key_id is not None:
        return keys.copy_key(tx, source.key_id, ctx.project_id or "")
    if not source.may_encrypt:
        raise Invalid(
            f"Invalid input received: type {kind.name} is encrypted, and what the volume is "
            "copied from is not.",
            field="volume_type",
        )
    return keys.new_key(tx, tools.safe, ctx.project_id or "")


def check_encryption(encryption: Encryption) -> Cipher:
    """Return how a type's volumes are encrypted; refuse what no host can open."""
    if encryption.provider not in PROVIDERS or encryption.control_location != "front-end":
        raise Invalid(
            f"Invalid volume type: volumes are encrypted by {PROVIDERS[0]} at the front-end, not "
            f"by {encryption.provider} at the {encryption.control_location}.",
            field="volume_type",
        )
    return cipher_of(encryption.cipher, encryption.key_size)


def _source_of(tx: Tx, ctx: Context, spec: NewVolume) -> Source:
    named = [spec.snapshot_id, spec.source_volume_id, spec.image_id]
    if sum(one is not None for one in named) > 1:
        raise Invalid(
            "Invalid input received: May specify only one of snapshot, imageRef or source volume."
        )
    if spec.snapshot_id is not None:
        return _from_snapshot(tx, ctx, spec.snapshot_id)
    if spec.source_volume_id is not None:
        return _from_volume(tx, ctx, spec.source_volume_id)
    if spec.image_id is not None:
        return source_of_image(tx, ctx, spec.image_id)
    return Source()


def _from_snapshot(tx: Tx, ctx: Context, snapshot_id: str) -> Source:
    snapshot = snapshot_visible(tx, ctx, snapshot_id)
    if snapshot.status != "available":
        raise Invalid(
            "Invalid snapshot: Originating snapshot status must be one of available values: "
            f"{snapshot_id} is {snapshot.status}."
        )
    parent = store.volume_get(tx, snapshot.volume_id)
    return _copied(tx, parent, snapshot.size_gib, {"snapshot_id": snapshot_id})


def _from_volume(tx: Tx, ctx: Context, volume_id: str) -> Source:
    source = volumes.volume_visible(tx, ctx, volume_id)
    if source.status not in ("available", "in-use"):
        raise Invalid(
            "Invalid volume: Source volume status must be available or in-use: "
            f"{volume_id} is {source.status}."
        )
    return _copied(tx, source, source.size_gib, {"source_volume_id": volume_id})


def _copied(tx: Tx, source: Volume, size_gib: int, values: dict[str, Any]) -> Source:
    return Source(
        size_gib=size_gib,
        type_id=source.type_id,
        zone=source.availability_zone,
        image=items_of(tx, source.id, IMAGE),
        key_id=source.encryption_key_id,
        may_encrypt=source.encryption_key_id is not None,
        values=values,
    )


def source_of_image(tx: Tx, ctx: Context, image_id: str) -> Source:
    """Return how large a volume of an image must be, and what is noted of the image with it."""
    try:
        image = images.get_image(tx, ctx, image_id)
    except NotFound as error:
        raise Invalid(
            "Invalid image identifier or unable to access requested image.", field="imageRef"
        ) from error
    except Conflict as error:
        raise Invalid(f"Invalid image {image_id}: {error.message}", field="imageRef") from error
    if image.disk_format not in FORMATS:
        raise Invalid(
            f"Invalid image {image_id}: its disk_format is {image.disk_format}; volumes are made "
            f"from {', '.join(FORMATS)}.",
            field="imageRef",
        )
    needed = max(ceil_div(image.virtual_size, GIB), ceil_div(image.size, GIB), image.min_disk)
    key_id = image.properties.get(KEY)
    if key_id is not None and keys.owner_of(tx, key_id) != image.owner:
        raise Invalid(f"Invalid image {image_id}: its owner has no key {key_id[:64]}.")
    return Source(size_gib=needed, image=image_facts(image), key_id=key_id)


def image_facts(image: images.Image) -> dict[str, str]:
    """Return what is noted of an image with the volume that is made from it."""
    facts: Mapping[str, object] = {
        "image_id": image.id,
        "image_name": image.name or "",
        "checksum": image.checksum,
        "container_format": image.container_format,
        "disk_format": image.disk_format,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "size": image.size,
    }
    kept = {k: v for k, v in image.properties.items() if k not in (KEY, KEY_POLICY)}
    return {**kept, **{key: str(value) for key, value in facts.items()}}


def _size_of(spec: NewVolume, source: Source) -> int:
    """Return the size wanted, else the source's; a copy is never smaller."""
    size = spec.size_gib
    if size is None and spec.image_id is None:
        size = source.size_gib or None
    if size is None or size < 1:
        raise Invalid(
            f"Invalid input received: Invalid volume size provided for create request: {size} "
            "(size argument must be an integer (or string representation of an integer) and "
            "greater than zero).",
            field="size",
        )
    if size < source.size_gib:
        what = "image" if spec.image_id else "snapshot" if spec.snapshot_id else "source volume"
        raise Invalid(
            f"Invalid input received: Volume size {size}GB cannot be smaller than the {what} size "
            f"{source.size_gib}GB.",
            field="size",
        )
    return size


def _type_of(
    tx: Tx, ctx: Context, settings: VolumeSettings, spec: NewVolume, source: Source
) -> VolumeType:
    wanted = spec.type or source.image.get("cinder_img_volume_type") or source.type_id
    return type_visible(tx, ctx, wanted) if wanted else default_type(tx, ctx, settings)


def _zone_of(tx: Tx, settings: VolumeSettings, spec: NewVolume, source: Source) -> str:
    zone = spec.availability_zone or source.zone
    if not zone:
        return settings.default_availability_zone
    known = {backend.availability_zone for backend in list_backends(tx)}
    if zone in known | {settings.default_availability_zone}:
        if source.zone and zone != source.zone:
            raise Invalid(
                "Invalid input received: Volume must be in the same availability zone as its "
                f"source, {source.zone}.",
                field="availability_zone",
            )
        return zone
    if settings.allow_availability_zone_fallback:
        return settings.default_availability_zone
    raise Invalid(
        f"Invalid input received: Availability zone '{zone}' is invalid.",
        field="availability_zone",
    )
