"""The extra specs of volume types: which back ends will do, and what volumes can."""

from typing import TypeAlias

import msgspec

from cumulo.services.volume import volume_types
from cumulo.services.volume.api.fields import one_of
from cumulo.services.volume.api.types import Specs
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL = "/v3/types/{type_id}/extra_specs"
_ONE = "/v3/types/{type_id}/extra_specs/{key}"
_RULE = "volume_extension:types_extra_specs"


class SpecsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Extra specs of a type."""

    extra_specs: Specs


@routes.get(_ALL, policy=f"{_RULE}:index")
def list_type_extra_specs(call: Call, type_id: str) -> SpecsBody:
    """List a type's extra specs."""
    found = call.db.read(volume_types.type_by_id, call.ctx, type_id)
    return SpecsBody(volume_types.shown_specs(call.ctx, found))


@routes.post(_ALL, policy=f"{_RULE}:create")
def add_type_extra_specs(call: Call, type_id: str, body: SpecsBody) -> SpecsBody:
    """Add to a type's extra specs, or change them."""
    call.db.write(volume_types.set_specs, call.ctx, type_id, body.extra_specs)
    return body


@routes.get(_ONE, policy=f"{_RULE}:show")
def show_type_extra_spec(call: Call, type_id: str, key: str) -> dict[str, str]:
    """Show one of a type's extra specs."""
    return {key: call.db.read(volume_types.spec_of, call.ctx, type_id, key)}


@routes.put(_ONE, policy=f"{_RULE}:update")
def update_type_extra_spec(call: Call, type_id: str, key: str, body: Specs) -> dict[str, str]:
    """Set one of a type's extra specs."""
    specs = one_of(body, key)
    call.db.write(volume_types.set_specs, call.ctx, type_id, specs)
    return specs


@routes.delete(_ONE, policy=f"{_RULE}:delete", status=202)
def delete_type_extra_spec(call: Call, type_id: str, key: str) -> None:
    """Remove one of a type's extra specs."""
    call.db.write(volume_types.delete_spec, call.ctx, type_id, key)
