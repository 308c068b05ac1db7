"""/containers: object storage, browsed like directories."""

from urllib.parse import quote

from cumulo.services.dashboard.api.pages import TEXT, Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import each, form_page, list_page, submitted
from cumulo.services.dashboard.cells import Cell, Link, Text, When, size
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.forms import Field, Form
from cumulo.services.dashboard.lists import DELETE, Button, Column, Item, Listing
from cumulo.web import Reply, Stream, Upload

pages = Pages()
LISTING = Listing(
    title="Containers",
    path="/containers",
    service="object-store",
    url="",
    key="",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"/containers/{part(one['name'])}"), "name"),
        Column("Objects", lambda one: Text(str(one["count"])), "count"),
        Column("Size", lambda one: size(one["bytes"]), "bytes"),
        Column("Changed", lambda one: When(one.get("last_modified", ""))),
    ),
    query={"format": "json"},
    is_paged=False,
    create=("New container", "/containers/new"),
    bulk=(DELETE,),
    live=("container",),
    identifier="name",
    empty="There is no container yet.",
)
_PAGE = 200
_DOWNLOADS = {"Cache-Control": "no-store", "Content-Security-Policy": "sandbox; default-src 'none'"}


@pages.get("/containers")
def list_containers(visit: Visit) -> Page:
    """List the containers of the project."""
    return list_page(visit, LISTING)


@pages.post("/containers/actions")
def act_on_containers(visit: Visit) -> Go:
    """Delete containers."""

    def delete(name: str) -> None:
        visit.cloud.delete("object-store", f"/{part(name)}")

    return each(visit, {"delete": delete}, "/containers", "Deleted: {count}.")


_NEW = Form(
    title="New container",
    action="/containers",
    fields=[
        Field(name="name", label="Name", required=True),
        Field(name="public", label="Anybody may read it", kind="flag"),
    ],
    submit="Create",
    back="/containers",
    section="/containers",
)


@pages.get("/containers/new")
def new_container(visit: Visit) -> Page:
    """Ask how to call a container."""
    return form_page(_NEW)


@pages.post("/containers")
def create_container(visit: Visit) -> Page | Go:
    """Make a container."""

    def act() -> Go:
        name = part(visit.given.text("name"))
        public = {"X-Container-Read": ".r:*,.rlistings"} if visit.given.flag("public") else {}
        visit.cloud.ask("PUT", "object-store", f"/{name}", headers=public).read()
        return Go(f"/containers/{name}", visit.say("The container is made."))

    return submitted(visit, _NEW, act)


@pages.get("/containers/{container}")
def list_objects(visit: Visit, container: str) -> Page:
    """List the objects of a container below a prefix."""
    prefix, marker = visit.asked("prefix"), visit.asked("marker")
    query = {"format": "json", "delimiter": "/", "limit": str(_PAGE + 1), "prefix": prefix}
    query |= {"marker": marker} if marker else {}
    found = visit.cloud.get("object-store", f"/{part(container)}", **query)
    at = f"/containers/{part(container)}"
    shown = found[:_PAGE]
    more = ""
    if len(found) > _PAGE:
        last = shown[-1].get("name") or shown[-1]["subdir"]
        more = f"{at}?prefix={quote(prefix, safe='')}&marker={quote(last, safe='')}"
    values = {
        "container": container,
        "at": at,
        "prefix": prefix,
        "steps": _steps(at, prefix),
        "rows": [_row(at, prefix, one) for one in shown],
        "more": more,
        "buttons": (Button("delete", "Delete", "Delete these objects?", danger=True),),
        "section": "/containers",
        "upload": f"{at}/objects/{quote(prefix)}FILE",
        "then": f"{at}?prefix={quote(prefix, safe='')}",
    }
    return Page("objects.html", values)


def _steps(at: str, prefix: str) -> list[tuple[str, str]]:
    """Return the directories above, each with where it is."""
    found, sofar = [], ""
    for name in prefix.split("/")[:-1]:
        sofar += f"{name}/"
        found.append((name, f"{at}?prefix={quote(sofar, safe='')}"))
    return found


def _row(at: str, prefix: str, one: Item) -> tuple[str, list[Cell]]:
    if "subdir" in one:
        name = one["subdir"]
        link = Link(name.removeprefix(prefix), f"{at}?prefix={quote(name, safe='')}")
        return "", [link, Text(""), Text(""), Text("")]
    name = one["name"]
    link = Link(name.removeprefix(prefix) or name, f"{at}/objects/{quote(name)}")
    cells: list[Cell] = [link, size(one["bytes"]), Text(one["content_type"])]
    return name, [*cells, When(one["last_modified"])]


@pages.post("/containers/{container}/actions")
def act_on_objects(visit: Visit, container: str) -> Go:
    """Delete objects."""

    def delete(name: str) -> None:
        visit.cloud.delete("object-store", f"/{part(container)}/{quote(name)}")

    prefix = quote(visit.given.raw("prefix"), safe="")
    back = f"/containers/{part(container)}?prefix={prefix}"
    return each(visit, {"delete": delete}, back, "Deleted: {count}.")


@pages.get("/containers/{container}/objects/{name:path}")
def download_object(visit: Visit, container: str, name: str) -> Stream:
    """Hand an object over as a file: a browser must not show what somebody stored here."""
    headers = {"Accept": "*/*"}
    path = f"/{part(container)}/{quote(name)}"
    told = visit.cloud.ask("GET", "object-store", path, headers=headers)
    length = told.headers.get("content-length", "")
    file = quote(name.rpartition("/")[2] or "object", safe="")
    return Stream(
        told.pieces,
        length=int(length) if length.isdecimal() else None,
        headers={**_DOWNLOADS, "Content-Disposition": f"attachment; filename*=UTF-8''{file}"},
    )


@pages.put("/containers/{container}/objects/{name:path}")
def upload_object(visit: Visit, container: str, name: str, body: Upload) -> Reply:
    """Pass the bytes of an object on as they come."""
    path = f"/{part(container)}/{quote(name)}"
    visit.cloud.ask("PUT", "object-store", path, body=body).read()
    return Reply(visit.say("It is uploaded."), content_type=TEXT)
