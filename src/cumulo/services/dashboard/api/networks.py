"""/networks and /subnets: what servers are plugged into."""

from typing import Any

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    form_page,
    list_page,
    submitted,
)
from cumulo.services.dashboard.cells import Cell, Code, Link, Many, State, Text, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, Given
from cumulo.services.dashboard.lists import DELETE, Column, Item, Listing

pages = Pages()
LISTING = Listing(
    title="Networks",
    path="/networks",
    service="network",
    url="/networks",
    key="networks",
    columns=(
        Column("Name", lambda net: Link(net["name"], f"/networks/{net['id']}"), "name"),
        Column("Status", lambda net: State(net["status"]), "status"),
        Column("Subnets", lambda net: Text(str(len(net["subnets"])))),
        Column("Shared", lambda net: text(net["shared"]), "shared"),
        Column("External", lambda net: text(net["router:external"])),
        Column("MTU", lambda net: text(net.get("mtu"))),
        Column("ID", lambda net: Code(net["id"]), "id"),
    ),
    create=("New network", "/networks/new"),
    bulk=(DELETE,),
    live=("network", "subnet"),
    empty="There is no network yet.",
)


@pages.get("/networks")
def list_networks(visit: Visit) -> Page:
    """List the networks that the project may use."""
    mine = visit.scope.project_id

    def is_usable(net: Item) -> bool:
        return not mine or net["project_id"] == mine or net["shared"] or net["router:external"]

    return list_page(visit, LISTING, keep=is_usable)


@pages.post("/networks/actions")
def act_on_networks(visit: Visit) -> Go:
    """Delete networks."""
    return delete_each(visit, "network", "/networks", "/networks")


SUBNET_FIELDS = (
    Field(name="subnet_name", label="Name of the subnet", group="Subnet"),
    Field(name="cidr", label="Addresses (CIDR)", hint="For example 10.0.0.0/24."),
    Field(name="gateway", label="Gateway", hint="Empty: the first address."),
    Field(name="no_gateway", label="No gateway", kind="flag"),
    Field(name="no_dhcp", label="No DHCP", kind="flag"),
    Field(name="dns", label="DNS servers", kind="long", hint="One a line."),
)


def _network_form(visit: Visit) -> Form:
    fields = [
        Field(name="name", label="Name", required=True, group="Network"),
        Field(name="description", label="Description"),
        *_admin_fields(visit),
        *SUBNET_FIELDS,
    ]
    return Form(
        title="New network", action="/networks", fields=fields, submit="Create",
        back="/networks", section="/networks",
    )  # fmt: skip


def _admin_fields(visit: Visit) -> list[Field]:
    if not visit.scope.is_admin:
        return []
    return [
        Field(name="shared", label="Shared with all projects", kind="flag"),
        Field(name="external", label="External: floating IPs come from it", kind="flag"),
        Field(
            name="type", label="Provider type", hint="Empty: as usual; else flat, vlan or geneve."
        ),
        Field(name="physical", label="Physical network"),
        Field(name="segment", label="Segment", kind="number"),
    ]


@pages.get("/networks/new")
def new_network(visit: Visit) -> Page:
    """Ask what network to make."""
    return form_page(_network_form(visit))


@pages.post("/networks")
def create_network(visit: Visit) -> Page | Go:
    """Make a network, with a subnet if addresses are given."""

    def act() -> Go:
        made = visit.cloud.post("network", "/networks", {"network": _spec(visit.given)})["network"]
        if visit.given.text("cidr"):
            body = {"subnet": subnet_spec(visit.given, made["id"])}
            visit.cloud.post("network", "/subnets", body)
        return Go(f"/networks/{made['id']}", visit.say("The network is made."))

    return submitted(visit, _network_form(visit), act)


def _spec(given: Given) -> dict[str, Any]:
    spec: dict[str, Any] = given.some(name="name", description="description")
    spec |= {"shared": True} if given.flag("shared") else {}
    spec |= {"router:external": True} if given.flag("external") else {}
    provider = given.some(network_type="type", physical_network="physical")
    spec |= {f"provider:{name}": value for name, value in provider.items()}
    segment = given.number("segment")
    return spec | ({"provider:segmentation_id": segment} if segment is not None else {})


def subnet_spec(given: Given, network_id: str) -> dict[str, Any]:
    """Return what the API is told of a new subnet."""
    cidr = given.text("cidr")
    spec: dict[str, Any] = {
        "network_id": network_id,
        "cidr": cidr,
        "ip_version": 6 if ":" in cidr else 4,
        "name": given.text("subnet_name"),
        "enable_dhcp": not given.flag("no_dhcp"),
        "dns_nameservers": given.lines("dns"),
    }
    if given.flag("no_gateway"):
        spec["gateway_ip"] = None
    elif given.text("gateway"):
        spec["gateway_ip"] = given.text("gateway")
    return spec


@pages.get("/networks/{network_id}")
def show_network(visit: Visit, network_id: str) -> Page:
    """Show a network with its subnets and ports."""
    cloud = visit.cloud
    net = cloud.get("network", f"/networks/{part(network_id)}")["network"]
    subnets = cloud.get("network", "/subnets", network_id=net["id"])["subnets"]
    ports = cloud.get("network", "/ports", network_id=net["id"], limit=100)["ports"]
    at = f"/networks/{net['id']}"
    detail = Detail(
        title=net["name"],
        id=net["id"],
        back=("Networks", "/networks"),
        state=State(net["status"]),
        buttons=(DELETE,),
        links=(("Edit", f"{at}/edit"),),
        groups=[
            Group(title="Network", facts=_facts(net)),
            Group(
                title="Subnets",
                columns=("Name", "Addresses (CIDR)", "Gateway", "DHCP", "DNS servers"),
                rows=[_subnet_row(one) for one in subnets],
                links=(("New subnet", f"{at}/subnets/new"),),
            ),
            Group(
                title="Ports",
                columns=("Port", "Addresses", "MAC address", "Used by", "Status"),
                rows=[port_row(one) for one in ports],
                links=(("New port", f"/ports/new?network={net['id']}"),),
            ),
        ],
        live=("network", "subnet", "port"),
    )
    return detail_page(detail, "/networks")


def _facts(net: Item) -> list[tuple[str, Cell]]:
    facts: list[tuple[str, Cell]] = [
        ("Description", text(net["description"])),
        ("Project", Code(net["project_id"])),
        ("MTU", text(net.get("mtu"))),
        ("Shared", text(net["shared"])),
        ("External", text(net["router:external"])),
        ("Enabled", text(net["admin_state_up"])),
        ("Port security", text(net.get("port_security_enabled"))),
        ("Tags", text(net.get("tags"))),
    ]
    names = (
        ("Provider type", "provider:network_type"),
        ("Physical network", "provider:physical_network"),
        ("Segment", "provider:segmentation_id"),
    )
    return facts + [(label, text(net[name])) for label, name in names if name in net]


def _subnet_row(one: Item) -> list[Cell]:
    return [
        Link(one["name"] or one["cidr"], f"/subnets/{one['id']}"),
        Code(one["cidr"]),
        Code(one["gateway_ip"] or ""),
        text(one["enable_dhcp"]),
        text(one["dns_nameservers"]),
    ]


def port_row(one: Item) -> list[Cell]:
    """Return a port as tables show it."""
    return [
        Link(one["name"] or one["id"], f"/ports/{one['id']}"),
        Many([Code(ip["ip_address"]) for ip in one["fixed_ips"]]),
        Code(one["mac_address"]),
        user_of(one),
        port_state(one),
    ]


def user_of(port: Item) -> Cell:
    """Return what a port belongs to."""
    owner, device = port["device_owner"], port["device_id"]
    if owner.startswith("compute:") and device:
        return Link(owner, f"/servers/{device}")
    if owner.startswith("network:router") and device:
        return Link(owner, f"/routers/{device}")
    return Text(owner)


def port_state(port: Item) -> State:
    """Return the status of a port; one that no server or router has may be down."""
    has_user = port["device_id"] and port["device_owner"] != "network:distributed"
    return State(port["status"], is_idle=not has_user)


def _edit_form(visit: Visit, network_id: str) -> Form:
    net = visit.cloud.get("network", f"/networks/{part(network_id)}")["network"]
    at = f"/networks/{net['id']}"
    fields = [
        Field(name="name", label="Name", value=net["name"]),
        Field(name="description", label="Description", value=net["description"]),
        Field(name="up", label="Enabled", kind="flag", value="1" if net["admin_state_up"] else ""),
    ]
    if visit.scope.is_admin:
        shared = "1" if net["shared"] else ""
        fields.append(
            Field(name="shared", label="Shared with all projects", kind="flag", value=shared)
        )
    return Form(
        title="Edit", action=f"{at}/edit", fields=fields, submit="Change", back=at,
        section="/networks",
    )  # fmt: skip


@pages.get("/networks/{network_id}/edit")
def edit_network(visit: Visit, network_id: str) -> Page:
    """Ask for a network's name and state."""
    return form_page(_edit_form(visit, network_id))


@pages.post("/networks/{network_id}/edit")
def update_network(visit: Visit, network_id: str) -> Page | Go:
    """Change a network."""
    given = visit.given

    def act() -> Go:
        changes: dict[str, Any] = {
            "name": given.text("name"),
            "description": given.text("description"),
            "admin_state_up": given.flag("up"),
        }
        changes |= {"shared": given.flag("shared")} if visit.scope.is_admin else {}
        visit.cloud.put("network", f"/networks/{part(network_id)}", {"network": changes})
        return Go(f"/networks/{part(network_id)}", visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, network_id), act)


@pages.post("/networks/{network_id}/actions")
def act_on_network(visit: Visit, network_id: str) -> Go:
    """Delete a network."""
    return delete_one(visit, "network", f"/networks/{part(network_id)}", "/networks")
