"""Trunks: ports that carry other ports' frames, each with a tag."""

from collections.abc import Sequence
from typing import Literal

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit import clock
from cumulo.kit.errors import Conflict, NotFound
from cumulo.kit.ids import new_id
from cumulo.services.network import journal, ports, quotas, refusals, spelling, tags, trunk_ports
from cumulo.services.network.owners import owner, viewer
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, LooseBool, LooseInt, Text
from cumulo.services.network.store import listing, sharing, standard, tables
from cumulo.services.network.store import networks as network_store
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import tags as tag_store
from cumulo.services.network.store import trunks as store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.ports import Port
from cumulo.services.network.store.trunks import Subport as Subport
from cumulo.services.network.store.trunks import Trunk


class SubportSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A port that a trunk is to carry, and with which tag."""

    port_id: Id
    segmentation_type: Literal["vlan", "inherit"] | UnsetType = UNSET
    segmentation_id: LooseInt | UnsetType = UNSET


class TrunkSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a trunk it wants."""

    port_id: Id
    name: Text = ""
    description: Text = ""
    admin_state_up: LooseBool = True
    sub_ports: list[SubportSpec] = []
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


class TrunkChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a trunk."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    admin_state_up: LooseBool | UnsetType = UNSET


class Details(msgspec.Struct, frozen=True):
    """A trunk with what is kept outside of its row."""

    trunk: Trunk
    status: str  # its port's
    sub_ports: list[Subport]
    tags: list[str]


def not_found(trunk_id: str) -> NotFound:
    """Return the error for a trunk that is not, or not for this caller."""
    return NotFound(f"Trunk {trunk_id} could not be found.", type="TrunkNotFound")


def trunk_visible(tx: Tx, ctx: Context, trunk_id: str) -> Trunk:
    """Return a trunk the caller may know of; to anyone else it does not exist."""
    seen = sharing.owned(tables.trunk, viewer(ctx))
    found = standard.find(tx, tables.trunk, Trunk, trunk_id, seen)
    if found is None:
        raise not_found(trunk_id)
    return found


def create_trunk(tx: Tx, ctx: Context, settings: NetworkSettings, spec: TrunkSpec) -> Trunk:
    """Record that a port is a trunk."""
    project_id, now = owner(ctx, spec.project_id, spec.tenant_id), clock.now()
    _check_apart(spec.sub_ports)
    parent = ports.port_visible(tx, ctx, spec.port_id)
    trunk_ports.check_unused(tx, parent)
    quotas.take(tx, settings, project_id, "trunk")
    trunk = Trunk(
        id=new_id(),
        project_id=project_id,
        name=spec.name,
        description=spec.description,
        revision_number=1,
        created_at=now,
        updated_at=now,
        admin_state_up=spec.admin_state_up,
        port_id=parent.id,
    )
    standard.insert(tx, tables.trunk, trunk)
    _add(tx, ctx, trunk, parent, spec.sub_ports)
    journal.created(tx, ctx, "trunk", trunk)
    return trunk


def _check_apart(wanted: Sequence[SubportSpec]) -> None:
    """Refuse subports of which one could not be told from another."""
    numbers = [one.segmentation_id for one in wanted if one.segmentation_id is not None]
    spelling.check_unique(numbers, "sub_ports")


def _add(tx: Tx, ctx: Context, trunk: Trunk, parent: Port, wanted: Sequence[SubportSpec]) -> None:
    for spec in wanted:
        _check_segment(spec)
        port = ports.port_visible(tx, ctx, spec.port_id)
        kind, number = _segment(tx, spec, port)
        trunk_ports.check_unused(tx, port)
        if port.id == parent.id or port.device_id:
            raise Conflict(
                f"Port {port.id} is in use by another device and cannot be a subport.",
                type="PortInUse",
            )
        present = store.subports_of(tx, [trunk.id]).get(trunk.id, [])
        if any(one.segmentation_id == number for one in present):
            raise Conflict(
                f"segmentation_type {kind} and segmentation_id {number} already in use on trunk "
                f"{trunk.id}.",
                type="DuplicateSubPort",
            )
        standard.insert(tx, tables.subport, Subport(port.id, trunk.id, kind, number))
        trunk_ports.take(tx, ctx, trunk.id, port, parent.host)


def _segment(tx: Tx, spec: SubportSpec, port: Port) -> tuple[str, int]:
    """Return with which tag a port is to be carried: that asked for, or its network's."""
    if spec.segmentation_type == "inherit":
        network = network_store.networks_by_id(tx, [port.network_id])[port.network_id]
        if network.network_type != "vlan":
            raise refusals.invalid_input(
                "Cannot use 'inherit' segmentation_type without a VLAN network"
            )
        return "vlan", network.segmentation_id or 0
    assert spec.segmentation_type is not UNSET
    assert spec.segmentation_id is not UNSET
    return spec.segmentation_type, spec.segmentation_id


def _check_segment(spec: SubportSpec) -> None:
    """Refuse a tag that is none; one that is to be the network's is not said."""
    if spec.segmentation_type == "inherit":
        return
    number = spec.segmentation_id
    if spec.segmentation_type is UNSET or number is UNSET:
        raise refusals.invalid_input(
            f"Invalid segmentation details for subport {spec.port_id}: segmentation_type and "
            "segmentation_id are required"
        )
    if not 1 <= number <= 4094:
        raise refusals.invalid_input(f"Invalid value for 'segmentation_id', '{number}'")


def update_trunk(
    tx: Tx, ctx: Context, trunk: Trunk, wanted: TrunkChange, revision: int | None = None
) -> Trunk:
    """Change a trunk as it stands at `revision`, if one is given."""
    values = {k: v for k, v in msgspec.structs.asdict(wanted).items() if v is not UNSET}
    if not standard.change(tx, tables.trunk, trunk.id, revision=revision, **values):
        raise LostRace
    after = trunk_visible(tx, ctx, trunk.id)
    journal.updated(tx, ctx, "trunk", trunk, after)
    return after


def add_subports(tx: Tx, ctx: Context, trunk: Trunk, wanted: Sequence[SubportSpec]) -> Trunk:
    """Have a trunk carry more ports."""
    _check_enabled(trunk)
    _touch(tx, trunk)
    _add(tx, ctx, trunk, ports.port_get(tx, trunk.port_id), wanted)
    return _logged(tx, ctx, trunk)


def remove_subports(tx: Tx, ctx: Context, trunk: Trunk, gone: Sequence[SubportSpec]) -> Trunk:
    """Have a trunk carry fewer ports."""
    _check_enabled(trunk)
    _touch(tx, trunk)
    present = {one.port_id for one in store.subports_of(tx, [trunk.id]).get(trunk.id, [])}
    for one in gone:
        if one.port_id not in present:
            raise NotFound(
                f"SubPort on trunk {trunk.id} with parent port {one.port_id} could not be found.",
                type="SubPortNotFound",
            )
        trunk_ports.release(tx, ctx, ports.port_get(tx, one.port_id))
    return _logged(tx, ctx, trunk)


def _check_enabled(trunk: Trunk) -> None:
    if not trunk.admin_state_up:
        raise Conflict(f"Trunk {trunk.id} is currently disabled.", type="TrunkDisabled")


def _touch(tx: Tx, trunk: Trunk) -> None:
    """Keep two who change a trunk's ports at once from giving one tag twice."""
    if not standard.change(tx, tables.trunk, trunk.id, revision=trunk.revision_number):
        raise LostRace


def _logged(tx: Tx, ctx: Context, trunk: Trunk) -> Trunk:
    after = trunk_visible(tx, ctx, trunk.id)
    journal.updated(tx, ctx, "trunk", trunk, after)
    return after


def delete_trunk(tx: Tx, ctx: Context, trunk: Trunk) -> None:
    """Forget that a port is a trunk; its subports are ports like others again."""
    if not trunk.admin_state_up:
        raise Conflict(f"Trunk {trunk.id} is currently disabled.", type="TrunkDisabled")
    for one in store.subports_of(tx, [trunk.id]).get(trunk.id, []):
        trunk_ports.release(tx, ctx, ports.port_get(tx, one.port_id))
    tags.forget(tx, trunk.id)
    if not standard.remove(tx, tables.trunk, trunk.id):
        raise not_found(trunk.id)
    quotas.give_back(tx, trunk.project_id, "trunk")
    journal.deleted(tx, ctx, "trunk", trunk)


def _in_status(values: list[str]) -> sa.ColumnElement[bool]:
    active = tables.trunk.c.port_id.in_(
        sa.select(tables.port.c.id).where(tables.port.c.status == "ACTIVE")
    )
    conditions = {"ACTIVE": active, "DOWN": sa.not_(active)}
    return sa.or_(sa.false(), *(conditions[value] for value in values if value in conditions))


_SHAPE = listing.Shape(
    tables.trunk,
    listing.columns_of(tables.trunk, "name", "admin_state_up", "port_id"),
    {"status": _in_status},
)


def list_trunks(tx: Tx, ctx: Context, wanted: Listing) -> list[Details]:
    """Return the trunks the caller may know of."""
    rows = listing.rows(tx, _SHAPE, sharing.owned(tables.trunk, viewer(ctx)), wanted)
    return details(tx, [Trunk(*row) for row in rows])


def details(tx: Tx, trunks: Sequence[Trunk]) -> list[Details]:
    """Return the trunks with their subports and tags."""
    ids = [trunk.id for trunk in trunks]
    parents = port_store.ports_by_id(tx, [trunk.port_id for trunk in trunks])
    subports, words = store.subports_of(tx, ids), tag_store.tags_map(tx, ids)
    return [
        Details(
            one,
            "ACTIVE" if parents[one.port_id].status == "ACTIVE" else "DOWN",
            subports.get(one.id, []),
            words.get(one.id, []),
        )
        for one in trunks
    ]
