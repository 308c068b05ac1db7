"""/assets: style, scripts and pictures; the only answers that browsers keep."""

from cumulo.services.dashboard import pictures
from cumulo.services.dashboard.tools import Tools
from cumulo.web import Call, Reply, Routes

routes = Routes()
_FOR_EVER = "public, max-age=31536000, immutable"


@routes.get("/assets/{name:path}", policy=None)
def show_asset(call: Call[Tools], name: str) -> Reply:
    """Return a file that pages refer to."""
    found = pictures.asset(name)
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" not in call.headers.get("accept-encoding", ""):
        return Reply(found.content, headers=headers, content_type=found.content_type)
    headers["Content-Encoding"] = "gzip"
    return Reply(found.packed, headers=headers, content_type=found.content_type)
