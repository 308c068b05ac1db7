"""Credentials, and EC2's access keys among them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from cumulo.kit.ids import new_hex_id
from cumulo.services.identity import credentials
from cumulo.services.identity.access_keys import read_key
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    PageQuery,
    collection,
    link,
    listing,
    split,
)
from cumulo.services.identity.credentials import Secret
from cumulo.web import Routes

routes = Routes()

Type = Annotated[str, Meta(min_length=1, max_length=255)]


class CredentialSpec(msgspec.Struct, kw_only=True):
    """What a client wants kept."""

    type: Type
    blob: str
    user_id: Annotated[str, Meta(max_length=64)]
    project_id: Annotated[str, Meta(max_length=64)] | None = None
    id: str | None = None  # as in Keystone, clients may say it and it does not count

    def __repr__(self) -> str:
        return "CredentialSpec()"


class CredentialBody(msgspec.Struct):
    """A credential in a request."""

    credential: Attributes


class BlobSpec(msgspec.Struct, forbid_unknown_fields=True):
    """All that can change."""

    blob: str

    def __repr__(self) -> str:
        return "BlobSpec()"


class BlobBody(msgspec.Struct):
    """A change of a credential."""

    credential: BlobSpec


class CredentialQuery(PageQuery, kw_only=True):
    """Which credentials."""

    user_id: str | None = None
    type: str | None = None


class AccessKeySpec(msgspec.Struct):
    """For which project an access key is to be."""

    tenant_id: str


class AccessKeyView(msgspec.Struct):
    """An access key as clients see it."""

    user_id: str
    tenant_id: str | None
    access: str
    secret: str
    trust_id: str | None
    links: dict[str, object]


class AccessKeyBody(msgspec.Struct):
    """An access key in an answer."""

    credential: AccessKeyView


class AccessKeysBody(msgspec.Struct):
    """Access keys in an answer."""

    credentials: list[AccessKeyView]
    links: dict[str, str | None]


@routes.get("/v3/credentials", policy="identity:list_credentials", on_target=True)
def list_credentials(call: Call, query: CredentialQuery) -> dict[str, object]:
    """List credentials that the caller may see."""
    wanted = listing(call, query)
    page = call.db.read(credentials.secret_list, call.ctx, call.tools.vault, wanted)
    return collection(call, "credentials", page, lambda one: _show(call, one))


@routes.post("/v3/credentials", policy="identity:create_credential", status=201, on_target=True)
def create_credential(call: Call, body: CredentialBody) -> dict[str, object]:
    """Keep a secret for a user."""
    spec, extra = split(CredentialSpec, body.credential)
    new = Secret(new_hex_id(), spec.type, spec.user_id, spec.project_id, spec.blob, extra)
    made = call.db.write(credentials.create_secret, call.ctx, call.tools.vault, new)
    return {"credential": _show(call, made)}


@routes.get("/v3/credentials/{credential_id}", policy="identity:get_credential", on_target=True)
def get_credential(call: Call, credential_id: str) -> dict[str, object]:
    """Show a credential."""
    rule = "identity:get_credential"
    vault = call.tools.vault
    found = call.db.read(credentials.secret_visible, call.ctx, vault, credential_id, rule)
    return {"credential": _show(call, found)}


@routes.patch(
    "/v3/credentials/{credential_id}", policy="identity:update_credential", on_target=True
)
def update_credential(call: Call, credential_id: str, body: BlobBody) -> dict[str, object]:
    """Replace the secret of a credential."""
    vault, blob = call.tools.vault, body.credential.blob
    changed = call.db.write(credentials.update_secret, call.ctx, vault, credential_id, blob)
    return {"credential": _show(call, changed)}


@routes.delete(
    "/v3/credentials/{credential_id}",
    policy="identity:delete_credential",
    status=204,
    on_target=True,
)
def delete_credential(call: Call, credential_id: str) -> None:
    """Delete a credential."""
    rule = "identity:delete_credential"
    call.db.write(credentials.delete_secret, call.ctx, call.tools.vault, credential_id, rule)


@routes.get(
    "/v3/users/{user_id}/credentials/OS-EC2",
    policy="identity:ec2_list_credentials",
    on_target=True,
)
def list_access_keys(call: Call, user_id: str) -> AccessKeysBody:
    """List the EC2 access keys of a user."""
    found = call.db.read(credentials.access_keys, call.ctx, call.tools.vault, user_id)
    here = f"{call.url}{call.path}"
    shown = [_access_key(call, one) for one in found]
    return AccessKeysBody(shown, {"next": None, "self": here, "previous": None})


@routes.post(
    "/v3/users/{user_id}/credentials/OS-EC2",
    policy="identity:ec2_create_credential",
    status=201,
    on_target=True,
)
def create_access_key(call: Call, user_id: str, body: AccessKeySpec) -> AccessKeyBody:
    """Make an EC2 access key."""
    vault = call.tools.vault
    made = call.db.write(credentials.create_access_key, call.ctx, vault, user_id, body.tenant_id)
    return AccessKeyBody(_access_key(call, made))


@routes.get(
    "/v3/users/{user_id}/credentials/OS-EC2/{credential_id}",
    policy="identity:ec2_get_credential",
    on_target=True,
)
def get_access_key(call: Call, credential_id: str) -> AccessKeyBody:
    """Show an EC2 access key."""
    rule, vault = "identity:ec2_get_credential", call.tools.vault
    found = call.db.read(credentials.access_key_visible, call.ctx, vault, credential_id, rule)
    return AccessKeyBody(_access_key(call, found))


@routes.delete(
    "/v3/users/{user_id}/credentials/OS-EC2/{credential_id}",
    policy="identity:ec2_delete_credential",
    status=204,
    on_target=True,
)
def delete_access_key(call: Call, credential_id: str) -> None:
    """Delete an EC2 access key."""
    call.db.write(credentials.delete_access_key, call.ctx, call.tools.vault, credential_id)


def _show(call: Call, secret: Secret) -> dict[str, object]:
    return {
        **secret.extra,
        "id": secret.id,
        "type": secret.type,
        "user_id": secret.user_id,
        "project_id": secret.project_id,
        "blob": secret.blob,
        "links": link(call, "credentials", secret.id),
    }


def _access_key(call: Call, secret: Secret) -> AccessKeyView:
    key = read_key(secret.blob)
    return AccessKeyView(
        user_id=secret.user_id,
        tenant_id=secret.project_id,
        access=key.access,
        secret=key.secret,
        trust_id=key.trust_id,
        links=link(call, "users", secret.user_id, "credentials", "OS-EC2", key.access),
    )
