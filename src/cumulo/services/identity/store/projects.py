"""Statements on projects, and on domains, which are projects without a parent."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit.errors import Conflict
from cumulo.services.identity.store.listing import Listing, Page, page
from cumulo.services.identity.store.tables import project

_BATCH = 500
# Built once: a login asks them several times, and to build one costs as much as to run it.
_BY_ID = sa.select(project).where(project.c.id == sa.bindparam("id"))
_NAMED = sa.select(project).where(
    project.c.name == sa.bindparam("name"), project.c.domain_id == sa.bindparam("domain_id")
)


class Project(msgspec.Struct, frozen=True):
    """A project as stored; a domain has neither domain nor parent."""

    id: str
    name: str
    domain_id: str | None = None
    parent_id: str | None = None
    description: str | None = ""
    enabled: bool = True
    is_domain: bool = False
    tags: list[str] = []
    options: dict[str, object] = {}
    extra: dict[str, object] = {}
    tokens_since: int = 0

    @property
    def is_immutable(self) -> bool:
        """Say whether only the immutable option itself may be changed."""
        return self.options.get("immutable") is True


def project_insert(tx: Tx, new: Project) -> None:
    """Store a project; its name must be free in its domain."""
    values = msgspec.structs.asdict(new) | {"domain_id": new.domain_id or ""}
    _store(tx, sa.insert(project).values(**values), new)


def project_find(tx: Tx, project_id: str) -> Project | None:
    """Return a project or a domain, if it is there."""
    row = tx.execute(_BY_ID, {"id": project_id}).one_or_none()
    return _load(row) if row else None


def project_named(tx: Tx, name: str, domain_id: str | None) -> Project | None:
    """Return the project of that name in a domain, or the domain of that name."""
    row = tx.execute(_NAMED, {"name": name, "domain_id": domain_id or ""}).one_or_none()
    return _load(row) if row else None


def project_page(tx: Tx, listing: Listing, *where: sa.ColumnElement[bool]) -> Page[Project]:
    """Return projects and domains alike; say which with `is_domain` in the filters."""
    return page(tx, project, listing, _load, *where)


def projects_by_ids(tx: Tx, ids: set[str]) -> dict[str, Project]:
    """Return those that are there, by id."""
    wanted, found = sorted(ids), {}
    for start in range(0, len(wanted), _BATCH):
        part = wanted[start : start + _BATCH]
        for row in tx.execute(sa.select(project).where(project.c.id.in_(part))):
            found[row.id] = _load(row)
    return found


def projects_of_domain(tx: Tx, domain_id: str) -> list[Project]:
    """Return every project of a domain, at whatever depth."""
    select = sa.select(project).where(project.c.domain_id == domain_id).order_by(project.c.id)
    return [_load(row) for row in tx.execute(select)]


def project_parents(tx: Tx, start: Project) -> list[Project]:
    """Return what is above a project, the nearest first, its domain last."""
    parents: list[Project] = []
    parent_id = start.parent_id
    while parent_id is not None:
        parent = project_find(tx, parent_id)
        if parent is None:
            break
        parents.append(parent)
        parent_id = parent.parent_id
    return parents


def project_subtree(tx: Tx, project_id: str) -> list[Project]:
    """Return what is below a project, each level after the one above it."""
    below: list[Project] = []
    level = [project_id]
    while level:
        select = sa.select(project).where(project.c.parent_id.in_(level)).order_by(project.c.id)
        children = [_load(row) for row in tx.execute(select)]
        below += children
        level = [child.id for child in children]
    return below


def project_change(tx: Tx, before: Project, **values: Any) -> Project:
    """Change columns of a project; a new name must be free in its domain."""
    after = msgspec.structs.replace(before, **values)
    _store(tx, sa.update(project).where(project.c.id == before.id).values(**values), after)
    return after


def project_delete(tx: Tx, project_id: str) -> None:
    """Take a project away; what refers to it is the caller's to clear."""
    tx.execute(sa.delete(project).where(project.c.id == project_id))


def _store(tx: Tx, change: "sa.Insert | sa.Update", wanted: Project) -> None:
    try:
        tx.execute(change)
    except sa.exc.IntegrityError as error:
        if wanted.is_domain:
            why = (
                "it is not permitted to have two projects acting as domains with the same name: "
                + wanted.name
            )
        else:
            why = (
                "it is not permitted to have two projects with either the same name or same id "
                f"in the same domain: name is {wanted.name}, project id {wanted.id}"
            )
        raise Conflict(f"Conflict occurred attempting to store project - {why}.") from error


def _load(row: "sa.Row[Any]") -> Project:
    values = dict(row._mapping)
    values["domain_id"] = values["domain_id"] or None
    return Project(**values)
