"""The Image API v2."""

from cumulo.kit.outbound import CannotFetch
from cumulo.services.image.api import (
    cache,
    discovery,
    image_data,
    images,
    imports,
    locations,
    members,
    metadef_namespaces,
    metadef_schemas,
    metadefs,
    schemas,
    tasks,
)
from cumulo.services.image.errors import InvalidImageData, NoLongerThere, StoreReadOnly
from cumulo.web.faults import PAGE, Family

_STATUS = {InvalidImageData: 415, NoLongerThere: 410, StoreReadOnly: 410, CannotFetch: 503}
FAMILY = Family(PAGE.spell, {**PAGE.status, **_STATUS})
OPERATIONS = [
    *discovery.routes.operations,
    *images.routes.operations,
    *image_data.routes.operations,
    *imports.routes.operations,
    *locations.routes.operations,
    *cache.routes.operations,
    *tasks.routes.operations,
    *members.routes.operations,
    *schemas.routes.operations,
    *metadef_namespaces.routes.operations,
    *metadefs.routes.operations,
    *metadef_schemas.routes.operations,
]
