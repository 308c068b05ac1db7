"""The edge: one WSGI application for each API.

A request travels route > version > token > rule > body > handler > answer; whatever is wrong on
the way leaves as an error that the API's clients know how to read.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from falcon.routing import CompiledRouter

from cumulo.auth import Context, Policy
from cumulo.auth.context import anonymous
from cumulo.db import Database
from cumulo.kit import clock, log
from cumulo.kit.errors import CloudError, Invalid, NotFound, TooLarge, Unauthorized
from cumulo.kit.ids import new_id
from cumulo.web import codec
from cumulo.web.answer import Sent, answered
from cumulo.web.errors import MethodNotAllowed, UnsupportedMedia
from cumulo.web.faults import Family, Problem
from cumulo.web.meters import observe
from cumulo.web.operation import Call, Operation
from cumulo.web.upload import Upload, read_whole
from cumulo.web.versions import NONE, History, Version

LOG = log.get("web")
Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[[str, list[tuple[str, str]]], object]
_SAFE_ID = re.compile(r"req-[0-9a-fA-F-]{36}")
_MOST_PARAMETERS = 256


@dataclass(frozen=True, kw_only=True)
class Api:
    """One service as the edge sees it."""

    name: str
    port: int
    operations: Sequence[Operation]
    policy: Policy
    family: Family
    service_types: tuple[str, ...] = ()  # as access rules name it; empty: its name
    history: History | None = None
    tools: Any = None
    request_id_headers: tuple[str, ...] = ("X-Openstack-Request-Id",)
    new_request_id: Callable[[], str] = lambda: f"req-{new_id()}"
    headers: Mapping[str, str] = field(default_factory=dict)  # of every answer
    auth_url: str = ""  # where whoever has no token may get one
    vary: str = ""  # on which request headers the answers depend, versions aside
    # A path may carry the project before the rest, as in /v2.1/{project_id}/servers.
    project_prefix: str | None = None
    # The same paths under an older name, whose clients choose no version: /v2 of /v2.1.
    old_prefix: str | None = None
    body_limit: int = 1 << 20
    head_follows_get: bool = False
    route_first: bool = False  # tell strangers 404 before 401
    claims: Callable[[Environ], bool] | None = None  # on a port it shares, which are its own
    # On a port that takes uploads: which requests wait for nothing but a local disk.
    is_quick: Callable[[Environ], bool] | None = None
    host: str = ""  # where it listens; empty: where all do
    slash_counts: bool = False  # /things/ is a thing without a name, not /things ...
    names_all: bool = False  # ... and there is no such thing

    @property
    def takes_uploads(self) -> bool:
        """Say whether any body may be too large to hold, so that its end must be known."""
        return any(operation.body is Upload for operation in self.operations)


@dataclass(slots=True)
class _Request:
    environ: Environ
    method: str
    path: str
    request_id: str
    headers: Mapping[str, str]
    version: Version = NONE
    operation: Operation | None = None
    ctx: Context | None = None
    logged_path: str = ""  # with a secret left out


class _Headers(dict[str, str]):
    """A WSGI environ's headers, by lower-case name, translated when asked for."""

    def __init__(self, environ: Environ) -> None:
        super().__init__()
        for key, value in environ.items():
            if key.startswith("HTTP_"):
                self[key[5:].replace("_", "-").lower()] = value
        for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if environ.get(key):
                self[key.replace("_", "-").lower()] = environ[key]


class Edge:
    """A WSGI application over one API; `authenticate` turns a token into its owner."""

    def __init__(self, api: Api, db: Database, authenticate: Callable[[str], Context]) -> None:
        self._api, self._db, self._authenticate = api, db, authenticate
        self._router = _router(tuple(api.operations))
        prefix = api.project_prefix
        self._prefix = (
            re.compile(rf"^{re.escape(prefix)}/([0-9a-f]{{32}}|[0-9a-f-]{{36}})(?=/|$)")
            if prefix
            else None
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        started = clock.monotonic()
        request = _Request(
            environ,
            environ["REQUEST_METHOD"],
            _path(environ, slash_counts=self._api.slash_counts),
            self._api.new_request_id(),
            _Headers(environ),
        )
        try:
            sent = self._serve(request)
        except CloudError as error:
            sent = self._fault(request, error)
        except Exception:
            path = request.logged_path or request.path
            LOG.exception("bug", request_id=request.request_id, path=path)
            sent = self._spelled(request, 500, _UNEXPECTED, {})
        headers = self._headers(request, sent)
        start_response(sent.status_line, headers)
        self._log(request, sent, clock.monotonic() - started)
        return sent.pieces if request.method != "HEAD" else ()

    def _serve(self, request: _Request) -> Sent:
        path, project = self._split(self._today(request.path))
        found: Any = self._router.find(path)
        if found is not None and found[0].has_secret_path:
            request.logged_path = found[3]
        if found is None and not self._api.route_first:
            self._caller(request)
        request.version = self._version(request)
        nameless = self._api.names_all and found is not None and "" in found[2].values()
        if found is None or nameless or "\0" in path:
            raise NotFound("The resource could not be found.")
        resource, _, arguments, _ = found
        candidates = resource.at(self._method(request, resource), request.version)
        # Whoever asks is checked before the body is read, so that strangers send no megabytes.
        ctx = self._caller(request) if candidates[0].policy is not None else None
        if ctx and project and project != ctx.project_id and not ctx.is_admin:
            raise Invalid("Malformed request URL: its project id is not that of the token.")
        if ctx is None and candidates[0].guests:
            ctx = self._guest(request)
        operation, value = self._chosen(request, candidates)
        request.operation = operation
        ctx = ctx or anonymous(request.request_id, self._api.policy)
        request.ctx = ctx
        if operation.policy and not operation.on_target:
            ctx.require(operation.policy)
        return self._run(request, ctx, arguments, value)

    def _run(self, request: _Request, ctx: Context, arguments: dict[str, Any], value: Any) -> Sent:
        operation = request.operation
        assert operation is not None
        call = Call(
            ctx=ctx,
            version=request.version,
            db=self._db,
            tools=self._api.tools,
            headers=request.headers,
            url=_url(request.environ),
            path=request.path,
            filters=_query(request.environ),
            remote=request.environ.get("REMOTE_ADDR", ""),
        )
        if operation.query is not None:
            query = codec.decode_query(call.filters, operation.query, request.version)
            arguments["query"] = query
        if "body" in operation.parameters:
            arguments["body"] = self._body(request, operation, value)
        unused = arguments.keys() - operation.parameters
        for name in unused:
            del arguments[name]
        return answered(operation.run(call, **arguments), operation, request.version)

    def _chosen(self, request: _Request, candidates: Sequence[Operation]) -> tuple[Operation, Any]:
        """Return the operation meant and, where the body decides that, what the body says."""
        first = candidates[0]
        if first.action is None:
            return first, _UNREAD
        body = codec.parse(self._whole(request))
        if not isinstance(body, dict) or not body:
            raise Invalid("The request body must be an object that names one action.")
        for operation in candidates:
            if operation.action in body:
                if len(body) > 1:
                    raise Invalid("The request body must name one action only.")
                return operation, body[operation.action]
        raise Invalid(f"There is no such action: {', '.join(sorted(body))[:200]}.")

    def _body(self, request: _Request, operation: Operation, value: Any) -> Any:
        if value is not _UNREAD:
            return codec.convert(value, operation.body, request.version)
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if operation.media and media not in operation.media:
            raise UnsupportedMedia(
                f"The media type {media or None} is not supported, use {', '.join(operation.media)}"
            )
        if operation.body is Upload:
            return Upload(request.environ["wsgi.input"], _length(request), media)
        return codec.decode(self._whole(request), operation.body, request.version)

    def _whole(self, request: _Request) -> bytes:
        source = request.environ["wsgi.input"]
        return read_whole(source, _length(request), self._api.body_limit)

    def _caller(self, request: _Request) -> Context:
        token = request.headers.get("x-auth-token")
        if not token:
            raise Unauthorized(_WHO)
        ctx = self._authenticate(token)
        types = self._api.service_types or (self._api.name,)
        if not ctx.reaches(types, request.method, request.path):
            raise Unauthorized(_WHO)
        return ctx.serving(request.request_id, self._api.policy)

    def _guest(self, request: _Request) -> Context | None:
        """Return who asks if a good token says so; one that is bad makes a stranger."""
        try:
            return self._caller(request)
        except Unauthorized:
            return None

    def _method(self, request: _Request, resource: "_Resource") -> str:
        follows = self._api.head_follows_get and request.method == "HEAD"
        return "GET" if follows and "HEAD" not in resource.methods else request.method

    def _version(self, request: _Request) -> Version:
        history = self._api.history
        if history is None:
            return NONE
        if self._today(request.path) != request.path:
            return history.earliest
        legacy = request.headers.get((history.legacy or "").lower())
        return history.choose(request.headers.get("openstack-api-version"), legacy)

    def _today(self, path: str) -> str:
        """Return a path under the older name as it is called today."""
        old = self._api.old_prefix
        if old is None or not (path == old or path.startswith(f"{old}/")):
            return path
        return f"{self._api.project_prefix or ''}{path.removeprefix(old)}"

    def _split(self, path: str) -> tuple[str, str | None]:
        found = self._prefix.match(path) if self._prefix else None
        if not found:
            return path, None
        return f"{self._api.project_prefix}{path[found.end() :]}", found.group(1)

    def _fault(self, request: _Request, error: CloudError) -> Sent:
        status = self._api.family.status_of(error)
        sent = self._spelled(request, status, error.message, error.data)
        if status == 401:
            sent.headers["WWW-Authenticate"] = f'Keystone uri="{self._api.auth_url}"'
        if isinstance(error, MethodNotAllowed):
            sent.headers["Allow"] = ", ".join(error.data["allow"])  # type: ignore[arg-type]
        if isinstance(error, TooLarge | UnsupportedMedia):
            sent.headers["Connection"] = "close"
        return sent

    def _spelled(
        self, request: _Request, status: int, message: str, data: Mapping[str, object]
    ) -> Sent:
        accept = request.headers.get("accept", "")
        problem = Problem(status, message, data, request.request_id, accept, request.version)
        body, content_type = self._api.family.spell(problem)
        return Sent(status, {"Content-Type": content_type}, [body], len(body))

    def _headers(self, request: _Request, sent: Sent) -> list[tuple[str, str]]:
        headers = {**self._api.headers, **sent.headers}
        for name in self._api.request_id_headers:
            headers[name] = request.request_id
        vary = [self._api.vary] if self._api.vary else []
        history = self._api.history
        if history and request.version != NONE:
            headers["OpenStack-API-Version"] = f"{history.service_type} {request.version}"
            vary.append("OpenStack-API-Version")
            if history.legacy:
                headers[history.legacy] = str(request.version)
                vary.append(history.legacy)
        if vary:
            headers["Vary"] = ", ".join(vary)
        if sent.length is not None:
            headers["Content-Length"] = str(sent.length)
        return [*headers.items(), *(("Set-Cookie", cookie) for cookie in sent.cookies)]

    def _log(self, request: _Request, sent: Sent, seconds: float) -> None:
        ctx, operation = request.ctx, request.operation
        observe(self._api.name, operation.name if operation else "", sent.status, seconds)
        if not log.is_wanted("INFO", "web"):
            return
        LOG.info(
            "request",
            api=self._api.name,
            method=request.method,
            path=request.logged_path or request.path,
            status=sent.status,
            ms=round(seconds * 1000, 1),
            operation=operation.name if operation else None,
            user=ctx.user_id if ctx else None,
            project=ctx.project_id if ctx else None,
            request_id=request.request_id,
            client_request_id=_client_id(request),
        )


_UNREAD = object()
_UNEXPECTED = "Unexpected API Error. The log holds the details under this request's id."
_WHO = "The request you have made requires authentication."


class _Resource:
    """All operations on one path."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._by_method: dict[str, list[Operation]] = {}
        for operation in operations:
            self._by_method.setdefault(operation.method, []).append(operation)
        self.has_secret_path = any(operation.has_secret_path for operation in operations)

    @property
    def methods(self) -> list[str]:
        return sorted(self._by_method)

    def at(self, method: str, version: Version) -> list[Operation]:
        """Return the operations for a method at a version, or raise what clients expect."""
        everything = self._by_method.get(method, [])
        present = [operation for operation in everything if operation.exists_at(version)]
        if present:
            return present
        others = [m for m, ops in self._by_method.items() if any(o.exists_at(version) for o in ops)]
        if everything or not others:
            raise NotFound("The resource could not be found.")
        raise MethodNotAllowed(
            f"The method {method} is not allowed for this resource.", allow=sorted(others)
        )


@functools.cache
def _router(operations: tuple[Operation, ...]) -> CompiledRouter:
    """Return what finds the resource of a path; the edges of one process may share it."""
    router = CompiledRouter()
    for path, there in _by_path(operations).items():
        router.add_route(path, _Resource(there))
    return router


def _by_path(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    paths: dict[str, list[Operation]] = {}
    for operation in operations:
        paths.setdefault(operation.path, []).append(operation)
    return paths


def _path(environ: Environ, *, slash_counts: bool) -> str:
    """Return the path as text; WSGI hands its bytes over as latin-1."""
    path = environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace")
    return path if slash_counts or path == "/" else path.rstrip("/") or "/"


def _query(environ: Environ) -> dict[str, list[str]]:
    text = environ.get("QUERY_STRING", "")
    if not text:
        return {}
    if "%00" in text or "\0" in text:
        raise Invalid("The query must not contain NUL characters.")
    try:
        return parse_qs(
            text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError as error:
        raise Invalid(f"The query cannot be read: {error}.") from error


def _length(request: _Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None if "transfer-encoding" in request.headers else 0
    if not (text.isascii() and text.isdigit()):
        raise Invalid("Content-Length must be a number.")
    return int(text)


def _url(environ: Environ) -> str:
    scheme = environ.get("HTTP_X_FORWARDED_PROTO") or environ.get("wsgi.url_scheme", "http")
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return f"{scheme}://{host}"


def _client_id(request: _Request) -> str | None:
    """Return the id that the client gave its request, if it looks like one."""
    given = request.headers.get("x-openstack-request-id", "")
    return given if _SAFE_ID.fullmatch(given) else None
