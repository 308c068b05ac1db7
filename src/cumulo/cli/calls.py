"""Asking a running cloud's APIs as its administrator."""

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from cumulo.cli.state import State
from cumulo.kit.errors import CloudError, Unavailable

if TYPE_CHECKING:
    from cumulo.settings import Settings

_TIMEOUT_S = 60


class Refused(CloudError):
    """An API refused; the message is its own."""


class Administrator:
    """The first user of the cloud in a state directory, with a token for its project."""

    def __init__(self, state: State, settings: "Settings") -> None:
        from cumulo.app import catalog

        if state.program() is None:
            raise Unavailable(f"No cloud runs in {state.directory}: see `cumulo up`.")
        self._urls = {kind: url for kind, _, url, _ in catalog(settings)}
        self._token = ""
        domain = {"domain": {"id": "default"}}
        user = {"name": "admin", "password": state.passwords().admin, **domain}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": "admin", **domain}}
        body = {"auth": {"identity": identity, "scope": scope}}
        _, headers = self._ask("identity", "/auth/tokens", body)
        self._token = headers["X-Subject-Token"]

    def get(self, service: str, path: str, **query: str | int | None) -> Any:
        """Return what stands at a path; a part of the query that is None is left out."""
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        answer, _ = self._ask(service, f"{path}?{asked}" if asked else path)
        return answer

    def _ask(self, service: str, path: str, body: object = None) -> tuple[Any, Any]:
        request = urllib.request.Request(  # noqa: S310 - our own address
            self._urls[service] + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Auth-Token": self._token, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                return json.load(answer), answer.headers
        except urllib.error.HTTPError as error:
            raise Refused(_message(error.read())) from error


def _message(body: bytes) -> str:
    """Return the sentence in an error, whatever the family of the API."""
    try:
        (fault,) = json.loads(body).values()
        return str(fault["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return body.decode(errors="replace")[:200]
