"""/admin/roles: what people may do, by name."""

from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    form_page,
    list_page,
    submitted,
)
from cumulo.services.dashboard.cells import Code, Link, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form
from cumulo.services.dashboard.lists import DELETE, Column, Listing

pages = Pages()
_AT = "/admin/roles"
LISTING = Listing(
    title="Roles",
    path=_AT,
    service="identity",
    url="/roles",
    key="roles",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"{_AT}/{one['id']}"), "name"),
        Column("Description", lambda one: text(one["description"])),
        Column("ID", lambda one: Code(one["id"])),
    ),
    is_paged=False,
    create=("New role", f"{_AT}/new"),
    bulk=(DELETE,),
    live=("role",),
)
_NEW = Form(
    title="New role",
    action=_AT,
    fields=[
        Field(name="name", label="Name", required=True),
        Field(name="description", label="Description"),
    ],
    submit="Create",
    back=_AT,
    section=_AT,
)


@pages.get("/admin/roles")
def list_roles(visit: Visit) -> Page:
    """List roles."""
    return list_page(visit, LISTING)


@pages.post("/admin/roles/actions")
def act_on_roles(visit: Visit) -> Go:
    """Delete roles."""
    return delete_each(visit, "identity", "/roles", _AT)


@pages.get("/admin/roles/new")
def new_role(visit: Visit) -> Page:
    """Ask what role to make."""
    return form_page(_NEW)


@pages.post("/admin/roles")
def create_role(visit: Visit) -> Page | Go:
    """Make a role."""

    def act() -> Go:
        wish = visit.given.some(name="name", description="description")
        made = visit.cloud.post("identity", "/roles", {"role": wish})["role"]
        return Go(f"{_AT}/{made['id']}", visit.say("The role is made."))

    return submitted(visit, _NEW, act)


@pages.get("/admin/roles/{role_id}")
def show_role(visit: Visit, role_id: str) -> Page:
    """Show a role, and which others it implies."""
    path = f"/roles/{part(role_id)}"
    one = visit.cloud.get("identity", path)["role"]
    implied = visit.cloud.get("identity", f"{path}/implies")["role_inference"]["implies"]
    detail = Detail(
        title=one["name"],
        id=one["id"],
        back=("Roles", _AT),
        buttons=(DELETE,),
        groups=[
            Group(title="Role", facts=[("Description", text(one["description"]))]),
            Group(
                title="Implies",
                columns=("Role",),
                rows=[[Link(role["name"], f"{_AT}/{role['id']}")] for role in implied],
            ),
        ],
        live=("role",),
    )
    return detail_page(detail, _AT)


@pages.post("/admin/roles/{role_id}/actions")
def act_on_role(visit: Visit, role_id: str) -> Go:
    """Delete a role."""
    return delete_one(visit, "identity", f"/roles/{part(role_id)}", _AT)
