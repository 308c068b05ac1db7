"""/stream, /events, /why, /path: what happens, what happened, and why."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from cumulo.kit.errors import NotFound
from cumulo.services.dashboard import journal
from cumulo.services.dashboard.api.pages import Page, Pages, Visit
from cumulo.services.dashboard.cells import Cell, Code, Link, Text, When
from cumulo.services.dashboard.cloud import Refusal, part
from cumulo.services.dashboard.forms import Field, Option
from cumulo.web import Reply, Stream
from cumulo.work import events
from cumulo.work.events import Event
from cumulo.work.runs import RunRow

pages = Pages()
# Where a page about a thing is, by what the event log calls it.
_PAGES = {
    "server": "/servers", "network": "/networks", "subnet": "/subnets", "port": "/ports",
    "router": "/routers", "security_group": "/security-groups", "image": "/images",
    "volume": "/volumes", "project": "/admin/projects", "user": "/admin/users",
}  # fmt: skip
_KINDS = (
    *_PAGES, "aggregate", "backup", "flavor", "floatingip", "group", "keypair", "role",
    "security_group_rule", "server_group", "service", "snapshot",
)  # fmt: skip
_LONGEST, _LONGEST_ID = 300, 16
# What a new thing has in any case, and other columns tell.
_USUAL = ("id", "project_id", "user_id", "created_at", "updated_at", "revision_number")


@pages.get("/stream")
def stream_changes(visit: Visit) -> Reply | Stream:
    """Tell a page what changes, as server-sent events."""
    kinds = frozenset(visit.asked("kinds").split(",")[:50])
    watchers = visit.call.tools.watchers
    if not watchers.enter(visit.scope.user_id):
        return Reply(status=204)  # browsers do not come back then; the page looks now and then
    pieces = watchers.changes(visit.scope, kinds, _seen(visit))
    return Stream(pieces, content_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _seen(visit: Visit) -> int:
    """Return the last event that the page knows of: what it heard last, else as it was made."""
    seen = _number(visit.call.headers.get("last-event-id") or visit.asked("after"))
    return visit.call.db.read(events.last_id) if seen is None else seen


@pages.get("/events")
def list_events(visit: Visit) -> Page:
    """List what happened last, to one thing where it is named."""
    kind, one, before = visit.asked("kind"), visit.asked("resource").strip(), visit.asked("before")
    found = visit.call.db.read(
        lambda tx: journal.recent(
            tx, visit.scope, kind=kind or None, one=one or None, before=_number(before)
        )
    )
    given = {"kind": kind, "resource": one}
    asked = {name: value for name, value in given.items() if value}
    older = {**asked, "before": found.older}
    values = {
        "rows": _rows(found.events),
        "kinds": sorted({*_KINDS, *([kind] if kind else [])}),
        "here": f"/events?{urlencode({**asked, **({'before': before} if before else {})})}",
        "newest": f"/events?{urlencode(asked)}" if before else "",
        "older": f"/events?{urlencode(older)}" if found.older else "",
        "section": "/events",
        "live": journal.ANY,
        **given,
    }
    return Page("events.html", values)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _rows(found: Sequence[Event]) -> list[list[Cell]]:
    """Return events as rows; what is gone has no page to lead to."""
    gone = {each.resource_id for each in found if each.action == "delete"}
    return [_event(each, is_gone=each.resource_id in gone) for each in found]


def _event(event: Event, *, is_gone: bool) -> list[Cell]:
    return [
        When(event.at.isoformat()),
        Code(event.resource),
        _thing(event, is_gone=is_gone),
        Text(event.action),
        Text(_difference(event)),
        _request(event.request_id),
    ]


def _thing(event: Event, *, is_gone: bool) -> Cell:
    """Return what something was called then; pages that list many do not ask for its name now."""
    kind, one = event.resource, event.resource_id
    names = [side.get("name") for side in (event.after, event.before) if isinstance(side, dict)]
    name = next((each for each in names if each and isinstance(each, str)), "")
    if kind in _PAGES and not is_gone:
        return Link(name or _shortened(one), f"{_PAGES[kind]}/{part(one)}")
    return Text(name) if name or not one else Code(_shortened(one))


def _request(request_id: str | None) -> Cell:
    if not request_id:
        return Text("")
    return Link(_shortened(request_id.removeprefix("req-")), f"/why/{part(request_id)}")


def _shortened(one: str) -> str:
    """Return the beginning of an id, which tells it from others on the page."""
    return f"{one[:8]}…" if len(one) > _LONGEST_ID else one


def _difference(event: Event) -> str:
    """Return what of a thing became something else."""
    before, after = event.before, event.after
    if not isinstance(after, dict):
        return _short(after)
    if not isinstance(before, dict):
        told = [
            f"{name}: {_short(each)}" for name, each in after.items() if each and name not in _USUAL
        ]
    else:
        names = [name for name in after if before.get(name) != after[name]]
        told = [f"{name}: {_short(before.get(name))} → {_short(after[name])}" for name in names]
    return ", ".join(told)[:_LONGEST]


def _short(value: Any) -> str:
    if value is None:
        return ""
    return (value if isinstance(value, str) else msgspec.json.encode(value).decode())[:100]


@pages.get("/why/{request_id}")
def show_why(visit: Visit, request_id: str) -> Page:
    """Show what a request did: the steps of its workflows, and every change."""
    try:
        found = visit.call.db.read(journal.trace, visit.scope, request_id)
    except NotFound as error:
        raise Refusal(404, error.message, {}) from error
    values = {
        "request_id": request_id,
        "runs": [_run(each) for each in found.runs],
        "rows": [row[:-1] for row in _rows(found.events)],
        "section": "/events",
    }
    return Page("why.html", values)


def _run(run: RunRow) -> dict[str, Any]:
    return {
        "kind": run.kind,
        "subject": run.subject or "",
        "state": run.state,
        "waits_for": run.waits_for or "",
        "error": f"{run.error.step}: {run.error.message}" if run.error else "",
        "steps": [
            {
                "name": step.name,
                "state": step.state,
                "at": _clock(step.started_at),
                "ms": round((step.ended_at - step.started_at) * 1000, 1),
                "attempts": step.attempts,
                "result": _short(step.result),
            }
            for step in run.log
        ],
    }


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f}"[:-3]


_PROTOCOLS = [Option(name, name) for name in ("icmp", "tcp", "udp", "sctp")]


@pages.get("/path")
def explain_path(visit: Visit) -> Page:
    """Say what would become of a packet, station by station."""
    origin, target = visit.asked("from"), visit.asked("to")
    values: dict[str, Any] = {"way": None, "problem": "", "section": "/path"}
    values["fields"] = _path_fields(visit)
    if origin and target:
        query = {"from": origin, "to": target, "protocol": visit.asked("protocol") or "icmp"}
        query |= {"port": visit.asked("port")} if visit.asked("port") else {}
        try:
            values["way"] = visit.cloud.get("network", "/explain/path", **query)["path"]
        except Refusal as refusal:
            values["problem"] = refusal.message
    return Page("path.html", values)


def _path_fields(visit: Visit) -> list[Field]:
    found = visit.cloud.get("compute", "/servers", limit=200)["servers"]
    servers = [Option(one["id"], one["name"]) for one in found]
    return [
        Field(name="from", label="From the server", kind="choice", options=servers, required=True,
              value=visit.asked("from")),
        Field(name="to", label="To the address", value=visit.asked("to"), required=True),
        Field(name="protocol", label="Protocol", kind="choice", options=_PROTOCOLS, required=True,
              value=visit.asked("protocol") or "icmp"),
        Field(name="port", label="Port", kind="number", value=visit.asked("port"), least=1),
    ]  # fmt: skip
