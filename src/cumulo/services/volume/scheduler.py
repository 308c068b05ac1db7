"""Choosing a back end for a volume: filters that say why they refuse, then the most room."""

import msgspec

from cumulo.db import Tx
from cumulo.kit.errors import CloudError
from cumulo.services.volume.backends import is_up
from cumulo.services.volume.store import backends as store
from cumulo.services.volume.store.backends import Backend
from cumulo.services.volume.store.volumes import volume_find


class NoValidBackend(CloudError):
    """No back end will do; the message names each with its reason."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for."""

    size_gib: int
    specs: dict[str, str]  # the type's extra specs
    availability_zone: str | None = None
    is_multiattach: bool = False
    only: str | None = None  # the pool, where there is no choice
    excluded: dict[str, str] = {}  # pools that failed, with their reasons
    same_as: list[str] = []  # volumes
    different_from: list[str] = []


def choose(tx: Tx, request: Request) -> Backend:
    """Return the back end with the most room left, and take the room there."""
    reasons: dict[str, str] = {}
    fit: list[Backend] = []
    near, far = _pools(tx, request.same_as), _pools(tx, request.different_from)
    for backend in store.backend_list(tx):
        reason = _refusal(backend, request) or _affinity(backend, near, far)
        if reason is None:
            fit.append(backend)
        else:
            reasons[backend.pool] = reason
    for backend in sorted(fit, key=lambda one: (one.allocated_gib - one.limit_gib, one.pool)):
        if store.room_take(tx, backend.pool, request.size_gib):
            return backend
        reasons[backend.pool] = "its room was taken meanwhile"
    told = "; ".join(f"{pool}: {reason}" for pool, reason in sorted(reasons.items()))
    raise NoValidBackend(f"No valid backend was found. {told or 'There are no back ends'}.")


def refusal(backend: Backend, request: Request) -> str | None:
    """Say why a back end will not do, if so, its room aside."""
    return _refusal(backend, msgspec.structs.replace(request, size_gib=0))


def _refusal(backend: Backend, request: Request) -> str | None:
    if request.only is not None and backend.pool != request.only:
        return "the volume's source lies elsewhere"
    if backend.pool in request.excluded:
        return request.excluded[backend.pool]
    if not is_up(backend):
        return backend.trouble or "it has not been heard of lately"
    if backend.is_disabled:
        return f"it is disabled ({backend.disabled_reason or 'no reason given'})"
    if backend.is_frozen:
        return "it is frozen"
    zone = request.availability_zone
    if zone is not None and zone != backend.availability_zone:
        return f"AvailabilityZoneFilter: it is in {backend.availability_zone}, not in {zone}"
    return _lacks_room(backend, request) or _lacks_ability(backend, request)


def _lacks_room(backend: Backend, request: Request) -> str | None:
    left = backend.limit_gib - backend.allocated_gib
    if request.size_gib > left:
        return (
            f"CapacityFilter: {request.size_gib} GiB requested, {max(left, 0)} of "
            f"{backend.limit_gib} GiB may still be allocated"
        )
    reserved = backend.total_gib * backend.capabilities["reserved_percentage"] / 100
    if request.size_gib and backend.free_gib - reserved <= 0:
        return f"CapacityFilter: {backend.free_gib} GiB are free, {reserved} GiB reserved"
    return None


def _lacks_ability(backend: Backend, request: Request) -> str | None:
    for key, wanted in sorted(request.specs.items()):
        scope, _, name = key.rpartition(":")
        if scope not in ("", "capabilities") or key == "multiattach":
            continue
        has = backend.capabilities.get(name)
        if has is None or not _matches(str(has), wanted):
            return f"CapabilitiesFilter: {name} is {has}, the type asks for {wanted}"
    return None


def _matches(has: str, wanted: str) -> bool:
    """Compare as types' extra specs do: `<is> True`, `<in> part`, `>= number`, or the word."""
    operator, _, rest = wanted.strip().partition(" ")
    if operator == "<is>":
        return has.lower() == rest.strip().lower()
    if operator == "<in>":
        return rest.strip() in has
    if operator == "<or>":
        return has in [one.strip() for one in wanted.split("<or>")]
    if operator in ("=", "==", ">=", "<=", "!=", "s==", "s!="):
        return _compares(has, operator, rest.strip())
    return has.lower() == wanted.strip().lower()


def _compares(has: str, operator: str, wanted: str) -> bool:
    if operator.startswith("s"):
        return (has == wanted) is (operator == "s==")
    try:
        ours, theirs = float(has), float(wanted)
    except ValueError:
        return False
    if operator in (">=", "="):  # "=" is "at least", for history's sake
        return ours >= theirs
    return {"==": ours == theirs, "!=": ours != theirs, "<=": ours <= theirs}[operator]


def _affinity(backend: Backend, near: set[str], far: set[str]) -> str | None:
    if near and backend.pool not in near:
        return "SameBackendFilter: the volumes named in same_host are elsewhere"
    if backend.pool in far:
        return "DifferentBackendFilter: a volume named in different_host is here"
    return None


def _pools(tx: Tx, volume_ids: list[str]) -> set[str]:
    found = [volume_find(tx, volume_id) for volume_id in volume_ids]
    return {one.host for one in found if one is not None and one.host is not None}
