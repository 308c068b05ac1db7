"""/admin/projects: who works apart from whom, with how much."""

from typing import Any

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
from cumulo.services.dashboard.cells import Cell, Code, Gauge, Link, Text, Words, text
from cumulo.services.dashboard.cloud import part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Field, Form, Option, options_of
from cumulo.services.dashboard.lists import DELETE, Button, Column, Item, Listing

pages = Pages()
_AT = "/admin/projects"
# What pages call quotas; others, as those of one type of volumes, go by the API's names.
_QUOTAS = {
    "instances": "Servers",
    "cores": "VCPUs",
    "ram": "Memory (MiB)",
    "metadata_items": "Metadata of a server",
    "key_pairs": "Key pairs",
    "server_groups": "Server groups",
    "server_group_members": "Servers in a group",
    "volumes": "Volumes",
    "gigabytes": "Volume storage (GiB)",
    "per_volume_gigabytes": "Largest volume (GiB)",
    "snapshots": "Snapshots",
    "backups": "Backups",
    "backup_gigabytes": "Backup storage (GiB)",
    "groups": "Volume groups",
    "network": "Networks",
    "subnet": "Subnets",
    "subnetpool": "Subnet pools",
    "port": "Ports",
    "router": "Routers",
    "floatingip": "Floating IPs",
    "security_group": "Security groups",
    "security_group_rule": "Security group rules",
    "rbac_policy": "RBAC policies",
    "trunk": "Trunks",
}
_REVOKE = Button("revoke", "Revoke", "Take these roles away?", danger=True)


def domain_of(one: Item) -> Cell:
    """Return the domain that something belongs to; a project that is one belongs to none."""
    domain = one["domain_id"]
    return Link(domain, f"/admin/domains/{part(domain)}") if domain else Text("")


LISTING = Listing(
    title="Projects",
    path=_AT,
    service="identity",
    url="/projects",
    key="projects",
    columns=(
        Column("Name", lambda one: Link(one["name"], f"{_AT}/{one['id']}"), "name"),
        Column("Description", lambda one: text(one["description"])),
        Column("Domain", domain_of),
        Column("Enabled", lambda one: text(one["enabled"]), "enabled"),
        Column("ID", lambda one: Code(one["id"])),
    ),
    is_paged=False,
    create=("New project", f"{_AT}/new"),
    bulk=(DELETE,),
    live=("project",),
)


@pages.get("/admin/projects")
def list_projects(visit: Visit) -> Page:
    """List projects."""
    return list_page(visit, LISTING)


@pages.post("/admin/projects/actions")
def act_on_projects(visit: Visit) -> Go:
    """Delete projects."""
    return delete_each(visit, "identity", "/projects", _AT)


def _fields(one: Item) -> list[Field]:
    on = "1" if one.get("enabled", True) else ""
    return [
        Field(name="name", label="Name", value=one.get("name", ""), required=True),
        Field(name="description", label="Description", value=one.get("description") or ""),
        Field(name="enabled", label="Enabled", kind="flag", value=on),
        Field(name="tags", label="Tags", kind="long", hint="One a line.",
              value="\n".join(one.get("tags", ()))),
    ]  # fmt: skip


def domain_field(visit: Visit) -> Field:
    """Return the choice of a domain."""
    found = visit.cloud.get("identity", "/domains")["domains"]
    return Field(
        name="domain", label="Domain", kind="choice", options=options_of(found), required=True,
        value="default",
    )  # fmt: skip


def _new_form(visit: Visit) -> Form:
    return Form(
        title="New project", action=_AT, fields=[*_fields({}), domain_field(visit)],
        submit="Create", back=_AT, section=_AT,
    )  # fmt: skip


@pages.get("/admin/projects/new")
def new_project(visit: Visit) -> Page:
    """Ask what project to make."""
    return form_page(_new_form(visit))


@pages.post("/admin/projects")
def create_project(visit: Visit) -> Page | Go:
    """Make a project."""

    def act() -> Go:
        wish = {**_spec(visit), "domain_id": visit.given.text("domain")}
        made = visit.cloud.post("identity", "/projects", {"project": wish})["project"]
        return Go(f"{_AT}/{made['id']}", visit.say("The project is made."))

    return submitted(visit, _new_form(visit), act)


def _spec(visit: Visit) -> dict[str, Any]:
    given = visit.given
    return {
        "name": given.text("name"),
        "description": given.text("description"),
        "enabled": given.flag("enabled"),
        "tags": given.lines("tags"),
    }


@pages.get("/admin/projects/{project_id}")
def show_project(visit: Visit, project_id: str) -> Page:
    """Show a project, who works in it, what it uses of what it may."""
    one = visit.cloud.get("identity", f"/projects/{part(project_id)}")["project"]
    at = f"{_AT}/{one['id']}"
    detail = Detail(
        title=one["name"],
        id=one["id"],
        back=("Projects", _AT),
        buttons=(DELETE,),
        links=(("Edit", f"{at}/edit"), ("Quotas", f"{at}/quotas")),
        groups=[
            Group(
                title="Project",
                facts=[
                    ("Description", text(one["description"])),
                    ("Domain", domain_of(one)),
                    ("Enabled", text(one["enabled"])),
                    ("Tags", text(one["tags"])),
                ],
            ),
            Group(
                title="Who works in it",
                columns=("Who", "Kind", "Role", "Inherited"),
                rows=assignments(visit, {"scope.project.id": one["id"]}),
                buttons=(_REVOKE,),
                action=f"{at}/roles/actions",
                links=(("Give a role", f"{at}/roles/new"),),
            ),
            *(Group(title=title, facts=facts) for title, facts in _quotas(visit, one["id"])),
        ],
        live=("project", "role_assignment"),
    )
    return detail_page(detail, _AT)


def assignments(visit: Visit, query: dict[str, str]) -> list[list[Cell | str]]:
    """Return who has which role on something."""
    cloud = visit.cloud
    found = cloud.get("identity", "/role_assignments", **query, include_names="true")
    rows: list[list[Cell | str]] = []
    for one in found["role_assignments"]:
        kind = "user" if "user" in one else "group"
        who, role = one[kind], one["role"]
        inherited = "OS-INHERIT:inherited_to" in one["scope"]
        key = f"{kind}s/{who['id']}/roles/{role['id']}"
        link = Link(who["name"], f"/admin/{kind}s/{who['id']}")
        rows.append([key, link, Words(kind), Text(role["name"]), text(inherited)])
    return rows


def _quotas(visit: Visit, project_id: str) -> list[tuple[str, list[tuple[str, Cell]]]]:
    found: list[tuple[str, list[tuple[str, Cell]]]] = []
    for title, values in quotas_of(visit, project_id).items():
        facts: list[tuple[str, Cell]] = [
            (_QUOTAS.get(name, name), Gauge(value["in_use"], value["limit"]))
            for name, value in values.items()
        ]
        found.append((title, facts))
    return found


def quotas_of(visit: Visit, project_id: str) -> dict[str, dict[str, dict[str, int]]]:
    """Return limits and use of a project, by service and name."""
    cloud, found = visit.cloud, {}
    path = f"/os-quota-sets/{part(project_id)}"
    if cloud.has("compute"):
        found["Compute"] = _with_limits(cloud.get("compute", f"{path}/detail")["quota_set"])
    if cloud.has("volume"):
        found["Volumes"] = _with_limits(cloud.get("volume", path, usage="True")["quota_set"])
    if cloud.has("network"):
        quota = cloud.get("network", f"/quotas/{part(project_id)}/details.json")["quota"]
        found["Network"] = {
            name: {"limit": value["limit"], "in_use": value["used"]}
            for name, value in quota.items()
            if isinstance(value, dict)
        }
    return found


def _with_limits(quota: Item) -> dict[str, dict[str, int]]:
    return {name: value for name, value in quota.items() if isinstance(value, dict)}


def _edit_form(visit: Visit, project_id: str) -> Form:
    one = visit.cloud.get("identity", f"/projects/{part(project_id)}")["project"]
    at = f"{_AT}/{one['id']}"
    return Form(
        title="Edit", action=f"{at}/edit", fields=_fields(one), submit="Change", back=at,
        section=_AT,
    )  # fmt: skip


@pages.get("/admin/projects/{project_id}/edit")
def edit_project(visit: Visit, project_id: str) -> Page:
    """Ask for a project's name and state."""
    return form_page(_edit_form(visit, project_id))


@pages.post("/admin/projects/{project_id}/edit")
def update_project(visit: Visit, project_id: str) -> Page | Go:
    """Change a project."""

    def act() -> Go:
        path = f"/projects/{part(project_id)}"
        visit.cloud.patch("identity", path, {"project": _spec(visit)})
        return Go(f"{_AT}/{part(project_id)}", visit.say("It is changed."))

    return submitted(visit, _edit_form(visit, project_id), act)


@pages.post("/admin/projects/{project_id}/actions")
def act_on_project(visit: Visit, project_id: str) -> Go:
    """Delete a project."""
    return delete_one(visit, "identity", f"/projects/{part(project_id)}", _AT)


def _quota_form(visit: Visit, project_id: str) -> Form:
    fields, at = [], f"{_AT}/{part(project_id)}"
    for title, values in quotas_of(visit, project_id).items():
        for number, (name, value) in enumerate(values.items()):
            fields.append(
                Field(name=f"{title}.{name}", label=_QUOTAS.get(name, name), kind="number",
                      least=-1, value=str(value["limit"]), group=title if not number else "")
            )  # fmt: skip
    return Form(
        title="Quotas", action=f"{at}/quotas", fields=fields, submit="Change", back=at,
        section=_AT, note="-1 is no limit.", is_dense=True,
    )  # fmt: skip


@pages.get("/admin/projects/{project_id}/quotas")
def edit_quotas(visit: Visit, project_id: str) -> Page:
    """Ask how much a project may use."""
    return form_page(_quota_form(visit, project_id))


@pages.post("/admin/projects/{project_id}/quotas")
def update_quotas(visit: Visit, project_id: str) -> Page | Go:
    """Change how much a project may use; what stays as it is is not sent."""
    form = _quota_form(visit, project_id)

    def act() -> Go:
        changes: dict[str, dict[str, int]] = {}
        for field in form.fields:
            title, _, name = field.name.partition(".")
            wished = visit.given.number(field.name)
            if wished is not None and str(wished) != field.value:
                changes.setdefault(title, {})[name] = wished
        paths = {
            "Compute": ("compute", f"/os-quota-sets/{part(project_id)}", "quota_set"),
            "Volumes": ("volume", f"/os-quota-sets/{part(project_id)}", "quota_set"),
            "Network": ("network", f"/quotas/{part(project_id)}", "quota"),
        }
        for title, values in changes.items():
            service, path, key = paths[title]
            visit.cloud.put(service, path, {key: values})
        return Go(f"{_AT}/{part(project_id)}", visit.say("It is changed."))

    return submitted(visit, form, act)


def role_form(visit: Visit, at: str, section: str) -> Form:
    """Return the form that gives somebody a role on a project or domain."""
    cloud = visit.cloud
    users = cloud.get("identity", "/users")["users"]
    groups = cloud.get("identity", "/groups")["groups"]
    who = [Option(f"users/{key}", name) for key, name in named(users).items()]
    who += [Option(f"groups/{key}", f"{name} (group)") for key, name in named(groups).items()]
    roles = options_of(cloud.get("identity", "/roles")["roles"])
    fields = [
        Field(name="who", label="Who", kind="choice", options=who, required=True),
        Field(name="role", label="Role", kind="choice", options=roles, required=True),
    ]
    return Form(
        title="Give a role", action=f"{at}/roles", fields=fields, submit="Give", back=at,
        section=section,
    )  # fmt: skip


def give_role(visit: Visit, kind: str, target_id: str) -> Page | Go:
    """Give somebody a role on a project or domain."""
    at = f"/admin/{kind}/{part(target_id)}"

    def act() -> Go:
        who, role = visit.given.text("who"), visit.given.text("role")
        whose, _, one = who.partition("/")
        sort = "groups" if whose == "groups" else "users"
        path = f"/{kind}/{part(target_id)}/{sort}/{part(one)}/roles/{part(role)}"
        visit.cloud.put("identity", path)
        return Go(at, visit.say("It is changed."))

    return submitted(visit, role_form(visit, at, f"/admin/{kind}"), act)


def revoke_roles(visit: Visit, kind: str, target_id: str) -> Go:
    """Take roles on a project or domain away."""
    at = f"/admin/{kind}/{part(target_id)}"

    def revoke(key: str) -> None:
        path = "/".join(part(each) for each in key.split("/"))
        visit.cloud.delete("identity", f"/{kind}/{part(target_id)}/{path}")

    return each(visit, {"revoke": revoke}, at, "Removed: {count}.")


@pages.get("/admin/projects/{project_id}/roles/new")
def new_project_role(visit: Visit, project_id: str) -> Page:
    """Ask who gets which role in a project."""
    return form_page(role_form(visit, f"{_AT}/{part(project_id)}", _AT))


@pages.post("/admin/projects/{project_id}/roles")
def give_project_role(visit: Visit, project_id: str) -> Page | Go:
    """Give somebody a role in a project."""
    return give_role(visit, "projects", project_id)


@pages.post("/admin/projects/{project_id}/roles/actions")
def revoke_project_roles(visit: Visit, project_id: str) -> Go:
    """Take roles in a project away."""
    return revoke_roles(visit, "projects", project_id)
