"""/admin/servers, /admin/networks, /admin/images: what all projects have."""

from dataclasses import replace

from cumulo.services.dashboard import servers
from cumulo.services.dashboard.api import images, networks
from cumulo.services.dashboard.api.pages import Page, Pages, Visit
from cumulo.services.dashboard.api.showing import list_page
from cumulo.services.dashboard.cells import Link, Text, text
from cumulo.services.dashboard.lists import Column

pages = Pages()


def _project(name: str) -> Column:
    return Column(
        "Project", lambda one: Link(one[name] or "", f"/admin/projects/{one[name]}"), name
    )


_HOST = Column("Host", lambda one: Text(one.get(servers.HOST) or ""), "host")
SERVERS = replace(
    servers.LISTING,
    title="All servers",
    path="/admin/servers",
    query={"all_tenants": "1"},
    columns=(
        *servers.COLUMNS[:4],
        _HOST,
        Column(
            "Project",
            lambda one: Link(one["tenant_id"], f"/admin/projects/{one['tenant_id']}"),
            "project_id",
        ),
        servers.COLUMNS[-1],
    ),
    create=None,
)
NETWORKS = replace(
    networks.LISTING,
    title="All networks",
    path="/admin/networks",
    columns=(
        *networks.LISTING.columns[:5],
        _project("project_id"),
        Column("Kind", lambda net: text(net.get("provider:network_type"))),
    ),
    create=None,
    bulk=(),
)
IMAGES = replace(
    images.LISTING,
    title="All images",
    path="/admin/images",
    columns=(*images.LISTING.columns[:5], _project("owner")),
    create=None,
    bulk=(),
)


@pages.get("/admin/servers")
def list_all_servers(visit: Visit) -> Page:
    """List the servers of all projects."""
    return list_page(visit, SERVERS)


@pages.get("/admin/networks")
def list_all_networks(visit: Visit) -> Page:
    """List the networks of all projects."""
    return list_page(visit, NETWORKS)


@pages.get("/admin/images")
def list_all_images(visit: Visit) -> Page:
    """List the images of all projects."""
    return list_page(visit, IMAGES)
