"""The cloud as one person reaches it: requests to its APIs with that person's token.

Addresses come from the catalog of the token.  A refusal is an exception that keeps the API's
words, for the page to show.
"""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from cumulo.kit.errors import CloudError, NotFound
from cumulo.services.dashboard.transport import Ask, Body, Told, Transport

# What each service is asked to speak; pages know these shapes.
VERSIONS = {
    "compute": "compute 2.96",
    "placement": "placement 1.36",
    "volume": "volume 3.70",
}
# The types by which catalogs name a service, the usual one first.
TYPES = {"volume": ("volumev3", "block-storage", "volume")}
_PREFIXES = {"network": "/v2.0", "image": "/v2"}
_TAG = re.compile(r"<[^>]*>")


class Refusal(CloudError):
    """An API said no; `status` and the message are its own."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token is good for, as it says itself."""

    user_id: str
    user_name: str
    project_id: str | None
    project_name: str
    domain_id: str | None
    roles: frozenset[str]
    expires_at: str
    catalog: Sequence[Mapping[str, Any]]
    is_system: bool = False
    domain_name: str = ""
    user_domain: str = ""
    project_domain: str = ""

    @property
    def is_admin(self) -> bool:
        """Say whether to offer what administrators do; the APIs decide whether it is done."""
        return "admin" in self.roles

    @property
    def name(self) -> str:
        """Return where the person works."""
        return self.project_name or self.domain_name or ("all" if self.is_system else "")

    @property
    def regions(self) -> list[str]:
        """Return the regions that have anything."""
        return sorted({e["region"] for s in self.catalog for e in s["endpoints"] if e["region"]})


class Cloud:
    """The services, asked with one token."""

    def __init__(
        self,
        transport: Transport,
        auth_url: str,
        token: str = "",
        *,
        request_id: str = "",
        remote: str = "",
    ) -> None:
        self._transport, self.auth_url, self.token = transport, auth_url.rstrip("/"), token
        self._request_id, self._remote = request_id, remote
        self.catalog: Sequence[Mapping[str, Any]] = ()
        self.region = ""

    def has(self, service: str) -> bool:
        """Say whether the catalog has a service in the region that was chosen."""
        return any(url for kind in _types(service) for url in self._urls(kind))

    def base(self, service: str) -> str:
        """Return the address of a service in the region that was chosen."""
        if service == "identity":
            return self.auth_url
        for kind in _types(service):
            for url in self._urls(kind):
                path = urlsplit(url).path.strip("/")
                return url.rstrip("/") + ("" if path else _PREFIXES.get(service, ""))
        raise NotFound(f"The catalog has no {service} service.")

    def _urls(self, kind: str) -> Iterator[str]:
        for entry in self.catalog:
            for endpoint in entry["endpoints"] if entry["type"] == kind else ():
                wanted = not self.region or endpoint["region"] == self.region
                if endpoint["interface"] == "public" and wanted:
                    yield endpoint["url"]

    def ask(
        self,
        method: str,
        service: str,
        path: str,
        json: object = None,
        *,
        body: bytes | Body = b"",
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Told:
        """Send a request and return the answer of an API that did not refuse."""
        sent = {"X-Auth-Token": self.token, "Accept": "application/json"}
        if service in VERSIONS:
            sent["OpenStack-API-Version"] = VERSIONS[service]
        if self._request_id:
            sent["X-OpenStack-Request-ID"] = self._request_id
        if json is not None:
            body = msgspec.json.encode(json)
            sent["Content-Type"] = "application/json"
        sent = {name: value for name, value in {**sent, **(headers or {})}.items() if value}
        given = {name: value for name, value in query.items() if value is not None}
        url = f"{self.base(service)}{path}"
        url += f"?{urlencode(given, doseq=True)}" if given else ""
        told = self._transport.send(Ask(method, url, sent, body, self._remote))
        if told.status >= 400:
            raise _refusal(told)
        return told

    def get(self, service: str, path: str, **query: object) -> Any:
        """Return what is at a path."""
        return self.ask("GET", service, path, **query).json()  # type: ignore[arg-type]

    def post(self, service: str, path: str, json: object = None) -> Any:
        """Make something, or do something."""
        return self.ask("POST", service, path, json).json()

    def put(self, service: str, path: str, json: object = None) -> Any:
        """Change something."""
        return self.ask("PUT", service, path, json).json()

    def patch(self, service: str, path: str, json: object) -> Any:
        """Change a part of something."""
        return self.ask("PATCH", service, path, json).json()

    def delete(self, service: str, path: str) -> None:
        """Delete something."""
        self.ask("DELETE", service, path).read()

    def scope(self) -> Scope:
        """Return what the token says of itself."""
        told = self.ask("GET", "identity", "/auth/tokens", headers={"X-Subject-Token": self.token})
        return scope_of(told.json()["token"])


def part(text: str) -> str:
    """Return a name or id as a part of a path."""
    return quote(text, safe="")


def scope_of(token: Mapping[str, Any]) -> Scope:
    """Read the body of a token."""
    project, domain = token.get("project") or {}, token.get("domain") or {}
    return Scope(
        user_id=token["user"]["id"],
        user_name=token["user"]["name"],
        user_domain=token["user"]["domain"]["name"],
        project_id=project.get("id"),
        project_name=project.get("name", ""),
        project_domain=project.get("domain", {}).get("name", ""),
        domain_id=domain.get("id"),
        domain_name=domain.get("name", ""),
        is_system="system" in token,
        roles=frozenset(role["name"] for role in token.get("roles", ())),
        expires_at=token["expires_at"],
        catalog=token.get("catalog", ()),
    )


def _types(service: str) -> tuple[str, ...]:
    return TYPES.get(service, (service,))


def _refusal(told: Told) -> Refusal:
    text = told.read().decode("utf-8", "replace")
    return Refusal(told.status, _words(text) or f"HTTP {told.status}", told.headers)


def _words(text: str) -> str:
    """Find the sentence in a fault, whichever family of APIs spelled it."""
    try:
        found = _message(msgspec.json.decode(text))
    except msgspec.DecodeError:
        found = html.unescape(_TAG.sub(" ", text))
    return " ".join(found.split())


def _message(value: Any) -> str:
    if isinstance(value, dict):
        for name in ("message", "detail", "faultstring", "title"):
            if isinstance(value.get(name), str) and value[name].strip():
                return str(value[name])
        return next((found for each in value.values() if (found := _message(each))), "")
    if isinstance(value, list):
        return next((found for each in value if (found := _message(each))), "")
    return ""
