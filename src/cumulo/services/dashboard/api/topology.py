"""/topology: the networks of the project, drawn."""

from cumulo.services.dashboard.api.pages import Page, Pages, Visit
from cumulo.services.dashboard.topology import Item, drawn

pages = Pages()
_MOST = 60  # of servers and of networks; more would be no picture


@pages.get("/topology")
def show_topology(visit: Visit) -> Page:
    """Draw networks, routers and servers; each leads to its page."""
    cloud, project = visit.cloud, visit.scope.project_id
    mine = {"project_id": project} if project else {}
    networks = _networks(visit, mine)
    routers = cloud.get("network", "/routers", **mine)["routers"]
    servers = []
    if project:
        servers = cloud.get("compute", "/servers/detail", limit=_MOST + 1)["servers"]
    shown = servers[:_MOST]
    devices = [one["id"] for one in (*routers, *shown)]
    ports = cloud.get("network", "/ports", device_id=devices)["ports"] if devices else []
    subnets = cloud.get("network", "/subnets")["subnets"]
    drawing = drawn(networks[:_MOST], routers, shown, ports, subnets)
    values = {
        "drawing": drawing,
        "section": "/topology",
        "live": "network subnet port router server",
        "left_out": len(servers) > _MOST or len(networks) > _MOST,
    }
    return Page("topology.html", values)


def _networks(visit: Visit, mine: dict[str, str]) -> list[Item]:
    """Return what the project may plug into: the ways out, what is lent to it, what is its own."""
    found: dict[str, Item] = {}
    for of in ({"router:external": True}, {"shared": True}, mine):
        some = visit.cloud.get("network", "/networks", limit=_MOST + 1, **of)["networks"]
        found |= {net["id"]: net for net in some}
    return list(found.values())
