"""Keypairs: the public keys that new servers let in."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit import clock
from cumulo.kit.errors import Invalid
from cumulo.services.compute import keypairs
from cumulo.services.compute.api.links import Link, next_links
from cumulo.services.compute.api.queries import MOST, Limit, check_known
from cumulo.services.compute.keypairs import KeyMaterial, Keypair, KeyType
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes, since, until

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-keypairs"
_OLD_NAME = r"^(?! )[_\- a-zA-Z0-9]+(?<! )$(?!\n)"
_NEW_NAME = r"^(?! )[_\-@. a-zA-Z0-9]+(?<! )$(?!\n)"
_OldName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=_OLD_NAME)]
_NewName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=_NEW_NAME)]


class NewKeypair(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A keypair to be made or, with a public key, brought along."""

    name: _OldName
    public_key: str | UnsetType = UNSET
    type: Annotated[KeyType, since("2.2")] = "ssh"
    user_id: Annotated[str | None, since("2.10")] = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The keypair to create."""

    keypair: NewKeypair


class ImportedKeypair(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A keypair to be brought along."""

    name: _NewName
    public_key: str
    type: KeyType = "ssh"
    user_id: str | None = None


class ImportBody(msgspec.Struct, forbid_unknown_fields=True):
    """The keypair to import."""

    keypair: ImportedKeypair


class CreatedView(msgspec.Struct, kw_only=True):
    """A new keypair; the private key, if it was made here, is shown this once."""

    name: str
    type: Annotated[str, since("2.2")]
    public_key: str
    fingerprint: str
    user_id: str
    private_key: Annotated[str | UnsetType, until("2.91")] = UNSET


class CreatedBody(msgspec.Struct):
    """The keypair created."""

    keypair: CreatedView


class KeypairBrief(msgspec.Struct, kw_only=True):
    """A keypair in a list."""

    name: str
    type: Annotated[str, since("2.2")]
    public_key: str
    fingerprint: str


class ListedKeypair(msgspec.Struct):
    """Clients expect every keypair of a list in an object of its own."""

    keypair: KeypairBrief


class KeypairsBody(msgspec.Struct):
    """A page of keypairs."""

    keypairs: list[ListedKeypair]
    keypairs_links: Annotated[list[Link] | UnsetType, since("2.35")] = UNSET


class KeypairView(msgspec.Struct, kw_only=True):
    """A keypair."""

    name: str
    type: Annotated[str, since("2.2")]
    public_key: str
    fingerprint: str
    user_id: str
    id: int
    created_at: str
    # A keypair never changes, and a deleted one is gone.
    updated_at: str | None = None
    deleted: bool = False
    deleted_at: str | None = None


class KeypairBody(msgspec.Struct):
    """One keypair."""

    keypair: KeypairView


class UserQuery(msgspec.Struct, kw_only=True):
    """Whose keypair."""

    user_id: Annotated[str | None, since("2.10")] = None


class KeypairsQuery(UserQuery, kw_only=True):
    """Whose keypairs, and which page of them."""

    limit: Annotated[Limit, since("2.35")] = MOST
    marker: Annotated[str | None, since("2.35")] = None


@routes.post("/v2.1/os-keypairs", policy=f"{_RULE}:create", until="2.91")
def create_keypair(call: Call, body: CreateBody) -> Reply:
    """Create a keypair; without a public key one is made."""
    new = body.keypair
    user_id = _user(call, new.user_id, "create")
    if new.public_key is UNSET:
        material = keypairs.generate(new.type, user_id)
    else:
        material = keypairs.imported(new.type, new.public_key)
    body_shown = _record(call, user_id, new.name, new.type, material)
    return Reply(body_shown, status=200 if call.version < (2, 2) else 201)


@routes.post("/v2.1/os-keypairs", policy=f"{_RULE}:create", status=201, since="2.92")
def import_keypair(call: Call, body: ImportBody) -> CreatedBody:
    """Bring a public key along."""
    new = body.keypair
    user_id = _user(call, new.user_id, "create")
    material = keypairs.imported(new.type, new.public_key)
    return _record(call, user_id, new.name, new.type, material)


@routes.get("/v2.1/os-keypairs", policy=f"{_RULE}:index")
def list_keypairs(call: Call, query: KeypairsQuery) -> KeypairsBody:
    """List a user's keypairs."""
    check_known(call, KeypairsQuery, since=(2, 75))
    user_id = _user(call, query.user_id, "index")
    most = min(query.limit, MOST) if call.version >= (2, 35) else None
    found = call.db.read(keypairs.list_keypairs, call.ctx, user_id, marker=query.marker, limit=most)
    last = found[-1].name if found else None
    more = next_links(call, "os-keypairs", last, is_full=len(found) == most)
    return KeypairsBody([ListedKeypair(_brief(keypair)) for keypair in found], more)


@routes.get("/v2.1/os-keypairs/{name}", policy=f"{_RULE}:show")
def show_keypair(call: Call, name: str, query: UserQuery) -> KeypairBody:
    """Show a user's keypair."""
    check_known(call, UserQuery, since=(2, 75))
    user_id = _user(call, query.user_id, "show")
    return KeypairBody(_view(call.db.read(keypairs.keypair_visible, call.ctx, user_id, name)))


@routes.delete("/v2.1/os-keypairs/{name}", policy=f"{_RULE}:delete")
def delete_keypair(call: Call, name: str, query: UserQuery) -> Reply:
    """Delete a user's keypair; servers keep the key."""
    check_known(call, UserQuery, since=(2, 75))
    user_id = _user(call, query.user_id, "delete")
    call.db.write(keypairs.delete_keypair, call.ctx, user_id, name)
    return Reply(status=202 if call.version < (2, 2) else 204)


def _user(call: Call, asked_for: str | None, doing: str) -> str:
    """Return whose keypairs are meant, if the caller may handle them."""
    user_id = asked_for or call.ctx.user_id
    call.ctx.require(f"{_RULE}:{doing}", user_id=user_id)
    if len(user_id) > 64:
        raise Invalid("user_id has more than 64 characters.", field="user_id")
    return user_id


def _record(
    call: Call, user_id: str, name: str, key_type: KeyType, material: KeyMaterial
) -> CreatedBody:
    keypair = call.db.write(
        keypairs.new_keypair,
        call.ctx,
        user_id=user_id,
        name=name,
        key_type=key_type,
        material=material,
    )
    view = CreatedView(
        name=keypair.name,
        type=keypair.type,
        public_key=keypair.public_key,
        fingerprint=keypair.fingerprint,
        user_id=keypair.user_id,
        private_key=material.private_key or UNSET,
    )
    return CreatedBody(view)


def _brief(keypair: Keypair) -> KeypairBrief:
    return KeypairBrief(
        name=keypair.name,
        type=keypair.type,
        public_key=keypair.public_key,
        fingerprint=keypair.fingerprint,
    )


def _view(keypair: Keypair) -> KeypairView:
    return KeypairView(
        name=keypair.name,
        type=keypair.type,
        public_key=keypair.public_key,
        fingerprint=keypair.fingerprint,
        user_id=keypair.user_id,
        id=keypair.id,
        created_at=clock.iso_bare(keypair.created_at),
    )
