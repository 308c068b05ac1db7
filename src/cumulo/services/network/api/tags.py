"""Tags over HTTP: the same operations on everything that may carry them."""

from collections.abc import Callable

import msgspec

from cumulo.db import Tx
from cumulo.services.network import tags
from cumulo.services.network.api.listing import Answer
from cumulo.services.network.journal import Caller
from cumulo.services.network.tags import Carrier
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()
# The name that the part of a path with the id has in the collection's own operations.
_IDS = {
    "networks": "network_id",
    "subnets": "subnet_id",
    "ports": "port_id",
    "routers": "router_id",
    "subnetpools": "subnetpool_id",
    "policies": "policy_id",
    "trunks": "trunk_id",
    "floatingips": "floatingip_id",
    "security-groups": "security_group_id",
    "security_groups": "security_group_id",
}


class TagsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Words."""

    tags: list[str]


def list_tags(call: Call[Tools]) -> Answer:
    """List the tags of a resource."""
    return {"tags": call.db.read(_list, call)}


def create_tags(call: Call[Tools], body: TagsBody) -> Answer:
    """Put tags on a resource."""
    return {"tags": call.db.write(_change, call, "create", tags.add, body.tags)}


def replace_tags(call: Call[Tools], body: TagsBody) -> Answer:
    """Let a resource carry these tags and no others."""
    return {"tags": call.db.write(_change, call, "update", tags.replace, body.tags)}


def delete_tags(call: Call[Tools]) -> None:
    """Take all tags off a resource."""
    call.db.write(_change, call, "delete", tags.replace, [])


def show_tag(call: Call[Tools], tag: str) -> None:
    """Say whether a resource carries a tag."""
    call.db.read(_confirm, call, tag)


def add_tag(call: Call[Tools], tag: str) -> Answer:
    """Put a tag on a resource."""
    call.db.write(_change, call, "update", tags.add, [tag])
    return {}


def delete_tag(call: Call[Tools], tag: str) -> None:
    """Take a tag off a resource."""
    call.db.write(_remove, call, tag)


for _collection, _id in _IDS.items():
    _all = f"/v2.0/{_collection}/{{{_id}}}/tags"
    routes.get(_all, policy="regular_user")(list_tags)
    routes.post(_all, policy="regular_user")(create_tags)
    routes.put(_all, policy="regular_user")(replace_tags)
    routes.delete(_all, policy="regular_user", status=204)(delete_tags)
    routes.get(f"{_all}/{{tag}}", policy="regular_user", status=204)(show_tag)
    routes.put(f"{_all}/{{tag}}", policy="regular_user", status=201)(add_tag)
    routes.delete(f"{_all}/{{tag}}", policy="regular_user", status=204)(delete_tag)


def _carrier(tx: Tx, call: Call[Tools], verb: str) -> Carrier:
    """Return what the path names, if the caller may do `verb` to its tags."""
    _, _, collection, resource_id, *_ = call.path.split("/")
    facts = tags.check_visible(tx, call.ctx, collection, resource_id)
    call.ctx.require(f"{verb}_{tags.TAGGED[collection][0]}:tags", **facts)
    return Carrier(collection, resource_id, str(facts["project_id"]))


def _list(tx: Tx, call: Call[Tools]) -> list[str]:
    return tags.tags_of(tx, _carrier(tx, call, "get").id)


def _change(
    tx: Tx,
    call: Call[Tools],
    verb: str,
    change: Callable[[Tx, Caller, Carrier, list[str]], list[str]],
    words: list[str],
) -> list[str]:
    return change(tx, call.ctx, _carrier(tx, call, verb), words)


def _confirm(tx: Tx, call: Call[Tools], word: str) -> None:
    tags.check_carried(tx, _carrier(tx, call, "get").id, word)


def _remove(tx: Tx, call: Call[Tools], word: str) -> None:
    tags.remove(tx, call.ctx, _carrier(tx, call, "delete"), word)
