"""Swift's oldest way to log in, for a store that runs alone."""

from cumulo.kit.errors import NotFound
from cumulo.services.objectstore import access
from cumulo.services.objectstore.api.answers import HTML
from cumulo.services.objectstore.local_users import LIFE_S
from cumulo.services.objectstore.tools import Tools
from cumulo.web import Call, Reply, Routes

routes = Routes()


@routes.get("/auth/v1.0", policy=None, guests=True)
def log_in(call: Call[Tools]) -> Reply:
    """Give a token for a user's name and key."""
    if call.tools.users is None:
        raise NotFound("")
    given, headers = call.headers, {"Content-Type": HTML}
    name = given.get("x-auth-user") or given.get("x-storage-user", "")
    key = given.get("x-auth-key") or given.get("x-storage-pass", "")
    token, project = call.tools.users.log_in(name, key)
    host = given.get("host") or call.tools.own_address
    headers |= {
        "X-Auth-Token": token,
        "X-Storage-Token": token,
        "X-Auth-Token-Expires": str(LIFE_S),
        "X-Storage-Url": f"http://{host}/v1/{access.account_of(project)}",
    }
    return Reply("", headers=headers, content_type=HTML)
