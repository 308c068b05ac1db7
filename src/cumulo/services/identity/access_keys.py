"""EC2's access keys: credentials with which requests are signed instead of carrying a token."""

import hashlib
from collections.abc import Callable

import msgspec

from cumulo.auth import Context
from cumulo.db import Database, Tx
from cumulo.kit.errors import Forbidden, Invalid
from cumulo.kit.ids import new_hex_id, new_secret
from cumulo.services.identity import tokens, trusts
from cumulo.services.identity.delegations import Delegation, check_unrestricted, delegation_of
from cumulo.services.identity.keys import Keyring
from cumulo.services.identity.refusals import lacking, unknown_caller
from cumulo.services.identity.standing import Scope
from cumulo.services.identity.store.credentials import credential_find
from cumulo.services.identity.store.trusts import trust_find
from cumulo.services.identity.tokens import Grant, Token
from cumulo.services.identity.tools import Tools

EC2 = "ec2"
# What ties an access key to the delegation it was made through: nobody may say or change it.
BONDS = ("trust_id", "app_cred_id", "access_token_id")


class AccessKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an EC2 credential's blob holds."""

    access: str
    secret: str = ""
    trust_id: str | None = None
    app_cred_id: str | None = None

    def __repr__(self) -> str:
        return f"AccessKey({self.access})"


def credential_id_of(access: str) -> str:
    """Return the id that the credential of an access key has."""
    return hashlib.sha256(access.encode()).hexdigest()


def new_key() -> AccessKey:
    """Return a key that nobody has."""
    return AccessKey(new_hex_id(), new_secret(16).hex())


def read_key(blob: str) -> AccessKey:
    """Return what a blob holds, which must name the access key."""
    held = parts(blob)
    if held.get("access") is None:
        raise lacking("access", "credential")
    bonds = {name: str(held[name]) for name in ("trust_id", "app_cred_id") if held.get(name)}
    return AccessKey(str(held["access"]), str(held.get("secret", "")), **bonds)


def parts(blob: str) -> dict[str, object]:
    """Return a blob that must be a JSON object."""
    try:
        return msgspec.json.decode(blob, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("Invalid blob in credential", field="blob") from error


def bound(ctx: Context, blob: str, user_id: str, project_id: str | None) -> str:
    """Return a new key's blob, tied to the delegation by which the caller is here."""
    check_unrestricted(ctx)
    held = {name: value for name, value in parts(blob).items() if name not in BONDS}
    by = delegation_of(ctx)
    if by is not None and user_id == ctx.user_id:
        if project_id != ctx.project_id:
            raise Forbidden("An access key made by a delegation is for its project only.")
        held["trust_id" if by.kind == "trust" else "app_cred_id"] = by.id
    return msgspec.json.encode(held).decode()


def token_of(
    db: Database, tools: Tools, access: str, is_signed: Callable[[str], bool]
) -> tuple[str, Token]:
    """Return a token of the owner of a key, if `is_signed` recognises its secret."""
    key, user_id, project_id = db.read(_key, tools.vault, access)
    # A key that is not there costs as much as one with which nothing was signed.
    if not is_signed(key.secret if key else "nobody's") or key is None:
        raise unknown_caller()
    token_id, token = db.read(_issue, tools, key, user_id, project_id)
    if token.by and token.by.trust and token.by.trust.remaining_uses is not None:
        db.write(trusts.consume, token.by.trust)
    return token_id, token


def _key(tx: Tx, vault: Keyring, access: str) -> tuple[AccessKey | None, str, str]:
    found = credential_find(tx, credential_id_of(access))
    blob = vault.open(tx, found.sealed_blob) if found else None
    if found is None or blob is None or found.type.lower() != EC2 or not found.project_id:
        return None, "", ""
    return read_key(blob.decode()), found.user_id, found.project_id


def _issue(
    tx: Tx, tools: Tools, key: AccessKey, user_id: str, project_id: str
) -> tuple[str, Token]:
    delegation = None
    if key.trust_id:
        delegation = Delegation("trust", key.trust_id)
        trust = trust_find(tx, key.trust_id)
        user_id = trust.trustee_user_id if trust else user_id
    elif key.app_cred_id:
        delegation = Delegation("application_credential", key.app_cred_id)
    grant = Grant(
        user_id=user_id,
        methods=frozenset({"ec2credential"}),
        scope=Scope("project", project_id),
        delegation=delegation,
    )
    return tokens.issue(tx, tools.keyring, tools.settings, grant)
