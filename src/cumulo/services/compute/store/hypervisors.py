"""Hypervisors: the hosts that guests run on, as they last described themselves."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.kit import clock, ids
from cumulo.kit.errors import NotFound
from cumulo.node.api import HostFacts
from cumulo.services.compute.store.server_tables import server
from cumulo.services.compute.store.tables import hypervisor


class Hypervisor(msgspec.Struct, frozen=True, kw_only=True):
    """A host that guests run on; its uuid is also that of its resource provider."""

    id: int
    uuid: str
    name: str
    facts: HostFacts
    created_at: datetime
    updated_at: datetime


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """A server on a hypervisor, as far as hypervisors care."""

    id: str
    name: str  # by which the hypervisor knows it
    project_id: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    is_busy: bool  # something is being done to it


_ALL = sa.select(hypervisor).order_by(hypervisor.c.id)


def hypervisor_find(tx: Tx, name: str) -> Hypervisor | None:
    """Return the host of that name."""
    return _find(tx, hypervisor.c.name == name)


def hypervisor_get(tx: Tx, hypervisor_id: int | str) -> Hypervisor:
    """Return a host by its number or its UUID."""
    found = _find(
        tx,
        hypervisor.c.id == hypervisor_id
        if isinstance(hypervisor_id, int)
        else hypervisor.c.uuid == hypervisor_id,
    )
    if found is None:
        raise NotFound(
            f"Hypervisor with ID '{hypervisor_id}' could not be found.", hypervisor_id=hypervisor_id
        )
    return found


def hypervisor_report(tx: Tx, facts: HostFacts) -> Hypervisor:
    """Store what a host says about itself, writing only what is new."""
    known = hypervisor_find(tx, facts.name)
    now = clock.now()
    text = msgspec.json.encode(facts).decode()
    if known is None:
        row = {"uuid": ids.new_id(), "name": facts.name, "facts": text}
        tx.execute(sa.insert(hypervisor).values(**row, created_at=now, updated_at=now))
    elif known.facts != facts:
        tx.execute(
            sa.update(hypervisor)
            .where(hypervisor.c.id == known.id)
            .values(facts=text, updated_at=now)
        )
    found = hypervisor_find(tx, facts.name)
    assert found is not None
    return found


def hypervisor_delete(tx: Tx, name: str) -> None:
    """Forget a host."""
    tx.execute(sa.delete(hypervisor).where(hypervisor.c.name == name))


def hypervisor_list(
    tx: Tx,
    *,
    name_part: str | None = None,
    after_id: int | None = None,
    limit: int | None = None,
) -> list[Hypervisor]:
    """Return hosts in the order they were first seen."""
    query = _ALL if limit is None else _ALL.limit(limit)
    if name_part is not None:
        query = query.where(hypervisor.c.name.contains(name_part, autoescape=True))
    if after_id is not None:
        query = query.where(hypervisor.c.id > after_id)
    return [_hypervisor(row) for row in tx.execute(query)]


def guests_on(tx: Tx, hosts: Collection[str]) -> dict[str, list[Guest]]:
    """Return the servers on each of the hosts, oldest first."""
    s = server.c
    query = sa.select(
        s.number, s.id, s.host, s.project_id, s.vcpus, s.memory_mib, s.flavor, s.task_state
    ).where(s.host.in_(list(hosts)), s.is_deleted == sa.false())
    found: dict[str, list[Guest]] = {host: [] for host in hosts}
    for row in tx.execute(query.order_by(s.number)):
        guest = Guest(
            id=row.id,
            name=f"instance-{row.number:08x}",
            project_id=row.project_id,
            vcpus=row.vcpus,
            memory_mib=row.memory_mib,
            disk_gib=row.flavor.get("root_gib", 0) + row.flavor.get("ephemeral_gib", 0),
            is_busy=row.task_state is not None,
        )
        found[row.host].append(guest)
    return found


def _find(tx: Tx, condition: sa.ColumnElement[bool]) -> Hypervisor | None:
    row = tx.execute(sa.select(hypervisor).where(condition)).one_or_none()
    return _hypervisor(row) if row else None


def _hypervisor(row: sa.Row[Any]) -> Hypervisor:
    values = dict(row._mapping)
    facts = msgspec.json.decode(values.pop("facts"), type=HostFacts)
    return Hypervisor(facts=facts, **values)
