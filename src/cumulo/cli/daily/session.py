"""Who asks which cloud: clouds.yaml or OS_ variables, a token that is kept, requests.

The token is kept in a file that only its owner reads, with the addresses of the catalog, so that
the next command neither reads YAML nor logs in.
"""

import hashlib
import http.client
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import click

from cumulo.kit.errors import CloudError, Invalid, NotFound, Unavailable

_VERSIONS = {"compute": "compute 2.90", "volume": "volume 3.60"}
_TYPES = {"volume": ("volumev3", "block-storage"), "object-store": ("object-store",)}
_PREFIXES = {"network": "/v2.0", "image": "/v2"}
_TIMEOUT_S = 60
_MARGIN_S = 60  # a token that ends sooner is not used any more
_VARIABLES = (
    "AUTH_URL", "AUTH_TYPE", "USERNAME", "USER_ID", "PASSWORD", "TOKEN", "USER_DOMAIN_NAME",
    "USER_DOMAIN_ID", "PROJECT_NAME", "PROJECT_ID", "PROJECT_DOMAIN_NAME", "PROJECT_DOMAIN_ID",
    "SYSTEM_SCOPE", "APPLICATION_CREDENTIAL_ID", "APPLICATION_CREDENTIAL_NAME",
    "APPLICATION_CREDENTIAL_SECRET",
)  # fmt: skip


class Refused(CloudError):
    """An API said no; the message is its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Session:
    """One cloud, asked by one person."""

    def __init__(self, cloud: str | None = None) -> None:
        self._cloud = cloud or os.environ.get("OS_CLOUD") or None
        self._file = None if self._from_environment() else config_file()
        self._connections: dict[str, http.client.HTTPConnection] = {}
        self._kept = _cache(self._key())
        self._login: Mapping[str, Any] | None = self._read()
        context = click.get_current_context(silent=True)
        if context is not None:
            context.call_on_close(self.close)

    def close(self) -> None:
        """Close what is open."""
        for connection in self._connections.values():
            connection.close()

    def _from_environment(self) -> bool:
        return self._cloud is None and "OS_AUTH_URL" in os.environ

    def _key(self) -> str:
        """Return what stands for the cloud and the person, without reading the file."""
        parts = [self._cloud, os.environ.get("OS_REGION_NAME")]
        if self._file is None:
            parts += [os.environ.get(f"OS_{name}") for name in _VARIABLES]
        else:
            status = self._file.stat()
            parts += [str(self._file.absolute()), str(status.st_mtime_ns), str(status.st_size)]
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _read(self) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = json.loads(self._kept.read_bytes())
        except (OSError, ValueError):
            return None
        return found if found.get("until", 0) > time.time() + _MARGIN_S else None

    def _signed_in(self) -> Mapping[str, Any]:
        if self._login is None:
            self._login = self._sign_in()
            _write(self._kept, json.dumps(self._login).encode())
        return self._login

    def _sign_in(self) -> Mapping[str, Any]:
        auth, region = self._settings()
        url = str(auth.get("auth_url", "")).rstrip("/")
        if not url:
            raise Invalid("Which cloud? Name one of clouds.yaml with --cloud, or set OS_CLOUD.")
        url = url if url.endswith("/v3") else f"{url}/v3"
        status, headers, answer = self._send("POST", f"{url}/auth/tokens", proof(auth), {})
        if status != 201:
            raise Refused(status, _words(answer))
        from datetime import datetime

        token = json.loads(answer)["token"]
        until = datetime.fromisoformat(token["expires_at"]).timestamp()
        urls = {
            entry["type"]: endpoint["url"].rstrip("/")
            for entry in token.get("catalog", ())
            for endpoint in entry["endpoints"]
            if endpoint["interface"] == "public" and (not region or endpoint["region"] == region)
        }
        project = token.get("project", {}).get("id", "")
        known = {"urls": {**urls, "identity": url}, "project": project, "user": token["user"]["id"]}
        return {"token": headers["x-subject-token"], "until": until, **known}

    def _settings(self) -> tuple[Mapping[str, Any], str]:
        region = os.environ.get("OS_REGION_NAME", "")
        if self._file is None:
            given = {name.lower(): os.environ.get(f"OS_{name}") for name in _VARIABLES}
            return {name: value for name, value in given.items() if value}, region
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the other takes ten times as long
        read = yaml.load(self._file.read_bytes(), loader)  # noqa: S506 - both are safe
        clouds = (read or {}).get("clouds") or {}
        name = self._cloud or (next(iter(clouds)) if clouds else "")
        if name not in clouds:
            known = ", ".join(clouds) or "none"
            raise NotFound(f"{self._file} has no cloud {name}; it has {known}.")
        found = clouds[name]
        auth = dict(found.get("auth") or {})
        if "auth_type" in found:
            auth["auth_type"] = found["auth_type"]
        return auth, region or found.get("region_name", "")

    @property
    def project(self) -> str:
        """Return the id of the project that the token is for."""
        return str(self._signed_in()["project"])

    def ask(
        self,
        method: str,
        service: str,
        path: str,
        body: object = None,
        **query: object,
    ) -> Any:
        """Send a request and return what the answer means; refusals raise."""
        given = {name: value for name, value in query.items() if value is not None}
        where = f"{path}?{urlencode(given, doseq=True)}" if given else path
        status, _, answer = self._authorized(method, service, where, body)
        if status == 401:  # the token is no good any more, though its time has not come
            self._login = None
            status, _, answer = self._authorized(method, service, where, body)
        if status >= 400:
            raise Refused(status, _words(answer))
        return json.loads(answer) if answer else None

    def _authorized(
        self, method: str, service: str, path: str, body: object
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"X-Auth-Token": self._signed_in()["token"]}
        if service in _VERSIONS:
            headers["OpenStack-API-Version"] = _VERSIONS[service]
        return self._send(method, f"{self._base(service)}{path}", body, headers)

    def _base(self, service: str) -> str:
        urls = self._signed_in()["urls"]
        for kind in _TYPES.get(service, (service,)):
            if kind in urls:
                url = str(urls[kind])
                plain = not urlsplit(url).path.strip("/")
                return url + (_PREFIXES.get(service, "") if plain else "")
        raise NotFound(f"This cloud has no {service} service.")

    def _send(
        self, method: str, url: str, body: object, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        parts = urlsplit(url)
        sent = {"Accept": "application/json", **headers}
        data: Any = None
        if hasattr(body, "read"):
            data, sent["Content-Type"] = body, "application/octet-stream"
        elif body is not None:
            kind = "application/json"
            data, sent["Content-Type"] = json.dumps(body).encode(), kind
        connection = self._connection(parts.scheme, parts.netloc)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable(f"{parts.netloc} does not answer: {error}.") from error

    def _connection(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        if netloc not in self._connections:
            https = scheme == "https"
            kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
            self._connections[netloc] = kind(netloc, timeout=_TIMEOUT_S)
        return self._connections[netloc]


def proof(auth: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identity is told, from what clouds.yaml or the environment says."""
    if auth.get("application_credential_secret"):
        credential = {"secret": auth["application_credential_secret"]}
        if auth.get("application_credential_id"):
            credential["id"] = auth["application_credential_id"]
        else:
            credential["name"] = auth.get("application_credential_name", "")
            credential["user"] = _user(auth)
        methods = ["application_credential"]
        identity = {"methods": methods, "application_credential": credential}
        return {"auth": {"identity": identity}}
    identity = {"methods": ["password"], "password": {"user": _user(auth)}}
    if auth.get("token") and not auth.get("password"):
        identity = {"methods": ["token"], "token": {"id": auth["token"]}}
    else:
        identity["password"]["user"]["password"] = str(auth.get("password", ""))  # type: ignore[index]
    scope = _scope(auth)
    return {"auth": {"identity": identity, **({"scope": scope} if scope else {})}}


def _user(auth: Mapping[str, Any]) -> dict[str, Any]:
    if auth.get("user_id"):
        return {"id": auth["user_id"]}
    return {"name": auth.get("username", ""), "domain": _domain(auth, "user")}


def _scope(auth: Mapping[str, Any]) -> dict[str, Any]:
    if auth.get("system_scope"):
        return {"system": {"all": True}}
    if auth.get("project_id"):
        return {"project": {"id": auth["project_id"]}}
    if auth.get("project_name"):
        return {"project": {"name": auth["project_name"], "domain": _domain(auth, "project")}}
    return {}


def _domain(auth: Mapping[str, Any], whose: str) -> dict[str, str]:
    if auth.get(f"{whose}_domain_id"):
        return {"id": auth[f"{whose}_domain_id"]}
    return {"name": auth.get(f"{whose}_domain_name") or "Default"}


def config_file() -> Path | None:
    """Return the clouds.yaml there is, where OpenStack's clients look, then the local cloud's."""
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    places = [
        *([Path(named)] if named else []),
        Path("clouds.yaml"),
        Path.home() / ".config/openstack/clouds.yaml",
        Path("/etc/openstack/clouds.yaml"),
    ]
    found = next((place for place in places if os.access(place, os.R_OK)), None)
    return found or _local_file()


def _local_file() -> Path | None:
    from cumulo.cli.state import default_directory

    path = default_directory() / "clouds.yaml"
    return path if os.access(path, os.R_OK) else None


def _cache(key: str) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "cumulo" / "tokens" / f"{key}.json"


def _write(path: Path, content: bytes) -> None:
    """Keep a token where only its owner reads it; where that cannot be, do without."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError:
        return


def _words(answer: bytes) -> str:
    """Return the sentence in a fault, whatever the family of the API."""
    try:
        value = json.loads(answer)
        while isinstance(value, dict) and "message" not in value and "detail" not in value:
            value = next(iter(value.values()))
            value = value[0] if isinstance(value, list) else value
        return str(value.get("message") or value.get("detail"))
    except (ValueError, AttributeError, StopIteration, IndexError):
        return answer.decode(errors="replace")[:300] or "The cloud refused, without a reason."
