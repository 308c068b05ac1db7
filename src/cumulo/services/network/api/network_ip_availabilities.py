"""How many addresses networks have left, over HTTP."""

from cumulo.kit.errors import Invalid
from cumulo.services.network import ip_availability
from cumulo.services.network.api.listing import Answer, listing_of
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()
_FILTERS = ("network_id", "network_name", "project_id", "tenant_id")


@routes.get("/v2.0/network-ip-availabilities", policy="regular_user")
def list_network_ip_availabilities(call: Call[Tools]) -> Answer:
    """List how many addresses each network has, and how many of them are taken; to most, none."""
    filters = dict(listing_of(call).filters)
    versions = filters.pop("ip_version", ["4", "6"])
    unknown = [name for name in filters if name not in _FILTERS]
    if unknown:
        raise Invalid(f"{unknown} is invalid attribute for filtering", type="HTTPBadRequest")
    wanted = [int(text) for text in versions if text in ("4", "6")]
    seen: list[str] | None = None if call.ctx.may("get_network_ip_availability") else []
    found = call.db.read(ip_availability.list_availability, wanted, seen)
    return {
        "network_ip_availabilities": [
            one
            for one in found
            if all(getattr(one, name) in values for name, values in filters.items())
        ]
    }


@routes.get("/v2.0/network-ip-availabilities/{network_id}", policy="get_network_ip_availability")
def show_network_ip_availability(call: Call[Tools], network_id: str) -> Answer:
    """Show how many addresses a network has, and how many of them are taken."""
    found = call.db.read(ip_availability.availability_of, network_id)
    return {"network_ip_availability": found}
