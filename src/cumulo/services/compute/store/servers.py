"""Servers, their metadata and tags."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulo.db import Tx
from cumulo.db.statements import among, of_many
from cumulo.kit import clock
from cumulo.kit.errors import NotFound
from cumulo.services.compute.store import server_tables as tables


class ListedServer(msgspec.Struct, frozen=True, gc=False):
    """What lists show of a server; rows are read in the order of the fields."""

    number: int
    id: str
    project_id: str
    user_id: str
    name: str
    hostname: str
    created_at: datetime
    updated_at: datetime
    vcpus: int
    memory_mib: int
    description: str | None = None
    launched_at: datetime | None = None
    terminated_at: datetime | None = None
    vm_state: str = "building"
    task_state: str | None = None
    power_state: int = 0
    host: str | None = None
    image_id: str | None = None
    image_properties: Mapping[str, str] = {}
    flavor: Mapping[str, Any] = {}
    key_name: str | None = None
    availability_zone: str | None = None
    config_drive: bool = False
    user_data: str | None = None
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    disk_config: str = "MANUAL"
    locked_by: str | None = None
    locked_reason: str | None = None
    launch_index: int = 0
    reservation_id: str = ""
    scheduler_hints: dict[str, Any] = {}
    fault_code: int | None = None
    fault_message: str | None = None
    fault_details: str | None = None
    fault_at: datetime | None = None

    @property
    def instance_name(self) -> str:
        """Return the name by which the hypervisor knows it."""
        return f"instance-{self.number:08x}"


class Server(ListedServer, frozen=True, gc=False):
    """A server as stored, with what only its host and its guest are told."""

    is_deleted: bool = False
    image: Mapping[str, Any] = {}
    flavor_id: str = ""
    key_data: str | None = None
    key_type: str | None = None
    personality: list[dict[str, str]] = []
    guest_password: str | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which servers of a list to return, and in which order."""

    project_id: str | None = None
    deleted: bool = False
    everything: bool = False  # also what is deleted softly, which lists leave out
    equal: dict[str, object] = {}  # column -> value
    locked: bool | None = None
    like: dict[str, str] = {}  # column -> regular expression as nova takes it
    states: list[tuple[list[str], list[str] | None]] = []  # machine states with their tasks
    ids: list[str] | None = None
    changed_since: datetime | None = None
    changed_before: datetime | None = None
    tags_all: list[str] = []
    tags_any: list[str] = []
    not_tags_all: list[str] = []
    not_tags_any: list[str] = []
    sort: list[tuple[str, bool]] = []  # column, descending
    marker: str | None = None
    limit: int = 1000


_S = tables.server.c
_FIELDS = [tables.server.c[name] for name in Server.__struct_fields__]
_LISTED = [tables.server.c[name] for name in ListedServer.__struct_fields__]
_BY_ID = sa.select(*_FIELDS).where(_S.id == sa.bindparam("of_id"))
_INSERT = sa.insert(tables.server)
_M, _T = tables.server_metadata.c, tables.server_tag.c
_METADATA = sa.select(_M.server_id, _M.key, _M.value)
_TAGS = sa.select(_T.server_id, _T.tag).order_by(_T.tag)
_CHANGE = sa.update(tables.server).where(_S.id == sa.bindparam("of_id"))
_MOVE = _CHANGE.where(
    _S.is_deleted == sa.false(), _S.vm_state.in_(sa.bindparam("expected", expanding=True))
)
_COUNTS = (
    sa.select(_S.host, sa.func.count())
    .where(_S.host.is_not(None), _S.is_deleted == sa.false())
    .group_by(_S.host)
)


def server_insert(tx: Tx, **values: object) -> Server:
    """Store a new server and return it with its number."""
    tx.execute(_INSERT, values)
    return server_get(tx, str(values["id"]))


def server_find(tx: Tx, server_id: str) -> Server | None:
    """Return a server, whoever owns it and deleted or not, or None."""
    row = tx.execute(_BY_ID, {"of_id": server_id}).one_or_none()
    return Server(*row) if row else None


def server_get(tx: Tx, server_id: str) -> Server:
    """Return a server that is not deleted, whoever owns it."""
    server = server_find(tx, server_id)
    if server is None or server.is_deleted:
        raise NotFound(f"Instance {server_id} could not be found.", server_id=server_id)
    return server


def server_update(tx: Tx, server_id: str, **values: object) -> None:
    """Change columns that no two writers fight over."""
    tx.execute(_CHANGE, {"of_id": server_id, "updated_at": clock.now(), **values})


def server_move(
    tx: Tx,
    server_id: str,
    *,
    expected: Iterable[str],
    tasks: Iterable[str | None] | None = None,
    **values: object,
) -> bool:
    """Change columns if the server is in an expected state (and task); say whether it was."""
    change = _MOVE if tasks is None else _moving(tuple(tasks))
    seen = {"of_id": server_id, "expected": list(expected)}
    return bool(tx.execute(change, {**seen, "updated_at": clock.now(), **values}).rowcount)


def password_set(tx: Tx, server_id: str, password: str) -> bool:
    """Keep a guest's password, if none is kept; say whether it was."""
    change = sa.update(tables.server).where(_S.id == server_id, _S.guest_password.is_(None))
    return bool(tx.execute(change.values(guest_password=password)).rowcount)


def server_list(tx: Tx, wanted: Wanted) -> list[Server]:
    """Return a page of servers."""
    return [Server(*row) for row in _page(tx, _FIELDS, wanted)]


def server_page(tx: Tx, wanted: Wanted) -> list[ListedServer]:
    """Return the same page, without what lists do not show: half as much to read."""
    return [ListedServer(*row) for row in _page(tx, _LISTED, wanted)]


def _page(tx: Tx, fields: "list[sa.Column[Any]]", wanted: Wanted) -> Sequence[Any]:
    query = _narrowed(sa.select(*fields), wanted)
    order = [*wanted.sort, ("number", True)] if wanted.sort else [("created_at", True)]
    order = [*[o for o in order if o[0] != "number"], ("number", order[-1][1])]
    if wanted.marker is not None:
        query = query.where(_after(tx, wanted.marker, order))
    columns = [_S[name].desc() if down else _S[name].asc() for name, down in order]
    return tx.execute(query.order_by(*columns).limit(wanted.limit)).all()


def servers_on(tx: Tx, host: str) -> list[Server]:
    """Return the servers that live on a host."""
    query = sa.select(*_FIELDS).where(_S.host == host, _S.is_deleted == sa.false())
    return [Server(*row) for row in tx.execute(query.order_by(_S.number)).all()]


def servers_soft_deleted(tx: Tx, *, before: datetime) -> list[Server]:
    """Return the servers that were deleted softly before a time, and are not being restored."""
    query = sa.select(*_FIELDS).where(
        _S.vm_state == "soft-delete", _S.task_state.is_(None), _S.updated_at < before
    )
    return [Server(*row) for row in tx.execute(query).all()]


def deleted_among(tx: Tx, server_ids: Collection[str]) -> set[str]:
    """Return those of some ids that were servers once."""
    query = sa.select(_S.id).where(among(tx, _S.id, server_ids), _S.is_deleted == sa.true())
    return set(tx.scalars(query))


def server_names_on(tx: Tx, hosts: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return host, id and instance name of the servers on some hosts."""
    query = sa.select(_S.host, _S.id, _S.number).where(
        _S.host.in_(hosts), _S.is_deleted == sa.false()
    )
    return [(row.host, row.id, f"instance-{row.number:08x}") for row in tx.execute(query)]


def metadata_of(tx: Tx, server_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the metadata of some servers."""
    found: dict[str, dict[str, str]] = {}
    for server_id, key, value in of_many(tx, _METADATA, _M.server_id, server_ids):
        found.setdefault(server_id, {})[key] = value
    return found


def metadata_set(tx: Tx, server_id: str, items: Mapping[str, str], *, replace: bool) -> None:
    """Write metadata items; with `replace`, they are all there is."""
    m = tables.server_metadata.c
    gone = sa.delete(tables.server_metadata).where(m.server_id == server_id)
    tx.execute(gone if replace else gone.where(m.key.in_(list(items))))
    rows = [{"server_id": server_id, "key": k, "value": v} for k, v in items.items()]
    if rows:
        tx.execute(tables.server_metadata.insert(), rows)


def metadata_delete(tx: Tx, server_id: str, key: str) -> bool:
    """Remove an item; say whether it was there."""
    m = tables.server_metadata.c
    gone = sa.delete(tables.server_metadata).where(m.server_id == server_id, m.key == key)
    return bool(tx.execute(gone).rowcount)


def tags_of(tx: Tx, server_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the tags of some servers, in order."""
    found: dict[str, list[str]] = {}
    for server_id, tag in of_many(tx, _TAGS, _T.server_id, server_ids):
        found.setdefault(server_id, []).append(tag)
    return found


def tags_set(tx: Tx, server_id: str, tags: Iterable[str]) -> None:
    """Replace all tags."""
    tx.execute(sa.delete(tables.server_tag).where(tables.server_tag.c.server_id == server_id))
    rows = [{"server_id": server_id, "tag": tag} for tag in dict.fromkeys(tags)]
    if rows:
        tx.execute(tables.server_tag.insert(), rows)


def tag_delete(tx: Tx, server_id: str, tag: str) -> bool:
    """Remove a tag; say whether it was there."""
    t = tables.server_tag.c
    gone = sa.delete(tables.server_tag).where(t.server_id == server_id, t.tag == tag)
    return bool(tx.execute(gone).rowcount)


@cache
def _moving(tasks: tuple[str | None, ...]) -> sa.Update:
    return _MOVE.where(_task_in(tasks))


def _task_in(tasks: Iterable[str | None]) -> sa.ColumnElement[bool]:
    named = [task for task in tasks if task is not None]
    choice = _S.task_state.in_(named)
    return sa.or_(choice, _S.task_state.is_(None)) if None in set(tasks) else choice


def _narrowed(query: sa.Select[Any], wanted: Wanted) -> sa.Select[Any]:
    if wanted.changed_since or wanted.changed_before:
        query = _changed(query, wanted)
    else:
        query = query.where(_S.is_deleted == (sa.true() if wanted.deleted else sa.false()))
    if wanted.project_id is not None:
        query = query.where(_S.project_id == wanted.project_id)
    if wanted.ids is not None:
        query = query.where(_S.id.in_(wanted.ids))
    for name, value in wanted.equal.items():
        query = query.where(_S[name] == value)
    if wanted.locked is not None:
        query = query.where(_S.locked_by.is_not(None) if wanted.locked else _S.locked_by.is_(None))
    for name, pattern in wanted.like.items():
        query = query.where(_like(_S[name], pattern))
    if wanted.states:
        query = query.where(sa.or_(*[_in_state(*state) for state in wanted.states]))
    elif not (wanted.deleted or wanted.everything or "vm_state" in wanted.equal):
        query = query.where(_S.vm_state != "soft-delete")  # shown to those who ask for them
    return _tagged(query, wanted)


def _changed(query: sa.Select[Any], wanted: Wanted) -> sa.Select[Any]:
    """Narrow by time of change; what was deleted meanwhile is shown too."""
    if wanted.changed_since:
        query = query.where(_S.updated_at >= wanted.changed_since)
    if wanted.changed_before:
        query = query.where(_S.updated_at <= wanted.changed_before)
    return query


def _in_state(states: list[str], tasks: list[str] | None) -> sa.ColumnElement[bool]:
    within = _S.vm_state.in_(states)
    return sa.and_(within, _S.task_state.in_(tasks)) if tasks is not None else within


def _like(column: sa.Column[Any], pattern: str) -> sa.ColumnElement[bool]:
    """Match a pattern as clients write it: plain text matches anywhere, ^ and $ bind."""
    text = pattern.removeprefix("^").removesuffix("$")
    if re.fullmatch(r"[\w\s@:./,=+-]*", text):
        escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        # A dot stands for any character in a regular expression, which LIKE spells `_`.
        before = "" if pattern.startswith("^") else "%"
        after = "" if pattern.endswith("$") and pattern != "$" else "%"
        return column.like(f"{before}{escaped.replace('.', '_')}{after}", escape="\\")
    return column.regexp_match(pattern)


def _tagged(query: sa.Select[Any], wanted: Wanted) -> sa.Select[Any]:
    for tag in wanted.tags_all:
        query = query.where(_has([tag]))
    if wanted.tags_any:
        query = query.where(_has(wanted.tags_any))
    if wanted.not_tags_any:
        query = query.where(~_has(wanted.not_tags_any))
    if wanted.not_tags_all:
        query = query.where(sa.or_(*[~_has([tag]) for tag in wanted.not_tags_all]))
    return query


def _has(tags: list[str]) -> sa.ColumnElement[bool]:
    t = tables.server_tag.c
    return sa.exists().where(t.server_id == _S.id, t.tag.in_(tags))


def _after(tx: Tx, marker: str, order: list[tuple[str, bool]]) -> sa.ColumnElement[bool]:
    """Return the condition for what comes after the marker in this order; nulls come first."""
    names = [name for name, _ in order]
    row = tx.execute(sa.select(*[_S[name] for name in names]).where(_S.id == marker)).one_or_none()
    if row is None:
        raise NotFound(f"Marker {marker} could not be found.", marker=marker)
    choices: list[sa.ColumnElement[bool]] = []
    for place, (name, down) in enumerate(order):
        equal = [_S[n].is_not_distinct_from(v) for n, v in zip(names[:place], row, strict=False)]
        value = row[place]
        beyond = _S[name] < value if down else _S[name] > value
        if value is None:
            beyond = sa.false() if down else _S[name].is_not(None)
        elif down:
            beyond = sa.or_(beyond, _S[name].is_(None))
        choices.append(sa.and_(*equal, beyond))
    return sa.or_(*choices)


def hosts_of(tx: Tx, server_ids: Sequence[str]) -> dict[str, str]:
    """Return where servers are; one that is nowhere is left out."""
    query = sa.select(_S.id, _S.host).where(
        _S.id.in_(server_ids), _S.host.is_not(None), _S.is_deleted == sa.false()
    )
    return {row.id: row.host for row in tx.execute(query)} if server_ids else {}


def counts_on_hosts(tx: Tx) -> dict[str, int]:
    """Return how many servers each host has."""
    return {host: int(count) for host, count in tx.execute(_COUNTS)}


def server_counts(tx: Tx) -> dict[tuple[str | None, str], int]:
    """Return how many servers there are on each host in each state."""
    query = sa.select(_S.host, _S.vm_state, sa.func.count()).where(_S.is_deleted == sa.false())
    found = tx.execute(query.group_by(_S.host, _S.vm_state))
    return {(host, state): int(count) for host, state, count in found}
