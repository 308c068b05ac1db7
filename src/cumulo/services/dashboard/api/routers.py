"""/routers: what joins networks, and leads out of them."""

from typing import Any

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    each,
    form_about,
    form_page,
    list_page,
    submitted,
)
from cumulo.services.dashboard.cells import Cell, Code, Link, Many, State, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, Option, options_of
from cumulo.services.dashboard.lists import DELETE, Button, Column, Item, Listing

pages = Pages()
_UNPLUG = Button("remove", "Remove", "Take these networks off the router?", danger=True)


def _outside(router: Item) -> Cell:
    gateway = router.get("external_gateway_info") or {}
    network = gateway.get("network_id")
    return Link(network, f"/networks/{network}") if network else text("")


LISTING = Listing(
    title="Routers",
    path="/routers",
    service="network",
    url="/routers",
    key="routers",
    project="project_id",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"/routers/{one['id']}"), "name"),
        Column("Status", lambda one: State(one["status"]), "status"),
        Column("External network", _outside),
        Column("ID", lambda one: Code(one["id"]), "id"),
    ),
    create=("New router", "/routers/new"),
    bulk=(DELETE,),
    live=("router",),
    empty="There is no router yet.",
)


@pages.get("/routers")
def list_routers(visit: Visit) -> Page:
    """List the routers of the project."""
    return list_page(visit, LISTING)


@pages.post("/routers/actions")
def act_on_routers(visit: Visit) -> Go:
    """Delete routers."""
    return delete_each(visit, "network", "/routers", "/routers")


def _fields(visit: Visit, router: Item) -> list[Field]:
    query = {"router:external": "true"}
    outside = visit.cloud.get("network", "/networks", **query)["networks"]
    now = (router.get("external_gateway_info") or {}).get("network_id", "")
    return [
        Field(name="name", label="Name", value=router.get("name", ""), required=True),
        Field(name="description", label="Description", value=router.get("description", "")),
        Field(name="outside", label="External network", kind="choice",
              options=options_of(outside), value=now),
    ]  # fmt: skip


def _new_form(visit: Visit) -> Form:
    return Form(
        title="New router", action="/routers", fields=_fields(visit, {}), submit="Create",
        back="/routers", section="/routers",
    )  # fmt: skip


@pages.get("/routers/new")
def new_router(visit: Visit) -> Page:
    """Ask what router to make."""
    return form_page(_new_form(visit))


@pages.post("/routers")
def create_router(visit: Visit) -> Page | Go:
    """Make a router."""

    def act() -> Go:
        made = visit.cloud.post("network", "/routers", {"router": _spec(visit)})["router"]
        return Go(f"/routers/{made['id']}", visit.say("The router is made."))

    return submitted(visit, _new_form(visit), act)


def _spec(visit: Visit) -> dict[str, Any]:
    given = visit.given
    outside = given.text("outside")
    return {
        "name": given.text("name"),
        "description": given.text("description"),
        "external_gateway_info": {"network_id": outside} if outside else None,
    }


@pages.get("/routers/{router_id}")
def show_router(visit: Visit, router_id: str) -> Page:
    """Show a router, what it joins and where it leads."""
    one = visit.cloud.get("network", f"/routers/{part(router_id)}")["router"]
    ports = visit.cloud.get("network", "/ports", device_id=one["id"])["ports"]
    gateway = one.get("external_gateway_info") or {}
    addresses = [Code(ip["ip_address"]) for ip in gateway.get("external_fixed_ips") or ()]
    routes = [f"{route['destination']} via {route['nexthop']}" for route in one.get("routes") or ()]
    at = f"/routers/{one['id']}"
    detail = Detail(
        title=one["name"],
        id=one["id"],
        back=("Routers", "/routers"),
        state=State(one["status"]),
        buttons=(DELETE,),
        links=(("Edit", f"{at}/edit"),),
        groups=[
            Group(
                title="Router",
                facts=[
                    ("Description", text(one["description"])),
                    ("External network", _outside(one)),
                    ("External addresses", Many(addresses)),
                    ("Translates addresses (SNAT)", text(gateway.get("enable_snat"))),
                    ("Enabled", text(one["admin_state_up"])),
                    ("Routes", text(routes)),
                    ("Tags", text(one.get("tags"))),
                ],
            ),
            Group(
                title="Interfaces",
                columns=("Port", "Network", "Addresses", "Status"),
                rows=[_interface(port) for port in ports],
                buttons=(_UNPLUG,),
                action=f"{at}/interfaces/actions",
                links=(("Add an interface", f"{at}/interfaces/new"),),
            ),
        ],
        live=("router", "port"),
    )
    return detail_page(detail, "/routers")


def _interface(port: Item) -> list[Cell | str]:
    return [
        port["id"],
        Link(port["name"] or port["id"], f"/ports/{port['id']}"),
        Link(port["network_id"], f"/networks/{port['network_id']}"),
        Many([Code(ip["ip_address"]) for ip in port["fixed_ips"]]),
        State(port["status"]),
    ]


def _edit_form(visit: Visit, router_id: str) -> Form:
    one = visit.cloud.get("network", f"/routers/{part(router_id)}")["router"]
    at = f"/routers/{one['id']}"
    return Form(
        title="Edit", action=f"{at}/edit", fields=_fields(visit, one), submit="Change", back=at,
        section="/routers",
    )  # fmt: skip


@pages.get("/routers/{router_id}/edit")
def edit_router(visit: Visit, router_id: str) -> Page:
    """Ask for a router's name and external network."""
    return form_page(_edit_form(visit, router_id))


@pages.post("/routers/{router_id}/edit")
def update_router(visit: Visit, router_id: str) -> Page | Go:
    """Change a router."""

    def act() -> Go:
        visit.cloud.put("network", f"/routers/{part(router_id)}", {"router": _spec(visit)})
        return Go(f"/routers/{part(router_id)}", visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, router_id), act)


@pages.post("/routers/{router_id}/actions")
def act_on_router(visit: Visit, router_id: str) -> Go:
    """Delete a router."""
    return delete_one(visit, "network", f"/routers/{part(router_id)}", "/routers")


def _interface_form(visit: Visit, router_id: str) -> Form:
    found = visit.cloud.get("network", "/subnets")["subnets"]
    options = [Option(one["id"], f"{one['name']} {one['cidr']}".strip()) for one in found]
    at = f"/routers/{part(router_id)}"
    fields = [Field(name="subnet", label="Subnet", kind="choice", options=options, required=True)]
    return Form(
        title="Add an interface", action=f"{at}/interfaces", fields=fields, submit="Add", back=at,
        section="/routers",
    )  # fmt: skip


@pages.get("/routers/{router_id}/interfaces/new")
def new_router_interface(visit: Visit, router_id: str) -> Page:
    """Ask which subnet to join."""
    form = _interface_form(visit, router_id)
    return form_about(visit, "network", f"/routers/{part(router_id)}", form)


@pages.post("/routers/{router_id}/interfaces")
def add_router_interface(visit: Visit, router_id: str) -> Page | Go:
    """Join a subnet to a router."""

    def act() -> Go:
        at = f"/routers/{part(router_id)}"
        body = {"subnet_id": visit.given.text("subnet")}
        visit.cloud.put("network", f"{at}/add_router_interface", body)
        return Go(at, visit.say("It is changed."))

    return submitted(visit, _interface_form(visit, router_id), act)


@pages.post("/routers/{router_id}/interfaces/actions")
def remove_router_interfaces(visit: Visit, router_id: str) -> Go:
    """Take networks off a router."""
    at = f"/routers/{part(router_id)}"

    def remove(port_id: str) -> None:
        visit.cloud.put("network", f"{at}/remove_router_interface", {"port_id": port_id})

    return each(visit, {"remove": remove}, at, "Removed: {count}.")
