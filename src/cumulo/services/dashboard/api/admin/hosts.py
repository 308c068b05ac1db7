"""/admin/hypervisors, /admin/services, /admin/agents: the machines, and what runs on them."""

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import detail_page, each, list_page
from cumulo.services.dashboard.cells import Cell, Code, Link, State, Text, When, gauge, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.lists import Button, Column, Item, Listing
from cumulo.services.dashboard.servers import COLUMNS, PROJECT

pages = Pages()
_HYPERVISORS = "/admin/hypervisors"
# The last version whose hypervisors tell how much of them is used.
_WITH_FIGURES = {"OpenStack-API-Version": "compute 2.87"}
_USES = (
    ("VCPUs", "vcpus_used", "vcpus", ""),
    ("Memory", "memory_mb_used", "memory_mb", "MiB"),
    ("Disk", "local_gb_used", "local_gb", "GiB"),
)


def _gauge(used: str, most: str, unit: str) -> Column:
    title = next(title for title, name, _, _ in _USES if name == used)
    return Column(title, lambda one: gauge(one[used], one[most], unit), used)


HYPERVISORS = Listing(
    title="Hypervisors",
    path=_HYPERVISORS,
    service="compute",
    url="/os-hypervisors/detail",
    key="hypervisors",
    headers=_WITH_FIGURES,
    columns=(
        Column(
            "Name",
            lambda one: Link(one["hypervisor_hostname"], f"{_HYPERVISORS}/{one['id']}"),
            "hypervisor_hostname",
        ),
        Column("State", lambda one: State(one["state"]), "state"),
        Column("Status", lambda one: State(one["status"]), "status"),
        Column("Kind", lambda one: Text(one["hypervisor_type"])),
        *(_gauge(used, most, unit) for _, used, most, unit in _USES),
        Column("Servers", lambda one: Text(str(one["running_vms"])), "running_vms"),
    ),
    is_paged=False,
    live=("hypervisor", "service", "server"),
)
_SERVERS = (*COLUMNS[:4], PROJECT)


@pages.get("/admin/hypervisors")
def list_hypervisors(visit: Visit) -> Page:
    """List hypervisors with their load."""
    return list_page(visit, HYPERVISORS)


@pages.get("/admin/hypervisors/{hypervisor_id}")
def show_hypervisor(visit: Visit, hypervisor_id: str) -> Page:
    """Show a hypervisor, its load and its servers."""
    path = f"/os-hypervisors/{part(hypervisor_id)}"
    one = visit.cloud.ask("GET", "compute", path, headers=_WITH_FIGURES).json()["hypervisor"]
    gauges: list[tuple[str, Cell]] = [
        (title, gauge(one[used], one[most], unit)) for title, used, most, unit in _USES
    ]
    here = {"all_tenants": "1", "host": one["service"]["host"]}
    found = visit.cloud.get("compute", "/servers/detail", **here)["servers"]
    detail = Detail(
        title=one["hypervisor_hostname"],
        id=str(one["id"]),
        back=("Hypervisors", _HYPERVISORS),
        state=State(one["state"]),
        groups=[
            Group(
                title="Hypervisor",
                facts=[
                    ("Kind", Text(one["hypervisor_type"])),
                    ("Version", text(one["hypervisor_version"])),
                    ("Address", Code(one["host_ip"])),
                    ("Status", State(one["status"])),
                    ("Service", text(one["service"]["host"])),
                    *gauges,
                ],
            ),
            Group(
                title="Servers",
                columns=("Name", "Status", "Addresses", "Flavor", "Project"),
                rows=[[column.cell(server) for column in _SERVERS] for server in found],
            ),
        ],
        live=("server", "service"),
    )
    return detail_page(detail, _HYPERVISORS)


SERVICES = Listing(
    title="Services",
    path="/admin/services",
    service="compute",
    url="/os-services",
    key="services",
    columns=(
        Column("Name", lambda one: Text(one["binary"]), "binary"),
        Column("Host", lambda one: Text(one["host"]), "host"),
        Column("Zone", lambda one: Text(one["zone"]), "zone"),
        Column("State", lambda one: State(one["state"]), "state"),
        Column("Status", lambda one: State(one["status"]), "status"),
        Column("Why disabled", lambda one: text(one["disabled_reason"])),
        Column("Seen", lambda one: When(one["updated_at"] or ""), "updated_at"),
    ),
    is_paged=False,
    bulk=(
        Button("enable", "Enable"),
        Button("disable", "Disable", "Let no new servers come there?"),
    ),
    live=("service",),
)


@pages.get("/admin/services")
def list_services(visit: Visit) -> Page:
    """List the services of compute."""
    return list_page(visit, SERVICES)


@pages.post("/admin/services/actions")
def act_on_services(visit: Visit) -> Go:
    """Let hosts take new servers, or not."""

    def enable(service_id: str) -> None:
        _switch(visit, service_id, "enabled")

    def disable(service_id: str) -> None:
        _switch(visit, service_id, "disabled")

    deeds = {"enable": enable, "disable": disable}
    return each(visit, deeds, "/admin/services", "Done for {count}.")


def _switch(visit: Visit, service_id: str, status: str) -> None:
    visit.cloud.put("compute", f"/os-services/{part(service_id)}", {"status": status})


def _state(agent: Item) -> Cell:
    return State("up" if agent["alive"] else "down")


AGENTS = Listing(
    title="Network agents",
    path="/admin/agents",
    service="network",
    url="/agents",
    key="agents",
    columns=(
        Column("Kind", lambda one: Text(one["agent_type"]), "agent_type"),
        Column("Host", lambda one: Text(one["host"]), "host"),
        Column("State", _state, "alive"),
        Column("Enabled", lambda one: text(one["admin_state_up"]), "admin_state_up"),
        Column("Name", lambda one: Text(one["binary"]), "binary"),
    ),
    is_paged=False,
)


@pages.get("/admin/agents")
def list_agents(visit: Visit) -> Page:
    """List the agents of the network."""
    return list_page(visit, AGENTS)
