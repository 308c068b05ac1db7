"""From what a handler returned to what is sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from cumulo.kit.errors import Invalid
from cumulo.web import codec
from cumulo.web.operation import Operation, Reply, Stream
from cumulo.web.versions import Version

_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
# What only object storage says, in its words.
_LINES |= {497: "497 Blacklisted", 498: "498 Rate Limited"}


@dataclass(slots=True)
class Sent:
    """An answer in the terms of WSGI."""

    status: int
    headers: dict[str, str]
    pieces: Iterable[bytes]
    length: int | None
    cookies: tuple[str, ...] = ()

    @property
    def status_line(self) -> str:
        """Return the status with its words."""
        return _LINES.get(self.status, f"{self.status} Unknown")


def answered(answer: Any, operation: Operation, version: Version) -> Sent:
    """Return `answer` as it is sent to a client at `version`."""
    if isinstance(answer, Stream):
        headers = _checked({"Content-Type": answer.content_type, **answer.headers})
        return Sent(answer.status or operation.status, headers, answer.pieces, answer.length)
    reply = answer if isinstance(answer, Reply) else Reply(answer)
    status = reply.status or operation.status
    body = _encoded(reply.body, version)
    for cookie in reply.cookies:
        _checked({"Set-Cookie": cookie})
    if body is None:
        length = None if status == 204 else 0
        return Sent(status, _checked(reply.headers), [], length, reply.cookies)
    headers = _checked({"Content-Type": reply.content_type, **reply.headers})
    return Sent(status, headers, [body], len(body), reply.cookies)


def _encoded(body: Any, version: Version) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, msgspec.Struct):
        return codec.encode(body, version)
    return msgspec.json.encode(body)


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Refuse line breaks, with which a stored name could add headers of its own."""
    for name, value in headers.items():
        if "\r" in value or "\n" in value or "\0" in value:
            raise Invalid(f"The value of {name} must not contain line breaks.", field=name)
    return dict(headers)
