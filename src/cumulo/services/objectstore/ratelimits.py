"""How often an account may write, and a container be written to or listed, as Swift limits it.

Who comes too often is made to wait his turn; who would have to wait too long is told to slow down.
What is counted is one process's.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping

from cumulo.services.objectstore import containers
from cumulo.services.objectstore.refusals import Blacklisted
from cumulo.services.objectstore.settings import RateLimits
from cumulo.services.objectstore.visits import Visit

_WRITES = ("PUT", "DELETE", "POST", "COPY")
_BLACKLIST_S = 1.0


def check(visit: Visit, account: str, container: str = "", name: str = "") -> None:
    """Have a request wait for its turns, or refuse it."""
    limits, turns = visit.settings.ratelimit, visit.tools.turns
    if account in limits.account_whitelist:
        return
    if account in limits.account_blacklist:
        turns.wait(_BLACKLIST_S)
        raise Blacklisted("Your account has been blacklisted")
    for what, rate in _limited(visit, limits, account, container, name):
        turns.take(what, rate, limits)


def _limited(
    visit: Visit, limits: RateLimits, account: str, container: str, name: str
) -> Iterator[tuple[str, float]]:
    if not container:
        return
    if not name and limits.account_ratelimit and visit.method in ("PUT", "DELETE"):
        yield account, limits.account_ratelimit
    if name and limits.container_ratelimit and visit.method in _WRITES:
        rate = rate_of(limits.container_ratelimit, _size(visit, account, container))
        if rate:
            yield f"{account}/{container}", rate
    if not name and limits.container_listing_ratelimit and visit.method == "GET":
        rate = rate_of(limits.container_listing_ratelimit, _size(visit, account, container))
        if rate:
            yield f"listing of {account}/{container}", rate


def rate_of(limits: Mapping[str, float], size: int) -> float:
    """Return the rate for a container of so many objects, between those that are given; or 0."""
    known = sorted((int(at), rate) for at, rate in limits.items())
    place = bisect_right([at for at, _ in known], size)
    if not size or not place:
        return 0.0
    at, rate = known[place - 1]
    if place == len(known):
        return rate
    next_at, next_rate = known[place]
    return rate + (size - at) * (next_rate - rate) / (next_at - at)


def _size(visit: Visit, account: str, container: str) -> int:
    head = containers.find(visit, account, container)
    return containers.summed(visit, account, head).items if head else 0
