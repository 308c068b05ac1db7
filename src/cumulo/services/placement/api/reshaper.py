"""The reshaper: inventories and allocations changed together."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.services.placement import reshapes
from cumulo.services.placement.api.allocations import ConsumerSpec, all_wanted
from cumulo.services.placement.api.answers import JSON
from cumulo.services.placement.api.inventories import Stocks, stock_of
from cumulo.services.placement.reshapes import Reshape
from cumulo.web import Call, Routes

routes = Routes()
_Uuid: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F-]{36}\Z")]


class ReshapeSpec(msgspec.Struct, forbid_unknown_fields=True):
    """What providers shall have, and what consumers shall hold of it."""

    inventories: Annotated[dict[_Uuid, Stocks], Meta(min_length=1)]
    allocations: dict[_Uuid, ConsumerSpec]


@routes.post("/reshaper", policy="placement:reshaper:reshape", since="1.30", status=204, media=JSON)
def reshape(call: Call[None], body: ReshapeSpec) -> None:
    """Move inventories between providers together with what is allocated of them."""
    wanted = {
        uuid.lower(): Reshape(
            stocks={name: stock_of(stock) for name, stock in given.inventories.items()},
            generation=given.resource_provider_generation,
        )
        for uuid, given in body.inventories.items()
    }
    call.db.write(reshapes.reshape, wanted, all_wanted(call, body.allocations))
