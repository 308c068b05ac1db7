"""Trunks over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import trunks
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.requests import within
from cumulo.services.network.tools import Tools
from cumulo.services.network.trunks import (
    Details,
    Subport,
    SubportSpec,
    TrunkChange,
    TrunkSpec,
)
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One trunk, or many at once."""

    trunk: TrunkSpec | UnsetType = UNSET
    trunks: Annotated[list[TrunkSpec], within("trunk")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    trunk: TrunkChange


class SubportsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Ports to carry, or to carry no more."""

    sub_ports: list[SubportSpec]


class SubportView(msgspec.Struct):
    """A port that a trunk carries, as clients see it."""

    port_id: str
    segmentation_type: str
    segmentation_id: int


class TrunkView(StandardView, kw_only=True):
    """A trunk as clients see it."""

    admin_state_up: bool | UnsetType
    status: str | UnsetType
    port_id: str | UnsetType
    sub_ports: list[SubportView] | UnsetType


@routes.get("/v2.0/trunks", policy="regular_user")
def list_trunks(call: Call[Tools]) -> Answer:
    """List the trunks of the project."""
    return TRUNK.listed(call, trunks.list_trunks)


@routes.post("/v2.0/trunks", policy="create_trunk", status=201)
def create_trunk(call: Call[Tools], body: CreateBody) -> Answer:
    """Make a port carry the frames of others, each with a tag."""
    return TRUNK.created(call, body, _create)


@routes.get("/v2.0/trunks/{trunk_id}", policy="regular_user")
def show_trunk(call: Call[Tools], trunk_id: str) -> Answer:
    """Show a trunk."""
    return TRUNK.shown(call, _details, trunk_id)


@routes.put("/v2.0/trunks/{trunk_id}", policy="regular_user")
def update_trunk(call: Call[Tools], trunk_id: str, body: UpdateBody) -> Answer:
    """Rename a trunk, or keep its subports as they are."""
    return TRUNK.changed(call, call.db.write(_update, call, trunk_id, body.trunk))


@routes.delete("/v2.0/trunks/{trunk_id}", policy="regular_user", status=204)
def delete_trunk(call: Call[Tools], trunk_id: str) -> None:
    """Make a port carry its own frames only."""
    call.db.write(_delete, call, trunk_id)


@routes.put("/v2.0/trunks/{trunk_id}/add_subports", policy="regular_user")
def add_subports(call: Call[Tools], trunk_id: str, body: SubportsBody) -> TrunkView:
    """Have a trunk carry more ports."""
    return _view(call, call.db.write(_add_subports, call, trunk_id, body.sub_ports))


@routes.put("/v2.0/trunks/{trunk_id}/remove_subports", policy="regular_user")
def remove_subports(call: Call[Tools], trunk_id: str, body: SubportsBody) -> TrunkView:
    """Have a trunk carry fewer ports."""
    return _view(call, call.db.write(_remove_subports, call, trunk_id, body.sub_ports))


@routes.get("/v2.0/trunks/{trunk_id}/get_subports", policy="regular_user")
def list_subports(call: Call[Tools], trunk_id: str) -> Answer:
    """List the ports that a trunk carries."""
    found = call.db.read(_details, call, trunk_id)
    call.ctx.require("get_subports", project_id=found.trunk.project_id)
    return {"sub_ports": [_subport(one) for one in found.sub_ports]}


def _create(tx: Tx, call: Call[Tools], specs: Sequence[TrunkSpec]) -> list[Details]:
    made = []
    for spec in specs:
        TRUNK.check_create(call, spec)
        made.append(trunks.create_trunk(tx, call.ctx, call.tools.settings, spec))
    return trunks.details(tx, made)


def _details(tx: Tx, call: Call[Tools], trunk_id: str) -> Details:
    return trunks.details(tx, [trunks.trunk_visible(tx, call.ctx, trunk_id)])[0]


def _update(tx: Tx, call: Call[Tools], trunk_id: str, wanted: TrunkChange) -> Details:
    before = _details(tx, call, trunk_id)
    revision = TRUNK.check_update(call, before, wanted)
    after = trunks.update_trunk(tx, call.ctx, before.trunk, wanted, revision)
    return trunks.details(tx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], trunk_id: str) -> None:
    found = _details(tx, call, trunk_id)
    TRUNK.check_delete(call, found)
    trunks.delete_trunk(tx, call.ctx, found.trunk)


def _add_subports(
    tx: Tx, call: Call[Tools], trunk_id: str, wanted: Sequence[SubportSpec]
) -> Details:
    trunk = trunks.trunk_visible(tx, call.ctx, trunk_id)
    call.ctx.require("add_subports", project_id=trunk.project_id)
    return trunks.details(tx, [trunks.add_subports(tx, call.ctx, trunk, wanted)])[0]


def _remove_subports(
    tx: Tx, call: Call[Tools], trunk_id: str, gone: Sequence[SubportSpec]
) -> Details:
    trunk = trunks.trunk_visible(tx, call.ctx, trunk_id)
    call.ctx.require("remove_subports", project_id=trunk.project_id)
    return trunks.details(tx, [trunks.remove_subports(tx, call.ctx, trunk, gone)])[0]


def _subport(one: Subport) -> SubportView:
    return SubportView(one.port_id, one.segmentation_type, one.segmentation_id)


def _view(call: Call[Tools], found: Details) -> TrunkView:
    trunk = found.trunk
    return TrunkView(
        **standard(trunk, found.tags),
        admin_state_up=trunk.admin_state_up,
        status=found.status,
        port_id=trunk.port_id,
        sub_ports=[_subport(one) for one in found.sub_ports],
    )


TRUNK: Noun[Details] = Noun("trunk", "trunks", lambda found: found.trunk, _view, trunks.not_found)
