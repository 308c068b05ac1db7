"""One request as the domain sees it: who, what, and what the client said about it."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from cumulo.auth import Context
from cumulo.services.objectstore.cluster import Cluster
from cumulo.services.objectstore.settings import ObjectStoreSettings
from cumulo.services.objectstore.tools import Tools


@dataclass(frozen=True, slots=True)
class Grant:
    """What a signature lets its bearer reach instead of a token: an account, or one container."""

    account: str
    container: str | None = None
    stamp: str = ""  # when what is written was written first, elsewhere

    def covers(self, account: str, container: str | None) -> bool:
        """Say whether it lets its bearer in there."""
        return account == self.account and self.container in (None, container)


class Visit(msgspec.Struct, frozen=True):
    """Who asks for what; header names are in lower case."""

    tools: Tools
    ctx: Context
    method: str
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    grant: Grant | None = None

    @property
    def cluster(self) -> Cluster:
        """Return the devices."""
        return self.tools.cluster

    @property
    def settings(self) -> ObjectStoreSettings:
        """Return the limits."""
        return self.tools.settings

    def param(self, name: str, default: str = "") -> str:
        """Return the last value of a query parameter."""
        return self.query.get(name, [default])[-1]

    def says(self, name: str) -> bool:
        """Say whether a query parameter or header is one of the words for yes."""
        return truth(self.headers.get(name) or self.param(name))

    def with_grant(self, grant: Grant) -> "Visit":
        """Return the same request with what its signature is worth."""
        return msgspec.structs.replace(self, grant=grant)

    def sub(
        self,
        method: str,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, list[str]] | None = None,
    ) -> "Visit":
        """Return a request by the same caller that follows from this one."""
        return Visit(self.tools, self.ctx, method, headers or {}, query or {}, self.grant)


def truth(value: str | None) -> bool:
    """Read a boolean as Swift's configuration does."""
    return (value or "").strip().lower() in {"true", "1", "yes", "on", "t", "y"}
