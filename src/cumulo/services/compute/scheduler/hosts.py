"""A host as the scheduler sees it, and what is asked of it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulo.services.network.public import ResourceGroup


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """What filters and weighers may know of a host."""

    provider_id: str
    name: str
    is_up: bool
    is_enabled: bool
    disabled_reason: str | None
    zone: str
    aggregates: list[dict[str, str]] = []  # the metadata of each aggregate it is in
    capabilities: dict[str, str] = {}
    memory_nodes: int = 1
    servers: int = 0
    free: dict[str, int] = {}
    total: dict[str, int] = {}


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What a server needs of its host."""

    server_id: str
    project_id: str
    resources: dict[str, int]
    groups: list[ResourceGroup] = []  # what its ports ask of the host's cards
    required: frozenset[str] = frozenset()  # traits
    forbidden: frozenset[str] = frozenset()
    memory_nodes: int = 0  # that the guest is to see
    zone: str | None = None
    host: str | None = None
    forced: bool = False
    excluded: dict[str, str] = {}  # host -> why not there again
    extra_specs: dict[str, str] = {}
    image_properties: Mapping[str, str] = {}
    hints: dict[str, Any] = {}
    group_policy: str | None = None
    group_most: int = 1
    group_hosts: dict[str, int] = {}  # host -> how many of the group's servers are there
    hosts_of_servers: dict[str, str] = {}  # for same_host and different_host
