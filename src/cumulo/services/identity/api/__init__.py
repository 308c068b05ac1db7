"""Identity over HTTP: the Identity API v3."""

from cumulo.services.identity.api import (
    access_keys,
    access_rules,
    application_credentials,
    assignments,
    auth,
    catalog,
    consumers,
    credentials,
    domain_configs,
    domains,
    endpoint_groups,
    grants,
    groups,
    limits,
    policies,
    policy_associations,
    projects,
    revocations,
    roles,
    tokens,
    trusts,
    users,
    versions,
)

OPERATIONS = [
    operation
    for module in (
        versions,
        tokens,
        auth,
        domains,
        projects,
        users,
        groups,
        roles,
        grants,
        assignments,
        catalog,
        credentials,
        policies,
        trusts,
        application_credentials,
        access_rules,
        access_keys,
        endpoint_groups,
        domain_configs,
        limits,
        consumers,
        revocations,
        policy_associations,
    )
    for operation in module.routes.operations
]
