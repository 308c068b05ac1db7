"""Allocations: who holds what, as lists, as objects, for one consumer and for many."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.placement import allocations, providers
from cumulo.services.placement.allocations import Allocation, Consumer, Wanted
from cumulo.services.placement.api.answers import JSON, answer, check_accept, uuid_of
from cumulo.services.placement.api.inventories import ClassName
from cumulo.services.placement.providers import Provider
from cumulo.web import Call, Reply, Routes, since

routes = Routes()
_CONSUMER = "/allocations/{consumer_uuid}"
_RULE = "placement:allocations"
# Who owned the consumers of clients that did not say.
_NOBODY = "00000000-0000-0000-0000-000000000000"

_Owner: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\A[^\x00]*\Z")]
_Uuid: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F-]{36}\Z")]
_Amount: TypeAlias = Annotated[int, Meta(ge=1, le=2**53)]
_Amounts: TypeAlias = Annotated[dict[ClassName, _Amount], Meta(min_length=1)]
_Suffix: TypeAlias = Annotated[str, Meta(pattern=r"\A[a-zA-Z0-9_-]{0,64}\Z")]
_Mappings: TypeAlias = Annotated[
    dict[_Suffix, Annotated[list[str], Meta(min_length=1)]], Meta(min_length=1)
]
_Type: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Z0-9_]+\Z", min_length=1, max_length=255)]


class ProviderRef(msgspec.Struct, forbid_unknown_fields=True):
    """Which provider."""

    uuid: str


class ListedAllocation(msgspec.Struct, forbid_unknown_fields=True):
    """What is held of one provider."""

    resource_provider: ProviderRef
    resources: _Amounts


class Listed(msgspec.Struct, forbid_unknown_fields=True):
    """What a consumer shall hold, as a list."""

    allocations: Annotated[list[ListedAllocation], Meta(min_length=1)]


class OwnedListed(Listed, forbid_unknown_fields=True, kw_only=True):
    """What a consumer shall hold, as a list, and whose it is."""

    project_id: _Owner
    user_id: _Owner


class Held(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is held of one provider; its generation is not compared."""

    resources: _Amounts
    generation: int | UnsetType = UNSET


class ConsumerSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a consumer shall hold, by provider."""

    allocations: dict[_Uuid, Held]
    project_id: _Owner
    user_id: _Owner
    consumer_generation: Annotated[int | UnsetType | None, since("1.28")] = UNSET
    mappings: Annotated[_Mappings | UnsetType, since("1.34")] = UNSET
    consumer_type: Annotated[_Type | UnsetType, since("1.38")] = UNSET


@routes.get(_CONSUMER, policy=f"{_RULE}:list")
def list_allocations(call: Call[None], consumer_uuid: str) -> Reply:
    """List what a consumer holds; one that holds nothing is not known."""
    check_accept(call)

    def read(tx: Tx) -> tuple[list[Allocation], dict[str, Provider], Consumer | None]:
        found = allocations.allocations_of(tx, consumer_uuid)
        held_of = providers.providers_get(tx, {one.provider_id for one in found})
        return found, held_of, allocations.consumers(tx, [consumer_uuid]).get(consumer_uuid)

    found, held_of, consumer = call.db.read(read)
    shown: dict[str, dict[str, Any]] = {}
    for one in found:
        generation = held_of[one.provider_id].generation
        empty = {"resources": {}, "generation": generation}
        shown.setdefault(one.provider_id, empty)["resources"][one.resource_class] = one.used
    body = {"allocations": shown, **(_show_consumer(call, consumer) if consumer else {})}
    return answer(call, body, changed=_latest(found))


@routes.put(_CONSUMER, policy=f"{_RULE}:update", until="1.7", status=204, media=JSON)
def set_nobodys_allocations(call: Call[None], consumer_uuid: str, body: Listed) -> None:
    """Let a consumer hold exactly this."""
    wanted = Wanted(amounts=_listed(body), project_id=_NOBODY, user_id=_NOBODY)
    _set(call, consumer_uuid, wanted)


@routes.put(_CONSUMER, policy=f"{_RULE}:update", since="1.8", until="1.11", status=204, media=JSON)
def set_listed_allocations(call: Call[None], consumer_uuid: str, body: OwnedListed) -> None:
    """Let a consumer hold exactly this."""
    wanted = Wanted(amounts=_listed(body), project_id=body.project_id, user_id=body.user_id)
    _set(call, consumer_uuid, wanted)


@routes.put(_CONSUMER, policy=f"{_RULE}:update", since="1.12", status=204, media=JSON)
def set_allocations(call: Call[None], consumer_uuid: str, body: ConsumerSpec) -> None:
    """Let a consumer hold exactly this."""
    if call.version < (1, 28) and not body.allocations:
        raise Invalid("JSON does not validate: {} does not have enough properties")
    _set(call, consumer_uuid, wanted_of(call, body))


@routes.post("/allocations", policy=f"{_RULE}:manage", since="1.13", status=204, media=JSON)
def manage_allocations(call: Call[None], body: dict[_Uuid, ConsumerSpec]) -> None:
    """Let several consumers hold exactly this, all of them or none."""
    if not body:
        raise Invalid("JSON does not validate: {} does not have enough properties")
    wanted = all_wanted(call, body)
    unable = "Unable to allocate inventory"
    call.db.write(allocations.replace_allocations, wanted, unable=unable)


@routes.delete(_CONSUMER, policy=f"{_RULE}:delete", status=204)
def delete_allocations(call: Call[None], consumer_uuid: str) -> None:
    """Take everything from a consumer."""
    call.db.write(allocations.delete_allocations, consumer_uuid)


@routes.get(
    "/resource_providers/{uuid}/allocations",
    policy="placement:resource_providers:allocations:list",
)
def list_provider_allocations(call: Call[None], uuid: str) -> Reply:
    """List what is held of a provider, by consumer."""
    check_accept(call)

    def read(tx: Tx) -> tuple[int, list[Allocation], dict[str, Consumer]]:
        generation = providers.provider_get(tx, uuid).generation
        found = allocations.allocations_of_provider(tx, uuid)
        return generation, found, allocations.consumers(tx, {one.consumer_id for one in found})

    generation, found, holders = call.db.read(read)
    shown: dict[str, dict[str, Any]] = {}
    for one in found:
        held = shown.setdefault(one.consumer_id, {"resources": {}})
        held["resources"][one.resource_class] = one.used
        if call.version >= (1, 28):
            held["consumer_generation"] = holders[one.consumer_id].generation
    body = {"allocations": shown, "resource_provider_generation": generation}
    return answer(call, body, changed=_latest(found))


def wanted_of(call: Call[None], body: ConsumerSpec) -> Wanted:
    """Return what a client wants a consumer to hold."""
    for field, version in (("consumer_generation", (1, 28)), ("consumer_type", (1, 38))):
        if call.version >= version and getattr(body, field) is UNSET:
            raise Invalid(f"JSON does not validate: '{field}' is a required property")
    return Wanted(
        amounts={uuid.lower(): held.resources for uuid, held in body.allocations.items()},
        project_id=body.project_id,
        user_id=body.user_id,
        consumer_type=body.consumer_type,
        generation=body.consumer_generation,
    )


def all_wanted(call: Call[None], body: Mapping[str, ConsumerSpec]) -> dict[str, Wanted]:
    """Return what a client wants several consumers to hold."""
    return {uuid_of(uuid, "consumer_uuid"): wanted_of(call, spec) for uuid, spec in body.items()}


def _set(call: Call[None], consumer_uuid: str, wanted: Wanted) -> None:
    consumer_id = uuid_of(consumer_uuid, "consumer_uuid")
    unable = f"Unable to allocate inventory for consumer {consumer_id}"
    call.db.write(allocations.replace_allocations, {consumer_id: wanted}, unable=unable)


def _listed(body: Listed) -> dict[str, dict[str, int]]:
    return {
        uuid_of(one.resource_provider.uuid, "resource provider"): one.resources
        for one in body.allocations
    }


def _show_consumer(call: Call[None], consumer: Consumer) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if call.version >= (1, 12):
        shown = {"project_id": consumer.project_id, "user_id": consumer.user_id}
    if call.version >= (1, 28):
        shown["consumer_generation"] = consumer.generation
    if call.version >= (1, 38):
        shown["consumer_type"] = consumer.consumer_type or "unknown"
    return shown


def _latest(found: Iterable[Allocation]) -> datetime | None:
    return max((one.created_at for one in found), default=None)
