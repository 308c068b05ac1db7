"""/admin/groups: users who get roles together."""

from cumulo.services.dashboard.api.admin.projects import domain_field, domain_of
from cumulo.services.dashboard.api.admin.users import where
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
from cumulo.services.dashboard.cells import Code, Link, Text, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, options_of
from cumulo.services.dashboard.lists import DELETE, Button, Column, Item, Listing

pages = Pages()
_AT = "/admin/groups"
_REMOVE = Button("remove", "Remove", "Take these users out of the group?", danger=True)
LISTING = Listing(
    title="Groups",
    path=_AT,
    service="identity",
    url="/groups",
    key="groups",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"{_AT}/{one['id']}"), "name"),
        Column("Description", lambda one: text(one["description"])),
        Column("Domain", domain_of),
        Column("ID", lambda one: Code(one["id"])),
    ),
    is_paged=False,
    create=("New group", f"{_AT}/new"),
    bulk=(DELETE,),
    live=("group",),
)


@pages.get("/admin/groups")
def list_groups(visit: Visit) -> Page:
    """List groups."""
    return list_page(visit, LISTING)


@pages.post("/admin/groups/actions")
def act_on_groups(visit: Visit) -> Go:
    """Delete groups."""
    return delete_each(visit, "identity", "/groups", _AT)


def _fields(one: Item) -> list[Field]:
    return [
        Field(name="name", label="Name", value=one.get("name", ""), required=True),
        Field(name="description", label="Description", value=one.get("description") or ""),
    ]


def _new_form(visit: Visit) -> Form:
    return Form(
        title="New group", action=_AT, fields=[*_fields({}), domain_field(visit)],
        submit="Create", back=_AT, section=_AT,
    )  # fmt: skip


@pages.get("/admin/groups/new")
def new_group(visit: Visit) -> Page:
    """Ask what group to make."""
    return form_page(_new_form(visit))


@pages.post("/admin/groups")
def create_group(visit: Visit) -> Page | Go:
    """Make a group."""

    def act() -> Go:
        wish = visit.given.some(name="name", description="description", domain_id="domain")
        made = visit.cloud.post("identity", "/groups", {"group": wish})["group"]
        return Go(f"{_AT}/{made['id']}", visit.say("The group is made."))

    return submitted(visit, _new_form(visit), act)


@pages.get("/admin/groups/{group_id}")
def show_group(visit: Visit, group_id: str) -> Page:
    """Show a group with its members and roles."""
    cloud, path = visit.cloud, f"/groups/{part(group_id)}"
    one = cloud.get("identity", path)["group"]
    users = cloud.get("identity", f"{path}/users")["users"]
    query = {"group.id": one["id"], "include_names": "true"}
    roles = cloud.get("identity", "/role_assignments", **query)["role_assignments"]
    at = f"{_AT}/{one['id']}"
    detail = Detail(
        title=one["name"],
        id=one["id"],
        back=("Groups", _AT),
        buttons=(DELETE,),
        links=(("Edit", f"{at}/edit"),),
        groups=[
            Group(title="Group", facts=[("Description", text(one["description"]))]),
            Group(
                title="Members",
                columns=("User",),
                rows=[[u["id"], Link(u["name"], f"/admin/users/{u['id']}")] for u in users],
                buttons=(_REMOVE,),
                action=f"{at}/users/actions",
                links=(("Add a user", f"{at}/users/new"),),
            ),
            Group(
                title="Roles",
                columns=("Role", "Where"),
                rows=[[Text(role["role"]["name"]), where(role["scope"])] for role in roles],
            ),
        ],
        live=("group",),
    )
    return detail_page(detail, _AT)


def _edit_form(visit: Visit, group_id: str) -> Form:
    one = visit.cloud.get("identity", f"/groups/{part(group_id)}")["group"]
    at = f"{_AT}/{one['id']}"
    return Form(
        title="Edit", action=f"{at}/edit", fields=_fields(one), submit="Change", back=at,
        section=_AT,
    )  # fmt: skip


@pages.get("/admin/groups/{group_id}/edit")
def edit_group(visit: Visit, group_id: str) -> Page:
    """Ask for a group's name."""
    return form_page(_edit_form(visit, group_id))


@pages.post("/admin/groups/{group_id}/edit")
def update_group(visit: Visit, group_id: str) -> Page | Go:
    """Change a group."""

    def act() -> Go:
        given = visit.given
        changes = {"name": given.text("name"), "description": given.text("description")}
        visit.cloud.patch("identity", f"/groups/{part(group_id)}", {"group": changes})
        return Go(f"{_AT}/{part(group_id)}", visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, group_id), act)


@pages.post("/admin/groups/{group_id}/actions")
def act_on_group(visit: Visit, group_id: str) -> Go:
    """Delete a group."""
    return delete_one(visit, "identity", f"/groups/{part(group_id)}", _AT)


def _member_form(visit: Visit, group_id: str) -> Form:
    users = options_of(visit.cloud.get("identity", "/users")["users"])
    at = f"{_AT}/{part(group_id)}"
    fields = [Field(name="user", label="User", kind="choice", options=users, required=True)]
    return Form(
        title="Add a user", action=f"{at}/users", fields=fields, submit="Add", back=at, section=_AT
    )


@pages.get("/admin/groups/{group_id}/users/new")
def new_member(visit: Visit, group_id: str) -> Page:
    """Ask who joins a group."""
    return form_page(_member_form(visit, group_id))


@pages.post("/admin/groups/{group_id}/users")
def add_member(visit: Visit, group_id: str) -> Page | Go:
    """Let a user join a group."""

    def act() -> Go:
        path = f"/groups/{part(group_id)}/users/{part(visit.given.text('user'))}"
        visit.cloud.put("identity", path)
        return Go(f"{_AT}/{part(group_id)}", visit.say("It is changed."))

    return submitted(visit, _member_form(visit, group_id), act)


@pages.post("/admin/groups/{group_id}/users/actions")
def remove_members(visit: Visit, group_id: str) -> Go:
    """Take users out of a group."""

    def remove(user_id: str) -> None:
        visit.cloud.delete("identity", f"/groups/{part(group_id)}/users/{part(user_id)}")

    return each(visit, {"remove": remove}, f"{_AT}/{part(group_id)}", "Removed: {count}.")
