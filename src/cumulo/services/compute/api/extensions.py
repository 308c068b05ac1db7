"""Extensions, which are all there since microversions took their place."""

from typing import TypeAlias

import msgspec

from cumulo.kit.errors import NotFound
from cumulo.services.compute.api.queries import check_known
from cumulo.services.compute.extensions import EXTENSIONS, Extension
from cumulo.services.compute.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Routes

Call: TypeAlias = _Call[Tools]
routes = Routes()
_RULE = "os_compute_api:extensions"


class ExtensionView(msgspec.Struct, kw_only=True):
    """An extension; the other fields are what they have been for all of them since 2014."""

    alias: str
    name: str
    description: str
    links: list[str] = []
    namespace: str = "http://docs.openstack.org/compute/ext/fake_xml"
    updated: str = "2014-12-03T00:00:00Z"


class ExtensionsBody(msgspec.Struct):
    """All extensions."""

    extensions: list[ExtensionView]


class ExtensionBody(msgspec.Struct):
    """One extension."""

    extension: ExtensionView


@routes.get("/v2.1/extensions", policy=_RULE)
def list_extensions(call: Call) -> ExtensionsBody:
    """List what the API can do beyond its first version."""
    check_known(call, since=(2, 102))
    return ExtensionsBody([_view(one) for one in EXTENSIONS])


@routes.get("/v2.1/extensions/{alias}", policy=_RULE)
def show_extension(call: Call, alias: str) -> ExtensionBody:
    """Show one thing that the API can do beyond its first version."""
    check_known(call, since=(2, 102))
    found = next((one for one in EXTENSIONS if one.alias == alias), None)
    if found is None:
        raise NotFound("The resource could not be found.", alias=alias)
    return ExtensionBody(_view(found))


def _view(extension: Extension) -> ExtensionView:
    return ExtensionView(
        alias=extension.alias, name=extension.name, description=extension.description
    )
