"""What all kinds of resources have alike over HTTP.

A module of this package says in a `Noun` how its resources are called, which facts the rules
ask for and how one is shown; lists, single answers, bulk bodies and checks then go one way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.clock import iso_z
from cumulo.kit.errors import NotFound
from cumulo.services.network import revisions
from cumulo.services.network.api.listing import Answer, fields_of, hide, listing_of, page, select
from cumulo.services.network.api.permissions import Sight, check_create, check_update
from cumulo.services.network.api.requests import expected_revision, several
from cumulo.services.network.listing import Listing
from cumulo.services.network.tools import Tools
from cumulo.web import Call

D = TypeVar("D")


class Row(Protocol):
    """A stored resource."""

    @property
    def id(self) -> str: ...  # noqa: D102

    @property
    def project_id(self) -> str: ...  # noqa: D102


class StandardRow(Row, Protocol):
    """A stored resource with what every one of them has; some have a name too."""

    @property
    def description(self) -> str: ...  # noqa: D102

    @property
    def revision_number(self) -> int: ...  # noqa: D102

    @property
    def created_at(self) -> datetime: ...  # noqa: D102

    @property
    def updated_at(self) -> datetime: ...  # noqa: D102


class StandardView(msgspec.Struct, kw_only=True, gc=False):
    """What clients see of every resource."""

    id: str | UnsetType
    name: str | UnsetType = UNSET
    tenant_id: str | UnsetType
    project_id: str | UnsetType
    description: str | UnsetType
    tags: list[str] | UnsetType = UNSET
    created_at: str | UnsetType
    updated_at: str | UnsetType
    revision_number: int | UnsetType


def standard(row: StandardRow, tags: list[str] | UnsetType = UNSET) -> dict[str, Any]:
    """Return what clients see of every resource, as keywords of its view."""
    return {
        "id": row.id,
        "name": getattr(row, "name", UNSET),
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "description": row.description,
        "tags": tags,
        "created_at": iso_z(row.created_at),
        "updated_at": iso_z(row.updated_at),
        "revision_number": row.revision_number,
    }


@dataclass(frozen=True)
class Noun(Generic[D]):
    """One kind of resource: its names, its rules' facts, how it is shown."""

    name: str  # in rules and bodies
    plural: str
    row: Callable[[D], Row]
    view: Callable[[Call[Tools], D], msgspec.Struct]
    missing: Callable[[str], NotFound]
    facts: Callable[[D], dict[str, object]] | None = None  # besides whose it is
    rule: str = ""  # where rules call it otherwise than bodies
    hides: bool = False  # from those it is lent to and who try to change it, as Neutron's do

    def listed(self, call: Call[Tools], find: Callable[[Tx, Context, Listing], list[D]]) -> Answer:
        """Return the page of the list that the query asks for, without what may not be seen."""
        found = call.db.read(find, call.ctx, listing_of(call))
        return page(call, self.plural, list(map(self.row, found)), self.seen(call, found))

    def shown(
        self, call: Call[Tools], details: Callable[[Tx, Call[Tools], str], D], resource_id: str
    ) -> Answer:
        """Return one resource, with the attributes that the query asks for."""
        views = self.seen(call, [call.db.read(details, call, resource_id)])
        if not views:
            raise self.missing(resource_id)
        return {self.name: select(views[0], fields_of(call))}

    def created(
        self,
        call: Call[Tools],
        body: msgspec.Struct,
        create: Callable[[Tx, Call[Tools], Sequence[Any]], list[D]],
    ) -> Answer:
        """Make what the body holds, one or many, all or none, and return it."""
        one = getattr(body, self.name)
        specs = several(one, getattr(body, self.plural, UNSET), self.name)
        views = self.seen(call, call.db.write(create, call, specs))
        return {self.plural: views} if one is UNSET else {self.name: views[0]}

    def changed(self, call: Call[Tools], found: D) -> Answer:
        """Return a resource that was changed."""
        return {self.name: self.seen(call, [found])[0]}

    def seen(self, call: Call[Tools], found: Sequence[D]) -> list[msgspec.Struct]:
        """Return what the caller may see of those that the caller may see."""
        sight, views = Sight(call.ctx, self._rule), []
        for one in found:
            hidden = sight.hidden(**self._facts(one))
            if hidden is not None:
                view = self.view(call, one)
                hide(view, hidden)
                views.append(view)
        return views

    def check_create(self, call: Call[Tools], spec: msgspec.Struct, **facts: object) -> None:
        """Refuse a caller who may not make this, or not with these attributes."""
        check_create(call.ctx, self._rule, spec, **{**call.ctx.own(), **facts})

    def check_update(
        self, call: Call[Tools], found: D, wanted: msgspec.Struct, **facts: object
    ) -> int | None:
        """Refuse a caller who may not change this; return the revision it is meant for."""
        self._check_not_lent(call, found, f"update_{self._rule}")
        check_update(call.ctx, self._rule, wanted, **{**self._facts(found), **facts})
        return self._check_revision(call, found)

    def check_delete(self, call: Call[Tools], found: D, **facts: object) -> None:
        """Refuse a caller who may not delete this, or means another revision of it."""
        self._check_not_lent(call, found, f"delete_{self._rule}")
        call.ctx.require(f"delete_{self._rule}", **{**self._facts(found), **facts})
        self._check_revision(call, found)

    def _check_not_lent(self, call: Call[Tools], found: D, rule: str) -> None:
        row = self.row(found)
        is_lent = self.hides and row.project_id != call.ctx.project_id
        if is_lent and not call.ctx.may(rule, **self._facts(found)):
            raise self.missing(row.id)

    @property
    def _rule(self) -> str:
        return self.rule or self.name

    def _facts(self, found: D) -> dict[str, object]:
        more = self.facts(found) if self.facts else {}
        return {"project_id": self.row(found).project_id, **more}

    def _check_revision(self, call: Call[Tools], found: D) -> int | None:
        expected = expected_revision(call)
        revisions.check(self.row(found), expected)
        return expected
