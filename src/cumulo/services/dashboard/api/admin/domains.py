"""/admin/domains: users and projects that belong together."""

from typing import Any

from cumulo.services.dashboard.api.admin.projects import (
    assignments,
    give_role,
    revoke_roles,
    role_form,
)
from cumulo.services.dashboard.api.pages import Go, Page, Pages, Visit
from cumulo.services.dashboard.api.showing import (
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
from cumulo.services.dashboard.lists import DELETE, Button, Column, Item, Listing

pages = Pages()
_AT = "/admin/domains"
_REVOKE = Button("revoke", "Revoke", "Take these roles away?", danger=True)
LISTING = Listing(
    title="Domains",
    path=_AT,
    service="identity",
    url="/domains",
    key="domains",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"{_AT}/{one['id']}"), "name"),
        Column("Description", lambda one: text(one["description"])),
        Column("Enabled", lambda one: text(one["enabled"]), "enabled"),
        Column("ID", lambda one: Code(one["id"])),
    ),
    is_paged=False,
    create=("New domain", f"{_AT}/new"),
    live=("domain",),
)


@pages.get("/admin/domains")
def list_domains(visit: Visit) -> Page:
    """List domains."""
    return list_page(visit, LISTING)


def _fields(one: Item) -> list[Field]:
    on = "1" if one.get("enabled", True) else ""
    return [
        Field(name="name", label="Name", value=one.get("name", ""), required=True),
        Field(name="description", label="Description", value=one.get("description") or ""),
        Field(name="enabled", label="Enabled", kind="flag", value=on,
              hint="A domain can be deleted once it is disabled."),
    ]  # fmt: skip


_NEW = Form(
    title="New domain", action=_AT, fields=_fields({}), submit="Create", back=_AT, section=_AT
)


@pages.get("/admin/domains/new")
def new_domain(visit: Visit) -> Page:
    """Ask what domain to make."""
    return form_page(_NEW)


@pages.post("/admin/domains")
def create_domain(visit: Visit) -> Page | Go:
    """Make a domain."""

    def act() -> Go:
        made = visit.cloud.post("identity", "/domains", {"domain": _spec(visit)})["domain"]
        return Go(f"{_AT}/{made['id']}", visit.say("The domain is made."))

    return submitted(visit, _NEW, act)


def _spec(visit: Visit) -> dict[str, Any]:
    given = visit.given
    words = {"name": given.text("name"), "description": given.text("description")}
    return {**words, "enabled": given.flag("enabled")}


@pages.get("/admin/domains/{domain_id}")
def show_domain(visit: Visit, domain_id: str) -> Page:
    """Show a domain and who has roles on it."""
    one = visit.cloud.get("identity", f"/domains/{part(domain_id)}")["domain"]
    at = f"{_AT}/{one['id']}"
    detail = Detail(
        title=one["name"],
        id=one["id"],
        back=("Domains", _AT),
        buttons=(DELETE,),
        links=(("Edit", f"{at}/edit"),),
        groups=[
            Group(
                title="Domain",
                facts=[
                    ("Description", text(one["description"])),
                    ("Enabled", text(one["enabled"])),
                ],
            ),
            Group(
                title="Who has roles on it",
                columns=("Who", "Kind", "Role", "Inherited"),
                rows=assignments(visit, {"scope.domain.id": one["id"]}),
                buttons=(_REVOKE,),
                action=f"{at}/roles/actions",
                links=(("Give a role", f"{at}/roles/new"),),
            ),
        ],
        live=("domain",),
    )
    return detail_page(detail, _AT)


def _edit_form(visit: Visit, domain_id: str) -> Form:
    one = visit.cloud.get("identity", f"/domains/{part(domain_id)}")["domain"]
    at = f"{_AT}/{one['id']}"
    return Form(
        title="Edit", action=f"{at}/edit", fields=_fields(one), submit="Change", back=at,
        section=_AT,
    )  # fmt: skip


@pages.get("/admin/domains/{domain_id}/edit")
def edit_domain(visit: Visit, domain_id: str) -> Page:
    """Ask for a domain's name and state."""
    return form_page(_edit_form(visit, domain_id))


@pages.post("/admin/domains/{domain_id}/edit")
def update_domain(visit: Visit, domain_id: str) -> Page | Go:
    """Change a domain."""

    def act() -> Go:
        visit.cloud.patch("identity", f"/domains/{part(domain_id)}", {"domain": _spec(visit)})
        return Go(f"{_AT}/{part(domain_id)}", visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, domain_id), act)


@pages.post("/admin/domains/{domain_id}/actions")
def act_on_domain(visit: Visit, domain_id: str) -> Go:
    """Delete a domain that is disabled."""
    return delete_one(visit, "identity", f"/domains/{part(domain_id)}", _AT)


@pages.get("/admin/domains/{domain_id}/roles/new")
def new_domain_role(visit: Visit, domain_id: str) -> Page:
    """Ask who gets which role on a domain."""
    return form_page(role_form(visit, f"{_AT}/{part(domain_id)}", _AT))


@pages.post("/admin/domains/{domain_id}/roles")
def give_domain_role(visit: Visit, domain_id: str) -> Page | Go:
    """Give somebody a role on a domain."""
    return give_role(visit, "domains", domain_id)


@pages.post("/admin/domains/{domain_id}/roles/actions")
def revoke_domain_roles(visit: Visit, domain_id: str) -> Go:
    """Take roles on a domain away."""
    return revoke_roles(visit, "domains", domain_id)
