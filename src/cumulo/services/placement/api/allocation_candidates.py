"""Allocation candidates: in which ways a request could be granted."""

import re
from collections.abc import Mapping
from typing import Any

from cumulo.kit.errors import Invalid
from cumulo.services.placement import allocation_candidates as candidates
from cumulo.services.placement.allocation_candidates import Group, Request, Summary, Way
from cumulo.services.placement.api.answers import answer, check_accept, is_uuid, uuid_of
from cumulo.services.placement.api.queries import (
    BAD_VALUE,
    aggregates_of,
    check_names,
    resources_of,
    traits_of,
)
from cumulo.web import Call, Reply, Routes

routes = Routes()
_NUMBER, _WORD = r"[1-9][0-9]*", r"[a-zA-Z0-9_-]{1,64}"
_KINDS = {"resources": (1, 10), "required": (1, 17), "member_of": (1, 21), "in_tree": (1, 31)}
_WIDE = {"limit": (1, 16), "group_policy": (1, 25), "root_required": (1, 35)}
_WIDE |= {"same_subtree": (1, 36)}


@routes.get("/allocation_candidates", policy="placement:allocation_candidates:list", since="1.10")
def list_allocation_candidates(call: Call[None]) -> Reply:
    """List the ways to grant a request, with the providers of the trees they lead to."""
    check_accept(call)
    request = _request(call)
    found = call.db.read(candidates.allocation_candidates, request)
    requested = {name for group in request.groups.values() for name in group.resources}
    show = _show_way if call.version >= (1, 12) else _show_listed_way
    with_mappings = call.version >= (1, 34)
    body = {
        "allocation_requests": [show(way, with_mappings=with_mappings) for way in found.ways],
        "provider_summaries": {
            one: _show_summary(call, summary, requested) for one, summary in found.summaries.items()
        },
    }
    return answer(call, body)


def _request(call: Call[None]) -> Request:
    query = call.filters
    keys = _group_keys(call)
    wide = [name for name, version in _WIDE.items() if call.version >= version]
    check_names(query, [*keys, *wide], patterns=call.version >= (1, 25))
    request = Request(groups=_groups(call, keys), one_per_tree=call.version < (1, 29))
    request.limit = _limit(query)
    policy = query.get("group_policy", [None])[0]
    if policy not in (None, "none", "isolate"):
        raise Invalid(
            f"Invalid query string parameters: '{policy[:64]}' is not one of ['none', 'isolate']"
        )
    request.isolated = policy == "isolate"
    request.same_subtrees = _subtrees(query.get("same_subtree", []))
    request.root_required, request.root_forbidden = _root_traits(query.get("root_required", []))
    _check_groups(call, request)
    if policy is None and len([suffix for suffix in request.groups if suffix]) > 1:
        raise Invalid(
            'The "group_policy" parameter is required when specifying more than one '
            '"resources{N}" parameter.'
        )
    return request


def _group_keys(call: Call[None]) -> dict[str, tuple[str, str]]:
    """Return the parameters that belong to groups: name -> (kind, suffix)."""
    suffix = _WORD if call.version >= (1, 33) else _NUMBER
    if call.version < (1, 25):
        suffix = "(?!)"
    kinds = "|".join(kind for kind, version in _KINDS.items() if call.version >= version)
    pattern = re.compile(rf"({kinds})({suffix})?")
    found = {name: pattern.fullmatch(name) for name in call.filters}
    return {name: (match[1], match[2] or "") for name, match in found.items() if match}


def _groups(call: Call[None], keys: Mapping[str, tuple[str, str]]) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    for name, (kind, suffix) in keys.items():
        group = groups.setdefault(suffix, Group())
        values = call.filters[name]
        if kind == "resources":
            group.resources = resources_of(values[-1])
        elif kind == "required":
            may_choose = call.version >= (1, 39)
            group.required, group.forbidden = traits_of(
                values if may_choose else values[-1:],
                may_forbid=call.version >= (1, 22),
                may_choose=may_choose,
            )
        elif kind == "member_of":
            group.member_of, group.not_member_of = aggregates_of(
                values,
                suffix,
                may_repeat=call.version >= (1, 24),
                may_forbid=call.version >= (1, 32),
            )
        else:
            group.in_tree = _tree(values[-1].strip())
    return groups


def _check_groups(call: Call[None], request: Request) -> None:
    if call.version >= (1, 36):
        _check_suffixes(request)
    else:
        _check_orphans(request.groups)
    conflicts = sorted(
        f"required{suffix}: ({', '.join(sorted(some))})"
        for suffix, group in request.groups.items()
        for some in group.required
        if some <= group.forbidden
    )
    if conflicts and call.version >= (1, 22):
        raise Invalid(
            "Conflicting required and forbidden traits found in the following traits keys: "
            f"{', '.join(conflicts)}"
        )


def _check_suffixes(request: Request) -> None:
    """Refuse groups that want nothing, unless only to be near another, and names of none."""
    empty = [suffix for suffix, group in request.groups.items() if not group.resources]
    named = frozenset().union(*request.same_subtrees)
    if len(empty) == len(request.groups):
        raise Invalid(
            "There must be at least one resources or resources[$S] parameter.",
            code="placement.query.missing_value",
        )
    if bad := [suffix for suffix in empty if suffix not in named]:
        raise Invalid(
            "Resourceless suffixed group request should be specified in `same_subtree` query "
            f"param: bad group(s) - {bad}.",
            code=BAD_VALUE,
        )
    if bad := sorted(named - request.groups.keys()):
        raise Invalid(
            f"Real suffixes should be specified in `same_subtree`: {bad} not found in "
            f"{list(request.groups)}.",
            code=BAD_VALUE,
        )


def _check_orphans(groups: Mapping[str, Group]) -> None:
    empty = {suffix: group for suffix, group in groups.items() if not group.resources}
    traits = [f"required{suffix}" for suffix, group in empty.items() if group.required]
    if traits:
        raise Invalid(
            "All traits parameters must be associated with resources.  "
            f"Found the following orphaned traits keys: {', '.join(traits)}"
        )
    members = [f"member_of{s}" for s, g in empty.items() if g.member_of or g.not_member_of]
    if members:
        raise Invalid(
            "All member_of parameters must be associated with resources. "
            f"Found the following orphaned member_of keys: {', '.join(members)}"
        )
    if empty:
        raise Invalid("All request groups must specify resources.")
    if not groups:
        raise Invalid(
            "At least one request group (`resources` or `resources{$S}`) is required. "
            "'resources' is a required property"
        )


def _limit(query: Mapping[str, list[str]]) -> int | None:
    text = query.get("limit", [None])[0]
    if text is None:
        return None
    if not re.fullmatch("[1-9][0-9]{0,17}", text):
        raise Invalid(
            f"Invalid query string parameters: '{text[:64]}' does not match '^[1-9][0-9]*$'. "
            "Failed validating 'pattern'"
        )
    return int(text)


def _subtrees(values: list[str]) -> list[frozenset[str]]:
    found = [frozenset(part.strip() for part in value.split(",")) for value in values]
    if any("" in suffixes for suffixes in found):
        raise Invalid(
            "Empty string (unsuffixed group) can not be specified in `same_subtree` ",
            code=BAD_VALUE,
        )
    return found


def _root_traits(values: list[str]) -> tuple[frozenset[str], frozenset[str]]:
    if len(values) > 1:
        raise Invalid(
            "Query parameter 'root_required' may be specified only once.",
            code="placement.query.duplicate_key",
        )
    required, forbidden = traits_of(values, may_forbid=True, may_choose=False)
    wanted = frozenset().union(*required)
    if conflicts := sorted(wanted & forbidden):
        raise Invalid(
            "Conflicting required and forbidden traits found in root_required: "
            f"{', '.join(conflicts)}",
            code=BAD_VALUE,
        )
    return wanted, forbidden


def _tree(text: str) -> str:
    if not is_uuid(text):
        raise Invalid(
            "Invalid query string parameters: Expected 'in_tree' parameter to be a format of "
            f"uuid. Got: {text[:64]}"
        )
    return uuid_of(text, "in_tree")


def _show_way(way: Way, *, with_mappings: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "allocations": {one: {"resources": held} for one, held in way.amounts.items()}
    }
    if with_mappings:
        shown["mappings"] = way.mappings
    return shown


def _show_listed_way(way: Way, *, with_mappings: bool) -> dict[str, Any]:
    held = [
        {"resource_provider": {"uuid": one}, "resources": held} for one, held in way.amounts.items()
    ]
    return {"allocations": held}


def _show_summary(call: Call[None], summary: Summary, requested: set[str]) -> dict[str, Any]:
    with_all = call.version >= (1, 27)
    shown: dict[str, Any] = {
        "resources": {
            name: {"capacity": figures.capacity, "used": figures.used}
            for name, figures in summary.figures.items()
            if with_all or name in requested
        }
    }
    if call.version >= (1, 17):
        shown["traits"] = summary.traits
    if call.version >= (1, 29):
        shown["parent_provider_uuid"] = summary.place.parent_id
        shown["root_provider_uuid"] = summary.place.root_id
    return shown
