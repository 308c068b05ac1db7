"""/servers/{server_id}/tags: words that servers are found by."""

from typing import TypeAlias

import msgspec

from cumulo.services.compute import server_tags
from cumulo.services.compute.api.server_bodies import Tag, Tags
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes
from cumulo.web.codec import convert
from cumulo.web.versions import Version

Call: TypeAlias = _Call[Tools]
routes = Routes()
_ALL = "/v2.1/servers/{server_id}/tags"
_ONE = "/v2.1/servers/{server_id}/tags/{tag}"


class TagsBody(msgspec.Struct, forbid_unknown_fields=True):
    """All tags."""

    tags: Tags


@routes.get(_ALL, policy="os_compute_api:os-server-tags:index", since="2.26")
def list_tags(call: Call, server_id: str) -> TagsBody:
    """List the tags of a server."""
    return TagsBody(call.db.read(server_tags.get_all, call.ctx, server_id))


@routes.put(_ALL, policy="os_compute_api:os-server-tags:update_all", since="2.26")
def replace_tags(call: Call, server_id: str, body: TagsBody) -> TagsBody:
    """Replace all tags."""
    return TagsBody(call.db.write(server_tags.replace, call.ctx, server_id, body.tags))


@routes.delete(_ALL, policy="os_compute_api:os-server-tags:delete_all", since="2.26", status=204)
def delete_tags(call: Call, server_id: str) -> None:
    """Remove all tags."""
    call.db.write(server_tags.replace, call.ctx, server_id, [])


@routes.get(_ONE, policy="os_compute_api:os-server-tags:show", since="2.26", status=204)
def check_tag(call: Call, server_id: str, tag: str) -> None:
    """Say whether a server has a tag."""
    call.db.read(server_tags.check, call.ctx, server_id, tag)


@routes.put(_ONE, policy="os_compute_api:os-server-tags:update", since="2.26", status=204)
def add_tag(call: Call, server_id: str, tag: str) -> Reply:
    """Add a tag."""
    wanted: str = convert(tag, Tag, Version(2, 26))
    if not call.db.write(server_tags.add, call.ctx, server_id, wanted):
        return Reply(status=204)
    href = f"{call.url}/v2.1/servers/{server_id}/tags/{tag}"
    return Reply(status=201, headers={"Location": href})


@routes.delete(_ONE, policy="os_compute_api:os-server-tags:delete", since="2.26", status=204)
def delete_tag(call: Call, server_id: str, tag: str) -> None:
    """Remove a tag."""
    call.db.write(server_tags.remove, call.ctx, server_id, tag)
