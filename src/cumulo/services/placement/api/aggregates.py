"""Aggregates of a provider."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.placement import aggregates, providers
from cumulo.services.placement.api.answers import JSON, answer, check_accept, is_uuid, uuid_of
from cumulo.web import Call, Reply, Routes

routes = Routes()
_PATH = "/resource_providers/{uuid}/aggregates"
_RULE = "placement:resource_providers:aggregates"
_Ids: TypeAlias = list[Annotated[str, Meta(max_length=36)]]


class Aggregates(msgspec.Struct, forbid_unknown_fields=True):
    """The aggregates a provider shall be in, and the generation its writer saw."""

    aggregates: _Ids
    resource_provider_generation: int


@routes.get(_PATH, policy=f"{_RULE}:list", since="1.1")
def list_aggregates(call: Call[None], uuid: str) -> Reply:
    """List the aggregates that a provider is in."""
    check_accept(call)

    def read(tx: Tx) -> tuple[int, list[str]]:
        provider = providers.provider_get(tx, uuid)
        return provider.generation, aggregates.aggregates_of(tx, uuid)

    return _show(call, *call.db.read(read))


@routes.put(_PATH, policy=f"{_RULE}:update", since="1.1", until="1.18", media=JSON)
def set_aggregates_unchecked(call: Call[None], uuid: str, body: _Ids) -> Reply:
    """Put a provider into exactly these aggregates, whatever happened to it meanwhile."""
    return _set(call, uuid, body, None)


@routes.put(_PATH, policy=f"{_RULE}:update", since="1.19", media=JSON)
def set_aggregates(call: Call[None], uuid: str, body: Aggregates) -> Reply:
    """Put a provider into exactly these aggregates."""
    return _set(call, uuid, body.aggregates, body.resource_provider_generation)


def _set(call: Call[None], uuid: str, given: list[str], generation: int | None) -> Reply:
    if wrong := [one for one in given if not is_uuid(one)]:
        raise Invalid(f"JSON does not validate: '{wrong[0]}' is not a 'uuid'")
    wanted = [uuid_of(one, "aggregate id") for one in given]
    if len(set(wanted)) < len(wanted):
        raise Invalid(f"JSON does not validate: {given} has non-unique elements")

    def update(tx: Tx) -> int:
        provider = providers.provider_get(tx, uuid)
        return aggregates.set_aggregates(tx, provider, wanted, generation)

    return _show(call, call.db.write(update), given)


def _show(call: Call[None], generation: int, found: list[str]) -> Reply:
    shown: dict[str, Any] = {"aggregates": found}
    if call.version >= (1, 19):
        shown["resource_provider_generation"] = generation
    return answer(call, shown)
