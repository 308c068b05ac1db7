"""The pages: one module a noun."""

from cumulo.services.dashboard.api import (
    assets,
    overview,
    server_forms,
    server_networks,
    servers,
    sign_in,
)
from cumulo.services.dashboard.api.faults import FAMILY as FAMILY
from cumulo.services.dashboard.api.pages import HEADERS as HEADERS

OPERATIONS = [
    *assets.routes.operations,
    *sign_in.pages.routes.operations,
    *overview.pages.routes.operations,
    *servers.pages.routes.operations,
    *server_forms.pages.routes.operations,
    *server_networks.pages.routes.operations,
]
