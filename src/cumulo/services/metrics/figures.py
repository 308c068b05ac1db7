"""What is counted at the moment that it is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cumulo.db import Tx
from cumulo.db.quota import usages
from cumulo.services.compute import public as compute
from cumulo.work import events, runs

Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One name with its values, each by labels."""

    name: str
    help: str
    labels: Sequence[str]
    values: Mapping[Labels, float]


def figures(tx: Tx, tools: compute.Tools) -> list[Figure]:
    """Return everything."""
    return [*_hosts(tx, tools), _guests(tx), *_work(tx), _projects(tx)]


def _hosts(tx: Tx, tools: compute.Tools) -> list[Figure]:
    states = compute.list_hypervisors(tx, tools.health)
    up: dict[Labels, float] = {}
    used: dict[Labels, float] = {}
    most: dict[Labels, float] = {}
    for state in states:
        name, facts = state.hypervisor.name, state.hypervisor.facts
        up[(name,)] = float(state.is_up)
        for resource, taken, there in (
            ("vcpus", state.vcpus_used, facts.vcpus),
            ("memory_mib", state.memory_mib_used, facts.memory_mib),
            ("disk_gib", state.disk_gib_used, facts.disk_gib),
        ):
            used[(name, resource)], most[(name, resource)] = taken, there
    return [
        Figure("cumulo_host_up", "Whether a host was heard of lately.", ("host",), up),
        Figure("cumulo_host_used", "What guests take of a host.", ("host", "resource"), used),
        Figure("cumulo_host_total", "What a host has.", ("host", "resource"), most),
    ]


def _guests(tx: Tx) -> Figure:
    found: dict[Labels, float] = {
        (host or "", state): count for (host, state), count in compute.server_counts(tx).items()
    }
    words = "Servers, by host and state."
    return Figure("cumulo_servers", words, ("host", "state"), found)


def _work(tx: Tx) -> list[Figure]:
    under_way: dict[Labels, float] = dict(runs.run_counts(tx).items())
    last: dict[Labels, float] = {(): events.last_id(tx)}
    return [
        Figure("cumulo_runs", "Workflows by kind and state.", ("kind", "state"), under_way),
        Figure("cumulo_events_total", "Changes ever logged.", (), last),
    ]


def _projects(tx: Tx) -> Figure:
    names = ("service", "project", "resource")
    used: dict[Labels, float] = dict(usages(tx).items())
    words = "What projects have of what is counted."
    return Figure("cumulo_project_used", words, names, used)
