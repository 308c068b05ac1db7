"""Which versions of the API there are; anyone may ask."""

from cumulo.services.identity.api.wire import Call
from cumulo.web import Reply, Routes

routes = Routes()


@routes.get("/", policy=None, status=300)
def list_versions(call: Call) -> Reply:
    """List the versions of the Identity API."""
    body = {"versions": {"values": [_version(call)]}}
    return Reply(body, headers={"Location": f"{call.url}/v3/"})


@routes.get("/v3", policy=None)
def show_version(call: Call) -> Reply:
    """Show version 3 of the Identity API."""
    return Reply({"version": _version(call)})


def _version(call: Call) -> dict[str, object]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.url}/v3/"}],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.identity-v3+json",
            }
        ],
    }
