"""Credentials: secrets kept for users, of which EC2's access keys are one kind."""

import msgspec

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import Forbidden, Invalid
from cumulo.services.identity.access_keys import (
    BONDS,
    EC2,
    bound,
    credential_id_of,
    new_key,
    parts,
    read_key,
)
from cumulo.services.identity.delegations import delegation_of
from cumulo.services.identity.journal import note
from cumulo.services.identity.keys import Keyring
from cumulo.services.identity.listings import Listing, Page
from cumulo.services.identity.refusals import absent, lacking
from cumulo.services.identity.store import credentials as store
from cumulo.services.identity.store.credentials import Credential
from cumulo.services.identity.store.projects import project_find
from cumulo.services.identity.store.users import user_find


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


def secret_visible(tx: Tx, ctx: Context, keyring: Keyring, credential_id: str, rule: str) -> Secret:
    """Return a credential that `rule` lets the caller reach."""
    found = store.credential_find(tx, credential_id)
    ctx.require(rule, **_facts(found.user_id if found else None))
    if found is None:
        raise absent("credential", credential_id)
    secret = _opened(tx, keyring, found)
    if not _is_within(ctx, secret):
        raise Forbidden("This credential was not made by the delegation of the token.")
    return secret


def secret_list(tx: Tx, ctx: Context, keyring: Keyring, listing: Listing) -> Page[Secret]:
    """Return the credentials that the caller may each see."""
    asks_for_own = None if ctx.system_scope else ctx.user_id
    ctx.require("identity:list_credentials", **_facts(asks_for_own))
    everything = store.credential_page(tx, msgspec.structs.replace(listing, limit=None)).members
    mine = [one for one in everything if ctx.may("identity:get_credential", **_facts(one.user_id))]
    opened = [one for one in (_opened(tx, keyring, c) for c in mine) if _is_within(ctx, one)]
    is_truncated = listing.limit is not None and len(opened) >= listing.limit
    return Page(opened[: listing.limit], is_truncated)


def create_secret(tx: Tx, ctx: Context, keyring: Keyring, new: Secret) -> Secret:
    """Record a credential; an access key gives it its id."""
    ctx.require("identity:create_credential", **_facts(new.user_id))
    if new.type.lower() == EC2:
        if new.project_id is None:
            raise lacking("project_id", "credential")
        blob = bound(ctx, new.blob, new.user_id, new.project_id)
        new = msgspec.structs.replace(new, id=credential_id_of(read_key(blob).access), blob=blob)
    elif new.user_id == ctx.user_id and _is_limited(ctx):
        # A passcode's secret, say, would let its holder in by another door.
        raise Forbidden("A delegated token makes no credentials but access keys bound to it.")
    return _record(tx, ctx, keyring, new)


def update_secret(tx: Tx, ctx: Context, keyring: Keyring, credential_id: str, blob: str) -> Secret:
    """Replace the secret; whose it is, and by what delegation, cannot change."""
    rule = "identity:update_credential"
    before = secret_visible(tx, ctx, keyring, credential_id, rule)
    if before.type.lower() == EC2:
        old, new = parts(before.blob), parts(blob)
        for name in (*BONDS, "access_id"):
            if old.get(name) != new.get(name):
                raise Invalid(f"{name} can not be updated for credential", field="blob")
    stored = store.credential_find(tx, before.id)
    assert stored is not None, "it was there in this transaction"
    after = store.credential_change(tx, stored, keyring.seal(tx, blob.encode()))
    note(tx, ctx, "update", before=stored, after=after)
    return msgspec.structs.replace(before, blob=blob)


def delete_secret(tx: Tx, ctx: Context, keyring: Keyring, credential_id: str, rule: str) -> None:
    """Delete a credential."""
    secret_visible(tx, ctx, keyring, credential_id, rule)
    found = store.credential_find(tx, credential_id)
    assert found is not None, "it was there in this transaction"
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
    key = new_key()
    blob = bound(ctx, msgspec.json.encode(key).decode(), user_id, project_id)
    new = Secret(credential_id_of(key.access), EC2, user_id, project_id, blob)
    return _record(tx, ctx, keyring, new)


def access_keys(tx: Tx, ctx: Context, keyring: Keyring, user_id: str) -> list[Secret]:
    """Return the EC2 access keys of a user."""
    ctx.require("identity:ec2_list_credentials", user_id=user_id)
    if user_find(tx, user_id) is None:
        raise absent("user", user_id)
    found = store.credential_page(tx, Listing(equals={"user_id": user_id, "type": EC2}))
    opened = [_opened(tx, keyring, one) for one in found.members]
    return [one for one in opened if _is_within(ctx, one)]


def access_key_visible(tx: Tx, ctx: Context, keyring: Keyring, access: str, rule: str) -> Secret:
    """Return an access key; who can guess one may learn that it is not there, as in Keystone."""
    if store.credential_find(tx, credential_id_of(access)) is None:
        raise absent("credential", access)
    return secret_visible(tx, ctx, keyring, credential_id_of(access), rule)


def delete_access_key(tx: Tx, ctx: Context, keyring: Keyring, access: str) -> None:
    """Delete an access key."""
    rule = "identity:ec2_delete_credential"
    secret = access_key_visible(tx, ctx, keyring, access, rule)
    delete_secret(tx, ctx, keyring, secret.id, rule)


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


def _is_limited(ctx: Context) -> bool:
    """Say whether the caller is here by a delegation that must not become more."""
    token = ctx.token
    return token is not None and (token.trust_id is not None or token.is_restricted)


def _is_within(ctx: Context, secret: Secret) -> bool:
    """Say whether a delegated caller may know a credential: of its user's own, what it made."""
    if not _is_limited(ctx) or secret.user_id != ctx.user_id:
        return True
    by = delegation_of(ctx)
    if by is None or secret.type.lower() != EC2:
        return False
    key = read_key(secret.blob)
    return by.id == (key.trust_id if by.kind == "trust" else key.app_cred_id)
