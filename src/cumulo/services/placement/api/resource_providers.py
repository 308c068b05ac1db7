"""Resource providers: list, create, show, rename, move, delete."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.kit.ids import new_id
from cumulo.services.placement import providers, resource_classes, traits
from cumulo.services.placement.api.answers import JSON, answer, check_accept, is_uuid, uuid_of
from cumulo.services.placement.api.queries import (
    aggregates_of,
    check_names,
    resources_of,
    traits_of,
)
from cumulo.services.placement.providers import Filter, Provider
from cumulo.web import Call, Reply, Routes, since

routes = Routes()
_PROVIDER = "/resource_providers/{uuid}"
_Name = Annotated[str, Meta(max_length=200, pattern=r"\A[^\x00]*\Z")]
_Parent = Annotated[str | UnsetType | None, since("1.14")]


class ProviderSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a provider it makes."""

    name: _Name
    uuid: str | UnsetType = UNSET
    parent_provider_uuid: _Parent = UNSET


class ProviderChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A provider's new name and, if it is to move, its new parent."""

    name: _Name
    parent_provider_uuid: _Parent = UNSET


@routes.get("/resource_providers", policy="placement:resource_providers:list")
def list_resource_providers(call: Call[None]) -> Reply:
    """List the providers that have room, traits and aggregates as asked for."""
    check_accept(call)
    found = call.db.read(_list, _filter(call))
    changed = max((provider.updated_at for provider in found), default=None)
    return answer(
        call, {"resource_providers": [_show(call, one) for one in found]}, changed=changed
    )


@routes.post("/resource_providers", policy="placement:resource_providers:create", media=JSON)
def create_resource_provider(call: Call[None], body: ProviderSpec) -> Reply:
    """Create a provider, as a root or below another."""
    uuid = new_id() if body.uuid is UNSET else _uuid("uuid", body.uuid)
    parent = _parent(body.parent_provider_uuid)
    provider = call.db.write(
        providers.new_provider, provider_id=uuid, name=body.name, parent_id=parent
    )
    headers = {"Location": f"{call.url}/resource_providers/{uuid}"}
    if call.version >= (1, 20):
        shown = _show(call, provider)
        return answer(call, shown, changed=provider.updated_at, headers=headers)
    return Reply(status=201, headers=headers)


@routes.get(_PROVIDER, policy="placement:resource_providers:show")
def show_resource_provider(call: Call[None], uuid: str) -> Reply:
    """Show a provider."""
    check_accept(call)
    provider = call.db.read(providers.provider_get, uuid)
    return answer(call, _show(call, provider), changed=provider.updated_at)


@routes.put(_PROVIDER, policy="placement:resource_providers:update", media=JSON)
def update_resource_provider(call: Call[None], uuid: str, body: ProviderChange) -> Reply:
    """Rename a provider, or put it below another."""
    may_move = call.version >= (1, 37)

    def update(tx: Tx) -> Provider:
        provider = providers.provider_get(tx, uuid)
        parent = provider.parent_id
        if body.parent_provider_uuid is not UNSET:
            parent = _parent(body.parent_provider_uuid)
        return providers.update_provider(
            tx, provider, name=body.name, parent_id=parent, may_move=may_move
        )

    provider = call.db.write(update)
    return answer(call, _show(call, provider), changed=provider.updated_at)


@routes.delete(_PROVIDER, policy="placement:resource_providers:delete", status=204)
def delete_resource_provider(call: Call[None], uuid: str) -> None:
    """Delete a provider of which nothing is allocated."""
    call.db.write(providers.delete_provider, uuid)


def _list(tx: Tx, wanted: Filter) -> list[Provider]:
    if unknown := resource_classes.unknown_classes(tx, wanted.resources):
        raise Invalid(
            f"Invalid resource class in resources parameter: No such resource class {unknown[0]}."
        )
    named = {trait for some in wanted.required for trait in some} | wanted.forbidden
    if missing := traits.unknown_traits(tx, named):
        raise Invalid(
            f'Invalid trait(s) in "required" parameter: No such trait(s): {", ".join(missing)}.'
        )
    return providers.provider_list(tx, wanted)


def _filter(call: Call[None]) -> Filter:
    names = {"name": (1, 0), "uuid": (1, 0), "member_of": (1, 3), "resources": (1, 4)}
    names |= {"in_tree": (1, 14), "required": (1, 18)}
    given = call.filters
    check_names(given, [name for name, since in names.items() if call.version >= since])
    wanted = Filter(name=_last(given.get("name")) or None)
    for name in ("uuid", "in_tree"):
        value = _last(given.get(name))
        if value is not None and not is_uuid(value):
            raise Invalid(f"Invalid query string parameters: '{value[:64]}' is not a 'uuid'")
    wanted.id, wanted.in_tree = _last(given.get("uuid")), _last(given.get("in_tree"))
    if "resources" in given:
        wanted.resources = resources_of(given["resources"][-1])
    wanted.member_of, wanted.not_member_of = aggregates_of(
        given.get("member_of", []),
        "",
        may_repeat=call.version >= (1, 24),
        may_forbid=call.version >= (1, 32),
    )
    may_choose = call.version >= (1, 39)
    required = given.get("required", [])
    wanted.required, wanted.forbidden = traits_of(
        required if may_choose else required[-1:],
        may_forbid=call.version >= (1, 22),
        may_choose=may_choose,
    )
    return wanted


def _last(values: list[str] | None) -> str | None:
    return values[-1] if values else None


def _parent(given: str | UnsetType | None) -> str | None:
    if given is UNSET or given is None:
        return None
    return _uuid("parent_provider_uuid", given)


def _uuid(name: str, given: str) -> str:
    if not is_uuid(given):
        raise Invalid(
            f"JSON does not validate: '{given[:64]}' is not a 'uuid'. Failed validating 'format' "
            f"in schema['properties']['{name}']"
        )
    return uuid_of(given, name)


def _show(call: Call[None], provider: Provider) -> dict[str, Any]:
    url = f"/resource_providers/{provider.id}"
    since = {"inventories": (1, 0), "usages": (1, 0), "aggregates": (1, 1), "traits": (1, 6)}
    since |= {"allocations": (1, 11)}
    links = [{"rel": "self", "href": url}]
    links += [{"rel": r, "href": f"{url}/{r}"} for r, v in since.items() if call.version >= v]
    shown: dict[str, Any] = {
        "uuid": provider.id,
        "name": provider.name,
        "generation": provider.generation,
        "links": links,
    }
    if call.version >= (1, 14):
        shown["parent_provider_uuid"] = provider.parent_id
        shown["root_provider_uuid"] = provider.root_id
    return shown
