"""/topology: the networks of the project, drawn."""

from cumulo.services.dashboard.api.pages import Page, Pages, Visit
from cumulo.services.dashboard.topology import drawn

pages = Pages()
_MOST = 200


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
    servers = cloud.get("compute", "/servers/detail", limit=_MOST)["servers"] if project else []
    ports = cloud.get("network", "/ports", **mine)["ports"]
    drawing = drawn(networks, routers, servers, ports)
    values = {
        "drawing": drawing,
        "section": "/topology",
        "live": "network subnet port router server",
    }
    return Page("topology.html", values)
