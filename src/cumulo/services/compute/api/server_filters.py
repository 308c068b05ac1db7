"""From the query of a server list to what is looked for."""

import re
from datetime import UTC, datetime
from typing import Any

from cumulo.kit.errors import Forbidden, Invalid
from cumulo.services.compute import networking, states
from cumulo.services.compute.api.server_bodies import ListQuery
from cumulo.services.compute.servers import Wanted
from cumulo.web import Call
from cumulo.web.paging import limit_of

_MOST = 1000
# name in the query -> column; these match by regular expression
_PATTERNS = {
    "name": "name",
    "hostname": "hostname",
    "description": "description",
    "access_ip_v4": "access_ip_v4",
    "access_ip_v6": "access_ip_v6",
}
_EXACT = {
    "user_id": "user_id",
    "image": "image_id",
    "flavor": "flavor_id",
    "host": "host",
    "node": "host",
    "reservation_id": "reservation_id",
    "availability_zone": "availability_zone",
    "config_drive": "config_drive",
    "key_name": "key_name",
    "launch_index": "launch_index",
    "vm_state": "vm_state",
}
# What only administrators may ask for, and others may since a version.
_ADMIN_ONLY = {"host": None, "node": None, "deleted": None}
_OPENED_2_83 = {"availability_zone", "config_drive", "key_name", "launch_index", "user_id"}
_SORTABLE = {
    "access_ip_v4": "access_ip_v4",
    "access_ip_v6": "access_ip_v6",
    "availability_zone": "availability_zone",
    "created_at": "created_at",
    "description": "description",
    "display_name": "name",
    "host": "host",
    "hostname": "hostname",
    "image_ref": "image_id",
    "instance_type_id": "memory_mib",
    "key_name": "key_name",
    "launched_at": "launched_at",
    "locked": "locked_by",
    "power_state": "power_state",
    "project_id": "project_id",
    "task_state": "task_state",
    "terminated_at": "terminated_at",
    "updated_at": "updated_at",
    "user_id": "user_id",
    "uuid": "id",
    "vm_state": "vm_state",
}


def page_url(call: Call[Any], rest: str) -> str:
    """Return the address of a list without its query."""
    return f"{call.url}/v2.1/{rest}"


def wanted(call: Call[Any], query: ListQuery, rule: str) -> Wanted:
    """Return which servers the caller asks for and may see."""
    all_projects = _asks_for_all(query)
    if all_projects:
        call.ctx.require(f"os_compute_api:servers:{rule}:get_all_tenants")
    privileged = call.ctx.may("os_compute_api:servers:allow_all_filters")
    project = query.project_id or query.tenant_id
    own = None if all_projects else call.ctx.project_id
    tags = call.version >= (2, 26)
    return Wanted(
        project_id=project if all_projects and project else own,
        deleted=_deleted(call, query, privileged),
        equal=_equal(call, query, privileged),
        locked=query.locked,
        like=_like(call, query, privileged),
        states=_states(call, query),
        ids=_ids(call, query),
        changed_since=moment("changes-since", query.changes_since),
        changed_before=moment("changes-before", query.changes_before),
        tags_all=_words(query.tags) if tags else [],
        tags_any=_words(query.tags_any) if tags else [],
        not_tags_all=_words(query.not_tags) if tags else [],
        not_tags_any=_words(query.not_tags_any) if tags else [],
        sort=_sort(query, privileged),
        marker=query.marker,
        limit=limit_of(query.limit, _MOST),
    )


def _ignored(call: Call[Any], name: str, privileged: bool) -> bool:
    """Say whether a filter of an ordinary caller is passed over, as nova does."""
    if privileged:
        return False
    if name in _ADMIN_ONLY:
        return True
    return name in _OPENED_2_83 and call.version < (2, 83)


def _equal(call: Call[Any], query: ListQuery, privileged: bool) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, column in _EXACT.items():
        value = getattr(query, name)
        if value is not None and not _ignored(call, name, privileged):
            found[column] = value
    return found


def _like(call: Call[Any], query: ListQuery, privileged: bool) -> dict[str, str]:
    found = {}
    for name, column in _PATTERNS.items():
        value = getattr(query, name)
        if value and not _ignored(call, name, privileged):
            found[column] = _pattern(name, value)
    return found


def _pattern(name: str, value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise Invalid(f"Invalid filter {name}: '{value}' is no regular expression.") from error
    return value


def _asks_for_all(query: ListQuery) -> bool:
    """Say whether servers of all projects are asked for; naming the parameter is enough."""
    text = query.all_tenants
    if text is None or text.lower() in ("0", "f", "false", "off", "n", "no"):
        return False
    if text.lower() not in ("", "1", "t", "true", "on", "y", "yes"):
        raise Invalid(f"Invalid value '{text}' of all_tenants: use true or false.")
    return True


def _states(call: Call[Any], query: ListQuery) -> list[tuple[list[str], list[str] | None]]:
    found: list[tuple[list[str], list[str] | None]] = []
    for status in query.status:
        known = states.vm_states_of(status)
        if known is None:
            if call.version >= (2, 38):
                raise Invalid(f"Invalid status {status}", field="status")
            found.append((["none"], None))
        else:
            machines, tasks = known
            found.append((sorted(machines), sorted(t for t in tasks if t) if tasks else None))
    return found


def _deleted(call: Call[Any], query: ListQuery, privileged: bool) -> bool:
    shown = {status.upper() for status in query.status}
    if "DELETED" in shown and not privileged:
        raise Forbidden("Only administrators may list deleted servers.")
    return privileged and (query.deleted or shown == {"DELETED"})


def _ids(call: Call[Any], query: ListQuery) -> list[str] | None:
    """Return the only servers there may be, by id or by address."""
    ids = list(query.uuid) if query.uuid else None
    for name, version in (("ip", 4), ("ip6", 6)):
        pattern = getattr(query, name)
        if pattern is None or (name == "ip6" and call.version < (2, 5) and not call.ctx.is_admin):
            continue
        found = call.db.read(networking.servers_with_address, _pattern(name, pattern), version)
        ids = found if ids is None else [one for one in ids if one in set(found)]
    return ids


def _sort(query: ListQuery, privileged: bool) -> list[tuple[str, bool]]:
    chosen = []
    for place, key in enumerate(query.sort_key):
        name = "display_name" if key == "name" else key
        if name not in _SORTABLE:
            raise Invalid(f"Sort key supplied was not valid: {key}", field="sort_key")
        if name == "host" and not privileged:
            raise Forbidden(f"Only administrators can sort servers by {key}")
        down = (
            query.sort_dir[place]
            if place < len(query.sort_dir)
            else (query.sort_dir or ["desc"])[-1]
        )
        chosen.append((_SORTABLE[name], down == "desc"))
    if query.sort_dir and not query.sort_key:
        chosen.append(("created_at", query.sort_dir[0] == "desc"))
    return chosen


def moment(name: str, text: str | None) -> datetime | None:
    """Read a time as clients write it in a query, a plus sign lost to the decoding restored."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError as error:
        raise Invalid(f"Invalid {name}: '{text}' is not an ISO 8601 time.", field=name) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _words(text: str | None) -> list[str]:
    return [word for word in (text or "").split(",") if word]
