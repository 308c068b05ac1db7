"""Subnet pools over HTTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from cumulo.db import Tx
from cumulo.services.network import onboarding, subnetpools
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.api.nouns import Noun, StandardView, standard
from cumulo.services.network.api.requests import within
from cumulo.services.network.onboarding import Subnet
from cumulo.services.network.spelling import Id
from cumulo.services.network.subnetpools import (
    Details,
    PrefixesSpec,
    SubnetPoolChange,
    SubnetPoolSpec,
)
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """One subnet pool, or many at once."""

    subnetpool: SubnetPoolSpec | UnsetType = UNSET
    subnetpools: Annotated[list[SubnetPoolSpec], within("subnetpool")] | UnsetType = UNSET


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    subnetpool: SubnetPoolChange


class SubnetPoolView(StandardView, kw_only=True):
    """A subnet pool as clients see it."""

    ip_version: int | UnsetType
    prefixes: list[str] | UnsetType
    default_prefixlen: str | UnsetType  # numbers that this API writes as text
    min_prefixlen: str | UnsetType
    max_prefixlen: str | UnsetType
    default_quota: int | UnsetType | None
    is_default: bool | UnsetType
    address_scope_id: str | UnsetType | None
    shared: bool | UnsetType


@routes.get("/v2.0/subnetpools", policy="regular_user")
def list_subnetpools(call: Call[Tools]) -> Answer:
    """List the subnet pools of the project and those shared with it."""
    return SUBNETPOOL.listed(call, subnetpools.list_pools)


@routes.post("/v2.0/subnetpools", policy="create_subnetpool", status=201)
def create_subnetpool(call: Call[Tools], body: CreateBody) -> Answer:
    """Create a pool that subnets are cut from."""
    return SUBNETPOOL.created(call, body, _create)


@routes.get("/v2.0/subnetpools/{subnetpool_id}", policy="regular_user")
def show_subnetpool(call: Call[Tools], subnetpool_id: str) -> Answer:
    """Show a subnet pool."""
    return SUBNETPOOL.shown(call, _details, subnetpool_id)


@routes.put("/v2.0/subnetpools/{subnetpool_id}", policy="regular_user")
def update_subnetpool(call: Call[Tools], subnetpool_id: str, body: UpdateBody) -> Answer:
    """Change a subnet pool; the prefixes that it has it keeps."""
    return SUBNETPOOL.changed(call, call.db.write(_update, call, subnetpool_id, body.subnetpool))


@routes.delete("/v2.0/subnetpools/{subnetpool_id}", policy="regular_user", status=204)
def delete_subnetpool(call: Call[Tools], subnetpool_id: str) -> None:
    """Delete a subnet pool that no subnet was cut from."""
    call.db.write(_delete, call, subnetpool_id)


@routes.put("/v2.0/subnetpools/{subnetpool_id}/add_prefixes", policy="regular_user")
def add_prefixes(call: Call[Tools], subnetpool_id: str, body: PrefixesSpec) -> Answer:
    """Add prefixes to a subnet pool, whatever others add at the same time."""
    return {"prefixes": call.db.write(_add_prefixes, call, subnetpool_id, body)}


@routes.put("/v2.0/subnetpools/{subnetpool_id}/remove_prefixes", policy="regular_user")
def remove_prefixes(call: Call[Tools], subnetpool_id: str, body: PrefixesSpec) -> Answer:
    """Take prefixes from a subnet pool that no subnet was cut from."""
    return {"prefixes": call.db.write(_remove_prefixes, call, subnetpool_id, body)}


class OnboardSpec(msgspec.Struct, forbid_unknown_fields=True):
    """The network whose subnets are to be of the pool."""

    network_id: Id


class OnboardedSubnet(msgspec.Struct):
    """A subnet that is of the pool now."""

    id: str
    cidr: str


@routes.put("/v2.0/subnetpools/{subnetpool_id}/onboard_network_subnets", policy="regular_user")
def onboard_network_subnets(
    call: Call[Tools], subnetpool_id: str, body: OnboardSpec
) -> list[OnboardedSubnet]:
    """Have the subnets of a network be of the pool, as if they had been cut from it."""
    found = call.db.write(_onboard, call, subnetpool_id, body.network_id)
    return [OnboardedSubnet(one.id, one.cidr) for one in found]


def _onboard(tx: Tx, call: Call[Tools], pool_id: str, network_id: str) -> list[Subnet]:
    pool = subnetpools.pool_visible(tx, call.ctx, pool_id)
    call.ctx.require("onboard_network_subnets", project_id=pool.project_id)
    return onboarding.onboard(tx, call.ctx, pool, network_id)


def _create(tx: Tx, call: Call[Tools], specs: Sequence[SubnetPoolSpec]) -> list[Details]:
    made = []
    for spec in specs:
        SUBNETPOOL.check_create(call, spec)
        made.append(subnetpools.create_pool(tx, call.ctx, call.tools.settings, spec))
    return subnetpools.details(tx, call.ctx, made)


def _details(tx: Tx, call: Call[Tools], pool_id: str) -> Details:
    found = subnetpools.pool_visible(tx, call.ctx, pool_id)
    return subnetpools.details(tx, call.ctx, [found])[0]


def _update(tx: Tx, call: Call[Tools], pool_id: str, wanted: SubnetPoolChange) -> Details:
    before = _details(tx, call, pool_id)
    revision = SUBNETPOOL.check_update(call, before, wanted)
    after = subnetpools.update_pool(tx, call.ctx, before.pool, wanted, revision)
    return subnetpools.details(tx, call.ctx, [after])[0]


def _delete(tx: Tx, call: Call[Tools], pool_id: str) -> None:
    found = _details(tx, call, pool_id)
    SUBNETPOOL.check_delete(call, found)
    subnetpools.delete_pool(tx, call.ctx, found.pool)


def _add_prefixes(tx: Tx, call: Call[Tools], pool_id: str, wanted: PrefixesSpec) -> list[str]:
    pool = subnetpools.pool_visible(tx, call.ctx, pool_id)
    call.ctx.require("add_prefixes", project_id=pool.project_id)
    return subnetpools.add_prefixes(tx, call.ctx, pool, wanted).prefixes


def _remove_prefixes(tx: Tx, call: Call[Tools], pool_id: str, wanted: PrefixesSpec) -> list[str]:
    pool = subnetpools.pool_visible(tx, call.ctx, pool_id)
    call.ctx.require("remove_prefixes", project_id=pool.project_id)
    return subnetpools.remove_prefixes(tx, call.ctx, pool, wanted).prefixes


def _view(call: Call[Tools], found: Details) -> SubnetPoolView:
    pool = found.pool
    return SubnetPoolView(
        **standard(pool, found.tags),
        ip_version=pool.ip_version,
        prefixes=pool.prefixes,
        default_prefixlen=str(pool.default_prefixlen),
        min_prefixlen=str(pool.min_prefixlen),
        max_prefixlen=str(pool.max_prefixlen),
        default_quota=pool.default_quota,
        is_default=pool.is_default,
        address_scope_id=pool.address_scope_id,
        shared=found.shared,
    )


SUBNETPOOL: Noun[Details] = Noun(
    "subnetpool",
    "subnetpools",
    lambda found: found.pool,
    _view,
    subnetpools.not_found,
    lambda found: {"shared": found.shared},
)
