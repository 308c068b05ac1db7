"""QoS specs, and the types they are associated with."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.kit.errors import Invalid
from cumulo.services.volume import qos_specs
from cumulo.services.volume.api.links import Link, Place
from cumulo.services.volume.api.queries import flag
from cumulo.services.volume.qos_specs import QosSpecs
from cumulo.services.volume.tools import VolumeTools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()
_ALL, _ONE = "/v3/qos-specs", "/v3/qos-specs/{qos_id}"
_RULE = "volume_extension:qos_specs_manage"
Specs: TypeAlias = dict[Annotated[str, Meta(min_length=1, max_length=255)], str]


class SpecsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Keys of specs."""

    qos_specs: Specs


class KeysBody(msgspec.Struct, forbid_unknown_fields=True):
    """Keys to remove."""

    keys: list[Annotated[str, Meta(min_length=1, max_length=255)]]


class QosView(msgspec.Struct):
    """QoS specs."""

    id: str
    name: str
    consumer: str
    specs: dict[str, str]


class QosBody(msgspec.Struct):
    """QoS specs."""

    qos_specs: QosView
    links: list[Link]


class QosListBody(msgspec.Struct):
    """All QoS specs."""

    qos_specs: list[QosView]


class AssociationView(msgspec.Struct, kw_only=True):
    """A type whose volumes are limited so."""

    association_type: str = "volume_type"
    name: str
    id: str


class AssociationsBody(msgspec.Struct):
    """The types whose volumes are limited so."""

    qos_associations: list[AssociationView]


class DeleteQuery(msgspec.Struct):
    """Whether types may be associated."""

    force: str = "false"


class TypeQuery(msgspec.Struct):
    """Which type."""

    vol_type_id: str | None = None


@routes.get(_ALL, policy=f"{_RULE}:get_all")
def list_qos_specs(call: Call) -> QosListBody:
    """List QoS specs."""
    return QosListBody([_view(one) for one in call.db.read(qos_specs.list_qos)])


@routes.post(_ALL, policy=f"{_RULE}:create")
def create_qos_specs(call: Call, body: SpecsBody) -> QosBody:
    """Create QoS specs."""
    specs = dict(body.qos_specs)
    name = specs.pop("name", "").strip()
    if not name:
        raise Invalid("Please specify a name for QoS specs.", field="name")
    return _shown(call, call.db.write(qos_specs.new_qos, call.ctx, name, specs))


@routes.get(_ONE, policy=f"{_RULE}:get")
def show_qos_specs(call: Call, qos_id: str) -> QosBody:
    """Show QoS specs."""
    return _shown(call, call.db.read(qos_specs.qos_get, qos_id))


@routes.put(_ONE, policy=f"{_RULE}:update")
def set_qos_keys(call: Call, qos_id: str, body: SpecsBody) -> SpecsBody:
    """Add or change keys of QoS specs."""
    call.db.write(qos_specs.set_keys, call.ctx, qos_id, body.qos_specs)
    return body


@routes.put(f"{_ONE}/delete_keys", policy=f"{_RULE}:delete", status=202)
def delete_qos_keys(call: Call, qos_id: str, body: KeysBody) -> None:
    """Remove keys of QoS specs."""
    call.db.write(qos_specs.delete_keys, call.ctx, qos_id, body.keys)


@routes.delete(_ONE, policy=f"{_RULE}:delete", status=202)
def delete_qos_specs(call: Call, qos_id: str, query: DeleteQuery) -> None:
    """Delete QoS specs."""
    force = flag("force", query.force)
    call.db.write(qos_specs.delete_qos, call.ctx, qos_id, force=force)


@routes.get(f"{_ONE}/associations", policy=f"{_RULE}:get_all")
def list_qos_associations(call: Call, qos_id: str) -> AssociationsBody:
    """List the types whose volumes are limited so."""
    found = call.db.read(qos_specs.associations, qos_id)
    return AssociationsBody([AssociationView(name=one.name, id=one.id) for one in found])


@routes.get(f"{_ONE}/associate", policy=f"{_RULE}:update", status=202)
def associate_qos_specs(call: Call, qos_id: str, query: TypeQuery) -> None:
    """Limit the volumes of a type."""
    call.db.write(qos_specs.associate, call.ctx, qos_id, _type(query))


@routes.get(f"{_ONE}/disassociate", policy=f"{_RULE}:update", status=202)
def disassociate_qos_specs(call: Call, qos_id: str, query: TypeQuery) -> None:
    """Limit the volumes of a type no more."""
    call.db.write(qos_specs.disassociate, call.ctx, qos_id, _type(query))


@routes.get(f"{_ONE}/disassociate_all", policy=f"{_RULE}:update", status=202)
def disassociate_all_qos_specs(call: Call, qos_id: str) -> None:
    """Limit the volumes of no type."""
    call.db.write(qos_specs.disassociate, call.ctx, qos_id, None)


def _type(query: TypeQuery) -> str:
    if query.vol_type_id is None:
        raise Invalid("Volume Type id must not be None.", field="vol_type_id")
    return query.vol_type_id


def _view(one: QosSpecs) -> QosView:
    return QosView(one.id, one.name, one.consumer, one.specs)


def _shown(call: Call, one: QosSpecs) -> QosBody:
    return QosBody(_view(one), Place(call, "qos-specs").links(one.id))
