"""Consumers: OS-OAUTH1."""

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.ids import new_hex_id, new_secret
from cumulo.services.identity import consumers
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    PageQuery,
    collection,
    given,
    link,
    listing,
    split,
)
from cumulo.services.identity.consumers import Consumer
from cumulo.web import Routes

routes = Routes()


class ConsumerSpec(msgspec.Struct, kw_only=True):
    """What a client says about a consumer."""

    description: str | UnsetType | None = UNSET


class ConsumerBody(msgspec.Struct, forbid_unknown_fields=True):
    """A consumer in a request."""

    consumer: Attributes


@routes.get("/v3/OS-OAUTH1/consumers", policy="identity:list_consumers")
def list_consumers(call: Call, query: PageQuery) -> dict[str, object]:
    """List consumers."""
    found = call.db.read(consumers.consumer_list, listing(call, query))
    return collection(call, "consumers", found, lambda one: _show(call, one))


@routes.post("/v3/OS-OAUTH1/consumers", policy="identity:create_consumer", status=201)
def create_consumer(call: Call, body: ConsumerBody) -> dict[str, object]:
    """Register a consumer; its secret is told once."""
    spec, extra = split(ConsumerSpec, body.consumer)
    secret = new_secret(16).hex()
    made = call.db.write(_create, call, spec, extra, secret)
    return {"consumer": {**_show(call, made), "secret": secret}}


@routes.get("/v3/OS-OAUTH1/consumers/{consumer_id}", policy="identity:get_consumer")
def get_consumer(call: Call, consumer_id: str) -> dict[str, object]:
    """Show a consumer."""
    return {"consumer": _show(call, call.db.read(consumers.consumer_get, consumer_id))}


@routes.patch("/v3/OS-OAUTH1/consumers/{consumer_id}", policy="identity:update_consumer")
def update_consumer(call: Call, consumer_id: str, body: ConsumerBody) -> dict[str, object]:
    """Describe a consumer otherwise."""
    spec, _ = split(ConsumerSpec, body.consumer)
    changes = given(spec, {})
    found = call.db.write(consumers.update_consumer, call.ctx, consumer_id, changes)
    return {"consumer": _show(call, found)}


@routes.delete(
    "/v3/OS-OAUTH1/consumers/{consumer_id}", policy="identity:delete_consumer", status=204
)
def delete_consumer(call: Call, consumer_id: str) -> None:
    """Delete a consumer."""
    call.db.write(consumers.delete_consumer, call.ctx, consumer_id)


def _create(
    tx: Tx, call: Call, spec: ConsumerSpec, extra: dict[str, object], secret: str
) -> Consumer:
    description = None if spec.description is UNSET else spec.description
    sealed = call.tools.vault.seal(tx, secret.encode())
    new = Consumer(new_hex_id(), description, sealed, extra)
    return consumers.create_consumer(tx, call.ctx, new)


def _show(call: Call, one: Consumer) -> dict[str, object]:
    return {
        **one.extra,
        "id": one.id,
        "description": one.description,
        "links": link(call, "OS-OAUTH1", "consumers", one.id),
    }
