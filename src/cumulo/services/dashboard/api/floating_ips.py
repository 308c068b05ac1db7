"""/floating-ips: addresses from outside that lead to servers."""

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import each, form_page, list_page, submitted
from cumulo.services.dashboard.cells import Cell, Code, Link, State, Text, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.forms import Field, Form, options_of
from cumulo.services.dashboard.lists import Button, Column, Item, Listing

pages = Pages()


def _port(one: Item) -> Cell:
    return Link(one["fixed_ip_address"], f"/ports/{one['port_id']}") if one["port_id"] else Text("")


def _state(one: Item) -> Cell:
    return State(one["status"], is_idle=not one["port_id"])


LISTING = Listing(
    title="Floating IPs",
    path="/floating-ips",
    service="network",
    url="/floatingips",
    key="floatingips",
    project="project_id",
    columns=(
        Column("Address", lambda one: Code(one["floating_ip_address"]), "floating_ip_address"),
        Column("Leads to", _port, "fixed_ip_address"),
        Column("Status", _state, "status"),
        Column("Description", lambda one: text(one["description"])),
        Column("Network", lambda one: Link(
            one["floating_network_id"], f"/networks/{one['floating_network_id']}")),
    ),
    create=("New floating IP", "/floating-ips/new"),
    bulk=(
        Button("disassociate", "Disassociate"),
        Button("delete", "Release", "Give these addresses back?", danger=True),
    ),
    live=("floatingip",),
    empty="There is no floating IP yet.",
)  # fmt: skip


@pages.get("/floating-ips")
def list_floating_ips(visit: Visit) -> Page:
    """List the floating IPs of the project."""
    return list_page(visit, LISTING)


@pages.post("/floating-ips/actions")
def act_on_floating_ips(visit: Visit) -> Go:
    """Take floating IPs off their servers, or give them back."""

    def disassociate(one: str) -> None:
        change = {"floatingip": {"port_id": None}}
        visit.cloud.put("network", f"/floatingips/{part(one)}", change)

    def release(one: str) -> None:
        visit.cloud.delete("network", f"/floatingips/{part(one)}")

    deeds = {"disassociate": disassociate, "delete": release}
    return each(visit, deeds, "/floating-ips", "Done for {count}.")


def _form(visit: Visit) -> Form:
    query = {"router:external": "true"}
    outside = visit.cloud.get("network", "/networks", **query)["networks"]
    fields = [
        Field(name="network", label="External network", kind="choice", options=options_of(outside),
              required=True),
        Field(name="address", label="Address", hint="Empty: any that is free."),
        Field(name="description", label="Description"),
    ]  # fmt: skip
    return Form(
        title="New floating IP", action="/floating-ips", fields=fields, submit="Create",
        back="/floating-ips", section="/floating-ips",
    )  # fmt: skip


@pages.get("/floating-ips/new")
def new_floating_ip(visit: Visit) -> Page:
    """Ask where to take a floating IP from."""
    return form_page(_form(visit))


@pages.post("/floating-ips")
def create_floating_ip(visit: Visit) -> Page | Go:
    """Take a floating IP."""

    def act() -> Go:
        wish = visit.given.some(
            floating_network_id="network", floating_ip_address="address", description="description"
        )
        made = visit.cloud.post("network", "/floatingips", {"floatingip": wish})["floatingip"]
        told = visit.say("The project has {address}.", address=made["floating_ip_address"])
        return Go("/floating-ips", told)

    return submitted(visit, _form(visit), act)
