"""/topology: the networks of the project, drawn."""

from cumulo.services.dashboard.api.pages import Page, Pages, Visit
from cumulo.services.dashboard.topology import drawn

pages = Pages()
_MOST = 60  # servers; more would be no picture


@pages.get("/topology")
def show_topology(visit: Visit) -> Page:
    """Draw networks, routers and servers; each leads to its page."""
    cloud, project = visit.cloud, visit.scope.project_id
    mine = {"project_id": project} if project else {}
    networks = [
        net
        for net in cloud.get("network", "/networks")["networks"]
        if net["project_id"] == project or net["shared"] or net["router:external"]
    ]
    routers = cloud.get("network", "/routers", **mine)["routers"]
    servers = []
    if project:
        servers = cloud.get("compute", "/servers/detail", limit=_MOST + 1)["servers"]
    shown = servers[:_MOST]
    devices = [one["id"] for one in (*routers, *shown)]
    ports = cloud.get("network", "/ports", device_id=devices)["ports"] if devices else []
    subnets = cloud.get("network", "/subnets")["subnets"]
    drawing = drawn(networks, routers, shown, ports, subnets)
    values = {
        "drawing": drawing,
        "section": "/topology",
        "live": "network subnet port router server",
        "left_out": len(servers) > _MOST,
    }
    return Page("topology.html", values)
