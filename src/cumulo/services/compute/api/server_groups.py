"""Server groups."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from cumulo.services.compute import server_groups
from cumulo.services.compute.api.fields import Name, Positive
from cumulo.services.compute.api.queries import MOST, Limit, check_known
from cumulo.services.compute.server_groups import ServerGroup, ServerGroupSpec
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes, since, until

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:os-server-groups"
_Hard: TypeAlias = Literal["affinity", "anti-affinity"]
_Policy: TypeAlias = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]


class GroupView(msgspec.Struct, kw_only=True):
    """A server group."""

    id: str
    name: str
    policies: Annotated[list[str], until("2.63")]
    metadata: Annotated[dict[str, str], until("2.63")] = {}
    policy: Annotated[str, since("2.64")]
    rules: Annotated[dict[str, int], since("2.64")]
    members: list[str]
    project_id: Annotated[str, since("2.13")]
    user_id: Annotated[str, since("2.13")]


class GroupBody(msgspec.Struct):
    """One server group."""

    server_group: GroupView


class GroupsBody(msgspec.Struct):
    """A page of server groups."""

    server_groups: list[GroupView]


class OldestGroup(msgspec.Struct, forbid_unknown_fields=True):
    """A server group as it could be asked for at first."""

    name: Name
    policies: Annotated[list[_Hard], Meta(min_length=1, max_length=1)]


class OldestBody(msgspec.Struct, forbid_unknown_fields=True):
    """The server group to create."""

    server_group: OldestGroup


class OldGroup(msgspec.Struct, forbid_unknown_fields=True):
    """A server group as it could be asked for when there were soft policies."""

    name: Name
    policies: Annotated[list[_Policy], Meta(min_length=1, max_length=1)]


class OldBody(msgspec.Struct, forbid_unknown_fields=True):
    """The server group to create."""

    server_group: OldGroup


class Rules(msgspec.Struct, forbid_unknown_fields=True):
    """How a policy is meant."""

    max_server_per_host: Positive | None = None


class NewGroup(msgspec.Struct, forbid_unknown_fields=True):
    """What a client says about the server group it wants."""

    name: Name
    policy: _Policy
    rules: Rules = msgspec.field(default_factory=Rules)


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The server group to create."""

    server_group: NewGroup


class GroupsQuery(msgspec.Struct, kw_only=True):
    """Which server groups, and which page of them."""

    all_projects: str | None = None
    limit: Limit = MOST
    offset: Annotated[int, Meta(ge=0)] = 0


@routes.get("/v2.1/os-server-groups", policy=f"{_RULE}:index")
def list_server_groups(call: Call, query: GroupsQuery) -> GroupsBody:
    """List the project's server groups."""
    check_known(call, GroupsQuery, since=(2, 75))
    found = call.db.read(
        server_groups.list_groups,
        call.ctx,
        all_projects=query.all_projects is not None,
        offset=query.offset,
        limit=min(query.limit or MOST, MOST),
    )
    return GroupsBody([_view(group) for group in found])


@routes.post("/v2.1/os-server-groups", policy=f"{_RULE}:create", until="2.14")
def create_first_server_group(call: Call, body: OldestBody) -> GroupBody:
    """Create a server group with a hard policy."""
    group = body.server_group
    return _create(call, ServerGroupSpec(name=group.name, policy=group.policies[0]))


@routes.post("/v2.1/os-server-groups", policy=f"{_RULE}:create", since="2.15", until="2.63")
def create_old_server_group(call: Call, body: OldBody) -> GroupBody:
    """Create a server group with a list of one policy."""
    group = body.server_group
    return _create(call, ServerGroupSpec(name=group.name, policy=group.policies[0]))


@routes.post("/v2.1/os-server-groups", policy=f"{_RULE}:create", since="2.64")
def create_server_group(call: Call, body: CreateBody) -> GroupBody:
    """Create a server group."""
    group = body.server_group
    spec = ServerGroupSpec(
        name=group.name,
        policy=group.policy,
        max_server_per_host=group.rules.max_server_per_host,
    )
    return _create(call, spec)


@routes.get("/v2.1/os-server-groups/{group_id}", policy=f"{_RULE}:show")
def show_server_group(call: Call, group_id: str) -> GroupBody:
    """Show a server group."""
    check_known(call, since=(2, 102))
    return GroupBody(_view(call.db.read(server_groups.group_visible, call.ctx, group_id)))


@routes.delete("/v2.1/os-server-groups/{group_id}", policy=f"{_RULE}:delete", status=204)
def delete_server_group(call: Call, group_id: str) -> None:
    """Delete a server group; its servers stay."""
    call.db.write(server_groups.delete_group, call.ctx, group_id)


def _create(call: Call, spec: ServerGroupSpec) -> GroupBody:
    return GroupBody(_view(call.db.write(server_groups.new_group, call.ctx, spec)))


def _view(group: ServerGroup) -> GroupView:
    most = group.max_server_per_host
    return GroupView(
        id=group.id,
        name=group.name,
        policies=[group.policy],
        policy=group.policy,
        rules={} if most is None else {"max_server_per_host": most},
        members=group.members,
        project_id=group.project_id,
        user_id=group.user_id,
    )
