"""Address groups as they are stored."""

from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.network.store import standard, tables


class AddressGroup(msgspec.Struct, frozen=True, gc=False):
    """Addresses that rules speak of by one name."""

    id: str
    project_id: str
    name: str
    description: str
    revision_number: int
    created_at: datetime
    updated_at: datetime
    addresses: list[str]


def addresses_of(tx: Tx, group_ids: Collection[str]) -> dict[str, list[str]]:
    """Return the addresses of each address group."""
    if not group_ids:
        return {}
    of_them = tables.address_group.c.id.in_(group_ids)
    found = standard.where(tx, tables.address_group, AddressGroup, of_them)
    return {group.id: group.addresses for group in found}


def security_groups_with(tx: Tx, group_id: str) -> list[str]:
    """Return the security groups with rules that speak of the address group."""
    r = tables.security_group_rule.c
    select = sa.select(r.security_group_id).where(r.remote_address_group_id == group_id)
    return sorted(set(tx.scalars(select)))


def group_users(tx: Tx, group_id: str) -> set[str]:
    """Return the projects whose rules speak of the address group."""
    r = tables.security_group_rule.c
    select = sa.select(r.project_id).where(r.remote_address_group_id == group_id)
    return set(tx.scalars(select))
