"""Carries objects to another cluster over HTTP."""

import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from cumulo.kit.errors import Unavailable

_SILENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Parcel:
    """One request."""

    method: str
    url: str
    headers: Mapping[str, str]
    pieces: Iterator[bytes]
    length: int


class Courier(Protocol):
    """Whoever carries parcels."""

    def carry(self, parcel: Parcel) -> int:
        """Return the status of the answer; raise `Unavailable` when there is none."""


class HttpCourier:
    """Carries over a new connection each; follows nobody elsewhere."""

    def carry(self, parcel: Parcel) -> int:
        """Return the status of the answer."""
        parts = urlsplit(parcel.url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_SILENCE_S)
        where = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            headers = {**parcel.headers, "Content-Length": str(parcel.length)}
            connection.request(parcel.method, where, parcel.pieces, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{parts.netloc} cannot be reached: {error}.") from error
        finally:
            connection.close()
        return answer.status
