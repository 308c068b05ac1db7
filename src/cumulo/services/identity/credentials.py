"""Credentials: secrets kept for users, of which EC2's access keys are one kind."""

import hashlib

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.kit.ids import new_hex_id, new_secret
from cumulo.services.identity.journal import note
from cumulo.services.identity.keys import Keyring
from cumulo.services.identity.listings import Listing, Page
from cumulo.services.identity.refusals import absent, lacking
from cumulo.services.identity.store import credentials as store
from cumulo.services.identity.store.credentials import Credential
from cumulo.services.identity.store.projects import project_find
from cumulo.services.identity.store.users import user_find

EC2 = "ec2"
# What ties an access key to the delegation it was made through.
_FIXED = ("trust_id", "app_cred_id", "access_token_id", "access_id")


class Secret(msgspec.Struct, frozen=True):
    """A credential with its secret in the clear; never stored or logged."""

    id: str
    type: str
    user_id: str
    project_id: str | None
    blob: str
    extra: dict[str, object] = {}

    def __repr__(self) -> str:
        return f"Secret({self.id})"


class AccessKey(msgspec.Struct, frozen=True):
    """What an EC2 credential's blob holds."""

    access: str
    secret: str
    trust_id: str | None = None

    def __repr__(self) -> str:
        return f"AccessKey({self.access})"


def secret_visible(tx: Tx, ctx: Context, keyring: Keyring, credential_id: str, rule: str) -> Secret:
    """Return a credential that `rule` lets the caller reach."""
    found = store.credential_find(tx, credential_id)
    ctx.require(rule, **_facts(found.user_id if found else None))
    if found is None:
        raise absent("credential", credential_id)
    return _opened(tx, keyring, found)


def secret_list(tx: Tx, ctx: Context, keyring: Keyring, listing: Listing) -> Page[Secret]:
    """Return the credentials that the caller may each see."""
    asks_for_own = None if ctx.system_scope else ctx.user_id
    ctx.require("identity:list_credentials", **_facts(asks_for_own))
    everything = store.credential_page(tx, msgspec.structs.replace(listing, limit=None)).members
    mine = [one for one in everything if ctx.may("identity:get_credential", **_facts(one.user_id))]
    is_truncated = listing.limit is not None and len(mine) >= listing.limit
    return Page([_opened(tx, keyring, one) for one in mine[: listing.limit]], is_truncated)


def create_secret(tx: Tx, ctx: Context, keyring: Keyring, new: Secret) -> Secret:
    """Record a credential; an access key gives it its id."""
    ctx.require("identity:create_credential", **_facts(new.user_id))
    if new.type.lower() == EC2:
        if new.project_id is None:
            raise lacking("project_id", "credential")
        access = str(_blob(new.blob)["access"])
        new = msgspec.structs.replace(new, id=_id_of(access))
    return _record(tx, ctx, keyring, new)


def update_secret(tx: Tx, ctx: Context, keyring: Keyring, credential_id: str, blob: str) -> Secret:
    """Replace the secret; whose it is, and by what delegation, cannot change."""
    rule = "identity:update_credential"
    before = secret_visible(tx, ctx, keyring, credential_id, rule)
    if before.type.lower() == EC2:
        old, new = _blob(before.blob), _blob(blob)
        for name in _FIXED:
            if old.get(name) != new.get(name):
                raise Invalid(f"{name} can not be updated for credential", field="blob")
    stored = store.credential_find(tx, before.id)
    assert stored is not None, "it was there in this transaction"
    after = store.credential_change(tx, stored, keyring.seal(tx, blob.encode()))
    note(tx, ctx, "update", before=stored, after=after)
    return msgspec.structs.replace(before, blob=blob)


def delete_secret(tx: Tx, ctx: Context, credential_id: str, rule: str) -> None:
    """Delete a credential."""
    found = store.credential_find(tx, credential_id)
    ctx.require(rule, **_facts(found.user_id if found else None))
    if found is None:
        raise absent("credential", credential_id)
    store.credential_delete(tx, found.id)
    note(tx, ctx, "delete", before=found)


def create_access_key(
    tx: Tx, ctx: Context, keyring: Keyring, user_id: str, project_id: str
) -> Secret:
    """Make an EC2 access key for a user and a project of theirs."""
    ctx.require("identity:ec2_create_credential", **_facts(user_id))
    if user_find(tx, user_id) is None:
        raise absent("user", user_id)
    if project_find(tx, project_id) is None:
        raise absent("project", project_id)
    key = AccessKey(new_hex_id(), new_secret(16).hex())
    blob = msgspec.json.encode(key).decode()
    return _record(tx, ctx, keyring, Secret(_id_of(key.access), EC2, user_id, project_id, blob))


def access_keys(tx: Tx, ctx: Context, keyring: Keyring, user_id: str) -> list[Secret]:
    """Return the EC2 access keys of a user."""
    ctx.require("identity:ec2_list_credentials", user_id=user_id)
    if user_find(tx, user_id) is None:
        raise absent("user", user_id)
    found = store.credential_page(tx, Listing(equals={"user_id": user_id, "type": EC2}))
    return [_opened(tx, keyring, one) for one in found.members]


def access_key_visible(tx: Tx, ctx: Context, keyring: Keyring, access: str, rule: str) -> Secret:
    """Return an access key; who can guess one may learn that it is not there, as in Keystone."""
    if store.credential_find(tx, _id_of(access)) is None:
        raise absent("credential", access)
    return secret_visible(tx, ctx, keyring, _id_of(access), rule)


def delete_access_key(tx: Tx, ctx: Context, keyring: Keyring, access: str) -> None:
    """Delete an access key."""
    rule = "identity:ec2_delete_credential"
    secret = access_key_visible(tx, ctx, keyring, access, rule)
    delete_secret(tx, ctx, secret.id, rule)


def access_key(secret: Secret) -> AccessKey:
    """Return what an EC2 credential holds."""
    blob = _blob(secret.blob)
    return AccessKey(str(blob["access"]), str(blob.get("secret", "")))


def _record(tx: Tx, ctx: Context, keyring: Keyring, new: Secret) -> Secret:
    sealed = keyring.seal(tx, new.blob.encode())
    stored = Credential(new.id, new.type, new.user_id, new.project_id, sealed, new.extra)
    store.credential_insert(tx, stored)
    note(tx, ctx, "create", after=stored)
    return new


def _opened(tx: Tx, keyring: Keyring, stored: Credential) -> Secret:
    blob = keyring.open(tx, stored.sealed_blob)
    assert blob is not None, "the key of credentials is never dropped"
    return Secret(
        stored.id, stored.type, stored.user_id, stored.project_id, blob.decode(), stored.extra
    )


def _facts(user_id: str | None) -> dict[str, object]:
    return {"target.credential.user_id": user_id} if user_id else {"target.credential.id": None}


def _blob(blob: str) -> dict[str, object]:
    """Return an access key's blob, which must be an object that names the access key."""
    try:
        held = msgspec.json.decode(blob, type=dict[str, object])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Invalid("Invalid blob in credential", field="blob") from error
    if held.get("access") is None:
        raise lacking("access", "credential")
    return held


def _id_of(access: str) -> str:
    return hashlib.sha256(access.encode()).hexdigest()
