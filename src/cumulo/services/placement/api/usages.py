"""Usages: of a provider, of a project."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.placement import inventories, providers, usages
from cumulo.services.placement.api.answers import answer, check_accept
from cumulo.web import Call, Reply, Routes, since

routes = Routes()
_Id = Annotated[str, Meta(min_length=1, max_length=255)]
_TYPE = re.compile(r"[A-Z0-9_]+|all|unknown")


class UsageQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whose usage is asked for."""

    project_id: _Id
    user_id: _Id | None = None
    consumer_type: Annotated[_Id | None, since("1.38")] = None


@routes.get("/resource_providers/{uuid}/usages", policy="placement:resource_providers:usages")
def list_provider_usages(call: Call[None], uuid: str) -> Reply:
    """List how much of each class of a provider is used."""
    check_accept(call)

    def read(tx: Tx) -> tuple[int, dict[str, int]]:
        provider = providers.provider_get(tx, uuid)
        rows = inventories.inventories_of(tx, uuid)
        return provider.generation, {name: row.used for name, row in rows.items()}

    generation, used = call.db.read(read)
    return answer(call, {"resource_provider_generation": generation, "usages": used})


@routes.get("/usages", policy="placement:usages", since="1.9")
def list_usages(call: Call[None], query: UsageQuery) -> Reply:
    """List how much of each class a project, or one of its users, holds."""
    check_accept(call)
    # The rule lets readers ask for their own project: what they ask for is the target.
    call.ctx.require("placement:usages", project_id=query.project_id)
    kind = query.consumer_type
    if kind is not None and not _TYPE.fullmatch(kind):
        raise Invalid(f"Invalid query string parameters: '{kind[:64]}' does not match a type")
    owner = (query.project_id, query.user_id)
    if call.version >= (1, 38):
        return answer(call, {"usages": call.db.read(usages.usage_by_type, *owner, kind)})
    return answer(call, {"usages": call.db.read(usages.usage_by_class, *owner)})
