"""/types/{type_id}/encryption and /volumes/{volume_id}/encryption: how volumes are encrypted."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.clock import iso_bare
from cumulo.kit.errors import NotFound
from cumulo.services.volume import encryption_types
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.volume_types import Encryption
from cumulo.web import Call as _Call
from cumulo.web import LooseInt, Reply, Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL = "/v3/types/{type_id}/encryption"
_OF_VOLUME = "/v3/volumes/{volume_id}/encryption"
_RULE = "volume_extension:volume_type_encryption"
Words: TypeAlias = Annotated[str, Meta(max_length=255)]
Bits: TypeAlias = Annotated[LooseInt, Meta(ge=0, le=0x7FFFFFFF)]
Where: TypeAlias = Literal["front-end", "back-end"]


class EncryptionSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the volumes of a type are to be encrypted."""

    provider: Words
    control_location: Where = "front-end"
    cipher: Words | None = None
    key_size: Bits | None = None


class EncryptionChanges(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is changed of it."""

    provider: Words | UnsetType = UNSET
    control_location: Where | UnsetType = UNSET
    cipher: Words | UnsetType | None = UNSET
    key_size: Bits | UnsetType | None = UNSET


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a create request."""

    encryption: EncryptionSpec


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an update request."""

    encryption: EncryptionChanges


class CreatedView(msgspec.Struct, kw_only=True):
    """How the volumes of a type are encrypted."""

    volume_type_id: str
    encryption_id: str
    provider: str
    control_location: str
    cipher: str | None
    key_size: int | None


class EncryptionView(CreatedView, kw_only=True):
    """The same, with when that was said."""

    created_at: str
    updated_at: str | None
    deleted: bool = False
    deleted_at: str | None = None


class CreatedBody(msgspec.Struct):
    """The answer to a create request."""

    encryption: CreatedView


class ChangesBody(msgspec.Struct):
    """The answer to an update: what was changed."""

    encryption: dict[str, Any]


class VolumeView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How one volume is encrypted; its key is null where it is not."""

    encryption_key_id: str | None
    provider: str | UnsetType = UNSET
    control_location: str | UnsetType = UNSET
    cipher: str | UnsetType | None = UNSET
    key_size: int | UnsetType | None = UNSET


@routes.get(_ALL, policy=f"{_RULE}:get")
def show_encryption(call: Call, type_id: str) -> Reply:
    """Show how the volumes of a type are encrypted; nothing is told where they are not."""
    found = call.db.read(encryption_types.find, call.ctx, type_id)
    return Reply(_view(found) if found is not None else {})


@routes.get(f"{_ALL}/{{encryption_id}}", policy=f"{_RULE}:get")
def show_encryption_item(call: Call, type_id: str, encryption_id: str) -> dict[str, Any]:
    """Show one thing of it, which the last part of the path names."""
    key = encryption_id
    found = call.db.read(encryption_types.find, call.ctx, type_id)
    told = msgspec.structs.asdict(_view(found)) if found is not None else {}
    if key not in told:
        raise NotFound(f"Volume type {type_id} has no encryption with key {key[:80]}.")
    return {key: told[key]}


@routes.post(_ALL, policy=f"{_RULE}:create")
def create_encryption(call: Call, type_id: str, body: CreateBody) -> CreatedBody:
    """Have the volumes of a type, of which there are none yet, encrypted."""
    spec = msgspec.structs.asdict(body.encryption)
    made = call.db.write(encryption_types.new_encryption, call.ctx, type_id, spec)
    return CreatedBody(_created(made))


@routes.put(f"{_ALL}/{{encryption_id}}", policy=f"{_RULE}:update")
def update_encryption(
    call: Call, type_id: str, encryption_id: str, body: UpdateBody
) -> ChangesBody:
    """Change how volumes of a type, of which there are none yet, are encrypted.

    A type has one encryption, so it need not be named by its id: cinderclient says `provider`.
    """
    del encryption_id
    given = msgspec.structs.asdict(body.encryption)
    changes = {key: value for key, value in given.items() if value is not UNSET}
    call.db.write(encryption_types.update, call.ctx, type_id, changes)
    return ChangesBody(changes)


@routes.delete(f"{_ALL}/{{encryption_id}}", policy=f"{_RULE}:delete", status=202)
def delete_encryption(call: Call, type_id: str, encryption_id: str) -> None:
    """Have the volumes of a type, of which there are none yet, encrypted no more."""
    del encryption_id
    call.db.write(encryption_types.delete, call.ctx, type_id)


@routes.get(_OF_VOLUME, policy="volume_extension:volume_encryption_metadata")
def show_volume_encryption(call: Call, volume_id: str) -> VolumeView:
    """Show how a volume is encrypted."""
    volume, found = call.db.read(encryption_types.of_volume, call.ctx, volume_id)
    if volume.encryption_key_id is None or found is None:
        return VolumeView(encryption_key_id=None)
    return VolumeView(
        encryption_key_id=volume.encryption_key_id,
        provider=found.provider,
        control_location=found.control_location,
        cipher=found.cipher,
        key_size=found.key_size,
    )


@routes.get(f"{_OF_VOLUME}/{{key}}", policy="volume_extension:volume_encryption_metadata")
def show_volume_encryption_item(call: Call, volume_id: str, key: str) -> Reply:
    """Show one thing of it."""
    told = msgspec.to_builtins(show_volume_encryption(call, volume_id))
    if key not in told:
        raise NotFound(f"Volume {volume_id} has no encryption with key {key[:80]}.")
    return Reply(told[key])


def _created(one: Encryption) -> CreatedView:
    return CreatedView(
        volume_type_id=one.type_id,
        encryption_id=one.id,
        provider=one.provider,
        control_location=one.control_location,
        cipher=one.cipher,
        key_size=one.key_size,
    )


def _view(one: Encryption) -> EncryptionView:
    return EncryptionView(
        **msgspec.structs.asdict(_created(one)),
        created_at=iso_bare(one.created_at),
        updated_at=iso_bare(one.updated_at) if one.updated_at else None,
    )
