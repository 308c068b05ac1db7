"""Segments: the parts of a network on several wires, made and taken away by administrators."""

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.auth import Context
from cumulo.db import LostRace, Tx
from cumulo.kit.errors import Conflict
from cumulo.services.network import journal, owners, refusals, segment_claims
from cumulo.services.network.networks import network_get, network_visible
from cumulo.services.network.segment_reach import bound_segment
from cumulo.services.network.settings import NetworkSettings
from cumulo.services.network.spelling import Id, LooseInt, Text
from cumulo.services.network.store import changes, host_links, listing, standard, tables
from cumulo.services.network.store import ports as port_store
from cumulo.services.network.store import segments as store
from cumulo.services.network.store import subnets as subnet_store
from cumulo.services.network.store.listing import Listing
from cumulo.services.network.store.networks import Network
from cumulo.services.network.store.segments import Segment
from cumulo.services.network.store.segments import SegmentRow as SegmentRow


class SegmentSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client says about a segment it wants."""

    network_id: Id
    network_type: str
    physical_network: str | UnsetType = UNSET
    segmentation_id: LooseInt | UnsetType = UNSET
    name: Text | None = None
    description: Text | None = None
    project_id: Text | UnsetType = UNSET
    tenant_id: Text | UnsetType = UNSET


class SegmentChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a client wants changed about a segment; what it is on the wire stays."""

    name: Text | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET


def segment_get(tx: Tx, segment_id: str) -> SegmentRow:
    """Return a segment; that none but administrators see it is for rules to say."""
    found = store.segment_find(tx, segment_id)
    if found is None:
        raise refusals.segment_not_found(segment_id)
    return found


_SHAPE = listing.Shape(
    tables.segment,
    {
        name: tables.segment.c[name]
        for name in (
            "id",
            "network_id",
            "network_type",
            "physical_network",
            "segmentation_id",
            "name",
            "description",
            "revision_number",
            "created_at",
            "updated_at",
        )
    },
)


def list_segments(tx: Tx, ctx: Context, wanted: Listing) -> list[SegmentRow]:
    """Return segments, whoever asks."""
    rows = listing.rows(tx, _SHAPE, listing.ANY, wanted)
    return [store.segment_of(row) for row in rows]


def create_segment(
    tx: Tx, ctx: Context, settings: NetworkSettings, spec: SegmentSpec
) -> SegmentRow:
    """Give a network one segment more, after those that it has."""
    owners.owner(ctx, spec.project_id, spec.tenant_id)  # which may be said, and is not kept
    network = network_visible(tx, ctx, spec.network_id)
    others = store.segments_of(tx, network.id)
    wanted = Segment(
        spec.network_type,
        spec.physical_network or None,
        None if spec.segmentation_id is UNSET else spec.segmentation_id,
    )
    _check_one_way(wanted, others)
    position = others[-1].position + 1 if others else 0
    segment_claims.claim(tx, settings, network.id, wanted, position)
    made = store.segments_of(tx, network.id)[-1]
    store.segment_describe(tx, made.id, spec.name, spec.description)
    _follow(tx, network)
    made = segment_get(tx, made.id)
    journal.created(tx, ctx, "segment", made)
    return made


def _check_one_way(wanted: Segment, others: list[SegmentRow]) -> None:
    """Refuse a second segment on one wire: a host has one way there for a network."""
    name = wanted.physical_network
    for other in others:
        if name and other.physical_network == name:
            raise refusals.invalid_input(
                f"physical_network '{name}' is that of the network's segment {other.id} already; "
                "name another"
            )


def _follow(tx: Tx, network: Network) -> None:
    """Let the network be what its first segment is, and the backend be told."""
    left = store.segments_of(tx, network.id)
    first: Segment | SegmentRow = left[0] if left else Segment("")
    same = standard.change(
        tx,
        tables.network,
        network.id,
        revision=network.revision_number,
        network_type=first.network_type,
        physical_network=first.physical_network,
        segmentation_id=first.segmentation_id,
    )
    if not same:
        raise LostRace  # somebody ties a subnet to a segment, or makes one, just now
    changes.mark(tx, "network", [network.id])


def update_segment(
    tx: Tx, ctx: Context, segment: SegmentRow, wanted: SegmentChange, revision: int | None
) -> SegmentRow:
    """Change how a segment as it stands at `revision`, if one is given, is called."""
    values = {k: v for k, v in msgspec.structs.asdict(wanted).items() if v is not UNSET}
    if not standard.change(tx, tables.segment, segment.id, revision=revision, **values):
        raise LostRace
    after = segment_get(tx, segment.id)
    journal.updated(tx, ctx, "segment", segment, after)
    return after


def delete_segment(tx: Tx, ctx: Context, segment: SegmentRow) -> None:
    """Take a segment from its network that no subnet is tied to and no port reaches it by."""
    subnets = subnet_store.subnets_of_segment(tx, segment.id)
    if subnets:
        tied = ", ".join(subnets)
        raise _in_use(segment, f"The segment is still associated with subnet(s) {tied}")
    bound = _ports_bound(tx, segment)
    if bound:
        raise _in_use(segment, f"The segment is still bound with {bound} port(s)")
    if not standard.remove(tx, tables.segment, segment.id):
        raise refusals.segment_not_found(segment.id)
    _follow(tx, network_get(tx, segment.network_id))
    journal.deleted(tx, ctx, "segment", segment)


def _ports_bound(tx: Tx, segment: SegmentRow) -> int:
    """Count the ports whose host reaches the network by this segment."""
    among, links = store.segments_of(tx, segment.network_id), host_links.all_links(tx)
    hosts = [port.host for port in port_store.ports_of_network(tx, segment.network_id)]
    by = [bound_segment(among, links.get(host, set())) for host in hosts if host]
    return sum(1 for one in by if one == segment.id)


def _in_use(segment: SegmentRow, reason: str) -> Conflict:
    return Conflict(f"Segment '{segment.id}' cannot be deleted: {reason}.", type="SegmentInUse")
