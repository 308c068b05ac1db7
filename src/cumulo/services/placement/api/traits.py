"""Traits, and which provider has which."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.placement import providers, traits
from cumulo.services.placement.api.answers import JSON, answer, check_accept
from cumulo.services.placement.api.queries import check_names
from cumulo.web import Call, Reply, Routes

routes = Routes()
_TRAIT = "/traits/{name}"
_OF_PROVIDER = "/resource_providers/{uuid}/traits"
_RULE = "placement:resource_providers:traits"
_Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
_CUSTOM = Annotated[str, Meta(max_length=255, pattern=r"\ACUSTOM_[A-Z0-9_]+\Z")]


class Traits(msgspec.Struct, forbid_unknown_fields=True):
    """The traits a provider shall have, and the generation its writer saw."""

    traits: list[_Name]
    resource_provider_generation: int


@routes.get("/traits", policy="placement:traits:list", since="1.6")
def list_traits(call: Call[None]) -> Reply:
    """List traits, some or all, in use or not."""
    check_names(call.filters, ("name", "associated"))
    names, prefix = _name_filter(call.filters.get("name", [None])[-1])
    associated = _associated(call.filters.get("associated", [None])[-1])
    found = call.db.read(traits.trait_list, names=names, prefix=prefix, associated=associated)
    return answer(call, {"traits": list(found)}, changed=_latest(found))


@routes.get(_TRAIT, policy="placement:traits:show", since="1.6", status=204)
def show_trait(call: Call[None], name: str) -> Reply:
    """Say whether there is such a trait."""
    return answer(call, None, changed=call.db.read(traits.trait_get, name))


@routes.put(_TRAIT, policy="placement:traits:update", since="1.6")
def create_trait(call: Call[None], name: str) -> Reply:
    """Make a trait, or find it made."""
    _check_custom(name)
    is_new = call.db.write(traits.ensure_trait, name)
    headers = {"Location": f"{call.url}/traits/{name}"}
    return answer(call, None, status=201 if is_new else 204, headers=headers)


@routes.delete(_TRAIT, policy="placement:traits:delete", since="1.6", status=204)
def delete_trait(call: Call[None], name: str) -> None:
    """Delete a trait that a client made and no provider has."""
    call.db.write(traits.delete_trait, name)


@routes.get(_OF_PROVIDER, policy=f"{_RULE}:list", since="1.6")
def list_provider_traits(call: Call[None], uuid: str) -> Reply:
    """List the traits of a provider."""
    check_accept(call)

    def read(tx: Tx) -> tuple[int, dict[str, datetime | None]]:
        provider = providers.provider_get(tx, uuid)
        names = traits.traits_of(tx, uuid)
        return provider.generation, traits.trait_list(tx, names=names)

    return _show(call, *call.db.read(read))


@routes.put(_OF_PROVIDER, policy=f"{_RULE}:update", since="1.6", media=JSON)
def set_provider_traits(call: Call[None], uuid: str, body: Traits) -> Reply:
    """Let a provider have exactly these traits."""

    def update(tx: Tx) -> tuple[int, dict[str, datetime | None]]:
        provider, seen = providers.provider_get(tx, uuid), body.resource_provider_generation
        generation = traits.set_traits(tx, provider, body.traits, seen)
        return generation, traits.trait_list(tx, names=body.traits)

    return _show(call, *call.db.write(update))


@routes.delete(_OF_PROVIDER, policy=f"{_RULE}:delete", since="1.6", status=204)
def delete_provider_traits(call: Call[None], uuid: str) -> None:
    """Take all traits from a provider."""

    def delete(tx: Tx) -> None:
        traits.set_traits(tx, providers.provider_get(tx, uuid), [], None)

    call.db.write(delete)


def _show(call: Call[None], generation: int, found: Mapping[str, datetime | None]) -> Reply:
    shown: dict[str, Any] = {"traits": list(found), "resource_provider_generation": generation}
    return answer(call, shown, changed=_latest(found))


def _latest(found: Mapping[str, datetime | None]) -> datetime | None:
    return max((made for made in found.values() if made), default=None)


def _name_filter(text: str | None) -> tuple[Iterable[str] | None, str]:
    """Read `in:A,B` or `startswith:A`."""
    if text is None:
        return None, ""
    operator, colon, value = text.partition(":")
    if colon and operator == "in":
        return value.split(","), ""
    if colon and operator == "startswith":
        return None, value
    raise Invalid(
        "Badly formatted name parameter. Expected name query string parameter in form: "
        f'?name=[in|startswith]:[name1,name2|prefix]. Got: "{text[:128]}"'
    )


def _associated(text: str | None) -> bool | None:
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise Invalid('The query parameter "associated" only accepts "true" or "false"')
    return text.lower() == "true"


def _check_custom(name: str) -> None:
    try:
        msgspec.convert(name, _CUSTOM)
    except msgspec.ValidationError as error:
        raise Invalid(
            "The trait is invalid. A valid trait must be no longer than 255 characters, start "
            'with the prefix "CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"'
        ) from error
