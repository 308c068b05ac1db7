"""Allocation candidates: all the ways in which a request could be granted.

A request has groups.  A group with a suffix wants all it asks for from one provider; the group
without one may take each class from another provider of one tree, or from a sharing provider
that serves the tree.  What a way takes for each group it takes in the same tree, named by the
tree's root, its anchor.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import Invalid
from cumulo.services.placement.resource_classes import unknown_classes
from cumulo.services.placement.store import candidates as store
from cumulo.services.placement.store.candidates import Demand, Figures, Place
from cumulo.services.placement.store.providers import provider_find
from cumulo.services.placement.store.traits import traits_of
from cumulo.services.placement.traits import unknown_traits

# A request of many groups over a wide tree has more combinations than anyone would wait for.
_MOST_COMBINATIONS = 100_000


class Group(msgspec.Struct, kw_only=True):
    """One part of a request."""

    resources: dict[str, int] = {}
    required: list[frozenset[str]] = []  # of each set one trait
    forbidden: frozenset[str] = frozenset()
    member_of: list[frozenset[str]] = []  # of each set one aggregate
    not_member_of: frozenset[str] = frozenset()
    in_tree: str | None = None


class Request(msgspec.Struct, kw_only=True):
    """What a consumer will want, by suffix; the group without one may spread over a tree."""

    groups: dict[str, Group]
    isolated: bool = False  # groups with a suffix must not share a provider
    root_required: frozenset[str] = frozenset()
    root_forbidden: frozenset[str] = frozenset()
    same_subtrees: list[frozenset[str]] = []
    one_per_tree: bool = False  # for clients that know of no trees
    limit: int | None = None


class Way(msgspec.Struct, frozen=True):
    """One way to grant a request: provider -> class -> amount, and who serves which group."""

    amounts: dict[str, dict[str, int]]
    mappings: dict[str, list[str]]


class Summary(msgspec.Struct, frozen=True):
    """A provider of one of the trees that the ways lead to."""

    place: Place
    figures: dict[str, Figures]
    traits: list[str]


class Candidates(msgspec.Struct, frozen=True):
    """All ways, and what there is along them."""

    ways: list[Way]
    summaries: dict[str, Summary]


class _Part(msgspec.Struct, frozen=True, gc=False):
    """How one group could be granted within a tree."""

    suffix: str
    takes: tuple[tuple[str, str, int], ...]  # provider, class, amount
    places: tuple[Place, ...]


_Trees: TypeAlias = dict[str, dict[str, list[Place]]]  # anchor -> class -> who has it


class _Field(msgspec.Struct, frozen=True):
    """What a search looks at."""

    sharing: dict[str, set[str]]  # sharing provider -> anchors
    anchors: set[str] | None  # roots that may be anchors; None: all
    may_spread: bool
    enough: int | None  # how many providers to look at where each of them is one way


def allocation_candidates(tx: Tx, request: Request) -> Candidates:
    """Return the ways to grant a request, and the providers of the trees they lead to."""
    _check_names(tx, request)
    field = _field(tx, request)
    by_anchor: dict[str, dict[str, list[_Part]]] = {}
    for suffix, group in request.groups.items():
        found = _parts(tx, suffix, group, field)
        if not found:
            return Candidates([], {})
        for anchor, part in found:
            by_anchor.setdefault(anchor, {}).setdefault(suffix, []).append(part)
    whole = {a: parts for a, parts in by_anchor.items() if parts.keys() == request.groups.keys()}
    return _combined(tx, request, whole, _places(tx, whole, field))


def _check_names(tx: Tx, request: Request) -> None:
    groups = request.groups.values()
    if unknown := unknown_classes(tx, {name for group in groups for name in group.resources}):
        raise Invalid(
            f"Invalid resource class in resources parameter: No such resource class {unknown[0]}."
        )
    traits = {trait for group in groups for some in group.required for trait in some}
    traits |= {trait for group in groups for trait in group.forbidden}
    if missing := unknown_traits(tx, traits | request.root_required | request.root_forbidden):
        raise Invalid(f"No such trait(s): {', '.join(missing)}.")


def _field(tx: Tx, request: Request) -> _Field:
    sharing = store.anchors_of_sharing(tx)
    anchors = None
    if request.root_required or request.root_forbidden:
        anchors = store.roots_with(tx, request.root_required, request.root_forbidden)
    may_spread = bool(sharing) or store.there_are_trees(tx)
    simple = len(request.groups) == 1 and anchors is None and not may_spread
    return _Field(sharing, anchors, may_spread, request.limit if simple else None)


def _parts(tx: Tx, suffix: str, group: Group, field: _Field) -> list[tuple[str, _Part]]:
    """Return how a group could be granted, each time with the anchor."""
    root_id = None
    if group.in_tree is not None:
        provider = provider_find(tx, group.in_tree)
        if provider is None:
            return []
        root_id = provider.root_id
    found: Iterable[tuple[str, _Part]] = _single(tx, suffix, group, root_id, field)
    if field.may_spread and not suffix:
        found = _spread(tx, group, root_id, field)
    return [(a, part) for a, part in found if field.anchors is None or a in field.anchors]


def _single(
    tx: Tx, suffix: str, group: Group, root_id: str | None, field: _Field
) -> list[tuple[str, _Part]]:
    """Take everything from one provider."""
    demand = Demand(
        resources=group.resources,
        required=group.required,
        forbidden=group.forbidden,
        member_of=group.member_of,
        not_member_of=group.not_member_of,
        root_id=root_id,
    )
    found = []
    for place in store.places_with_room(tx, demand, field.enough):
        takes = tuple([(place.id, name, amount) for name, amount in group.resources.items()])
        part = _Part(suffix, takes, (place,))
        served = sorted(field.sharing.get(place.id, set()) - {place.root_id})
        found += [(anchor, part) for anchor in (place.root_id, *served)]
    return found


def _spread(
    tx: Tx, group: Group, root_id: str | None, field: _Field
) -> Iterator[tuple[str, _Part]]:
    """Take each class from any provider of a tree, or from one that shares with the tree."""
    trees: _Trees = {}
    inside = store.members_of_all(tx, group.member_of) if group.member_of else None
    for name, amount in group.resources.items():
        demand = Demand(resources={name: amount}, root_id=root_id)
        for place in store.places_with_room(tx, demand):
            # What shares must be in the aggregates itself; no root is in them in its place.
            shares = root_id is None and (inside is None or place.id in inside)
            shared = field.sharing.get(place.id, set()) if shares else set()
            for anchor in sorted({place.root_id, *shared}):
                trees.setdefault(anchor, {}).setdefault(name, []).append(place)
    trees = _in_aggregates(tx, group, trees, inside)
    whole = {root: by for root, by in trees.items() if by.keys() == group.resources.keys()}
    traits = _traits(tx, group, whole)
    for root, by_class in whole.items():
        ways = itertools.product(*by_class.values())
        for chosen in itertools.islice(ways, _MOST_COMBINATIONS):
            if traits is None or _have_traits(group, [traits[place.id] for place in chosen]):
                pairs = zip(chosen, by_class, strict=True)
                takes = tuple((place.id, name, group.resources[name]) for place, name in pairs)
                yield root, _Part("", takes, chosen)


def _traits(tx: Tx, group: Group, trees: _Trees) -> dict[str, frozenset[str]] | None:
    """Return what each provider of the trees has, or None where nothing depends on it."""
    if not (group.required or group.forbidden):
        return None
    ids = {place.id for by in trees.values() for places in by.values() for place in places}
    found = traits_of(tx, ids)
    return {one: frozenset(found.get(one, ())) for one in ids}


def _in_aggregates(tx: Tx, group: Group, trees: _Trees, inside: set[str] | None) -> _Trees:
    """Keep what is in the aggregates wanted; a root is there for all of its tree."""
    bad = store.members_of_all(tx, [group.not_member_of]) if group.not_member_of else set()
    if inside is None and not bad:
        return trees
    kept: _Trees = {}
    for root, by_class in trees.items():
        for name, places in by_class.items():
            left = [
                place
                for place in places
                if (inside is None or inside & {place.id, root}) and not bad & {place.id, root}
            ]
            if left:
                kept.setdefault(root, {})[name] = left
    return kept


def _have_traits(group: Group, traits: Sequence[frozenset[str]]) -> bool:
    """Say whether providers together have what is required, and none has what is forbidden."""
    together = frozenset().union(*traits)
    return not together & group.forbidden and all(together & some for some in group.required)


def _places(
    tx: Tx, by_anchor: Mapping[str, Mapping[str, list[_Part]]], field: _Field
) -> dict[str, Place]:
    """Return all providers of the trees that the parts are of."""
    used = {
        place.id: place
        for parts in by_anchor.values()
        for some in parts.values()
        for part in some
        for place in part.places
    }
    if not field.may_spread:
        return used
    return store.places_of_trees(tx, {place.root_id for place in used.values()})


def _combined(
    tx: Tx,
    request: Request,
    by_anchor: Mapping[str, Mapping[str, list[_Part]]],
    places: Mapping[str, Place],
) -> Candidates:
    """Pick one part for each group, within one tree, in every way that holds together."""
    figures = store.figures_of(tx, places)
    ways: dict[object, Way] = {}
    for chosen in _choices(by_anchor):
        if not _holds(request, chosen, places):
            continue
        way = _way(chosen)
        if len(chosen) == 1:
            ways.setdefault(chosen[0].takes, way)
        elif _has_room(way, figures):
            ways.setdefault(_identity(way), way)
        if request.limit is not None and len(ways) >= request.limit:
            break
    found = list(ways.values())
    return Candidates(found, _summaries(tx, request, found, places, figures))


def _choices(
    by_anchor: Mapping[str, Mapping[str, list[_Part]]],
) -> Iterator[tuple[_Part, ...]]:
    every = (itertools.product(*parts.values()) for parts in by_anchor.values())
    return itertools.islice(itertools.chain.from_iterable(every), _MOST_COMBINATIONS)


def _holds(request: Request, chosen: Sequence[_Part], places: Mapping[str, Place]) -> bool:
    """Say whether parts chosen for each group by itself may go together."""
    if request.isolated:
        single = [part for part in chosen if part.suffix]
        if len({place.id for part in single for place in part.places}) < len(single):
            return False
    if request.one_per_tree:
        used = {provider for part in chosen for provider, _, _ in part.takes}
        if len({places[one].root_id for one in used}) < len(used):
            return False
    return all(_in_subtree(suffixes, chosen, places) for suffixes in request.same_subtrees)


def _in_subtree(
    suffixes: frozenset[str], chosen: Sequence[_Part], places: Mapping[str, Place]
) -> bool:
    """Say whether one of the providers is above all the others, or is the only one."""
    used = {place.id for part in chosen if part.suffix in suffixes for place in part.places}
    return any(all(top in _line(one, places) for one in used) for top in used)


def _line(provider_id: str, places: Mapping[str, Place]) -> set[str]:
    """Return a provider and all above it."""
    line, at = {provider_id}, places[provider_id].parent_id
    while at is not None:
        line.add(at)
        at = places[at].parent_id
    return line


def _way(chosen: Sequence[_Part]) -> Way:
    amounts: dict[str, dict[str, int]] = {}
    for part in chosen:
        for provider, name, amount in part.takes:
            held = amounts.setdefault(provider, {})
            held[name] = held.get(name, 0) + amount
    mappings = {part.suffix: sorted({place.id for place in part.places}) for part in chosen}
    return Way(amounts, mappings)


def _has_room(way: Way, figures: Mapping[str, Mapping[str, Figures]]) -> bool:
    """Say whether what several groups take from one provider fits together."""
    return all(
        amount <= figures[provider][name].free and amount <= figures[provider][name].max_unit
        for provider, held in way.amounts.items()
        for name, amount in held.items()
    )


def _identity(way: Way) -> object:
    """Return what makes a way another one; one sharing provider is found from many trees."""
    held = tuple((p, tuple(sorted(by.items()))) for p, by in sorted(way.amounts.items()))
    return held, tuple((s, tuple(found)) for s, found in sorted(way.mappings.items()))


def _summaries(
    tx: Tx,
    request: Request,
    ways: Sequence[Way],
    places: Mapping[str, Place],
    figures: Mapping[str, dict[str, Figures]],
) -> dict[str, Summary]:
    used = {provider for way in ways for provider in way.amounts}
    roots = {places[provider].root_id for provider in used}
    shown = {
        place.id: place
        for place in places.values()
        if place.root_id in roots and (not request.one_per_tree or place.id in used)
    }
    traits = traits_of(tx, shown)
    return {
        one: Summary(place, figures.get(one, {}), traits.get(one, []))
        for one, place in shown.items()
    }
