"""The Compute API v2.1 as clients see it, one file a noun."""

from collections.abc import Sequence

from cumulo.services.compute.api import (
    aggregates,
    availability_zones,
    extensions,
    flavor_access,
    flavor_extra_specs,
    flavors,
    floating_ip_pools,
    gone,
    hosts,
    hypervisors,
    instance_actions,
    interfaces,
    keypairs,
    limits,
    quota_class_sets,
    quota_sets,
    server_actions,
    server_addresses,
    server_groups,
    server_images,
    server_metadata,
    server_moves,
    server_rebuilds,
    server_rescue,
    server_shelving,
    server_tags,
    servers,
    services,
    versions,
)
from cumulo.web import Operation

OPERATIONS: Sequence[Operation] = [
    operation
    for module in (
        versions,
        extensions,
        flavors,
        flavor_extra_specs,
        flavor_access,
        keypairs,
        limits,
        quota_sets,
        quota_class_sets,
        server_groups,
        services,
        hypervisors,
        hosts,
        aggregates,
        availability_zones,
        floating_ip_pools,
        servers,
        server_actions,
        server_moves,
        server_rebuilds,
        server_images,
        server_shelving,
        server_rescue,
        interfaces,
        server_addresses,
        server_metadata,
        server_tags,
        instance_actions,
        gone,
    )
    for operation in module.routes.operations
]
