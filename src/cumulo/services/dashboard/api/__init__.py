"""The pages: one module a noun."""

from cumulo.services.dashboard.api import (
    access,
    assets,
    containers,
    floating_ips,
    images,
    journal,
    key_pairs,
    networks,
    overview,
    ports,
    routers,
    security_groups,
    server_forms,
    server_groups,
    server_networks,
    servers,
    sign_in,
    subnets,
    topology,
    volumes,
)
from cumulo.services.dashboard.api.admin import OPERATIONS as ADMIN
from cumulo.services.dashboard.api.faults import FAMILY as FAMILY
from cumulo.services.dashboard.api.pages import HEADERS as HEADERS

OPERATIONS = [
    *assets.routes.operations,
    *sign_in.pages.routes.operations,
    *overview.pages.routes.operations,
    *servers.pages.routes.operations,
    *server_forms.pages.routes.operations,
    *server_networks.pages.routes.operations,
    *server_groups.pages.routes.operations,
    *images.pages.routes.operations,
    *key_pairs.pages.routes.operations,
    *networks.pages.routes.operations,
    *subnets.pages.routes.operations,
    *ports.pages.routes.operations,
    *routers.pages.routes.operations,
    *floating_ips.pages.routes.operations,
    *security_groups.pages.routes.operations,
    *journal.pages.routes.operations,
    *topology.pages.routes.operations,
    *volumes.pages.routes.operations,
    *containers.pages.routes.operations,
    *access.pages.routes.operations,
    *ADMIN,
]
