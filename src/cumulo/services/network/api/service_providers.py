"""Service providers over HTTP: who carries out what the network offers beyond its core."""

import msgspec

from cumulo.services.network.api.agents import matching
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class ProviderView(msgspec.Struct, kw_only=True):
    """Who carries out one kind of service, as clients see it."""

    service_type: str
    name: str
    default: bool


@routes.get("/v2.0/service-providers", policy="get_service_provider")
def list_service_providers(call: Call[Tools]) -> Answer:
    """List who carries out routers: the backend, and nobody else."""
    routers = ProviderView(service_type="L3_ROUTER_NAT", name=call.tools.driver.name, default=True)
    return {"service_providers": matching(call, [routers], ProviderView)}
