"""Application credentials of a user."""

import base64
from typing import Annotated

import msgspec
from msgspec import Meta

from cumulo.kit.clock import iso_bare
from cumulo.kit.ids import new_hex_id, new_secret
from cumulo.services.identity import application_credentials as credentials
from cumulo.services.identity.access_rules import RuleSpec
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    Name255,
    NamedQuery,
    collection,
    link,
    listing,
    moment,
    split,
)
from cumulo.services.identity.application_credentials import Shown, Wanted
from cumulo.services.identity.trusts import RoleRef
from cumulo.web import LooseBool, Routes

routes = Routes()

_PATH = "/v3/users/{user_id}/application_credentials"


class AccessRuleSpec(msgspec.Struct, forbid_unknown_fields=True):
    """A kind of request that is permitted."""

    path: Annotated[str, Meta(max_length=128, pattern=r"^/")] = ""
    method: Annotated[str, Meta(pattern=r"^(GET|HEAD|POST|PUT|PATCH|DELETE)\Z")] = ""
    service: Annotated[str, Meta(max_length=64)] = ""
    id: str | None = None


class CredentialSpec(msgspec.Struct, kw_only=True):
    """What a client says about the application credential it wants."""

    name: Name255
    secret: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    description: str | None = None
    roles: list[RoleRef] | None = None
    expires_at: str | None = None
    unrestricted: LooseBool | None = False
    access_rules: list[AccessRuleSpec] | None = None

    def __repr__(self) -> str:
        return f"CredentialSpec({self.name})"


class CredentialBody(msgspec.Struct, forbid_unknown_fields=True):
    """An application credential in a request."""

    application_credential: Attributes


@routes.get(_PATH, policy="identity:list_application_credentials", on_target=True)
def list_application_credentials(call: Call, user_id: str, query: NamedQuery) -> dict[str, object]:
    """List a user's application credentials."""
    found = call.db.read(credentials.credential_list, call.ctx, user_id, listing(call, query))
    return collection(call, "application_credentials", found, lambda one: _show(call, one))


@routes.post(_PATH, policy="identity:create_application_credential", status=201, on_target=True)
def create_application_credential(
    call: Call, user_id: str, body: CredentialBody
) -> dict[str, object]:
    """Make an application credential for the project of the token; its secret is told once."""
    spec, _ = split(CredentialSpec, body.application_credential)
    credentials.check_may_create(call.ctx, user_id)
    secret = spec.secret or base64.urlsafe_b64encode(new_secret(64)).decode().rstrip("=")
    rules = [RuleSpec(one.id, one.service, one.path, one.method) for one in spec.access_rules or []]
    wanted = Wanted(
        id=new_hex_id(),
        user_id=user_id,
        name=spec.name,
        secret_hash=call.tools.passwords.hash(secret),
        description=spec.description,
        expires_at=moment(spec.expires_at, "expires_at"),
        unrestricted=bool(spec.unrestricted),
        roles=spec.roles,
        access_rules=rules,
    )
    made = call.db.write(credentials.create_credential, call.ctx, wanted)
    call.tools.passwords.remember(made.credential.id, made.credential.secret_hash, secret)
    return {"application_credential": {**_show(call, made), "secret": secret}}


@routes.get(
    _PATH + "/{application_credential_id}",
    policy="identity:get_application_credential",
    on_target=True,
)
def get_application_credential(
    call: Call, user_id: str, application_credential_id: str
) -> dict[str, object]:
    """Show an application credential."""
    shown = call.db.read(credentials.credential_show, call.ctx, user_id, application_credential_id)
    return {"application_credential": _show(call, shown)}


@routes.delete(
    _PATH + "/{application_credential_id}",
    policy="identity:delete_application_credential",
    status=204,
    on_target=True,
)
def delete_application_credential(call: Call, user_id: str, application_credential_id: str) -> None:
    """Delete an application credential."""
    call.db.write(credentials.delete_credential, call.ctx, user_id, application_credential_id)


def _show(call: Call, shown: Shown) -> dict[str, object]:
    one = shown.credential
    view: dict[str, object] = {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "project_id": one.project_id,
        "user_id": one.user_id,
        "system": None,
        "expires_at": iso_bare(one.expires_at) if one.expires_at else None,
        "unrestricted": one.unrestricted,
        "roles": [
            {"id": role.id, "name": role.name, "domain_id": role.domain_id} for role in shown.roles
        ],
        "links": link(call, "users", one.user_id, "application_credentials", one.id),
    }
    if shown.access_rules:
        view["access_rules"] = [
            {"id": rule.id, "path": rule.path, "method": rule.method, "service": rule.service}
            for rule in shown.access_rules
        ]
    return view
