"""Transfers: volumes given to another project."""

from collections.abc import Callable
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cumulo.kit.clock import iso_bare
from cumulo.services.volume import transfers
from cumulo.services.volume.api.fields import Name, Uuid
from cumulo.services.volume.api.links import Link, Place
from cumulo.services.volume.api.queries import Lists, wanted_of
from cumulo.services.volume.tools import VolumeTools
from cumulo.services.volume.transfers import Transfer
from cumulo.web import Call as _Call
from cumulo.web import LooseBool, Routes, since

Call: TypeAlias = _Call[VolumeTools]
routes = Routes()

LISTS = Lists(
    filters={"id": "id", "name": "name", "volume_id": "volume_id"},
    sort_keys={"id": "id", "name": "name", "created_at": "created_at", "volume_id": "volume_id"},
)


class TransferSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which volume is offered."""

    volume_id: Uuid
    name: Name | None = None
    no_snapshots: Annotated[LooseBool, since("3.55")] = False


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The transfer to be made."""

    transfer: TransferSpec


class AcceptSpec(msgspec.Struct, forbid_unknown_fields=True):
    """The key that came with the offer."""

    auth_key: Annotated[str, Meta(min_length=1, max_length=255)]


class AcceptBody(msgspec.Struct, forbid_unknown_fields=True):
    """The key that came with the offer."""

    accept: AcceptSpec


class TransferSummary(msgspec.Struct, kw_only=True):
    """A transfer in a list."""

    id: str
    volume_id: str
    name: str | None
    links: list[Link]


class TransferView(TransferSummary, kw_only=True):
    """A transfer."""

    created_at: str
    auth_key: str | UnsetType = UNSET
    no_snapshots: Annotated[bool, since("3.55")] = False
    source_project_id: Annotated[str, since("3.57")]
    destination_project_id: Annotated[str | None, since("3.57")] = None
    accepted: Annotated[bool, since("3.57")] = False


class TransferBody(msgspec.Struct):
    """A transfer."""

    transfer: TransferView


class SummaryBody(msgspec.Struct):
    """A transfer that was accepted."""

    transfer: TransferSummary


class SummariesBody(msgspec.Struct):
    """A page of transfers."""

    transfers: list[TransferSummary]


class TransfersBody(msgspec.Struct):
    """A page of transfers with their details."""

    transfers: list[TransferView]


def list_transfers(call: Call) -> SummariesBody:
    """List the volumes that are offered."""
    found = call.db.read(transfers.list_transfers, wanted_of(call, LISTS))
    return SummariesBody([_summary(call, one) for one in found])


def list_transfers_with_details(call: Call) -> TransfersBody:
    """List the volumes that are offered, with details."""
    found = call.db.read(transfers.list_transfers, wanted_of(call, LISTS))
    return TransfersBody([_view(call, one) for one in found])


def create_transfer(call: Call, body: CreateBody) -> TransferBody:
    """Offer a volume to whoever has the key, which only this answer tells."""
    spec = body.transfer
    with_snapshots = call.version >= (3, 55) and not spec.no_snapshots
    made, key = call.db.write(
        transfers.new_transfer,
        call.ctx,
        spec.volume_id,
        spec.name,
        with_snapshots=with_snapshots,
        may_be_encrypted=call.version >= (3, 70),
    )
    view = _view(call, made)
    view.auth_key = key
    return TransferBody(view)


def show_transfer(call: Call, transfer_id: str) -> TransferBody:
    """Show a volume that is offered."""
    return TransferBody(
        _view(call, call.db.read(transfers.transfer_visible, call.ctx, transfer_id))
    )


def delete_transfer(call: Call, transfer_id: str) -> None:
    """Offer a volume no more."""
    call.db.write(transfers.delete_transfer, call.ctx, transfer_id)


def accept_transfer(call: Call, transfer_id: str, body: AcceptBody) -> SummaryBody:
    """Take a volume that is offered."""
    defaults, key = call.tools.settings.quota, body.accept.auth_key
    found = call.db.write(transfers.accept_transfer, call.ctx, defaults, transfer_id, key)
    return SummaryBody(_summary(call, found))


def _summary(call: Call, one: Transfer) -> TransferSummary:
    links = Place(call, "os-volume-transfer").links(one.id)
    return TransferSummary(id=one.id, volume_id=one.volume_id, name=one.name, links=links)


def _view(call: Call, one: Transfer) -> TransferView:
    return TransferView(
        id=one.id,
        volume_id=one.volume_id,
        name=one.name,
        links=Place(call, "os-volume-transfer").links(one.id),
        created_at=iso_bare(one.created_at),
        no_snapshots=not one.with_snapshots,
        source_project_id=one.project_id,
        destination_project_id=one.destination_project_id,
        accepted=one.is_accepted,
    )


_OPERATIONS: list[tuple[str, str, str, int, Callable[..., msgspec.Struct | None]]] = [
    ("GET", "", "get_all_transfers", 200, list_transfers),
    ("GET", "/detail", "get_all_transfers", 200, list_transfers_with_details),
    ("POST", "", "create_transfer", 202, create_transfer),
    ("GET", "/{transfer_id}", "get_transfer", 200, show_transfer),
    ("DELETE", "/{transfer_id}", "delete_transfer", 202, delete_transfer),
    ("POST", "/{transfer_id}/accept", "accept_transfer", 202, accept_transfer),
]
# Under two names: the first is older, the second came when snapshots could go along.
for _place, _since in (("/v3/os-volume-transfer", None), ("/v3/volume-transfers", "3.55")):
    for _method, _path, _rule, _status, _do in _OPERATIONS:
        routes.add(_method, _place + _path, policy=f"volume:{_rule}", status=_status, since=_since)(
            _do
        )
