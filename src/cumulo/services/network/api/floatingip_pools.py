"""Where floating IPs come from, over HTTP."""

from typing import Any

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.network import floatingip_pools
from cumulo.services.network.api.listing import Answer, fields_of, listing_of, select
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class PoolView(msgspec.Struct, kw_only=True):
    """A subnet outside as clients see it."""

    network_id: Any
    subnet_id: Any
    subnet_name: Any
    cidr: Any
    tenant_id: Any
    project_id: Any


@routes.get("/v2.0/floatingip-pools", policy="regular_user")
@routes.get("/v2.0/floatingip_pools", policy="regular_user")
def list_floatingip_pools(call: Call[Tools]) -> Answer:
    """List the subnets that the project may take floating IPs from."""
    filters, wanted = listing_of(call).filters, fields_of(call)
    unknown = [name for name in filters if name not in PoolView.__struct_fields__]
    if unknown:
        raise Invalid(f"{unknown} is invalid attribute for filtering", type="HTTPBadRequest")
    views = [
        view
        for view in call.db.read(_views, call)
        if all(getattr(view, name) in values for name, values in filters.items())
    ]
    return {"floatingip_pools": [select(view, wanted) for view in views]}


def _views(tx: Tx, call: Call[Tools]) -> list[PoolView]:
    project_id = call.ctx.project_id
    return [
        PoolView(
            network_id=subnet.network_id,
            subnet_id=subnet.id,
            subnet_name=subnet.name,
            cidr=subnet.cidr,
            tenant_id=project_id,
            project_id=project_id,
        )
        for subnet in floatingip_pools.list_pools(tx, call.ctx)
    ]
