"""Projects and their tags."""

from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.kit.ids import new_hex_id
from cumulo.services.identity import domains, projects
from cumulo.services.identity.api.views import show_project
from cumulo.services.identity.api.wire import (
    Attributes,
    Call,
    Description,
    DomainNamedQuery,
    Id,
    Name64,
    ResourceOptions,
    Tag,
    asked,
    collection,
    flag,
    given,
    listing,
    options_set,
    split,
)
from cumulo.services.identity.projects import Project, Tags
from cumulo.web import LooseBool, Reply, Routes

routes = Routes()


class ProjectSpec(msgspec.Struct, kw_only=True):
    """What a client says about the project it wants."""

    name: Name64
    domain_id: Id | None = None
    parent_id: Id | None = None
    description: Description | None = ""
    enabled: LooseBool = True
    is_domain: LooseBool = False
    tags: list[Tag] = []
    options: ResourceOptions | UnsetType = UNSET


class ProjectPatch(msgspec.Struct, kw_only=True):
    """What a client wants different."""

    id: str | UnsetType = UNSET
    name: Name64 | UnsetType = UNSET
    domain_id: str | UnsetType | None = UNSET
    parent_id: str | UnsetType | None = UNSET
    is_domain: LooseBool | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    enabled: LooseBool | UnsetType = UNSET
    tags: list[Tag] | UnsetType = UNSET
    options: ResourceOptions | UnsetType = UNSET


class ProjectBody(msgspec.Struct, forbid_unknown_fields=True):
    """A project in a request."""

    project: Attributes


class TagsBody(msgspec.Struct, forbid_unknown_fields=True):
    """All tags of a project."""

    tags: list[Tag]


class ProjectQuery(DomainNamedQuery, kw_only=True):
    """Which projects."""

    parent_id: str | None = None
    enabled: str | None = None
    is_domain: str | None = None


@routes.get("/v3/projects", policy="identity:list_projects", on_target=True)
def list_projects(call: Call, query: ProjectQuery) -> dict[str, object]:
    """List projects."""
    is_domain = flag(query.is_domain, "is_domain")
    wanted = listing(call, query, enabled=flag(query.enabled, "enabled"), is_domain=bool(is_domain))
    page = call.db.read(projects.project_list, call.ctx, wanted, _tags(call))
    return collection(call, "projects", page, lambda one: show_project(call, one))


@routes.post("/v3/projects", policy="identity:create_project", status=201, on_target=True)
def create_project(call: Call, body: ProjectBody) -> dict[str, object]:
    """Create a project."""
    spec, extra = split(ProjectSpec, body.project)
    domain_id = spec.domain_id
    if not spec.is_domain:
        domain_id = domains.domain_for_new(call.ctx, spec.domain_id)
    new = Project(
        id=new_hex_id(),
        name=spec.name,
        domain_id=domain_id,
        parent_id=spec.parent_id,
        description=spec.description,
        enabled=spec.enabled,
        is_domain=spec.is_domain,
        tags=list(dict.fromkeys(spec.tags)),
        options=options_set(spec.options),
        extra=extra,
    )
    project = call.db.write(projects.create_project, call.ctx, call.tools.settings, new)
    return {"project": show_project(call, project)}


@routes.get("/v3/projects/{project_id}", policy="identity:get_project", on_target=True)
def get_project(call: Call, project_id: str) -> dict[str, object]:
    """Show a project, on request with what is above and below it."""
    for way in ("parents", "subtree"):
        if asked(call, f"{way}_as_list") and asked(call, f"{way}_as_ids"):
            raise Invalid(
                f"Cannot use {way}_as_list and {way}_as_ids query params at the same time.",
                field=f"{way}_as_ids",
            )
    return {"project": call.db.read(_with_relations, call, project_id)}


@routes.patch("/v3/projects/{project_id}", policy="identity:update_project", on_target=True)
def update_project(call: Call, project_id: str, body: ProjectBody) -> dict[str, object]:
    """Change a project."""
    rule = "identity:update_project"  # before a look at what is wanted, as in Keystone
    call.db.read(projects.project_visible, call.ctx, project_id, rule)
    changes = given(*split(ProjectPatch, body.project))
    project = call.db.write(projects.update_project, call.ctx, project_id, changes)
    # Keystone repeats the attributes of the client's own under this key, here only.
    return {"project": {**show_project(call, project), "extra": project.extra}}


@routes.delete(
    "/v3/projects/{project_id}", policy="identity:delete_project", status=204, on_target=True
)
def delete_project(call: Call, project_id: str) -> None:
    """Delete a project that has no children."""
    call.db.write(projects.delete_project, call.ctx, project_id)


@routes.get("/v3/projects/{project_id}/tags", policy="identity:list_project_tags", on_target=True)
def list_tags(call: Call, project_id: str) -> dict[str, object]:
    """List the tags of a project."""
    project = call.db.read(
        projects.project_visible, call.ctx, project_id, "identity:list_project_tags"
    )
    return _tags_body(call, project.tags)


@routes.put("/v3/projects/{project_id}/tags", policy="identity:update_project_tags", on_target=True)
def replace_tags(call: Call, project_id: str, body: TagsBody) -> dict[str, object]:
    """Give a project these tags and no others."""
    rule = "identity:update_project_tags"
    return _tags_body(
        call, call.db.write(projects.tags_replace, call.ctx, project_id, body.tags, rule)
    )


@routes.delete(
    "/v3/projects/{project_id}/tags",
    policy="identity:delete_project_tags",
    status=204,
    on_target=True,
)
def delete_tags(call: Call, project_id: str) -> None:
    """Take every tag off a project."""
    rule = "identity:delete_project_tags"
    call.db.write(projects.tags_replace, call.ctx, project_id, [], rule)


@routes.get(
    "/v3/projects/{project_id}/tags/{value}",
    policy="identity:get_project_tag",
    status=204,
    on_target=True,
)
def check_tag(call: Call, project_id: str, value: str) -> None:
    """Say whether a project has a tag."""
    project = call.db.read(
        projects.project_visible, call.ctx, project_id, "identity:get_project_tag"
    )
    projects.check_tagged(project, value)


@routes.put(
    "/v3/projects/{project_id}/tags/{value}",
    policy="identity:create_project_tag",
    status=201,
    on_target=True,
)
def add_tag(call: Call, project_id: str, value: str) -> Reply:
    """Put a tag on a project."""
    body, _ = split(TagsBody, {"tags": [value]})
    call.db.write(projects.tag_add, call.ctx, project_id, body.tags[0])
    return Reply(headers={"Location": f"{call.url}{quote(call.path)}"})


@routes.delete(
    "/v3/projects/{project_id}/tags/{value}",
    policy="identity:delete_project_tag",
    status=204,
    on_target=True,
)
def remove_tag(call: Call, project_id: str, value: str) -> None:
    """Take a tag off a project."""
    call.db.write(projects.tag_remove, call.ctx, project_id, value)


def _with_relations(tx: Tx, call: Call, project_id: str) -> dict[str, object]:
    project = projects.project_visible(tx, call.ctx, project_id)
    view = show_project(call, project)
    if asked(call, "parents_as_list"):
        view["parents"] = _own(tx, call, projects.parents(tx, project))
    if asked(call, "parents_as_ids"):
        view["parents"] = _chain(projects.parents(tx, project))
    if asked(call, "subtree_as_list"):
        view["subtree"] = _own(tx, call, projects.subtree(tx, project))
    if asked(call, "subtree_as_ids"):
        view["subtree"] = _tree(project.id, projects.subtree(tx, project))
    return view


def _own(tx: Tx, call: Call, found: list[Project]) -> list[dict[str, object]]:
    """Show those of a branch on which the caller has a role."""
    mine = {project.id for project in projects.of_user(tx, call.ctx.user_id)}
    return [{"project": show_project(call, one)} for one in found if one.id in mine]


def _chain(parents: list[Project]) -> dict[str, object] | None:
    """Return each parent's id with the parents of that one below it."""
    chain: dict[str, object] | None = None
    for parent in reversed(parents):
        chain = {parent.id: chain}
    return chain


def _tree(project_id: str, below: list[Project]) -> dict[str, object] | None:
    """Return each child's id with its own children below it."""
    children = [project.id for project in below if project.parent_id == project_id]
    return {child: _tree(child, below) for child in children} or None


def _tags(call: Call) -> Tags | None:
    given_tags = {
        field: frozenset(",".join(call.filters[name]).split(","))
        for name, field in (
            ("tags", "all_of"),
            ("tags-any", "any_of"),
            ("not-tags", "not_all_of"),
            ("not-tags-any", "not_any_of"),
        )
        if name in call.filters
    }
    return Tags(**given_tags) if given_tags else None


def _tags_body(call: Call, tags: list[str]) -> dict[str, object]:
    return {"links": {"self": f"{call.url}{call.path}"}, "tags": tags}
