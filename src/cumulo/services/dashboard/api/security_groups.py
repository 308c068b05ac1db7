"""/security-groups: what may reach ports, and be reached from them."""

from typing import Any

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    form_about,
    form_page,
    list_page,
    named,
    submitted,
)
from cumulo.services.dashboard.cells import Cell, Code, Link, Text, Words, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, Option, options_of
from cumulo.services.dashboard.lists import DELETE, Column, Item, Listing

pages = Pages()
LISTING = Listing(
    title="Security groups",
    path="/security-groups",
    service="network",
    url="/security-groups",
    key="security_groups",
    project="project_id",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"/security-groups/{one['id']}"), "name"),
        Column("Description", lambda one: text(one["description"]), "description"),
        Column("Rules", lambda one: Text(str(len(one["security_group_rules"])))),
        Column("ID", lambda one: Code(one["id"]), "id"),
    ),
    create=("New security group", "/security-groups/new"),
    bulk=(DELETE,),
    live=("security_group", "security_group_rule"),
)
_PROTOCOLS = ("tcp", "udp", "icmp", "icmpv6", "any")


@pages.get("/security-groups")
def list_security_groups(visit: Visit) -> Page:
    """List the security groups of the project."""
    return list_page(visit, LISTING)


@pages.post("/security-groups/actions")
def act_on_security_groups(visit: Visit) -> Go:
    """Delete security groups."""
    return delete_each(visit, "network", "/security-groups", "/security-groups")


def _fields(group: Item) -> list[Field]:
    return [
        Field(name="name", label="Name", value=group.get("name", ""), required=True),
        Field(name="description", label="Description", value=group.get("description", "")),
    ]


_NEW = Form(
    title="New security group", action="/security-groups", fields=_fields({}), submit="Create",
    back="/security-groups", section="/security-groups",
)  # fmt: skip


@pages.get("/security-groups/new")
def new_security_group(visit: Visit) -> Page:
    """Ask how to call a security group."""
    return form_page(_NEW)


@pages.post("/security-groups")
def create_security_group(visit: Visit) -> Page | Go:
    """Make a security group."""

    def act() -> Go:
        wish = visit.given.some(name="name", description="description")
        body = {"security_group": wish}
        made = visit.cloud.post("network", "/security-groups", body)["security_group"]
        return Go(f"/security-groups/{made['id']}", visit.say("The security group is made."))

    return submitted(visit, _NEW, act)


@pages.get("/security-groups/{group_id}")
def show_security_group(visit: Visit, group_id: str) -> Page:
    """Show a security group with its rules."""
    one = visit.cloud.get("network", f"/security-groups/{part(group_id)}")["security_group"]
    names = named(visit.cloud.get("network", "/security-groups")["security_groups"])
    at = f"/security-groups/{one['id']}"
    rules = sorted(one["security_group_rules"], key=lambda rule: (rule["direction"], _what(rule)))
    detail = Detail(
        title=one["name"],
        id=one["id"],
        back=("Security groups", "/security-groups"),
        buttons=(DELETE,),
        links=(("Edit", f"{at}/edit"),),
        groups=[
            Group(title="Security group", facts=[("Description", text(one["description"]))]),
            Group(
                title="Rules",
                columns=("Direction", "What", "Other side", "Description"),
                rows=[_rule(rule, names) for rule in rules],
                buttons=(DELETE,),
                action=f"{at}/rules/actions",
                links=(("New rule", f"{at}/rules/new"),),
            ),
        ],
        live=("security_group", "security_group_rule"),
    )
    return detail_page(detail, "/security-groups")


def _what(rule: Item) -> str:
    """Return protocol and ports as one reads them."""
    protocol = rule["protocol"] or "any"
    low, high = rule["port_range_min"], rule["port_range_max"]
    ports = "" if low is None else f" {low}" if low == high else f" {low}-{high}"
    return f"{rule['ethertype']} {protocol}{ports}"


def _rule(rule: Item, names: dict[str, str]) -> list[Cell | str]:
    group: str = rule["remote_group_id"] or ""
    other: Cell = Code(rule["remote_ip_prefix"] or "")
    if group:
        other = Link(names.get(group, group), f"/security-groups/{group}")
    elif not rule["remote_ip_prefix"]:
        other = Words("anybody")
    inwards = rule["direction"] == "ingress"
    return [
        rule["id"],
        Words("in" if inwards else "out"),
        Text(_what(rule)),
        other,
        text(rule["description"]),
    ]


def _edit_form(visit: Visit, group_id: str) -> Form:
    one = visit.cloud.get("network", f"/security-groups/{part(group_id)}")["security_group"]
    at = f"/security-groups/{one['id']}"
    return Form(
        title="Edit", action=f"{at}/edit", fields=_fields(one), submit="Change", back=at,
        section="/security-groups",
    )  # fmt: skip


@pages.get("/security-groups/{group_id}/edit")
def edit_security_group(visit: Visit, group_id: str) -> Page:
    """Ask for a security group's name."""
    return form_page(_edit_form(visit, group_id))


@pages.post("/security-groups/{group_id}/edit")
def update_security_group(visit: Visit, group_id: str) -> Page | Go:
    """Change a security group's name."""
    at = f"/security-groups/{part(group_id)}"

    def act() -> Go:
        given = visit.given
        changes = {"name": given.text("name"), "description": given.text("description")}
        visit.cloud.put("network", at, {"security_group": changes})
        return Go(at, visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, group_id), act)


@pages.post("/security-groups/{group_id}/actions")
def act_on_security_group(visit: Visit, group_id: str) -> Go:
    """Delete a security group."""
    at = f"/security-groups/{part(group_id)}"
    return delete_one(visit, "network", at, "/security-groups")


@pages.post("/security-groups/{group_id}/rules/actions")
def act_on_rules(visit: Visit, group_id: str) -> Go:
    """Delete rules."""
    at = f"/security-groups/{part(group_id)}"
    return delete_each(visit, "network", "/security-group-rules", at)


def _rule_form(visit: Visit, group_id: str) -> Form:
    groups = visit.cloud.get("network", "/security-groups")["security_groups"]
    ways = [Option("ingress", visit.say("in")), Option("egress", visit.say("out"))]
    kinds = [Option("IPv4", "IPv4"), Option("IPv6", "IPv6")]
    at = f"/security-groups/{part(group_id)}"
    fields = [
        Field(name="direction", label="Direction", kind="choice", options=ways, required=True),
        Field(name="ethertype", label="Kind", kind="choice", options=kinds, required=True),
        Field(name="protocol", label="Protocol", kind="choice", required=True,
              options=[Option(name, name) for name in _PROTOCOLS]),
        Field(name="low", label="First port or ICMP type", kind="number"),
        Field(name="high", label="Last port or ICMP code", kind="number",
              hint="Empty: only the first."),
        Field(name="prefix", label="Other side (CIDR)", hint="Empty: anybody."),
        Field(name="group", label="Or members of a group", kind="choice",
              options=options_of(groups)),
        Field(name="description", label="Description"),
    ]  # fmt: skip
    return Form(
        title="New rule", action=f"{at}/rules", fields=fields, submit="Create", back=at,
        section="/security-groups",
    )  # fmt: skip


@pages.get("/security-groups/{group_id}/rules/new")
def new_rule(visit: Visit, group_id: str) -> Page:
    """Ask what to let through."""
    form = _rule_form(visit, group_id)
    return form_about(visit, "network", f"/security-groups/{part(group_id)}", form)


@pages.post("/security-groups/{group_id}/rules")
def create_rule(visit: Visit, group_id: str) -> Page | Go:
    """Let something through."""
    given = visit.given

    def act() -> Go:
        wish: dict[str, Any] = {
            "security_group_id": group_id,
            **given.some(
                direction="direction", ethertype="ethertype", remote_ip_prefix="prefix",
                remote_group_id="group", description="description",
            ),
        }  # fmt: skip
        protocol, low, high = given.text("protocol"), given.number("low"), given.number("high")
        wish |= {} if protocol == "any" else {"protocol": protocol}
        if low is not None:
            last = low if high is None and not protocol.startswith("icmp") else high
            wish |= {"port_range_min": low, "port_range_max": last}
        visit.cloud.post("network", "/security-group-rules", {"security_group_rule": wish})
        return Go(f"/security-groups/{part(group_id)}", visit.say("The rule is made."))

    return submitted(visit, _rule_form(visit, group_id), act)
