"""Forms about how a server is reached: interfaces, floating IPs, security groups."""

from typing import Any

from cumulo.kit.errors import Invalid
from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.server_forms import networks
from cumulo.services.dashboard.api.showing import form_about, form_page, submitted
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.forms import Field, Form, Option, options_of

pages = Pages()


def _at(server_id: str) -> str:
    return f"/servers/{part(server_id)}"


def _interface_form(visit: Visit, server_id: str) -> Form:
    at = _at(server_id)
    fields = [
        Field(name="network", label="Network", kind="choice", options=networks(visit),
              required=True),
        Field(name="address", label="Address", hint="Empty: any that is free."),
    ]  # fmt: skip
    return Form(
        title="Plug it into a network", action=f"{at}/interface", fields=fields,
        submit="Plug in", back=at, section="/servers",
    )  # fmt: skip


@pages.get("/servers/{server_id}/interface")
def new_interface(visit: Visit, server_id: str) -> Page:
    """Ask which network to plug a server into."""
    return form_about(visit, "compute", _at(server_id), _interface_form(visit, server_id))


@pages.post("/servers/{server_id}/interface")
def attach_interface(visit: Visit, server_id: str) -> Page | Go:
    """Plug a server into one more network."""

    def act() -> Go:
        wish: dict[str, Any] = {"net_id": visit.given.text("network")}
        if visit.given.text("address"):
            wish["fixed_ips"] = [{"ip_address": visit.given.text("address")}]
        path = f"{_at(server_id)}/os-interface"
        visit.cloud.post("compute", path, {"interfaceAttachment": wish})
        return Go(_at(server_id), visit.say("It is plugged in."))

    return submitted(visit, _interface_form(visit, server_id), act)


def _floating_form(visit: Visit, server_id: str) -> Form:
    at, cloud = _at(server_id), visit.cloud
    free = [
        Option(one["id"], one["floating_ip_address"])
        for one in cloud.get("network", "/floatingips")["floatingips"]
        if not one["port_id"]
    ]
    outside = cloud.get("network", "/networks", **{"router:external": "true"})["networks"]
    fields = [
        Field(name="port", label="Port", kind="choice", options=_ports(visit, server_id),
              required=True),
        Field(name="floating", label="Floating IP of the project", kind="choice", options=free),
        Field(name="pool", label="Or a new one of", kind="choice", options=options_of(outside)),
    ]  # fmt: skip
    return Form(
        title="Give it a floating IP", action=f"{at}/floating-ip", fields=fields,
        submit="Associate", back=at, section="/servers",
    )  # fmt: skip


def _ports(visit: Visit, server_id: str) -> list[Option]:
    found = visit.cloud.get("network", "/ports", device_id=server_id)["ports"]
    return [Option(one["id"], _addresses(one) or one["id"]) for one in found]


def _addresses(port: Any) -> str:
    return ", ".join(one["ip_address"] for one in port["fixed_ips"])


@pages.get("/servers/{server_id}/floating-ip")
def new_server_floating_ip(visit: Visit, server_id: str) -> Page:
    """Ask which floating IP leads to a server."""
    return form_about(visit, "compute", _at(server_id), _floating_form(visit, server_id))


@pages.post("/servers/{server_id}/floating-ip")
def add_floating_ip(visit: Visit, server_id: str) -> Page | Go:
    """Let a floating IP lead to a server."""
    given = visit.given

    def act() -> Go:
        if given.text("floating"):
            change = {"floatingip": {"port_id": given.text("port")}}
            visit.cloud.put("network", f"/floatingips/{part(given.text('floating'))}", change)
        elif given.text("pool"):
            wish = {"floating_network_id": given.text("pool"), "port_id": given.text("port")}
            visit.cloud.post("network", "/floatingips", {"floatingip": wish})
        else:
            raise Invalid(visit.say("Choose a floating IP or where to take a new one from."))
        return Go(_at(server_id), visit.say("The floating IP leads to the server."))

    return submitted(visit, _floating_form(visit, server_id), act)


def _groups_form(visit: Visit, server_id: str) -> Form:
    at, scope = _at(server_id), visit.scope
    mine = {"project_id": scope.project_id} if scope.project_id else {}
    known = visit.cloud.get("network", "/security-groups", **mine)["security_groups"]
    found = visit.cloud.get("compute", f"{at}/os-security-groups")["security_groups"]
    now = [one["id"] for one in found]
    fields = [
        Field(name="group", label="Security groups", kind="choices", options=options_of(known),
              value=now)
    ]  # fmt: skip
    return Form(
        title="Security groups", action=f"{at}/security-groups", fields=fields,
        submit="Change", back=at, section="/servers",
    )  # fmt: skip


@pages.get("/servers/{server_id}/security-groups")
def edit_server_groups(visit: Visit, server_id: str) -> Page:
    """Ask which security groups a server is in."""
    return form_page(_groups_form(visit, server_id))


@pages.post("/servers/{server_id}/security-groups")
def update_server_groups(visit: Visit, server_id: str) -> Page | Go:
    """Put a server into security groups and take it out of others."""
    form = _groups_form(visit, server_id)

    def act() -> Go:
        now, wished = set(form.fields[0].value), set(visit.given.many("group"))
        for verb, groups in (
            ("addSecurityGroup", wished - now),
            ("removeSecurityGroup", now - wished),
        ):
            for group in sorted(groups):
                body = {verb: {"name": group}}
                visit.cloud.post("compute", f"{_at(server_id)}/action", body)
        return Go(_at(server_id), visit.say("It is changed."))

    return submitted(visit, form, act)
