"""/ports: where something is plugged into a network."""

from typing import Any

from cumulo.services.dashboard.api.networks import port_state, user_of
from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    form_page,
    list_page,
    submitted,
)
from cumulo.services.dashboard.cells import Code, Link, Many, Text, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, options_of
from cumulo.services.dashboard.lists import DELETE, Column, Item, Listing

pages = Pages()


def _addresses(port: Item) -> Many:
    return Many([Code(ip["ip_address"]) for ip in port["fixed_ips"]])


LISTING = Listing(
    title="Ports",
    path="/ports",
    service="network",
    url="/ports",
    key="ports",
    project="project_id",
    columns=(
        Column("Name", lambda one: Link(one["name"] or one["id"], f"/ports/{one['id']}"), "name"),
        Column("Status", port_state, "status"),
        Column("Addresses", _addresses),
        Column("MAC address", lambda one: Code(one["mac_address"]), "mac_address"),
        Column("Used by", user_of, "device_owner"),
        Column("Network", lambda one: Link(one["network_id"], f"/networks/{one['network_id']}")),
    ),
    create=("New port", "/ports/new"),
    bulk=(DELETE,),
    live=("port",),
)


@pages.get("/ports")
def list_ports(visit: Visit) -> Page:
    """List the ports of the project."""
    return list_page(visit, LISTING)


@pages.post("/ports/actions")
def act_on_ports(visit: Visit) -> Go:
    """Delete ports."""
    return delete_each(visit, "network", "/ports", "/ports")


def _new_form(visit: Visit) -> Form:
    cloud, scope = visit.cloud, visit.scope
    mine = {"project_id": scope.project_id} if scope.project_id else {}
    groups = cloud.get("network", "/security-groups", **mine)["security_groups"]
    fields = [
        Field(name="name", label="Name"),
        Field(name="network", label="Network", kind="choice", required=True,
              options=options_of(cloud.get("network", "/networks")["networks"]),
              value=visit.asked("network")),
        Field(name="address", label="Address", hint="Empty: any that is free."),
        Field(name="mac", label="MAC address", hint="Empty: any."),
        Field(name="group", label="Security groups", kind="choices", options=options_of(groups)),
        Field(name="no_security", label="No port security", kind="flag"),
    ]  # fmt: skip
    return Form(
        title="New port", action="/ports", fields=fields, submit="Create", back="/ports",
        section="/ports",
    )  # fmt: skip


@pages.get("/ports/new")
def new_port(visit: Visit) -> Page:
    """Ask what port to make."""
    return form_page(_new_form(visit))


@pages.post("/ports")
def create_port(visit: Visit) -> Page | Go:
    """Make a port."""
    given = visit.given

    def act() -> Go:
        spec: dict[str, Any] = given.some(name="name", network_id="network", mac_address="mac")
        if given.text("address"):
            spec["fixed_ips"] = [{"ip_address": given.text("address")}]
        if given.flag("no_security"):
            spec |= {"port_security_enabled": False, "security_groups": []}
        elif given.many("group"):
            spec["security_groups"] = given.many("group")
        made = visit.cloud.post("network", "/ports", {"port": spec})["port"]
        return Go(f"/ports/{made['id']}", visit.say("The port is made."))

    return submitted(visit, _new_form(visit), act)


@pages.get("/ports/{port_id}")
def show_port(visit: Visit, port_id: str) -> Page:
    """Show a port."""
    one = visit.cloud.get("network", f"/ports/{part(port_id)}")["port"]
    pairs = [pair["ip_address"] for pair in one.get("allowed_address_pairs") or ()]
    groups = [Link(group, f"/security-groups/{group}") for group in one["security_groups"]]
    addresses = [
        Link(f"{ip['ip_address']}", f"/subnets/{ip['subnet_id']}") for ip in one["fixed_ips"]
    ]
    facts = [
        ("Description", text(one["description"])),
        ("Network", Link(one["network_id"], f"/networks/{one['network_id']}")),
        ("Addresses", Many(addresses)),
        ("MAC address", Code(one["mac_address"])),
        ("Used by", user_of(one)),
        ("Security groups", Many(groups)),
        ("Port security", text(one.get("port_security_enabled"))),
        ("Further addresses", text(pairs)),
        ("Enabled", text(one["admin_state_up"])),
        ("Kind of link", text(one.get("binding:vnic_type"))),
        ("Tags", text(one.get("tags"))),
    ]
    if "binding:host_id" in one:
        facts.append(("Host", Text(one["binding:host_id"])))
    detail = Detail(
        title=one["name"] or one["id"],
        id=one["id"],
        back=("Ports", "/ports"),
        state=port_state(one),
        buttons=(DELETE,),
        links=(("Edit", f"/ports/{one['id']}/edit"),),
        groups=[Group(title="Port", facts=facts)],
        live=("port",),
    )
    return detail_page(detail, "/ports")


def _edit_form(visit: Visit, port_id: str) -> Form:
    one = visit.cloud.get("network", f"/ports/{part(port_id)}")["port"]
    groups = visit.cloud.get("network", "/security-groups", project_id=one["project_id"])
    at, secure = f"/ports/{one['id']}", one.get("port_security_enabled")
    fields = [
        Field(name="name", label="Name", value=one["name"]),
        Field(name="description", label="Description", value=one["description"]),
        Field(name="up", label="Enabled", kind="flag", value="1" if one["admin_state_up"] else ""),
        Field(name="security", label="Port security", kind="flag", value="1" if secure else ""),
        Field(name="group", label="Security groups", kind="choices",
              options=options_of(groups["security_groups"]), value=one["security_groups"]),
        Field(name="pairs", label="Further addresses", kind="long", hint="One a line.",
              value="\n".join(p["ip_address"] for p in one.get("allowed_address_pairs") or ())),
    ]  # fmt: skip
    return Form(
        title="Edit", action=f"{at}/edit", fields=fields, submit="Change", back=at, section="/ports"
    )


@pages.get("/ports/{port_id}/edit")
def edit_port(visit: Visit, port_id: str) -> Page:
    """Ask for a port's name, groups and further addresses."""
    return form_page(_edit_form(visit, port_id))


@pages.post("/ports/{port_id}/edit")
def update_port(visit: Visit, port_id: str) -> Page | Go:
    """Change a port."""
    given = visit.given

    def act() -> Go:
        changes: dict[str, Any] = {
            "name": given.text("name"),
            "description": given.text("description"),
            "admin_state_up": given.flag("up"),
            "port_security_enabled": given.flag("security"),
            "security_groups": given.many("group") if given.flag("security") else [],
            "allowed_address_pairs": [{"ip_address": line} for line in given.lines("pairs")],
        }
        visit.cloud.put("network", f"/ports/{part(port_id)}", {"port": changes})
        return Go(f"/ports/{part(port_id)}", visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, port_id), act)


@pages.post("/ports/{port_id}/actions")
def act_on_port(visit: Visit, port_id: str) -> Go:
    """Delete a port."""
    return delete_one(visit, "network", f"/ports/{part(port_id)}", "/ports")
