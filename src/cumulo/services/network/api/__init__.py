"""Networking over HTTP: the Networking API v2.0, one module a noun."""

from cumulo.services.network.api import (
    agents,
    extensions,
    floatingips,
    network_ip_availabilities,
    networks,
    ports,
    quotas,
    rbac_policies,
    routers,
    security_group_rules,
    security_groups,
    subnets,
    tags,
    versions,
)

OPERATIONS = [
    operation
    for module in (
        versions,
        extensions,
        networks,
        subnets,
        ports,
        routers,
        floatingips,
        security_groups,
        security_group_rules,
        tags,
        rbac_policies,
        quotas,
        agents,
        network_ip_availabilities,
    )
    for operation in module.routes.operations
]
