"""Extra specs of flavors."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.kit.errors import Invalid, NotFound
from cumulo.services.compute import flavors
from cumulo.services.compute.api.fields import MetadataKey, MetadataValue
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.extra_specs import check_extra_spec
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-flavor-extra-specs"
_Specs: TypeAlias = dict[MetadataKey, MetadataValue | int | float]
_OneSpec: TypeAlias = Annotated[_Specs, Meta(min_length=1, max_length=1)]


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """Extra specs to add or change."""

    extra_specs: _Specs


class ExtraSpecs(msgspec.Struct):
    """The extra specs of a flavor."""

    extra_specs: dict[str, str]


@routes.get("/v2.1/flavors/{flavor_id}/os-extra_specs", policy=f"{_RULE}:index")
def list_extra_specs(call: Call, flavor_id: str) -> ExtraSpecs:
    """List a flavor's extra specs."""
    check_known(call, since=(2, 102))
    return ExtraSpecs(call.db.read(flavors.flavor_visible, call.ctx, flavor_id).extra_specs)


@routes.post("/v2.1/flavors/{flavor_id}/os-extra_specs", policy=f"{_RULE}:create")
def create_extra_specs(call: Call, flavor_id: str, body: CreateBody) -> CreateBody:
    """Add or change extra specs of a flavor; those not named stay."""
    specs = _checked(call, body.extra_specs)
    call.db.write(flavors.set_extra_specs, call.ctx, flavor_id, specs)
    return body


@routes.get("/v2.1/flavors/{flavor_id}/os-extra_specs/{key}", policy=f"{_RULE}:show")
def show_extra_spec(call: Call, flavor_id: str, key: str) -> Reply:
    """Show one extra spec of a flavor."""
    check_known(call, since=(2, 102))
    specs = call.db.read(flavors.flavor_visible, call.ctx, flavor_id).extra_specs
    if key not in specs:
        raise NotFound(f"Flavor {flavor_id} has no extra specs with key {key}.", key=key)
    return Reply({key: specs[key]})


@routes.put("/v2.1/flavors/{flavor_id}/os-extra_specs/{key}", policy=f"{_RULE}:update")
def update_extra_spec(call: Call, flavor_id: str, key: str, body: _OneSpec) -> Reply:
    """Change one extra spec of a flavor."""
    specs = _checked(call, body)
    if key not in specs:
        raise Invalid("Request body and URI mismatch", field=key)
    call.db.write(flavors.set_extra_specs, call.ctx, flavor_id, specs)
    return Reply(body)


@routes.delete("/v2.1/flavors/{flavor_id}/os-extra_specs/{key}", policy=f"{_RULE}:delete")
def delete_extra_spec(call: Call, flavor_id: str, key: str) -> None:
    """Delete one extra spec of a flavor."""
    call.db.write(flavors.delete_extra_spec, call.ctx, flavor_id, key)


def _checked(call: Call, specs: Mapping[str, str | int | float]) -> dict[str, str]:
    """Return the specs as text; from 2.86 on, what is known must make sense."""
    texts = {key: str(value) for key, value in specs.items()}
    for key, value in texts.items():
        if len(value) > 255:
            raise Invalid(f"extra_specs value of {key} has more than 255 characters.", field=key)
        if call.version >= (2, 86):
            check_extra_spec(key, value)
    return texts
