"""/servers/{id}/why: what came of a server, and what each host had to do with it."""

from collections.abc import Sequence
from typing import Any

from cumulo.services.dashboard import journal, servers
from cumulo.services.dashboard.api.pages import Page, Pages, Visit
from cumulo.services.dashboard.api.showing import detail_page
from cumulo.services.dashboard.cells import Cell, Code, Link, Many, Text, When, Words, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.lists import Item

pages = Pages()
_NO_HOST = "No valid host was found."


def decided(found: Item, *, title: str, facts: Sequence[tuple[str, Cell]] = ()) -> Group:
    """Return what the scheduler says of every host, of a server that is or that could be."""
    chosen: Cell = Code(found["host"]) if found["host"] else Words("No host")
    told = [("Host", chosen), ("Asked for", text(found["requested"])), *facts]
    if found["would_fit"]:
        help_ = Many([Text(one) for one in found["would_fit"]], is_wide=True)
        told.append(("What would help", help_))
    return Group(
        title=title,
        facts=told,
        columns=("Host", "Takes it", "Weight", "Servers", "Free", "What stands against it"),
        rows=[_verdict(one) for one in found["hosts"]],
    )


def _verdict(one: Item) -> list[Cell | str]:
    weight = one["weight"]
    reasons = [Text(f"{each['filter']}: {each['reason']}") for each in one["reasons"]]
    return [
        Code(one["host"]),
        text(one["fits"]),
        Text("" if weight is None else f"{weight:.2f}"),
        text(one["servers"]),
        text(one["free"]),
        Many(reasons),
    ]


@pages.get("/servers/{server_id}/why")
def show_server_why(visit: Visit, server_id: str) -> Page:
    """Show why a server is as it is: what failed, what was done, and where it could go."""
    path = f"/servers/{part(server_id)}"
    server = visit.cloud.get("compute", path)["server"]
    decisions = _decisions(visit, path)
    problem = failure(visit, server)
    if decisions and problem.startswith(_NO_HOST):  # the rest is told host by host
        problem = _NO_HOST
    detail = Detail(
        title=server["name"],
        id=server["id"],
        back=("Server", f"/servers/{server['id']}"),
        state=servers.status_of(server),
        problem=problem,
        links=(("History", f"/servers/{server['id']}/history"),),
        groups=[_actions(visit, path), *decisions],
        live=("server",),
    )
    return detail_page(detail, "/servers")


def _actions(visit: Visit, path: str) -> Group:
    found = visit.cloud.get("compute", f"{path}/os-instance-actions", limit=30)
    return Group(
        title="What was done with it",
        columns=("When", "Action", "Request", "Result"),
        rows=[
            [
                When(one["start_time"]),
                Text(one["action"]),
                Link(one["request_id"], f"/why/{one['request_id']}"),
                text(one["message"]),
            ]
            for one in found["instanceActions"]
        ],
    )


def _decisions(visit: Visit, path: str) -> list[Group]:
    """Return how it came to its hosts, to those who may know of hosts."""
    if not visit.scope.is_admin:
        return []
    found: Any = visit.cloud.get("compute", f"/explain{path}")["explanation"]["decisions"]
    return [
        decided(one, title="How its host was chosen", facts=[("When", When(one["decided_at"]))])
        for one in found
    ]


def failure(visit: Visit, server: Item) -> str:
    """Return why a server failed: in full where its workflow is known, else as the API says it."""
    message = str((server.get("fault") or {}).get("message", ""))
    if not message:
        return ""
    told = visit.call.db.read(journal.failure, visit.scope, server["id"])
    return told if told.startswith(message[:50]) else message
