"""/admin/users: who may sign in."""

from typing import Any

from cumulo.services.dashboard.api.admin.projects import domain_field, domain_of
from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
    delete_each,
    delete_one,
    detail_page,
    form_page,
    list_page,
    submitted,
)
from cumulo.services.dashboard.cells import Cell, Code, Link, Text, When, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, options_of
from cumulo.services.dashboard.lists import DELETE, Column, Item, Listing

pages = Pages()
_AT = "/admin/users"
LISTING = Listing(
    title="Users",
    path=_AT,
    service="identity",
    url="/users",
    key="users",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"{_AT}/{one['id']}"), "name"),
        Column("Description", lambda one: text(one.get("description"))),
        Column("Email", lambda one: text(one.get("email"))),
        Column("Domain", domain_of),
        Column("Enabled", lambda one: text(one["enabled"]), "enabled"),
        Column("ID", lambda one: Code(one["id"])),
    ),
    is_paged=False,
    create=("New user", f"{_AT}/new"),
    bulk=(DELETE,),
    live=("user",),
)


@pages.get("/admin/users")
def list_users(visit: Visit) -> Page:
    """List users."""
    return list_page(visit, LISTING)


@pages.post("/admin/users/actions")
def act_on_users(visit: Visit) -> Go:
    """Delete users."""
    return delete_each(visit, "identity", "/users", _AT)


def _fields(visit: Visit, one: Item) -> list[Field]:
    on = "1" if one.get("enabled", True) else ""
    projects = options_of(visit.cloud.get("identity", "/projects")["projects"])
    return [
        Field(name="name", label="Name", value=one.get("name", ""), required=True),
        Field(name="description", label="Description", value=one.get("description") or ""),
        Field(name="email", label="Email", kind="email", value=one.get("email") or ""),
        Field(name="password", label="Password", kind="password",
              hint="Empty: as it is." if one else ""),
        Field(name="project", label="Project to begin in", kind="choice", options=projects,
              value=one.get("default_project_id") or ""),
        Field(name="enabled", label="Enabled", kind="flag", value=on),
    ]  # fmt: skip


def _new_form(visit: Visit) -> Form:
    return Form(
        title="New user", action=_AT, fields=[*_fields(visit, {}), domain_field(visit)],
        submit="Create", back=_AT, section=_AT,
    )  # fmt: skip


@pages.get("/admin/users/new")
def new_user(visit: Visit) -> Page:
    """Ask who is to sign in."""
    return form_page(_new_form(visit))


@pages.post("/admin/users")
def create_user(visit: Visit) -> Page | Go:
    """Make a user."""

    def act() -> Go:
        wish = {**_spec(visit), "domain_id": visit.given.text("domain")}
        made = visit.cloud.post("identity", "/users", {"user": wish})["user"]
        return Go(f"{_AT}/{made['id']}", visit.say("The user is made."))

    return submitted(visit, _new_form(visit), act)


def _spec(visit: Visit) -> dict[str, Any]:
    given = visit.given
    spec: dict[str, Any] = given.some(name="name", email="email", default_project_id="project")
    spec |= {"description": given.text("description"), "enabled": given.flag("enabled")}
    return spec | ({"password": given.raw("password")} if given.raw("password") else {})


@pages.get("/admin/users/{user_id}")
def show_user(visit: Visit, user_id: str) -> Page:
    """Show a user, with groups and roles."""
    cloud, path = visit.cloud, f"/users/{part(user_id)}"
    one = cloud.get("identity", path)["user"]
    groups = cloud.get("identity", f"{path}/groups")["groups"]
    query = {"user.id": one["id"], "include_names": "true"}
    roles = cloud.get("identity", "/role_assignments", **query)["role_assignments"]
    facts: list[tuple[str, Cell]] = [
        ("Description", text(one.get("description"))),
        ("Email", text(one.get("email"))),
        ("Domain", domain_of(one)),
        ("Enabled", text(one["enabled"])),
        ("Password expires", When(one.get("password_expires_at") or "")),
    ]
    detail = Detail(
        title=one["name"],
        id=one["id"],
        back=("Users", _AT),
        buttons=(DELETE,),
        links=(("Edit", f"{_AT}/{one['id']}/edit"),),
        groups=[
            Group(title="User", facts=facts),
            Group(
                title="Groups",
                columns=("Name",),
                rows=[[Link(group["name"], f"/admin/groups/{group['id']}")] for group in groups],
            ),
            Group(
                title="Roles",
                columns=("Role", "Where"),
                rows=[[Text(role["role"]["name"]), where(role["scope"])] for role in roles],
            ),
        ],
        live=("user", "role_assignment"),
    )
    return detail_page(detail, _AT)


def where(scope: Item) -> Cell:
    """Return what a role is on."""
    for kind in ("project", "domain"):
        if kind in scope:
            return Link(scope[kind]["name"], f"/admin/{kind}s/{scope[kind]['id']}")
    return Text("system")


def _edit_form(visit: Visit, user_id: str) -> Form:
    one = visit.cloud.get("identity", f"/users/{part(user_id)}")["user"]
    at = f"{_AT}/{one['id']}"
    return Form(
        title="Edit", action=f"{at}/edit", fields=_fields(visit, one), submit="Change", back=at,
        section=_AT,
    )  # fmt: skip


@pages.get("/admin/users/{user_id}/edit")
def edit_user(visit: Visit, user_id: str) -> Page:
    """Ask for a user's name, password and state."""
    return form_page(_edit_form(visit, user_id))


@pages.post("/admin/users/{user_id}/edit")
def update_user(visit: Visit, user_id: str) -> Page | Go:
    """Change a user."""

    def act() -> Go:
        visit.cloud.patch("identity", f"/users/{part(user_id)}", {"user": _spec(visit)})
        return Go(f"{_AT}/{part(user_id)}", visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, user_id), act)


@pages.post("/admin/users/{user_id}/actions")
def act_on_user(visit: Visit, user_id: str) -> Go:
    """Delete a user."""
    return delete_one(visit, "identity", f"/users/{part(user_id)}", _AT)
