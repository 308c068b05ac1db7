"""/volumes, /snapshots, /backups: disks that outlive servers."""

from typing import Any

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    each,
    form_about,
    form_page,
    list_page,
    submitted,
)
from cumulo.services.dashboard.cells import Cell, Code, Link, Many, State, Text, When, gib, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, Option, options_of
from cumulo.services.dashboard.lists import DELETE, Button, Column, Item, Listing

pages = Pages()
_DETACH = Button("detach", "Detach", "Take it away from these servers?", danger=True)


def _attached(volume: Item) -> Cell:
    return Many([Link(a["server_id"], f"/servers/{a['server_id']}") for a in volume["attachments"]])


def _new_one(snapshot: Item) -> Cell:
    return Link("New volume", f"/volumes/new?snapshot={snapshot['id']}", is_said=True)


LISTING = Listing(
    title="Volumes",
    path="/volumes",
    service="volume",
    url="/volumes/detail",
    key="volumes",
    columns=(
        Column("Name", lambda one: Link(one["name"] or one["id"], f"/volumes/{one['id']}"), "name"),
        Column("Status", lambda one: State(one["status"]), "status"),
        Column("Size", lambda one: gib(one["size"]), "size"),
        Column("Type", lambda one: text(one.get("volume_type"))),
        Column("Attached to", _attached),
        Column("Bootable", lambda one: text(one["bootable"] in (True, "true")), "bootable"),
        Column("Created", lambda one: When(one["created_at"] or ""), "created_at"),
    ),
    create=("New volume", "/volumes/new"),
    bulk=(DELETE,),
    live=("volume",),
    empty="There is no volume yet.",
)
SNAPSHOTS = Listing(
    title="Snapshots",
    path="/snapshots",
    service="volume",
    url="/snapshots/detail",
    key="snapshots",
    columns=(
        Column("Name", lambda one: Text(one["name"] or one["id"]), "name"),
        Column("Status", lambda one: State(one["status"]), "status"),
        Column("Size", lambda one: gib(one["size"])),
        Column("Volume", lambda one: Link(one["volume_id"], f"/volumes/{one['volume_id']}")),
        Column("Use", _new_one),
        Column("Created", lambda one: When(one["created_at"] or ""), "created_at"),
    ),
    bulk=(DELETE,),
    live=("snapshot",),
    empty="There is no snapshot yet.",
)


BACKUPS = Listing(
    title="Backups",
    path="/backups",
    service="volume",
    url="/backups/detail",
    key="backups",
    columns=(
        Column("Name", lambda one: Text(one["name"] or one["id"]), "name"),
        Column("Status", lambda one: State(one["status"]), "status"),
        Column("Size", lambda one: gib(one["size"])),
        Column("Volume", lambda one: Link(one["volume_id"], f"/volumes/{one['volume_id']}")),
        Column("Why failed", lambda one: text(one.get("fail_reason"))),
        Column("Created", lambda one: When(one["created_at"] or ""), "created_at"),
    ),
    bulk=(Button("restore", "Restore", "Restore them into new volumes?"), DELETE),
    live=("backup",),
    empty="There is no backup yet.",
)


@pages.get("/volumes")
def list_volumes(visit: Visit) -> Page:
    """List the volumes of the project."""
    return list_page(visit, LISTING)


@pages.post("/volumes/actions")
def act_on_volumes(visit: Visit) -> Go:
    """Delete volumes."""
    return delete_each(visit, "volume", "/volumes", "/volumes")


@pages.get("/snapshots")
def list_snapshots(visit: Visit) -> Page:
    """List the snapshots of the project's volumes."""
    return list_page(visit, SNAPSHOTS)


@pages.post("/snapshots/actions")
def act_on_snapshots(visit: Visit) -> Go:
    """Delete snapshots."""
    return delete_each(visit, "volume", "/snapshots", "/snapshots")


@pages.get("/backups")
def list_backups(visit: Visit) -> Page:
    """List the backups of the project's volumes."""
    return list_page(visit, BACKUPS)


@pages.post("/backups/actions")
def act_on_backups(visit: Visit) -> Go:
    """Restore backups into new volumes, or delete them."""

    def restore(one: str) -> None:
        visit.cloud.post("volume", f"/backups/{part(one)}/restore", {"restore": {}})

    def delete(one: str) -> None:
        visit.cloud.delete("volume", f"/backups/{part(one)}")

    return each(visit, {"restore": restore, "delete": delete}, "/backups", "Begun for {count}.")


def _new_form(visit: Visit) -> Form:
    cloud = visit.cloud
    images = cloud.get("image", "/images", status="active", limit=1000)["images"]
    snapshots = cloud.get("volume", "/snapshots")["snapshots"]
    volumes = cloud.get("volume", "/volumes")["volumes"]
    types = cloud.get("volume", "/types")["volume_types"]
    fields = [
        Field(name="name", label="Name", required=True),
        Field(name="description", label="Description"),
        Field(name="size", label="Size (GiB)", kind="number", least=1, value="1"),
        Field(name="type", label="Type", kind="choice", options=options_of(types),
              none="The usual"),
        Field(name="image", label="From an image", kind="choice", options=options_of(images)),
        Field(name="snapshot", label="From a snapshot", kind="choice",
              options=options_of(snapshots), value=visit.asked("snapshot")),
        Field(name="volume", label="From a volume", kind="choice", options=options_of(volumes)),
    ]  # fmt: skip
    return Form(
        title="New volume", action="/volumes", fields=fields, submit="Create", back="/volumes",
        section="/volumes",
    )  # fmt: skip


@pages.get("/volumes/new")
def new_volume(visit: Visit) -> Page:
    """Ask what volume to make."""
    return form_page(_new_form(visit))


@pages.post("/volumes")
def create_volume(visit: Visit) -> Page | Go:
    """Make a volume."""

    def act() -> Go:
        wish: dict[str, Any] = visit.given.some(
            name="name", description="description", volume_type="type", imageRef="image",
            snapshot_id="snapshot", source_volid="volume",
        )  # fmt: skip
        wish["size"] = visit.given.number("size")
        made = visit.cloud.post("volume", "/volumes", {"volume": wish})["volume"]
        return Go(f"/volumes/{made['id']}", visit.say("The volume is being made."))

    return submitted(visit, _new_form(visit), act)


@pages.get("/volumes/{volume_id}")
def show_volume(visit: Visit, volume_id: str) -> Page:
    """Show a volume, and which servers have it."""
    one = visit.cloud.get("volume", f"/volumes/{part(volume_id)}")["volume"]
    at = f"/volumes/{one['id']}"
    links = [("Edit", f"{at}/edit"), ("Snapshot", f"{at}/snapshot"), ("Back up", f"{at}/backup")]
    if one["status"] == "available":
        links += [("Attach", f"{at}/attach"), ("Extend", f"{at}/extend")]
    detail = Detail(
        title=one["name"] or one["id"],
        id=one["id"],
        back=("Volumes", "/volumes"),
        state=State(one["status"]),
        buttons=(DELETE,),
        links=links,
        groups=[
            Group(title="Volume", facts=_facts(one)),
            Group(
                title="Attached to",
                columns=("Server", "Device", "Since"),
                rows=[_attachment(attachment) for attachment in one["attachments"]],
                buttons=(_DETACH,),
                action=f"{at}/attachments/actions",
            ),
        ],
        live=("volume",),
    )
    return detail_page(detail, "/volumes")


def _facts(one: Item) -> list[tuple[str, Cell]]:
    return [
        ("Description", text(one["description"])),
        ("Size", gib(one["size"])),
        ("Type", text(one.get("volume_type"))),
        ("Bootable", text(one["bootable"] in (True, "true"))),
        ("Encrypted", text(one.get("encrypted"))),
        ("Zone", text(one.get("availability_zone"))),
        ("From a snapshot", text(one.get("snapshot_id"))),
        ("From a volume", text(one.get("source_volid"))),
        ("Metadata", text(one["metadata"])),
        ("Created", When(one["created_at"] or "")),
    ]


def _attachment(one: Item) -> list[Cell | str]:
    server = one["server_id"]
    link = Link(server, f"/servers/{server}")
    return [server, link, Code(one["device"] or ""), When(one.get("attached_at") or "")]


@pages.post("/volumes/{volume_id}/actions")
def act_on_volume(visit: Visit, volume_id: str) -> Go:
    """Delete a volume."""
    return delete_one(visit, "volume", f"/volumes/{part(volume_id)}", "/volumes")


@pages.post("/volumes/{volume_id}/attachments/actions")
def detach_volume(visit: Visit, volume_id: str) -> Go:
    """Take a volume away from servers."""

    def detach(server: str) -> None:
        path = f"/servers/{part(server)}/os-volume_attachments/{part(volume_id)}"
        visit.cloud.delete("compute", path)

    return each(visit, {"detach": detach}, f"/volumes/{part(volume_id)}", "Begun for {count}.")


def _form(volume_id: str, word: str, title: str, fields: list[Field]) -> Form:
    at = f"/volumes/{part(volume_id)}"
    return Form(
        title=title, action=f"{at}/{word}", fields=fields, back=at,
        submit="Change" if word == "edit" else title,
        section="/volumes",
    )  # fmt: skip


def _asked(visit: Visit, volume_id: str, form: Form) -> Page:
    return form_about(visit, "volume", f"/volumes/{part(volume_id)}", form)


def _edit_form(visit: Visit, volume_id: str) -> Form:
    one = visit.cloud.get("volume", f"/volumes/{part(volume_id)}")["volume"]
    pairs = "\n".join(f"{key}={value}" for key, value in one["metadata"].items())
    fields = [
        Field(name="name", label="Name", value=one["name"] or ""),
        Field(name="description", label="Description", value=one["description"] or ""),
        Field(name="metadata", label="Metadata", kind="long", value=pairs,
              hint="One key=value a line."),
    ]  # fmt: skip
    return _form(volume_id, "edit", "Edit", fields)


@pages.get("/volumes/{volume_id}/edit")
def edit_volume(visit: Visit, volume_id: str) -> Page:
    """Ask for a volume's name and metadata."""
    return form_page(_edit_form(visit, volume_id))


@pages.post("/volumes/{volume_id}/edit")
def update_volume(visit: Visit, volume_id: str) -> Page | Go:
    """Change a volume's name and metadata."""
    given, path = visit.given, f"/volumes/{part(volume_id)}"

    def act() -> Go:
        pairs = given.pairs("metadata")
        changes = {"name": given.text("name"), "description": given.text("description")}
        visit.cloud.put("volume", path, {"volume": changes})
        visit.cloud.put("volume", f"{path}/metadata", {"metadata": pairs})
        return Go(path, visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, volume_id), act)


def _extend_form(volume_id: str) -> Form:
    fields = [Field(name="size", label="Size (GiB)", kind="number", least=1, required=True)]
    return _form(volume_id, "extend", "Extend", fields)


@pages.get("/volumes/{volume_id}/extend")
def new_size(visit: Visit, volume_id: str) -> Page:
    """Ask how large a volume is to be."""
    return _asked(visit, volume_id, _extend_form(volume_id))


@pages.post("/volumes/{volume_id}/extend")
def extend_volume(visit: Visit, volume_id: str) -> Page | Go:
    """Make a volume larger."""
    path = f"/volumes/{part(volume_id)}"

    def act() -> Go:
        body = {"os-extend": {"new_size": visit.given.number("size")}}
        visit.cloud.post("volume", f"{path}/action", body)
        return Go(path, visit.say("Begun."))

    return submitted(visit, _extend_form(volume_id), act)


def _copy_form(volume_id: str, word: str, title: str) -> Form:
    fields = [
        Field(name="name", label="Name", required=True),
        Field(name="force", label="Even while a server has it", kind="flag"),
    ]
    return _form(volume_id, word, title, fields)


@pages.get("/volumes/{volume_id}/snapshot")
def new_snapshot(visit: Visit, volume_id: str) -> Page:
    """Ask how to call a snapshot."""
    return _asked(visit, volume_id, _copy_form(volume_id, "snapshot", "Snapshot"))


@pages.post("/volumes/{volume_id}/snapshot")
def create_snapshot(visit: Visit, volume_id: str) -> Page | Go:
    """Make a snapshot of a volume."""

    def act() -> Go:
        wish = {"volume_id": volume_id, "name": visit.given.text("name")}
        visit.cloud.ask(
            "POST", "volume", "/snapshots",
            {"snapshot": {**wish, "force": visit.given.flag("force")}},
            headers={"OpenStack-API-Version": "volume 3.60"},
        ).read()  # fmt: skip
        return Go("/snapshots", visit.say("Begun."))

    return submitted(visit, _copy_form(volume_id, "snapshot", "Snapshot"), act)


@pages.get("/volumes/{volume_id}/backup")
def new_backup(visit: Visit, volume_id: str) -> Page:
    """Ask how to call a backup."""
    return _asked(visit, volume_id, _copy_form(volume_id, "backup", "Back up"))


@pages.post("/volumes/{volume_id}/backup")
def create_backup(visit: Visit, volume_id: str) -> Page | Go:
    """Back a volume up."""

    def act() -> Go:
        wish = {"volume_id": volume_id, "name": visit.given.text("name")}
        body = {"backup": {**wish, "force": visit.given.flag("force")}}
        visit.cloud.post("volume", "/backups", body)
        return Go("/backups", visit.say("Begun."))

    return submitted(visit, _copy_form(volume_id, "backup", "Back up"), act)


def _attach_form(visit: Visit, volume_id: str) -> Form:
    found = visit.cloud.get("compute", "/servers", limit=1000)["servers"]
    servers = [Option(one["id"], one["name"]) for one in found]
    fields = [Field(name="server", label="Server", kind="choice", options=servers, required=True)]
    return _form(volume_id, "attach", "Attach", fields)


@pages.get("/volumes/{volume_id}/attach")
def new_attachment(visit: Visit, volume_id: str) -> Page:
    """Ask which server gets a volume."""
    return _asked(visit, volume_id, _attach_form(visit, volume_id))


@pages.post("/volumes/{volume_id}/attach")
def attach_volume(visit: Visit, volume_id: str) -> Page | Go:
    """Give a volume to a server."""

    def act() -> Go:
        path = f"/servers/{part(visit.given.text('server'))}/os-volume_attachments"
        body = {"volumeAttachment": {"volumeId": volume_id}}
        visit.cloud.post("compute", path, body)
        return Go(f"/volumes/{part(volume_id)}", visit.say("Begun."))

    return submitted(visit, _attach_form(visit, volume_id), act)
