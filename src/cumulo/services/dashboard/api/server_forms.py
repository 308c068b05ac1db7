"""Forms about a server: edit, image, resize, rebuild; and what may be chosen in such forms."""

from collections.abc import Callable, Sequence
from typing import Any

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import form_page, submitted
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.forms import Field, Form, Option, options_of
from cumulo.services.dashboard.lists import Item

pages = Pages()


def flavors(visit: Visit) -> list[Option]:
    """Return the flavors, each with what it gives."""
    found = visit.cloud.get("compute", "/flavors/detail")["flavors"]
    found.sort(key=lambda one: (one["ram"], one["vcpus"], one["disk"]))
    return [Option(one["id"], _sizes(visit, one)) for one in found]


def _sizes(visit: Visit, one: Item) -> str:
    figures = {name: one[name] for name in ("vcpus", "ram", "disk")}
    said = visit.say("{vcpus} VCPU, {ram} MiB of memory, {disk} GiB of disk", **figures)
    return f"{one['name']} ({said})"


def images(visit: Visit) -> list[Option]:
    """Return the images that can be booted from."""
    return options_of(visit.cloud.get("image", "/images", status="active", limit=1000)["images"])


def networks(visit: Visit) -> list[Option]:
    """Return the networks that a server can be plugged into."""
    found = visit.cloud.get("network", "/networks")["networks"]
    mine = visit.scope.project_id
    plain = [net for net in found if net["subnets"]]
    usable = [net for net in plain if net["shared"] or net["project_id"] == mine]
    return options_of(usable)


def _server(visit: Visit, server_id: str) -> Any:
    return visit.cloud.get("compute", f"/servers/{part(server_id)}")["server"]


def _form(server: Item, word: str, title: str, fields: Sequence[Field], note: str = "") -> Form:
    at = f"/servers/{server['id']}"
    return Form(
        title=title, action=f"{at}/{word}", fields=fields, back=at,
        submit="Change" if word == "edit" else title,
        section="/servers", note=note,
    )  # fmt: skip


def _act(visit: Visit, server_id: str, form: Form, send: Callable[[], object]) -> Page | Go:
    def act() -> Go:
        send()
        return Go(f"/servers/{part(server_id)}", visit.say("Begun."))

    return submitted(visit, form, act)


def _action(visit: Visit, server_id: str, body: object) -> Callable[[], object]:
    return lambda: visit.cloud.post("compute", f"/servers/{part(server_id)}/action", body)


def _edit_form(visit: Visit, server_id: str) -> Form:
    server = _server(visit, server_id)
    pairs = "\n".join(f"{key}={value}" for key, value in server["metadata"].items())
    fields = [
        Field(name="name", label="Name", value=server["name"], required=True),
        Field(name="description", label="Description", value=server["description"] or ""),
        Field(name="metadata", label="Metadata", kind="long", value=pairs,
              hint="One key=value a line."),
        Field(name="tags", label="Tags", kind="long", value="\n".join(server["tags"]),
              hint="One a line."),
    ]  # fmt: skip
    return _form(server, "edit", "Edit", fields)


@pages.get("/servers/{server_id}/edit")
def edit_server(visit: Visit, server_id: str) -> Page:
    """Ask for a server's name, description, metadata and tags."""
    return form_page(_edit_form(visit, server_id))


@pages.post("/servers/{server_id}/edit")
def update_server(visit: Visit, server_id: str) -> Page | Go:
    """Change a server's name, description, metadata and tags."""
    given, path = visit.given, f"/servers/{part(server_id)}"

    def act() -> Go:
        changes = {"name": given.text("name"), "description": given.text("description")}
        pairs, tags = given.pairs("metadata"), given.lines("tags")
        visit.cloud.put("compute", path, {"server": changes})
        visit.cloud.put("compute", f"{path}/metadata", {"metadata": pairs})
        visit.cloud.put("compute", f"{path}/tags", {"tags": tags})
        return Go(path, visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, server_id), act)


def _image_form(visit: Visit, server_id: str) -> Form:
    fields = [Field(name="name", label="Name of the image", required=True)]
    return _form(_server(visit, server_id), "image", "Make an image", fields)


@pages.get("/servers/{server_id}/image")
def new_server_image(visit: Visit, server_id: str) -> Page:
    """Ask how to call the image of a server."""
    return form_page(_image_form(visit, server_id))


@pages.post("/servers/{server_id}/image")
def create_server_image(visit: Visit, server_id: str) -> Page | Go:
    """Make an image of a server."""
    body = {"createImage": {"name": visit.given.text("name"), "metadata": {}}}
    form = _image_form(visit, server_id)
    return _act(visit, server_id, form, _action(visit, server_id, body))


def _resize_form(visit: Visit, server_id: str) -> Form:
    fields = [
        Field(name="flavor", label="Flavor", kind="choice", options=flavors(visit), required=True)
    ]
    note = "Afterwards the resize is to be confirmed or reverted."
    return _form(_server(visit, server_id), "resize", "Resize", fields, note)


@pages.get("/servers/{server_id}/resize")
def new_resize(visit: Visit, server_id: str) -> Page:
    """Ask for another flavor."""
    return form_page(_resize_form(visit, server_id))


@pages.post("/servers/{server_id}/resize")
def resize_server(visit: Visit, server_id: str) -> Page | Go:
    """Give a server another flavor."""
    body = {"resize": {"flavorRef": visit.given.text("flavor")}}
    form = _resize_form(visit, server_id)
    return _act(visit, server_id, form, _action(visit, server_id, body))


def _rebuild_form(visit: Visit, server_id: str) -> Form:
    server = _server(visit, server_id)
    now = server["image"]["id"] if server["image"] else ""
    fields = [
        Field(name="image", label="Image", kind="choice", options=images(visit), value=now,
              required=True)
    ]  # fmt: skip
    note = "Its disk is written anew: what it holds is lost."
    return _form(server, "rebuild", "Rebuild", fields, note)


@pages.get("/servers/{server_id}/rebuild")
def new_rebuild(visit: Visit, server_id: str) -> Page:
    """Ask from which image to write a server anew."""
    return form_page(_rebuild_form(visit, server_id))


@pages.post("/servers/{server_id}/rebuild")
def rebuild_server(visit: Visit, server_id: str) -> Page | Go:
    """Write a server's disk anew."""
    body = {"rebuild": {"imageRef": visit.given.text("image")}}
    form = _rebuild_form(visit, server_id)
    return _act(visit, server_id, form, _action(visit, server_id, body))
