"""/admin/aggregates: hosts that have something in common, and the zones they make."""

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    each,
    form_page,
    list_page,
    submitted,
)
from cumulo.services.dashboard.cells import Link, Text, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, Option
from cumulo.services.dashboard.lists import DELETE, Button, Column, Listing

pages = Pages()
_AT = "/admin/aggregates"
_REMOVE = Button("remove", "Remove", "Take these hosts out?", danger=True)
LISTING = Listing(
    title="Aggregates",
    path=_AT,
    service="compute",
    url="/os-aggregates",
    key="aggregates",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"{_AT}/{one['id']}"), "name"),
        Column("Zone", lambda one: text(one["availability_zone"]), "availability_zone"),
        Column("Hosts", lambda one: text(one["hosts"])),
        Column("Metadata", lambda one: text(one["metadata"])),
    ),
    is_paged=False,
    create=("New aggregate", f"{_AT}/new"),
    bulk=(DELETE,),
    live=("aggregate",),
)
_NEW = Form(
    title="New aggregate",
    action=_AT,
    fields=[Field(name="name", label="Name", required=True), Field(name="zone", label="Zone")],
    submit="Create",
    back=_AT,
    section=_AT,
)


@pages.get("/admin/aggregates")
def list_aggregates(visit: Visit) -> Page:
    """List aggregates."""
    return list_page(visit, LISTING)


@pages.post("/admin/aggregates/actions")
def act_on_aggregates(visit: Visit) -> Go:
    """Delete aggregates."""
    return delete_each(visit, "compute", "/os-aggregates", _AT)


@pages.get("/admin/aggregates/new")
def new_aggregate(visit: Visit) -> Page:
    """Ask what aggregate to make."""
    return form_page(_NEW)


@pages.post("/admin/aggregates")
def create_aggregate(visit: Visit) -> Page | Go:
    """Make an aggregate."""

    def act() -> Go:
        wish = visit.given.some(name="name", availability_zone="zone")
        made = visit.cloud.post("compute", "/os-aggregates", {"aggregate": wish})["aggregate"]
        return Go(f"{_AT}/{made['id']}", visit.say("The aggregate is made."))

    return submitted(visit, _NEW, act)


@pages.get("/admin/aggregates/{aggregate_id}")
def show_aggregate(visit: Visit, aggregate_id: str) -> Page:
    """Show an aggregate with its hosts."""
    one = visit.cloud.get("compute", f"/os-aggregates/{part(aggregate_id)}")["aggregate"]
    at = f"{_AT}/{one['id']}"
    metadata = {k: v for k, v in one["metadata"].items() if k != "availability_zone"}
    detail = Detail(
        title=one["name"],
        id=str(one["id"]),
        back=("Aggregates", _AT),
        buttons=(DELETE,),
        links=(("Edit", f"{at}/edit"),),
        groups=[
            Group(
                title="Aggregate",
                facts=[
                    ("Zone", text(one["availability_zone"])),
                    ("Metadata", text(metadata)),
                ],
            ),
            Group(
                title="Hosts",
                columns=("Host",),
                rows=[[host, Text(host)] for host in one["hosts"]],
                buttons=(_REMOVE,),
                action=f"{at}/hosts/actions",
                links=(("Add a host", f"{at}/hosts/new"),),
            ),
        ],
        live=("aggregate",),
    )
    return detail_page(detail, _AT)


def _edit_form(visit: Visit, aggregate_id: str) -> Form:
    one = visit.cloud.get("compute", f"/os-aggregates/{part(aggregate_id)}")["aggregate"]
    pairs = [f"{k}={v}" for k, v in one["metadata"].items() if k != "availability_zone"]
    at = f"{_AT}/{one['id']}"
    fields = [
        Field(name="name", label="Name", value=one["name"], required=True),
        Field(name="zone", label="Zone", value=one["availability_zone"] or ""),
        Field(name="metadata", label="Metadata", kind="long", value="\n".join(pairs),
              hint="One key=value a line."),
    ]  # fmt: skip
    return Form(
        title="Edit", action=f"{at}/edit", fields=fields, submit="Change", back=at, section=_AT
    )


@pages.get("/admin/aggregates/{aggregate_id}/edit")
def edit_aggregate(visit: Visit, aggregate_id: str) -> Page:
    """Ask for an aggregate's name, zone and metadata."""
    return form_page(_edit_form(visit, aggregate_id))


@pages.post("/admin/aggregates/{aggregate_id}/edit")
def update_aggregate(visit: Visit, aggregate_id: str) -> Page | Go:
    """Change an aggregate."""
    given, path = visit.given, f"/os-aggregates/{part(aggregate_id)}"

    def act() -> Go:
        after: dict[str, str | None] = {**given.pairs("metadata")}
        before = visit.cloud.get("compute", path)["aggregate"]["metadata"]
        gone = before.keys() - after.keys() - {"availability_zone"}
        changes = given.some(name="name", availability_zone="zone")
        visit.cloud.put("compute", path, {"aggregate": changes})
        metadata = {**after, **dict.fromkeys(sorted(gone))}
        if metadata:
            body = {"set_metadata": {"metadata": metadata}}
            visit.cloud.post("compute", f"{path}/action", body)
        return Go(f"{_AT}/{part(aggregate_id)}", visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, aggregate_id), act)


@pages.post("/admin/aggregates/{aggregate_id}/actions")
def act_on_aggregate(visit: Visit, aggregate_id: str) -> Go:
    """Delete an aggregate."""
    return delete_one(visit, "compute", f"/os-aggregates/{part(aggregate_id)}", _AT)


def _host_form(visit: Visit, aggregate_id: str) -> Form:
    found = visit.cloud.get("compute", "/os-hypervisors")["hypervisors"]
    hosts = [Option(one["hypervisor_hostname"], one["hypervisor_hostname"]) for one in found]
    at = f"{_AT}/{part(aggregate_id)}"
    fields = [Field(name="host", label="Host", kind="choice", options=hosts, required=True)]
    return Form(
        title="Add a host", action=f"{at}/hosts", fields=fields, submit="Add", back=at, section=_AT
    )


@pages.get("/admin/aggregates/{aggregate_id}/hosts/new")
def new_aggregate_host(visit: Visit, aggregate_id: str) -> Page:
    """Ask which host joins an aggregate."""
    return form_page(_host_form(visit, aggregate_id))


def _member(visit: Visit, aggregate_id: str, verb: str, host: str) -> None:
    path = f"/os-aggregates/{part(aggregate_id)}/action"
    visit.cloud.post("compute", path, {verb: {"host": host}})


@pages.post("/admin/aggregates/{aggregate_id}/hosts")
def add_aggregate_host(visit: Visit, aggregate_id: str) -> Page | Go:
    """Let a host join an aggregate."""

    def act() -> Go:
        _member(visit, aggregate_id, "add_host", visit.given.text("host"))
        return Go(f"{_AT}/{part(aggregate_id)}", visit.say("It is changed."))

    return submitted(visit, _host_form(visit, aggregate_id), act)


@pages.post("/admin/aggregates/{aggregate_id}/hosts/actions")
def remove_aggregate_hosts(visit: Visit, aggregate_id: str) -> Go:
    """Take hosts out of an aggregate."""

    def remove(host: str) -> None:
        _member(visit, aggregate_id, "remove_host", host)

    return each(visit, {"remove": remove}, f"{_AT}/{part(aggregate_id)}", "Removed: {count}.")
