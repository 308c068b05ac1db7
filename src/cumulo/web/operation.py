"""What one API operation is: a function, and the facts a decorator states about it."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar, get_type_hints

import msgspec

from cumulo.auth import Context
from cumulo.db import Database
from cumulo.web.versions import Version

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """What a handler is given besides the parts of the path, the query and the body."""

    ctx: Context
    version: Version
    db: Database
    tools: T
    headers: Mapping[str, str]  # lower-case names
    url: str  # scheme://host:port as the client wrote it
    path: str
    filters: Mapping[str, list[str]]  # the query as it came
    remote: str = ""  # the address that the request came from


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status or headers of its own; `body` is a struct, text or bytes."""

    body: msgspec.Struct | Mapping[str, Any] | str | bytes | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cookies: tuple[str, ...] = ()  # each a Set-Cookie of its own


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer too large to hold."""

    pieces: Iterable[bytes]
    length: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/octet-stream"


Answer: TypeAlias = (
    msgspec.Struct | Mapping[str, Any] | Sequence[msgspec.Struct] | Reply | Stream | None
)
F = TypeVar("F", bound=Callable[..., Answer])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One method on one path; of several at the same place the version and the action decide."""

    method: str
    path: str
    run: Callable[..., Answer]
    policy: str | None  # None: needs no token; empty: any token will do
    guests: bool  # without a policy: a good token is read all the same, and the domain decides
    on_target: bool  # the domain asks the rule about the stored object; the edge cannot
    status: int
    since: Version | None
    until: Version | None
    action: str | None  # the single key of the body, where one path carries many actions
    has_secret_path: bool  # what stands in it is not logged
    media: tuple[str, ...]  # body types it reads; empty: JSON
    body: Any
    query: type[msgspec.Struct] | None
    parameters: frozenset[str]

    @property
    def name(self) -> str:
        """Return the name that logs, metrics and the API reference use."""
        return self.run.__name__

    def exists_at(self, version: Version) -> bool:
        """Say whether a client at `version` may see it."""
        return (self.since or version) <= version <= (self.until or version)


class Routes:
    """The operations of one module, in the order they are written."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def add(  # noqa: PLR0913 - the facts of an operation are that many
        self,
        method: str,
        path: str,
        *,
        policy: str | None,
        status: int = 200,
        since: str | None = None,
        until: str | None = None,
        action: str | None = None,
        media: tuple[str, ...] = (),
        on_target: bool = False,
        guests: bool = False,
        has_secret_path: bool = False,
    ) -> Callable[[F], F]:
        """Declare the decorated function an operation; the function itself is unchanged."""

        def declare(function: F) -> F:
            hints = get_type_hints(function, include_extras=True)
            operation = Operation(
                method=method,
                path=path,
                run=function,
                policy=policy,
                guests=guests,
                on_target=on_target,
                status=status,
                since=_parsed(since),
                until=_parsed(until),
                action=action,
                has_secret_path=has_secret_path,
                media=media,
                body=hints.get("body"),
                query=hints.get("query"),
                parameters=frozenset(inspect.signature(function).parameters),
            )
            self.operations.append(operation)
            return function

        return declare

    def get(self, path: str, **facts: Any) -> Callable[[F], F]:
        """Declare a GET."""
        return self.add("GET", path, **facts)

    def head(self, path: str, **facts: Any) -> Callable[[F], F]:
        """Declare a HEAD."""
        return self.add("HEAD", path, **facts)

    def put(self, path: str, **facts: Any) -> Callable[[F], F]:
        """Declare a PUT."""
        return self.add("PUT", path, **facts)

    def post(self, path: str, **facts: Any) -> Callable[[F], F]:
        """Declare a POST."""
        return self.add("POST", path, **facts)

    def patch(self, path: str, **facts: Any) -> Callable[[F], F]:
        """Declare a PATCH."""
        return self.add("PATCH", path, **facts)

    def delete(self, path: str, **facts: Any) -> Callable[[F], F]:
        """Declare a DELETE."""
        return self.add("DELETE", path, **facts)


def _parsed(version: str | None) -> Version | None:
    return Version.parse(version) if version else None
