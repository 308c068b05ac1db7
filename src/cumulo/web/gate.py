"""Several APIs behind one port: each takes the requests that it claims, one takes the rest."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

Environ: TypeAlias = dict[str, Any]
App: TypeAlias = Callable[[Environ, Callable[..., object]], Iterable[bytes]]


class Gate:
    """A WSGI application that hands each request on."""

    def __init__(self, claims: Sequence[tuple[Callable[[Environ], bool], App]], rest: App) -> None:
        self._claims, self._rest = claims, rest

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        """Serve one request."""
        for is_claimed, app in self._claims:
            if is_claimed(environ):
                return app(environ, start_response)
        return self._rest(environ, start_response)
