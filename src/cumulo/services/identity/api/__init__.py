"""Identity over HTTP: the Identity API v3."""

from cumulo.services.identity.api import (
    assignments,
    auth,
    catalog,
    credentials,
    domains,
    grants,
    groups,
    policies,
    projects,
    roles,
    tokens,
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
    )
    for operation in module.routes.operations
]
