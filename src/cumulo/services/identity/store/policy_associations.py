"""Statements on where policies hold: for an endpoint, a service, or a service in a region."""

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.services.identity.store.tables import policy_association


class Place(msgspec.Struct, frozen=True):
    """Where one policy holds; what does not matter is empty."""

    endpoint_id: str = ""
    service_id: str = ""
    region_id: str = ""


def association_set(tx: Tx, place: Place, policy_id: str) -> None:
    """Let a policy hold at a place, instead of any other."""
    association_unset(tx, place)
    values = msgspec.structs.asdict(place)
    tx.execute(sa.insert(policy_association).values(**values, policy_id=policy_id))


def association_unset(tx: Tx, place: Place) -> None:
    """Let no policy hold at a place."""
    tx.execute(sa.delete(policy_association).where(*_at(place)))


def association_find(tx: Tx, place: Place) -> str | None:
    """Return the id of the policy that holds at a place."""
    return tx.scalar(sa.select(policy_association.c.policy_id).where(*_at(place)))


def places_of(tx: Tx, policy_id: str) -> list[Place]:
    """Return where a policy holds."""
    a = policy_association.c
    columns = (a.endpoint_id, a.service_id, a.region_id)
    select = sa.select(*columns).where(a.policy_id == policy_id).order_by(*columns)
    return [Place(*tuple(row)) for row in tx.execute(select)]


def associations_forget(tx: Tx, **gone: str) -> None:
    """Forget what concerns a policy, endpoint, service or region that is gone."""
    a = policy_association.c
    where = [a[name] == value for name, value in gone.items()]
    tx.execute(sa.delete(policy_association).where(*where))


def _at(place: Place) -> list[sa.ColumnElement[bool]]:
    values = msgspec.structs.asdict(place)
    return [policy_association.c[name] == value for name, value in values.items()]
