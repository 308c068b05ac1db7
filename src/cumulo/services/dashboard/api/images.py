"""/images: what servers are booted from; uploads come straight from the browser."""

from typing import Any

from cumulo.services.dashboard.api.pages import TEXT, Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    detail_page,
    form_page,
    list_page,
    submitted,
)
from cumulo.services.dashboard.cells import Cell, Code, Link, State, Text, When, size, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, Option
from cumulo.services.dashboard.lists import DELETE, Button, Column, Item, Listing
from cumulo.web import Reply, Upload

pages = Pages()
_FORMATS = ("qcow2", "raw", "vmdk", "vdi", "vhd", "vhdx", "iso", "ami", "ari", "aki", "ploop")
_VISIBILITIES = ("private", "shared", "community", "public")
LISTING = Listing(
    title="Images",
    path="/images",
    service="image",
    url="/images",
    key="images",
    columns=(
        Column("Name", lambda one: Link(one["name"] or one["id"], f"/images/{one['id']}"), "name"),
        Column("Status", lambda one: State(one["status"]), "status"),
        Column("Size", lambda one: size(one.get("size")), "size"),
        Column("Format", lambda one: text(one["disk_format"]), "disk_format"),
        Column("Visibility", lambda one: Text(one["visibility"])),
        Column("Protected", lambda one: text(one["protected"])),
        Column("Created", lambda one: When(one["created_at"]), "created_at"),
    ),
    create=("New image", "/images/new"),
    bulk=(DELETE,),
    live=("image",),
    empty="There is no image yet.",
)
# What is not a property of the user's own.
_KNOWN = {
    "id", "name", "status", "size", "virtual_size", "disk_format", "container_format", "checksum",
    "os_hash_algo", "os_hash_value", "os_hidden", "visibility", "protected", "min_disk", "min_ram",
    "owner", "created_at", "updated_at", "tags", "self", "file", "schema", "locations",
    "direct_url", "stores",
}  # fmt: skip


@pages.get("/images")
def list_images(visit: Visit) -> Page:
    """List the images that may be used."""
    return list_page(visit, LISTING)


@pages.post("/images/actions")
def act_on_images(visit: Visit) -> Go:
    """Delete images."""
    return delete_each(visit, "image", "/images", "/images")


def _fields(one: Item) -> list[Field]:
    own = {name: value for name, value in one.items() if name not in _KNOWN}
    pairs = "\n".join(f"{name}={value}" for name, value in own.items())
    return [
        Field(name="name", label="Name", value=one.get("name") or "", required=True),
        Field(name="visibility", label="Visibility", kind="choice", required=True,
              options=[Option(name, name) for name in _VISIBILITIES],
              value=one.get("visibility", "private")),
        Field(name="min_disk", label="Least disk (GiB)", kind="number", least=0,
              value=str(one.get("min_disk", 0))),
        Field(name="min_ram", label="Least memory (MiB)", kind="number", least=0,
              value=str(one.get("min_ram", 0))),
        Field(name="protected", label="Protected from deletion", kind="flag",
              value="1" if one.get("protected") else ""),
        Field(name="tags", label="Tags", kind="long", hint="One a line.",
              value="\n".join(one.get("tags", ()))),
        Field(name="properties", label="Properties", kind="long", hint="One key=value a line.",
              value=pairs),
    ]  # fmt: skip


def _new_form() -> Form:
    fields = _fields({})
    formats = [Option(name, name) for name in _FORMATS]
    fields[1:1] = [
        Field(name="format", label="Format", kind="choice", options=formats, required=True)
    ]
    return Form(
        title="New image", action="/images", fields=fields, submit="Go on to the upload",
        back="/images", section="/images",
    )  # fmt: skip


@pages.get("/images/new")
def new_image(visit: Visit) -> Page:
    """Ask what an image is."""
    return form_page(_new_form())


@pages.post("/images")
def create_image(visit: Visit) -> Page | Go:
    """Make an image without data; the upload follows."""

    def act() -> Go:
        wish = {**_spec(visit), "disk_format": visit.given.text("format")}
        made = visit.cloud.post("image", "/images", {**wish, "container_format": "bare"})
        return Go(f"/images/{made['id']}")

    return submitted(visit, _new_form(), act)


def _spec(visit: Visit) -> dict[str, Any]:
    given = visit.given
    return {
        **given.pairs("properties"),
        "name": given.text("name"),
        "visibility": given.text("visibility"),
        "min_disk": given.number("min_disk") or 0,
        "min_ram": given.number("min_ram") or 0,
        "protected": given.flag("protected"),
        "tags": given.lines("tags"),
    }


@pages.get("/images/{image_id}")
def show_image(visit: Visit, image_id: str) -> Page:
    """Show an image; one without data can be given some."""
    one = visit.cloud.get("image", f"/images/{part(image_id)}")
    own = {name: value for name, value in one.items() if name not in _KNOWN}
    at = f"/images/{one['id']}"
    turn = Button("reactivate", "Reactivate")
    if one["status"] == "active":
        turn = Button("deactivate", "Deactivate", "Let nobody use it for now?")
    links = [("Edit", f"{at}/edit")]
    if one["status"] == "active":
        links.append(("Launch", f"/servers/new?image={one['id']}"))
    detail = Detail(
        title=one["name"] or one["id"],
        id=one["id"],
        back=("Images", "/images"),
        state=State(one["status"]),
        buttons=(turn, DELETE) if one["status"] in ("active", "deactivated") else (DELETE,),
        links=links,
        groups=[
            Group(title="Image", facts=_facts(one)),
            Group(title="Properties", facts=[(name, text(value)) for name, value in own.items()]),
        ],
        live=("image",),
    )
    waits = one["status"] == "queued"
    return detail_page(detail, "/images", "image.html", waits=waits, upload=f"{at}/file")


def _facts(one: Item) -> list[tuple[str, Cell]]:
    return [
        ("Format", text(one["disk_format"])),
        ("Container", text(one["container_format"])),
        ("Size", size(one.get("size"))),
        ("Size of the disk", size(one.get("virtual_size"))),
        ("Visibility", Text(one["visibility"])),
        ("Protected", text(one["protected"])),
        ("Least disk (GiB)", text(one["min_disk"])),
        ("Least memory (MiB)", text(one["min_ram"])),
        ("Owner", Code(one["owner"] or "")),
        ("Hash", Code(one.get("os_hash_value") or "")),
        ("Tags", text(one["tags"])),
        ("Created", When(one["created_at"])),
        ("Changed", When(one["updated_at"])),
    ]


@pages.put("/images/{image_id}/file")
def upload_image(visit: Visit, image_id: str, body: Upload) -> Reply:
    """Pass the bytes of an image on as they come."""
    headers = {"Content-Type": "application/octet-stream"}
    path = f"/images/{part(image_id)}/file"
    visit.cloud.ask("PUT", "image", path, body=body, headers=headers).read()
    return Reply(visit.say("It is uploaded."), content_type=TEXT)


def _edit_form(visit: Visit, image_id: str) -> Form:
    one = visit.cloud.get("image", f"/images/{part(image_id)}")
    at = f"/images/{one['id']}"
    return Form(
        title="Edit", action=f"{at}/edit", fields=_fields(one), submit="Change", back=at,
        section="/images",
    )  # fmt: skip


@pages.get("/images/{image_id}/edit")
def edit_image(visit: Visit, image_id: str) -> Page:
    """Ask for an image's name, visibility, limits, tags and properties."""
    return form_page(_edit_form(visit, image_id))


@pages.post("/images/{image_id}/edit")
def update_image(visit: Visit, image_id: str) -> Page | Go:
    """Change an image."""
    path = f"/images/{part(image_id)}"

    def act() -> Go:
        before, after = visit.cloud.get("image", path), _spec(visit)
        gone = before.keys() - _KNOWN - after.keys()
        changes = [_change(before, name, value) for name, value in after.items()]
        changes += [{"op": "remove", "path": _pointer(name)} for name in sorted(gone)]
        kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        wanted = [change for change in changes if change]
        if wanted:
            visit.cloud.ask("PATCH", "image", path, wanted, headers=kind).read()
        return Go(path, visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, image_id), act)


def _change(before: Item, name: str, value: object) -> dict[str, object]:
    if before.get(name) == value:
        return {}
    verb = "replace" if name in before else "add"
    return {"op": verb, "path": _pointer(name), "value": value}


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


@pages.post("/images/{image_id}/actions")
def act_on_image(visit: Visit, image_id: str) -> Go:
    """Delete, deactivate or reactivate an image."""
    path, name = f"/images/{part(image_id)}", visit.given.text("action")
    if name == "delete":
        visit.cloud.delete("image", path)
        return Go("/images", visit.say("It is deleted."))
    verb = "deactivate" if name == "deactivate" else "reactivate"
    visit.cloud.post("image", f"{path}/actions/{verb}")
    return Go(path, visit.say("It is changed."))
