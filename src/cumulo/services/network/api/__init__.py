"""Networking over HTTP: the Networking API v2.0, one module a noun."""

from cumulo.services.network.api import (
    address_groups,
    address_scopes,
    agents,
    explanations,
    extensions,
    floatingips,
    network_ip_availabilities,
    networks,
    port_forwardings,
    ports,
    qos_policies,
    qos_rules,
    quotas,
    rbac_policies,
    routers,
    security_group_rules,
    security_groups,
    subnetpools,
    subnets,
    tags,
    trunks,
    versions,
)

OPERATIONS = [
    operation
    for module in (
        versions,
        extensions,
        networks,
        subnets,
        subnetpools,
        address_scopes,
        ports,
        routers,
        trunks,
        floatingips,
        port_forwardings,
        qos_policies,
        qos_rules,
        security_groups,
        security_group_rules,
        address_groups,
        tags,
        rbac_policies,
        quotas,
        agents,
        network_ip_availabilities,
        explanations,
    )
    for operation in module.routes.operations
]
