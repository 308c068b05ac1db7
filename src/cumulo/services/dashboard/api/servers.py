"""/servers: the list, one server, what is done with it in one word."""

from urllib.parse import urlsplit

from cumulo.services.dashboard import servers
from cumulo.services.dashboard.api.pages import POLICY, Go, Page, Pages, Visit
from cumulo.services.dashboard.api.placements import failure
from cumulo.services.dashboard.api.showing import detail_page, each, list_page
from cumulo.services.dashboard.cells import (
    Cell,
    Code,
    Link,
    Many,
    State,
    Text,
    When,
    gib,
    memory,
    text,
)
from cumulo.services.dashboard.cloud import Refusal, part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.lists import Button, Item

pages = Pages()
_DETACH = Button("detach", "Detach", "Take these interfaces away?", danger=True)


@pages.get("/servers")
def list_servers(visit: Visit) -> Page:
    """List the servers of the project."""
    return list_page(visit, servers.LISTING)


@pages.post("/servers/actions")
def act_on_servers(visit: Visit) -> Go:
    """Do one thing with several servers."""
    return _act_on_several(visit, "/servers")


@pages.post("/admin/servers/actions")
def act_on_any_servers(visit: Visit) -> Go:
    """Do one thing with several servers of any projects."""
    return _act_on_several(visit, "/admin/servers")


def _act_on_several(visit: Visit, back: str) -> Go:
    name = visit.given.text("action")

    def act(server_id: str) -> None:
        _act(visit, server_id, name)

    known = dict.fromkeys((*servers.ACTIONS, "delete"), act)
    return each(visit, known, back, "Begun for {count}.")


@pages.get("/servers/{server_id}")
def show_server(visit: Visit, server_id: str) -> Page:
    """Show a server: where it is reached, what it is made of, what is wrong with it."""
    server = visit.cloud.get("compute", f"/servers/{part(server_id)}")["server"]
    at = f"/servers/{server['id']}"
    detail = Detail(
        title=server["name"],
        id=server["id"],
        back=("Servers", "/servers"),
        state=servers.status_of(server),
        problem=failure(visit, server),
        buttons=servers.buttons_of(server, is_admin=visit.scope.is_admin),
        links=_links(server, at),
        groups=[
            Group(title="Server", facts=_facts(visit, server)),
            _interfaces(visit, server, at),
            Group(
                title="Metadata and tags", facts=_labels(server), links=(("Edit", f"{at}/edit"),)
            ),
            Group(title="Volumes", columns=("Volume", "Device"), rows=_volumes(visit, server)),
        ],
        live=("server", "port", "floatingip"),
    )
    return detail_page(detail, "/servers")


def _links(server: Item, at: str) -> list[tuple[str, str]]:
    links = [("Why", f"{at}/why"), ("History", f"{at}/history")]
    links += [("Events", f"/events?kind=server&resource={server['id']}"), ("Edit", f"{at}/edit")]
    if server["OS-EXT-STS:power_state"]:  # none is known of what never ran, or runs nowhere now
        links.insert(0, ("Log", f"{at}/log"))
    if server["status"] in ("ACTIVE", "RESCUE"):
        links.insert(0, ("Console", f"{at}/console"))
    if server["status"] in ("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"):
        links.append(("Make an image", f"{at}/image"))
    if server["status"] in ("ACTIVE", "SHUTOFF"):
        links.append(("Resize", f"{at}/resize"))
    if server["status"] in ("ACTIVE", "SHUTOFF", "ERROR"):
        links.append(("Rebuild", f"{at}/rebuild"))
    return [*links, ("Floating IP", f"{at}/floating-ip"), ("Interface", f"{at}/interface")]


def _facts(visit: Visit, server: Item) -> list[tuple[str, Cell]]:
    flavor = server["flavor"]
    facts: list[tuple[str, Cell]] = [
        ("Description", text(server.get("description"))),
        ("Flavor", Text(flavor["original_name"])),
        ("VCPUs", text(flavor["vcpus"])),
        ("Memory", memory(flavor["ram"])),
        ("Disk", gib(flavor["disk"])),
        ("Image", _image(visit, server)),
        ("Key pair", text(server["key_name"])),
        ("Zone", text(server["OS-EXT-AZ:availability_zone"])),
        ("Host name", text(server.get("OS-EXT-SRV-ATTR:hostname"))),
        ("Created", When(server["created"])),
        ("Changed", When(server["updated"])),
        ("Locked", text(server.get("locked", False))),
    ]
    if server.get("locked_reason"):
        facts.append(("Why locked", text(server["locked_reason"])))
    if server.get("server_groups"):
        groups = [Link(group, f"/server-groups/{group}") for group in server["server_groups"]]
        facts.append(("Server groups", Many(groups)))
    if servers.HOST in server:
        facts += [("Host", text(server[servers.HOST])), ("Project", Code(server["tenant_id"]))]
    return facts


def _image(visit: Visit, server: Item) -> Cell:
    image = server["image"]
    if not image:
        return Text("")
    try:
        name = visit.cloud.get("image", f"/images/{image['id']}")["name"]
    except Refusal:
        return Code(image["id"])
    return Link(name or image["id"], f"/images/{image['id']}")


def _labels(server: Item) -> list[tuple[str, Cell]]:
    found: list[tuple[str, Cell]] = [("Tags", text(server.get("tags")))]
    return [*found, ("Metadata", text(server["metadata"]))]


def _interfaces(visit: Visit, server: Item, at: str) -> Group:
    """Return how a server is plugged in; its floating addresses stand in what it tells."""
    path = f"/servers/{server['id']}/os-interface"
    try:
        found = visit.cloud.get("compute", path)["interfaceAttachments"]
    except Refusal:
        found = []
    floating = [
        Code(one["addr"])
        for addresses in server["addresses"].values()
        for one in addresses
        if one.get("OS-EXT-IPS:type") == "floating"
    ]
    rows: list[list[Cell | str]] = [
        [
            one["port_id"],
            Link(one["port_id"], f"/ports/{one['port_id']}"),
            Link(one["net_id"], f"/networks/{one['net_id']}"),
            Many([Code(ip["ip_address"]) for ip in one["fixed_ips"] or ()]),
            Code(one["mac_addr"]),
            State(one["port_state"]),
        ]
        for one in found
    ]
    groups = [group["name"] for group in server.get("security_groups") or ()]
    return Group(
        title="Interfaces",
        facts=[
            ("Floating IPs", Many(floating)),
            ("Security groups", text(sorted(set(groups)))),
        ],
        columns=("Port", "Network", "Addresses", "MAC address", "Status"),
        rows=rows,
        buttons=(_DETACH,),
        action=f"{at}/interfaces",
        links=(("Change security groups", f"{at}/security-groups"),),
    )


def _volumes(visit: Visit, server: Item) -> list[list[Cell]]:
    if not server["os-extended-volumes:volumes_attached"] or not visit.cloud.has("volume"):
        return []
    path = f"/servers/{server['id']}/os-volume_attachments"
    found = visit.cloud.get("compute", path)["volumeAttachments"]
    return [
        [Link(one["volumeId"], f"/volumes/{one['volumeId']}"), Code(one.get("device") or "")]
        for one in found
    ]


@pages.post("/servers/{server_id}/actions")
def act_on_server(visit: Visit, server_id: str) -> Go:
    """Do one thing with a server."""
    name = visit.given.text("action")
    password = _act(visit, server_id, name)
    to = "/servers" if name in ("delete", "force-delete") else f"/servers/{part(server_id)}"
    told = visit.say("Begun.")
    if password:
        told += " " + visit.say("The password is {password}.", password=password)
    return Go(to, told)


def _act(visit: Visit, server_id: str, name: str) -> str:
    """Do it, and return the password that an action may answer with."""
    path = f"/servers/{part(server_id)}"
    if name == "delete":
        visit.cloud.delete("compute", path)
        return ""
    if name not in servers.ACTIONS:
        raise Refusal(400, visit.say("There is no such action."), {})
    answer = visit.cloud.post("compute", f"{path}/action", servers.ACTIONS[name])
    return str((answer or {}).get("adminPass") or "")


@pages.get("/servers/{server_id}/log")
def show_log(visit: Visit, server_id: str) -> Page:
    """Show what the guest wrote to its console."""
    path = f"/servers/{part(server_id)}"
    server = visit.cloud.get("compute", path)["server"]
    wish = {"os-getConsoleOutput": {"length": 1000}}
    output = visit.cloud.post("compute", f"{path}/action", wish)["output"]
    at = f"/servers/{server['id']}"
    detail = Detail(
        title=server["name"],
        id=server["id"],
        back=("Server", at),
        state=servers.status_of(server),
        groups=[Group(title="The last lines of its console", text=_plain(output))],
    )
    return detail_page(detail, "/servers")


@pages.get("/servers/{server_id}/console")
def show_console(visit: Visit, server_id: str) -> Page:
    """Show the screen of a server in the page, for which that page may frame the viewer."""
    path = f"/servers/{part(server_id)}"
    server = visit.cloud.get("compute", path)["server"]
    wish = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    found = visit.cloud.post("compute", f"{path}/remote-consoles", wish)["remote_console"]
    viewer = urlsplit(found["url"])
    values = {"server": server, "console": found["url"], "section": "/servers"}
    policy = f"{POLICY}; frame-src {viewer.scheme}://{viewer.netloc}"
    return Page("console.html", values, headers={"Content-Security-Policy": policy})


def _plain(output: str) -> str:
    """Return what a guest wrote without what would move a cursor or colour a terminal."""
    kept = [sign for sign in output if sign.isprintable() or sign in "\n\t"]
    return "".join(kept)


@pages.get("/servers/{server_id}/history")
def show_history(visit: Visit, server_id: str) -> Page:
    """Show what was done with a server, step by step, and why it failed."""
    path = f"/servers/{part(server_id)}"
    server = visit.cloud.get("compute", path)["server"]
    listed = visit.cloud.get("compute", f"{path}/os-instance-actions", limit=30)
    actions = [
        visit.cloud.get("compute", f"{path}/os-instance-actions/{one['request_id']}")[
            "instanceAction"
        ]
        for one in listed["instanceActions"]
    ]
    for action in actions:
        action["events"] = sorted(action.get("events") or (), key=lambda e: str(e["start_time"]))
    at = f"/servers/{server['id']}"
    detail = Detail(
        title=server["name"],
        id=server["id"],
        back=("Server", at),
        state=servers.status_of(server),
        problem=failure(visit, server),
        groups=(),
        live=("server",),
    )
    return detail_page(detail, "/servers", "history.html", actions=actions)


@pages.post("/servers/{server_id}/interfaces")
def detach_interfaces(visit: Visit, server_id: str) -> Go:
    """Unplug a server from some of its ports."""
    path = f"/servers/{part(server_id)}/os-interface"

    def detach(port_id: str) -> None:
        visit.cloud.delete("compute", f"{path}/{part(port_id)}")

    return each(visit, {"detach": detach}, f"/servers/{part(server_id)}", "Begun for {count}.")
