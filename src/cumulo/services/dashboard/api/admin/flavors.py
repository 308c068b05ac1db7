"""/admin/flavors: the sizes that servers come in."""

from cumulo.kit.errors import Invalid
from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    each,
    form_page,
    list_page,
    named,
    submitted,
)
from cumulo.services.dashboard.cells import Cell, Code, Link, Text, gib, memory, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, options_of
from cumulo.services.dashboard.lists import DELETE, Button, Column, Item, Listing

pages = Pages()
_AT = "/admin/flavors"
_REMOVE = Button("remove", "Remove", "Let these projects use it no longer?", danger=True)
_DISK, _PUBLIC = "OS-FLV-EXT-DATA:ephemeral", "os-flavor-access:is_public"
LISTING = Listing(
    title="Flavors",
    path=_AT,
    service="compute",
    url="/flavors/detail",
    key="flavors",
    query={"is_public": "none"},
    columns=(
        Column("Name", lambda one: Link(one["name"], f"{_AT}/{part(one['id'])}"), "name"),
        Column("VCPUs", lambda one: Text(str(one["vcpus"])), "vcpus"),
        Column("Memory", lambda one: memory(one["ram"]), "memory_mb"),
        Column("Disk", lambda one: gib(one["disk"]), "root_gb"),
        Column("Ephemeral", lambda one: gib(one[_DISK])),
        Column("Public", lambda one: text(one[_PUBLIC])),
        Column("ID", lambda one: Code(one["id"]), "flavorid"),
    ),
    create=("New flavor", f"{_AT}/new"),
    bulk=(DELETE,),
    live=("flavor",),
)
_NEW = Form(
    title="New flavor",
    action=_AT,
    fields=[
        Field(name="name", label="Name", required=True),
        Field(name="vcpus", label="VCPUs", kind="number", value="1", least=1, required=True),
        Field(name="ram", label="Memory (MiB)", kind="number", least=1, required=True),
        Field(name="disk", label="Disk (GiB)", kind="number", value="0", least=0, required=True),
        Field(name="ephemeral", label="Ephemeral disk (GiB)", kind="number", value="0", least=0),
        Field(name="swap", label="Swap (MiB)", kind="number", value="0", least=0),
        Field(name="id", label="ID", hint="Empty: one is made up."),
        Field(name="description", label="Description"),
        Field(name="public", label="For all projects", kind="flag", value="1"),
        Field(name="specs", label="Extra specs", kind="long", hint="One key=value a line."),
    ],
    submit="Create",
    back=_AT,
    section=_AT,
)


@pages.get("/admin/flavors")
def list_flavors(visit: Visit) -> Page:
    """List flavors, private ones too."""
    return list_page(visit, LISTING)


@pages.post("/admin/flavors/actions")
def act_on_flavors(visit: Visit) -> Go:
    """Delete flavors."""
    return delete_each(visit, "compute", "/flavors", _AT)


@pages.get("/admin/flavors/new")
def new_flavor(visit: Visit) -> Page:
    """Ask what flavor to make."""
    return form_page(_NEW)


@pages.post("/admin/flavors")
def create_flavor(visit: Visit) -> Page | Go:
    """Make a flavor."""
    given = visit.given

    def act() -> Go:
        specs = given.pairs("specs")
        wish = {
            **given.some(name="name", id="id", description="description"),
            "vcpus": given.number("vcpus"),
            "ram": given.number("ram"),
            "disk": given.number("disk") or 0,
            _DISK: given.number("ephemeral") or 0,
            "swap": given.number("swap") or 0,
            _PUBLIC: given.flag("public"),
        }
        made = visit.cloud.post("compute", "/flavors", {"flavor": wish})["flavor"]
        path = f"/flavors/{part(made['id'])}"
        if specs:
            visit.cloud.post("compute", f"{path}/os-extra_specs", {"extra_specs": specs})
        return Go(f"{_AT}/{part(made['id'])}", visit.say("The flavor is made."))

    return submitted(visit, _NEW, act)


@pages.get("/admin/flavors/{flavor_id}")
def show_flavor(visit: Visit, flavor_id: str) -> Page:
    """Show a flavor."""
    one = visit.cloud.get("compute", f"/flavors/{part(flavor_id)}")["flavor"]
    at = f"{_AT}/{part(one['id'])}"
    detail = Detail(
        title=one["name"],
        id=one["id"],
        back=("Flavors", _AT),
        buttons=(DELETE,),
        links=(("Extra specs", f"{at}/specs"),),
        groups=[
            Group(title="Flavor", facts=_facts(one)),
            Group(title="Extra specs", facts=[(k, text(v)) for k, v in one["extra_specs"].items()]),
            _access(visit, one, at),
        ],
        live=("flavor",),
    )
    return detail_page(detail, _AT)


def _facts(one: Item) -> list[tuple[str, Cell]]:
    return [
        ("Description", text(one.get("description"))),
        ("VCPUs", text(one["vcpus"])),
        ("Memory", memory(one["ram"])),
        ("Disk", gib(one["disk"])),
        ("Ephemeral", gib(one[_DISK])),
        ("Swap", memory(one["swap"] or 0)),
    ]


def _access(visit: Visit, one: Item, at: str) -> Group:
    if one[_PUBLIC]:
        return Group(title="Projects that may use it", facts=[("Public", text(True))])
    path = f"/flavors/{part(one['id'])}/os-flavor-access"
    found = visit.cloud.get("compute", path)["flavor_access"]
    names = named(visit.cloud.get("identity", "/projects")["projects"])
    ids = [each["tenant_id"] for each in found]
    return Group(
        title="Projects that may use it",
        columns=("Project",),
        rows=[[each, Link(names.get(each, each), f"/admin/projects/{each}")] for each in ids],
        buttons=(_REMOVE,),
        action=f"{at}/access/actions",
        links=(("Let a project use it", f"{at}/access/new"),),
    )


def _access_form(visit: Visit, flavor_id: str) -> Form:
    at = f"{_AT}/{part(flavor_id)}"
    projects = options_of(visit.cloud.get("identity", "/projects")["projects"])
    fields = [
        Field(name="project", label="Project", kind="choice", options=projects, required=True)
    ]
    return Form(
        title="Let a project use it", action=f"{at}/access", fields=fields, submit="Add", back=at,
        section=_AT,
    )  # fmt: skip


@pages.get("/admin/flavors/{flavor_id}/access/new")
def new_access(visit: Visit, flavor_id: str) -> Page:
    """Ask which project may use a flavor that is not for all."""
    return form_page(_access_form(visit, flavor_id))


def _admit(visit: Visit, flavor_id: str, verb: str, project: str) -> None:
    path = f"/flavors/{part(flavor_id)}/action"
    visit.cloud.post("compute", path, {verb: {"tenant": project}})


@pages.post("/admin/flavors/{flavor_id}/access")
def add_access(visit: Visit, flavor_id: str) -> Page | Go:
    """Let a project use a flavor."""

    def act() -> Go:
        _admit(visit, flavor_id, "addTenantAccess", visit.given.text("project"))
        return Go(f"{_AT}/{part(flavor_id)}", visit.say("It is changed."))

    return submitted(visit, _access_form(visit, flavor_id), act)


@pages.post("/admin/flavors/{flavor_id}/access/actions")
def remove_access(visit: Visit, flavor_id: str) -> Go:
    """Let projects use a flavor no longer."""

    def remove(project: str) -> None:
        _admit(visit, flavor_id, "removeTenantAccess", project)

    return each(visit, {"remove": remove}, f"{_AT}/{part(flavor_id)}", "Removed: {count}.")


def _specs_form(visit: Visit, flavor_id: str) -> Form:
    path = f"/flavors/{part(flavor_id)}/os-extra_specs"
    found = visit.cloud.get("compute", path)["extra_specs"]
    at = f"{_AT}/{part(flavor_id)}"
    value = "\n".join(f"{key}={each}" for key, each in found.items())
    fields = [
        Field(name="specs", label="Extra specs", kind="long", value=value,
              hint="One key=value a line.")
    ]  # fmt: skip
    return Form(
        title="Extra specs", action=f"{at}/specs", fields=fields, submit="Change", back=at,
        section=_AT,
    )  # fmt: skip


@pages.get("/admin/flavors/{flavor_id}/specs")
def edit_specs(visit: Visit, flavor_id: str) -> Page:
    """Ask for a flavor's extra specs."""
    return form_page(_specs_form(visit, flavor_id))


@pages.post("/admin/flavors/{flavor_id}/specs")
def update_specs(visit: Visit, flavor_id: str) -> Page | Go:
    """Change a flavor's extra specs."""

    def act() -> Go:
        path = f"/flavors/{part(flavor_id)}/os-extra_specs"
        before = visit.cloud.get("compute", path)["extra_specs"]
        after = visit.given.pairs("specs")
        if any(not key for key in after):
            raise Invalid("specs: a key must not be empty.", field="specs")
        if after:
            visit.cloud.post("compute", path, {"extra_specs": after})
        for key in sorted(before.keys() - after.keys()):
            visit.cloud.delete("compute", f"{path}/{part(key)}")
        return Go(f"{_AT}/{part(flavor_id)}", visit.say("It is changed."))

    return submitted(visit, _specs_form(visit, flavor_id), act)


@pages.post("/admin/flavors/{flavor_id}/actions")
def act_on_flavor(visit: Visit, flavor_id: str) -> Go:
    """Delete a flavor."""
    return delete_one(visit, "compute", f"/flavors/{part(flavor_id)}", _AT)
