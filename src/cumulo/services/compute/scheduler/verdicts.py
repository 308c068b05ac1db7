"""What the scheduler found out about each host, and what would have made it fit."""

from collections.abc import Mapping, Sequence

from cumulo.services.compute.scheduler.filters import FILTERS
from cumulo.services.compute.scheduler.hosts import Demand, HostState
from cumulo.services.compute.store.decisions import Decision as Decision
from cumulo.services.compute.store.decisions import Reason, Verdict
from cumulo.services.placement import public as placement

PLACEMENT = "Placement"


def reasons_against(host: HostState, demand: Demand) -> list[Reason]:
    """Return what every filter has against a host."""
    if demand.forced and host.name == demand.host:
        return []
    found = []
    for name, check in FILTERS.items():
        why = check(host, demand)
        if why is not None:
            remedy = _remedy(name, host, demand)
            found.append(Reason(filter=name, reason=why, remedy=remedy))
    return found


def reasons_of_room(
    demand: Demand, figures: Mapping[str, placement.Figures], words: Sequence[str]
) -> list[Reason]:
    """Return what a host lacks, in placement's words, with how much would have to be freed."""
    short = {
        name: amount - figures[name].free
        for name, amount in demand.resources.items()
        if name in figures and figures[name].free < amount
    }
    left = {name: max(0, figures[name].free) for name in short}
    freed = ", ".join(f"{amount} {name}" for name, amount in sorted(short.items()))
    fitting = ", ".join(f"{amount} {name}" for name, amount in sorted(left.items()))
    remedy = (
        f"free {freed} there, or ask for a flavor of at most {fitting}"
        if short
        else ("ask for a flavor without what the host does not have")
    )
    return [Reason(filter=PLACEMENT, reason=word, remedy=remedy) for word in words]


def would_fit(verdicts: Sequence[Verdict], most: int = 5) -> list[str]:
    """Return what would make hosts fit, those first against which the least stands."""
    refused = sorted((one for one in verdicts if one.reasons), key=lambda one: len(one.reasons))
    return [
        f"{one.host}: {'; '.join(dict.fromkeys(each.remedy for each in one.reasons))}"
        for one in refused[:most]
    ]


def _remedy(name: str, host: HostState, demand: Demand) -> str:
    if name == "ComputeFilter":
        return "start its service" if host.is_enabled else "enable its service"
    if name == "RetryFilter":
        named = demand.host is not None and host.name != demand.host
        return "do not ask for a host" if named else "see why it failed there, then try again"
    if name == "AvailabilityZoneFilter":
        return f"ask for zone {host.zone}, or for none"
    return _REMEDIES.get(name, "ask for less")


_REMEDIES = {
    "ComputeCapabilitiesFilter": "take the capability out of the flavor's extra specs",
    "ImagePropertiesFilter": "use an image for this kind of host",
    "NUMATopologyFilter": "ask for fewer memory nodes",
    "AggregateInstanceExtraSpecsFilter": "put the host into an aggregate with that property",
    "SameHostFilter": "leave out the hint same_host",
    "DifferentHostFilter": "leave out the hint different_host",
    "ServerGroupAffinityFilter": "leave the server group, or make room on its host",
    "ServerGroupAntiAffinityFilter": "raise the group's max_server_per_host, or add a host",
}
