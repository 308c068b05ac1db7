"""Pages for those who run the cloud."""

from cumulo.services.dashboard.api.admin import (
    aggregates,
    domains,
    everything,
    flavors,
    groups,
    hosts,
    projects,
    roles,
    users,
)

OPERATIONS = [
    *everything.pages.routes.operations,
    *projects.pages.routes.operations,
    *users.pages.routes.operations,
    *groups.pages.routes.operations,
    *roles.pages.routes.operations,
    *domains.pages.routes.operations,
    *flavors.pages.routes.operations,
    *aggregates.pages.routes.operations,
    *hosts.pages.routes.operations,
]
