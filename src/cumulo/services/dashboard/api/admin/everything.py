"""/admin/servers, /admin/networks, /admin/volumes ...: what all projects have."""

from dataclasses import replace

from cumulo.services.dashboard import servers
from cumulo.services.dashboard.api import floating_ips, images, networks, routers, volumes
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
        servers.PROJECT,
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
ROUTERS = replace(
    routers.LISTING,
    title="All routers",
    path="/admin/routers",
    project="",
    columns=(*routers.LISTING.columns[:3], _project("project_id")),
    create=None,
    bulk=(),
)
FLOATING_IPS = replace(
    floating_ips.LISTING,
    title="All floating IPs",
    path="/admin/floating-ips",
    project="",
    columns=(*floating_ips.LISTING.columns, _project("project_id")),
    create=None,
    bulk=(),
)
_OWNER = "os-vol-tenant-attr:tenant_id"
VOLUMES = replace(
    volumes.LISTING,
    title="All volumes",
    path="/admin/volumes",
    query={"all_tenants": "1"},
    columns=(
        *volumes.LISTING.columns[:4],
        Column("Project", lambda one: Link(one[_OWNER], f"/admin/projects/{one[_OWNER]}")),
        volumes.LISTING.columns[-1],
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


@pages.get("/admin/routers")
def list_all_routers(visit: Visit) -> Page:
    """List the routers of all projects."""
    return list_page(visit, ROUTERS)


@pages.get("/admin/floating-ips")
def list_all_floating_ips(visit: Visit) -> Page:
    """List the floating IPs of all projects."""
    return list_page(visit, FLOATING_IPS)


@pages.get("/admin/volumes")
def list_all_volumes(visit: Visit) -> Page:
    """List the volumes of all projects."""
    return list_page(visit, VOLUMES)


@pages.get("/admin/images")
def list_all_images(visit: Visit) -> Page:
    """List the images of all projects."""
    return list_page(visit, IMAGES)
