"""Which projects may use a private flavor."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.db import Tx
from cumulo.kit.errors import Conflict, NotFound
from cumulo.services.compute import flavors
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-flavor-access"


class Access(msgspec.Struct):
    """A project that may use a flavor."""

    flavor_id: str
    tenant_id: str


class AccessList(msgspec.Struct):
    """All projects that may use a flavor."""

    flavor_access: list[Access]


class Tenant(msgspec.Struct, forbid_unknown_fields=True):
    """The project that is meant."""

    tenant: Annotated[str, Meta(min_length=1, max_length=255)]


@routes.get("/v2.1/flavors/{flavor_id}/os-flavor-access", policy=_RULE)
def list_flavor_access(call: Call, flavor_id: str) -> AccessList:
    """List the projects that may use a private flavor."""
    check_known(call, since=(2, 102))
    return _view(flavor_id, call.db.read(_access, call, flavor_id))


@routes.post(
    "/v2.1/flavors/{flavor_id}/action",
    policy=f"{_RULE}:add_tenant_access",
    action="addTenantAccess",
)
def add_tenant_access(call: Call, flavor_id: str, body: Tenant) -> AccessList:
    """Let a project use a private flavor."""
    return _view(flavor_id, call.db.write(_add, call, flavor_id, body.tenant))


@routes.post(
    "/v2.1/flavors/{flavor_id}/action",
    policy=f"{_RULE}:remove_tenant_access",
    action="removeTenantAccess",
)
def remove_tenant_access(call: Call, flavor_id: str, body: Tenant) -> AccessList:
    """Let a project use a private flavor no longer; the project itself may be gone."""
    rest = call.db.write(flavors.remove_access, call.ctx, flavor_id, body.tenant)
    return _view(flavor_id, rest)


def _access(tx: Tx, call: Call, flavor_id: str) -> list[str]:
    if flavors.flavor_visible(tx, call.ctx, flavor_id).is_public:
        raise NotFound("Access list not available for public flavors.")
    return flavors.list_access(tx, call.ctx, flavor_id)


def _add(tx: Tx, call: Call, flavor_id: str, project_id: str) -> list[str]:
    call.tools.check_project(tx, project_id)
    is_public = flavors.flavor_visible(tx, call.ctx, flavor_id).is_public
    if is_public and call.version >= (2, 7):
        raise Conflict("Can not add access to a public flavor.")
    return flavors.add_access(tx, call.ctx, flavor_id, project_id)


def _view(flavor_id: str, projects: list[str]) -> AccessList:
    return AccessList([Access(flavor_id, project_id) for project_id in projects])
