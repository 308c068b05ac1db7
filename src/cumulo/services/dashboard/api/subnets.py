"""/subnets: the addresses of networks."""

from typing import Any

from cumulo.services.dashboard.api.networks import SUBNET_FIELDS as FIELDS
from cumulo.services.dashboard.api.networks import subnet_spec
from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_one,
    detail_page,
    form_about,
    form_page,
    submitted,
)
from cumulo.services.dashboard.cells import Code, Link, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form
from cumulo.services.dashboard.lists import DELETE

pages = Pages()


def _form(network_id: str) -> Form:
    at = f"/networks/{part(network_id)}"
    return Form(
        title="New subnet", action=f"{at}/subnets", fields=FIELDS, submit="Create", back=at,
        section="/networks",
    )  # fmt: skip


@pages.get("/networks/{network_id}/subnets/new")
def new_subnet(visit: Visit, network_id: str) -> Page:
    """Ask which addresses a network gets."""
    return form_about(visit, "network", f"/networks/{part(network_id)}", _form(network_id))


@pages.post("/networks/{network_id}/subnets")
def create_subnet(visit: Visit, network_id: str) -> Page | Go:
    """Give a network addresses."""

    def act() -> Go:
        body = {"subnet": subnet_spec(visit.given, network_id)}
        visit.cloud.post("network", "/subnets", body)
        return Go(f"/networks/{part(network_id)}", visit.say("The subnet is made."))

    return submitted(visit, _form(network_id), act)


@pages.get("/subnets/{subnet_id}")
def show_subnet(visit: Visit, subnet_id: str) -> Page:
    """Show a subnet."""
    one = visit.cloud.get("network", f"/subnets/{part(subnet_id)}")["subnet"]
    pools = [f"{pool['start']} - {pool['end']}" for pool in one["allocation_pools"]]
    routes = [f"{route['destination']} via {route['nexthop']}" for route in one["host_routes"]]
    detail = Detail(
        title=one["name"] or one["cidr"],
        id=one["id"],
        back=("Network", f"/networks/{one['network_id']}"),
        buttons=(DELETE,),
        links=(("Edit", f"/subnets/{one['id']}/edit"),),
        groups=[
            Group(
                title="Subnet",
                facts=[
                    ("Description", text(one["description"])),
                    ("Network", Link(one["network_id"], f"/networks/{one['network_id']}")),
                    ("Addresses (CIDR)", Code(one["cidr"])),
                    ("Gateway", Code(one["gateway_ip"] or "")),
                    ("DHCP", text(one["enable_dhcp"])),
                    ("DNS servers", text(one["dns_nameservers"])),
                    ("Pools of addresses", text(pools)),
                    ("Routes given to hosts", text(routes)),
                    ("IPv6 addresses", text(one.get("ipv6_address_mode"))),
                    ("IPv6 advertisements", text(one.get("ipv6_ra_mode"))),
                ],
            )
        ],
        live=("subnet",),
    )
    return detail_page(detail, "/networks")


def _edit_form(visit: Visit, subnet_id: str) -> Form:
    one = visit.cloud.get("network", f"/subnets/{part(subnet_id)}")["subnet"]
    at = f"/subnets/{one['id']}"
    fields = [
        Field(name="name", label="Name", value=one["name"]),
        Field(name="description", label="Description", value=one["description"]),
        Field(name="gateway", label="Gateway", value=one["gateway_ip"] or ""),
        Field(name="dhcp", label="DHCP", kind="flag", value="1" if one["enable_dhcp"] else ""),
        Field(name="dns", label="DNS servers", kind="long", hint="One a line.",
              value="\n".join(one["dns_nameservers"])),
    ]  # fmt: skip
    return Form(
        title="Edit", action=f"{at}/edit", fields=fields, submit="Change", back=at,
        section="/networks",
    )  # fmt: skip


@pages.get("/subnets/{subnet_id}/edit")
def edit_subnet(visit: Visit, subnet_id: str) -> Page:
    """Ask for a subnet's name, gateway, DHCP and DNS servers."""
    return form_page(_edit_form(visit, subnet_id))


@pages.post("/subnets/{subnet_id}/edit")
def update_subnet(visit: Visit, subnet_id: str) -> Page | Go:
    """Change a subnet."""
    given = visit.given

    def act() -> Go:
        changes: dict[str, Any] = {
            "name": given.text("name"),
            "description": given.text("description"),
            "gateway_ip": given.text("gateway") or None,
            "enable_dhcp": given.flag("dhcp"),
            "dns_nameservers": given.lines("dns"),
        }
        visit.cloud.put("network", f"/subnets/{part(subnet_id)}", {"subnet": changes})
        return Go(f"/subnets/{part(subnet_id)}", visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, subnet_id), act)


@pages.post("/subnets/{subnet_id}/actions")
def act_on_subnet(visit: Visit, subnet_id: str) -> Go:
    """Delete a subnet."""
    return delete_one(visit, "network", f"/subnets/{part(subnet_id)}", "/networks")
