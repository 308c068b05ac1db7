"""Whose a new resource is, and whose eyes a list is read with."""

from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.kit.errors import Invalid
from cumulo.services.network.store.sharing import Viewer

# Roles that OpenStack's services have towards each other see what every project has.
_SEEING = {"admin", "service", "advsvc"}


def viewer(ctx: Context) -> Viewer:
    """Return whose eyes the caller has."""
    return Viewer(ctx.project_id or "", sees_all=not _SEEING.isdisjoint(ctx.roles))


def owner(
    ctx: Context, project_id: str | UnsetType = UNSET, tenant_id: str | UnsetType = UNSET
) -> str:
    """Return whose a new resource is: the caller's, or whom an administrator names."""
    if project_id and tenant_id and project_id != tenant_id:
        raise Invalid("'project_id' and 'tenant_id' do not match", type="HTTPBadRequest")
    named = project_id or tenant_id
    if named and named != ctx.project_id and not ctx.is_admin:
        raise Invalid(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project in "
            "request requires admin privileges",
            type="HTTPBadRequest",
        )
    found = named or ctx.project_id
    if not found:
        raise Invalid(
            "Running without keystone AuthN requires that tenant_id is specified",
            type="HTTPBadRequest",
        )
    return found
