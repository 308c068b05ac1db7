"""Which requests need no thread of their own: they wait for nothing but a disk of this machine.

Reads of objects are nearly all requests of a store, and most of what is read was read before, so
that it is in memory.  What lists names, or asks for a turn or another machine, may take long.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from cumulo.services.objectstore.api.answers import UNLIMITED
from cumulo.services.objectstore.tools import Tools

Environ: TypeAlias = Mapping[str, Any]
_OBJECT = 4  # slashes before the name of an object: /v1/account/container/object


def quick_reads(tools: Tools) -> Callable[[Environ], bool]:
    """Return what says whether a request is of that kind."""
    may_wait = tools.settings.ratelimit != UNLIMITED or not tools.cluster.is_here

    def is_quick(environ: Environ) -> bool:
        return not may_wait and _reads_object(environ)

    return is_quick


def _reads_object(environ: Environ) -> bool:
    path = environ["PATH_INFO"]
    return (
        environ["REQUEST_METHOD"] in ("GET", "HEAD")
        and not environ["QUERY_STRING"]
        # Strangers may be shown a page with a list of names, and others if they ask for one.
        and "HTTP_X_AUTH_TOKEN" in environ
        and "HTTP_X_WEB_MODE" not in environ
        and "HTTP_AUTHORIZATION" not in environ  # by which S3's are known
        and path.startswith("/v1/")
        and path.count("/") >= _OBJECT
        and not path.endswith("/")
    )
