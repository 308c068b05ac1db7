"""The versions of this API, for whoever asks."""

from typing import Any

from cumulo.services.placement.api.answers import answer
from cumulo.services.placement.versions import HISTORY
from cumulo.web import Call, Reply, Routes

routes = Routes()


@routes.get("/", policy=None)
def show_versions(call: Call[None]) -> Reply:
    """Show which versions there are."""
    shown: dict[str, Any] = {
        "id": f"v{HISTORY.earliest}",
        "max_version": str(HISTORY.latest),
        "min_version": str(HISTORY.earliest),
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }
    return answer(call, {"versions": [shown]})
