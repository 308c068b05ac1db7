"""Tags: words that whoever owns a resource puts on it."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import msgspec
import sqlalchemy as sa

from cumulo.auth import Context
from cumulo.db import Tx
from cumulo.kit.errors import NotFound
from cumulo.services.network import journal, refusals
from cumulo.services.network.journal import Caller
from cumulo.services.network.owners import viewer
from cumulo.services.network.store import sharing, standard, tables
from cumulo.services.network.store import tags as store
from cumulo.services.network.store.sharing import Viewer

MOST, LONGEST = 50, 255
Collections: TypeAlias = Mapping[str, tuple[str, sa.Table]]
# What may carry tags: its rule's name and its table, by the collection's name in a path.
TAGGED: Collections = {
    "networks": ("network", tables.network),
    "subnets": ("subnet", tables.subnet),
    "ports": ("port", tables.port),
    "routers": ("router", tables.router),
    "subnetpools": ("subnetpool", tables.subnetpool),
    "policies": ("policy", tables.qos_policy),
    "trunks": ("trunk", tables.trunk),
    "floatingips": ("floatingip", tables.floatingip),
    "security-groups": ("security_group", tables.security_group),
    "security_groups": ("security_group", tables.security_group),
}


class Carrier(msgspec.Struct, frozen=True):
    """Something that may carry tags, and whose it is."""

    collection: str
    id: str
    project_id: str


class Tagged(msgspec.Struct, frozen=True):
    """What the log says of a change of tags."""

    id: str
    project_id: str
    tags: list[str]


def check_visible(tx: Tx, ctx: Context, collection: str, resource_id: str) -> dict[str, object]:
    """Return the facts that rules want of a resource; without the right to see it, it is not."""
    _, table = TAGGED[collection]
    found = tx.execute(
        sa.select(table).where(table.c.id == resource_id, _seen(collection, viewer(ctx)))
    ).one_or_none()
    if found is None:
        raise NotFound(
            f"Resource {collection} {resource_id} could not be found.", type="TagResourceNotFound"
        )
    facts: dict[str, object] = {"project_id": found.project_id}
    network_id = getattr(found, "network_id", resource_id)
    network = tables.network.c
    row = tx.execute(
        sa.select(network.project_id, network.external).where(network.id == network_id)
    ).one_or_none()
    if row is not None:
        shared = sharing.shared_with(tx, ctx.project_id or "", [network_id])
        facts |= {"network:project_id": row.project_id, "router:external": row.external}
        facts |= {"shared": bool(shared)}
    return facts


def _seen(collection: str, eyes: Viewer) -> sa.ColumnElement[bool]:
    special = {
        "networks": sharing.networks_seen,
        "subnets": sharing.subnets_seen,
        "ports": sharing.ports_seen,
    }
    if collection in ("subnetpools", "policies", "security-groups", "security_groups"):
        return sharing.lent(TAGGED[collection][1], eyes)
    if collection in special:
        return special[collection](eyes)
    return sharing.owned(TAGGED[collection][1], eyes)


def tags_of(tx: Tx, resource_id: str) -> list[str]:
    """Return the resource's tags, in alphabetical order."""
    return store.tags_map(tx, [resource_id]).get(resource_id, [])


def check(words: Sequence[str]) -> None:
    """Refuse tags that are too long, or said twice."""
    if any(not 0 < len(word) <= LONGEST for word in words):
        raise refusals.invalid_input(f"A tag must have 1 to {LONGEST} characters")
    if len(set(words)) < len(words):
        raise refusals.invalid_input("Duplicate items in the list of tags")


def replace(tx: Tx, by: Caller, carrier: Carrier, words: Sequence[str]) -> list[str]:
    """Let the resource carry these tags and no others."""
    check(words)
    return _set(tx, by, carrier, words)


def add(tx: Tx, by: Caller, carrier: Carrier, words: Sequence[str]) -> list[str]:
    """Put tags on the resource; those it carries it keeps."""
    check(words)
    return _set(tx, by, carrier, {*tags_of(tx, carrier.id), *words})


def remove(tx: Tx, by: Caller, carrier: Carrier, word: str) -> None:
    """Take one tag off the resource."""
    check_carried(tx, carrier.id, word)
    _set(tx, by, carrier, {*tags_of(tx, carrier.id)} - {word})


def _set(tx: Tx, by: Caller, carrier: Carrier, words: Collection[str]) -> list[str]:
    _check_count(carrier.collection, words)
    noun, table = TAGGED[carrier.collection]
    present = tags_of(tx, carrier.id)
    store.tags_delete(tx, carrier.id, [word for word in present if word not in words])
    store.tags_insert(tx, carrier.id, [word for word in words if word not in present])
    standard.change(tx, table, carrier.id)
    after = tags_of(tx, carrier.id)
    before = Tagged(carrier.id, carrier.project_id, present)
    journal.updated(tx, by, noun, before, Tagged(carrier.id, carrier.project_id, after))
    return after


def check_carried(tx: Tx, resource_id: str, word: str) -> None:
    """Refuse a tag that the resource does not carry."""
    if word not in tags_of(tx, resource_id):
        raise NotFound(f"Tag {word} could not be found.", type="TagNotFound")


def put_first(tx: Tx, collection: str, resource_id: str, words: Sequence[str]) -> None:
    """Put tags on a resource that is being made."""
    check(words)
    _check_count(collection, words)
    store.tags_insert(tx, resource_id, sorted(words))


def _check_count(collection: str, words: Collection[str]) -> None:
    if len(words) > MOST:
        raise refusals.bad_request(
            TAGGED[collection][0],
            f"The number of tags exceed the per-resource limit of {MOST}",
        )


def forget(tx: Tx, resource_id: str) -> None:
    """Take all tags off a resource that goes away."""
    store.tags_delete(tx, resource_id)
