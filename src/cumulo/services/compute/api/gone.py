"""What the API could do once; its places are kept to say so."""

from typing import NoReturn, TypeAlias

from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes
from cumulo.web.errors import Gone

Call: TypeAlias = _Call[Tools]
routes = Routes()


def refuse_what_is_gone(call: Call) -> NoReturn:
    """Say that this resource was removed for good."""
    raise Gone(f"{call.path} was removed from the API and will not come back.")


_PLACES: tuple[tuple[str, str], ...] = (
    ("os-agents", "GET POST"),
    ("os-agents/{id}", "PUT DELETE"),
    ("os-cells", "GET POST"),
    ("os-cells/capacities", "GET"),
    ("os-cells/detail", "GET"),
    ("os-cells/info", "GET"),
    ("os-cells/sync_instances", "POST"),
    ("os-cells/{id}", "GET PUT DELETE"),
    ("os-cells/{id}/capacities", "GET"),
    ("os-certificates", "POST"),
    ("os-certificates/{id}", "GET"),
    ("os-cloudpipe", "GET POST"),
    ("os-cloudpipe/{id}", "PUT"),
    ("os-fixed-ips/{id}", "GET"),
    ("os-fixed-ips/{id}/action", "POST"),
    ("os-floating-ip-dns", "GET"),
    ("os-floating-ip-dns/{id}", "PUT DELETE"),
    ("os-floating-ip-dns/{id}/entries/{entry}", "GET PUT DELETE"),
    ("os-floating-ips-bulk", "GET POST"),
    ("os-floating-ips-bulk/{id}", "GET PUT"),
    ("os-fping", "GET"),
    ("os-fping/{id}", "GET"),
    ("os-networks", "POST"),
    ("os-networks/add", "POST"),
    ("os-networks/{network_id}", "DELETE"),
    ("os-networks/{network_id}/action", "POST"),
    ("os-security-group-default-rules", "GET POST"),
    ("os-security-group-default-rules/{id}", "GET DELETE"),
    ("os-tenant-networks", "POST"),
    ("os-tenant-networks/{network_id}", "DELETE"),
    ("servers/{server_id}/consoles", "GET POST"),
    ("servers/{server_id}/consoles/{id}", "GET DELETE"),
    ("servers/{server_id}/os-virtual-interfaces", "GET"),
)
for _place, _methods in _PLACES:
    for _method in _methods.split():
        routes.add(_method, f"/v2.1/{_place}", policy="", status=410)(refuse_what_is_gone)


@routes.post(
    "/v2.1/servers/{server_id}/action",
    policy="",
    status=410,
    action="resetNetwork",
)
def reset_network(call: Call, server_id: str) -> NoReturn:
    """Say that networks are not reset through servers any more."""
    raise Gone("resetNetwork was removed from the API and will not come back.")
