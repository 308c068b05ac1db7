"""What this API is, told to whoever asks."""

from cumulo.services.network.api.listing import Answer
from cumulo.services.network.tools import Tools
from cumulo.web import Call, Routes

routes = Routes()
# The collections that a client may start from.
_COLLECTIONS = (
    "networks",
    "subnets",
    "subnetpools",
    "qos/policies",
    "address-scopes",
    "ports",
    "routers",
    "trunks",
    "floatingips",
    "address-groups",
    "security-groups",
    "security-group-rules",
    "default-security-group-rules",
    "floatingip_pools",
    "quotas",
    "agents",
    "availability_zones",
    "rbac-policies",
    "network-ip-availabilities",
    "extensions",
)


@routes.get("/", policy=None)
def list_versions(call: Call[Tools]) -> Answer:
    """List the versions of the Networking API, of which there is one."""
    link = {"rel": "self", "href": f"{call.url}/v2.0/"}
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}


@routes.get("/v2.0", policy=None)
def show_version(call: Call[Tools]) -> Answer:
    """List what the API has."""
    return {
        "resources": [
            {
                "name": name.removesuffix("s"),
                "collection": name,
                "links": [{"rel": "self", "href": f"{call.url}/v2.0/{name}"}],
            }
            for name in _COLLECTIONS
        ]
    }
