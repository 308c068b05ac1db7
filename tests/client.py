"""Speaks HTTP to an edge in this process; a test reads as a conversation."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from cumulo.auth import Context
from cumulo.kit.errors import Unauthorized
from cumulo.web.edge import Edge


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


def authenticate(token: str) -> Context:
    """Read a token of the form user:project:role,role; `-` stands for no project."""
    user, _, rest = token.partition(":")
    project, _, roles = rest.partition(":")
    if not roles:
        raise Unauthorized("The request you have made requires authentication.")
    implied = {"admin": ["admin", "manager", "member", "reader"], "manager": ["member", "reader"]}
    implied |= {"member": ["reader"]}
    named = roles.split(",")
    everything = frozenset(named + [more for name in named for more in implied.get(name, [])])
    if project == "system":
        return Context(user_id=user, system_scope="all", roles=everything)
    return Context(
        user_id=user,
        user_name=user,
        project_id=None if project == "-" else project,
        project_name=project,
        roles=everything,
    )


class Client:
    def __init__(
        self, edge: Edge, token: str | None = "ann:p1:member", version: str | None = None
    ) -> None:
        self._edge, self.token, self.version = edge, token, version

    def as_(self, token: str | None) -> "Client":
        return Client(self._edge, token, self.version)

    def at(self, version: str | None) -> "Client":
        """Return the same client speaking a microversion, as 'compute 2.1'."""
        return Client(self._edge, self.token, version)

    def request(
        self,
        method: str,
        url: str,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        parts = urlsplit(url)
        sent = body if body is not None else b"" if json is None else msgspec.json.encode(json)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
            "QUERY_STRING": parts.query,
            "SERVER_NAME": "cloud",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "cloud",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(sent),
            "CONTENT_LENGTH": str(len(sent)),
            "CONTENT_TYPE": "application/json" if json is not None else "",
        }
        given = {"x-auth-token": self.token, "openstack-api-version": self.version}
        for name, value in {**given, **(headers or {})}.items():
            key = name.upper().replace("-", "_")
            if value is not None:
                environ[key if key in environ else f"HTTP_{key}"] = value
        started: list[Any] = []

        def start_response(status: str, found: list[tuple[str, str]]) -> None:
            started[:] = [int(status[:3]), {k.lower(): v for k, v in found}]

        pieces: Iterable[bytes] = self._edge(environ, start_response)
        return Answer(started[0], started[1], b"".join(pieces))

    def get(self, url: str, **kw: Any) -> Answer:
        return self.request("GET", url, **kw)

    def post(self, url: str, json: Any = None, **kw: Any) -> Answer:
        return self.request("POST", url, json, **kw)

    def put(self, url: str, json: Any = None, **kw: Any) -> Answer:
        return self.request("PUT", url, json, **kw)

    def patch(self, url: str, json: Any = None, **kw: Any) -> Answer:
        return self.request("PATCH", url, json, **kw)

    def delete(self, url: str, **kw: Any) -> Answer:
        return self.request("DELETE", url, **kw)
