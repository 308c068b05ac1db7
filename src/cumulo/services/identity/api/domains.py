"""Domains."""

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.kit.errors import Invalid
from cumulo.kit.ids import new_hex_id
from cumulo.services.identity import domains
from cumulo.services.identity.api.views import show_domain
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    Description,
    Name64,
    NamedQuery,
    ResourceOptions,
    Tag,
    collection,
    flag,
    given,
    listing,
    options_set,
    split,
)
from cumulo.services.identity.domains import Project
from cumulo.web import LooseBool, Routes

routes = Routes()


class DomainSpec(msgspec.Struct, kw_only=True):
    """What a client says about the domain it wants."""

    name: Name64
    description: Description | None = ""
    enabled: LooseBool = True
    tags: list[Tag] = []
    options: ResourceOptions | UnsetType = UNSET
    explicit_domain_id: str | None = None


class DomainPatch(msgspec.Struct, kw_only=True):
    """What a client wants different."""

    id: str | UnsetType = UNSET
    name: Name64 | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    enabled: LooseBool | UnsetType = UNSET
    tags: list[Tag] | UnsetType = UNSET
    options: ResourceOptions | UnsetType = UNSET


class DomainBody(msgspec.Struct, forbid_unknown_fields=True):
    """A domain in a request."""

    domain: Attributes


class DomainQuery(NamedQuery, kw_only=True):
    """Which domains."""

    enabled: str | None = None


@routes.get("/v3/domains", policy="identity:list_domains", on_target=True)
def list_domains(call: Call, query: DomainQuery) -> dict[str, object]:
    """List domains."""
    wanted = listing(call, query, enabled=flag(query.enabled, "enabled"))
    page = call.db.read(domains.domain_list, call.ctx, wanted)
    return collection(call, "domains", page, lambda one: show_domain(call, one))


@routes.post("/v3/domains", policy="identity:create_domain", status=201)
def create_domain(call: Call, body: DomainBody) -> dict[str, object]:
    """Create a domain."""
    spec, extra = split(DomainSpec, body.domain)
    new = Project(
        id=_chosen_id(spec.explicit_domain_id),
        name=spec.name,
        description=spec.description,
        enabled=spec.enabled,
        is_domain=True,
        tags=spec.tags,
        options=options_set(spec.options),
        extra=extra,
    )
    return {"domain": show_domain(call, call.db.write(domains.create_domain, call.ctx, new))}


@routes.get("/v3/domains/{domain_id}", policy="identity:get_domain", on_target=True)
def get_domain(call: Call, domain_id: str) -> dict[str, object]:
    """Show a domain."""
    domain = call.db.read(domains.domain_visible, call.ctx, domain_id)
    return {"domain": show_domain(call, domain)}


@routes.patch("/v3/domains/{domain_id}", policy="identity:update_domain", on_target=True)
def update_domain(call: Call, domain_id: str, body: DomainBody) -> dict[str, object]:
    """Change a domain; disabling it disables whoever is in it."""
    changes = given(*split(DomainPatch, body.domain))
    domain = call.db.write(domains.update_domain, call.ctx, domain_id, changes)
    return {"domain": show_domain(call, domain)}


@routes.delete("/v3/domains/{domain_id}", policy="identity:delete_domain", status=204)
def delete_domain(call: Call, domain_id: str) -> None:
    """Delete a disabled domain and everything in it."""
    call.db.write(domains.delete_domain, call.ctx, domain_id)


def _chosen_id(asked: str | None) -> str:
    if asked is None:
        return new_hex_id()
    if len(asked) != 32 or not set(asked) <= set("0123456789abcdef"):
        raise Invalid(
            "Domain ID does not conform to required UUID format.", field="explicit_domain_id"
        )
    return asked
