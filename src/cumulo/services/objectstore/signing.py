"""Signatures of S3 requests, versions 2 and 4: in a header, in the address, and chunk by chunk.

What is signed is worth something for minutes, or as long as a presigned address says; headers
that would change what is done must be among those signed.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from cumulo.kit import clock
from cumulo.kit.errors import Forbidden, Invalid

_AWS4 = "AWS4-HMAC-SHA256"
_SKEW = timedelta(minutes=15)
_LONGEST = 604800
_EMPTY = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
_STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_STREAMS = (_STREAMING, f"{_STREAMING}-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
_SUBRESOURCES = (
    "acl", "cors", "delete", "lifecycle", "location", "logging", "notification", "partNumber",
    "policy", "requestPayment", "response-cache-control", "response-content-disposition",
    "response-content-encoding", "response-content-language", "response-content-type",
    "response-expires", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning",
    "versions", "website",
)  # fmt: skip
_LONGEST_LINE = 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as far as it is signed."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]

    def param(self, name: str) -> str:
        """Return the last value of a query parameter."""
        return self.query.get(name, [""])[-1]


@dataclass
class Claim:
    """Who says to have signed, and what; `payload` is what was said of the body."""

    access: str
    signature: str
    text: str
    scope: str = ""  # version 4 only
    date: str = ""
    payload: str = UNSIGNED
    key: bytes = field(default=b"", repr=False)  # of the chunks, once the secret is known

    def is_by(self, secret: str) -> bool:
        """Say whether it was signed with this secret; remember what chunks are signed with."""
        if not self.scope:
            digest = hmac.new(secret.encode(), self.text.encode(), hashlib.sha1).digest()
            return hmac.compare_digest(base64.b64encode(digest), self.signature.encode())
        key = f"AWS4{secret}".encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        right = hmac.new(key, self.text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right.encode(), self.signature.encode()):
            return False
        self.key = key
        return True


def is_s3(environ: Mapping[str, str]) -> bool:
    """Say whether a request is S3's: it is if it is signed as S3 does."""
    said = environ.get("HTTP_AUTHORIZATION", "")
    names = {part.partition("=")[0] for part in environ.get("QUERY_STRING", "").split("&")}
    presigned = "X-Amz-Credential" in names or {"AWSAccessKeyId", "Signature"} <= names
    return presigned or said.startswith(("AWS ", f"{_AWS4} "))


def claimed(asked: Asked) -> Claim:
    """Read who says to have signed a request; refuse what is too old or says nothing."""
    said = asked.headers.get("authorization", "")
    if said.startswith("AWS "):
        return _version_2(asked, said.removeprefix("AWS "))
    if said.startswith(_AWS4):
        return _version_4(asked, _fields(said.removeprefix(_AWS4)))
    if "X-Amz-Credential" in asked.query:
        return _presigned_4(asked)
    return _presigned_2(asked)


def pieces(claim: Claim, asked: Asked, body: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a body's bytes; one that is not what was signed ends in a refusal."""
    if claim.payload in _STREAMS:
        return _Chunks(claim, body, _length(asked)).run()
    if claim.payload == UNSIGNED:
        return iter(body)
    return _hashed(claim.payload, body)


def length(claim: Claim, asked: Asked, announced: int | None) -> int | None:
    """Return how many bytes a body has once it is taken out of its chunks."""
    return _length(asked) if claim.payload in _STREAMS else announced


def _version_4(asked: Asked, said: Mapping[str, str]) -> Claim:
    date = asked.headers.get("x-amz-date", "")
    moment = _compact(date) if date else _http(asked.headers.get("date", ""))
    if abs(clock.now() - moment) > _SKEW:
        raise _skewed()
    payload = asked.headers.get("x-amz-content-sha256", "")
    if not payload:
        raise Invalid("Missing required header for this request: x-amz-content-sha256")
    return _claim_4(asked, said, date or moment.strftime("%Y%m%dT%H%M%SZ"), payload)


def _presigned_4(asked: Asked) -> Claim:
    names = ("Credential", "SignedHeaders", "Signature", "Date", "Expires", "Algorithm")
    said = {name: asked.param(f"X-Amz-{name}") for name in names}
    moment, expires = _compact(said["Date"]), said["Expires"]
    if said["Algorithm"] != _AWS4 or not (expires.isascii() and expires.isdecimal()):
        raise Invalid("The query says too little of its signature.", code=_MALFORMED_QUERY)
    if int(expires) > _LONGEST:
        raise Invalid("X-Amz-Expires must be less than a week.", code=_MALFORMED_QUERY)
    if moment - clock.now() > _SKEW or clock.now() > moment + timedelta(seconds=int(expires)):
        raise Forbidden("Request has expired", code="AccessDenied")
    payload = asked.headers.get("x-amz-content-sha256", UNSIGNED)
    return _claim_4(asked, said, said["Date"], payload)


_MALFORMED_QUERY = "AuthorizationQueryParametersError"


def _claim_4(asked: Asked, said: Mapping[str, str], date: str, payload: str) -> Claim:
    access, _, scope = said.get("Credential", "").partition("/")
    parts, names = scope.split("/"), said.get("SignedHeaders", "").split(";")
    if len(parts) != 4 or parts[2:] != ["s3", "aws4_request"] or parts[0] != date[:8]:
        raise Invalid("The credential is mal-formed.", code="AuthorizationHeaderMalformed")
    control = {name for name in asked.headers if name.startswith("x-amz-")}
    if "host" not in names or control - set(names) - {"x-amz-content-sha256"}:
        raise Forbidden("There were headers present in the request which were not signed")
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, values in asked.query.items()
        for value in values
        if name != "X-Amz-Signature"
    )
    canonical = "\n".join(
        [
            asked.method,
            quote(asked.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{' '.join(asked.headers.get(name, '').split())}" for name in names),
            "",
            ";".join(names),
            payload,
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((_AWS4, date, scope, digest))
    return Claim(access, said.get("Signature", ""), text, scope, date, payload)


def _version_2(asked: Asked, said: str) -> Claim:
    access, _, signature = said.partition(":")
    stamp = asked.headers.get("x-amz-date") or asked.headers.get("date", "")
    if abs(clock.now() - _http(stamp)) > _SKEW:
        raise _skewed()
    date = "" if "x-amz-date" in asked.headers else stamp
    return Claim(access, signature, _text_2(asked, date))


def _presigned_2(asked: Asked) -> Claim:
    expires = asked.param("Expires")
    if not (expires.isascii() and expires.isdecimal() and len(expires) < 16):
        raise Forbidden("Invalid date (should be seconds since epoch)")
    left = int(expires) - clock.timestamp()
    if not 0 < left <= _LONGEST:
        raise Forbidden("Request has expired")
    return Claim(asked.param("AWSAccessKeyId"), asked.param("Signature"), _text_2(asked, expires))


def _text_2(asked: Asked, date: str) -> str:
    amz = sorted(
        f"{name}:{value.strip()}"
        for name, value in asked.headers.items()
        if name.startswith("x-amz-")
    )
    shown = []
    for name in sorted(set(asked.query) & set(_SUBRESOURCES)):
        value = asked.param(name)
        shown.append(f"{name}={value}" if value else name)
    path = quote(asked.path, safe="/-_.~")
    headers = asked.headers
    return "\n".join(
        [
            asked.method,
            headers.get("content-md5", ""),
            headers.get("content-type", ""),
            date,
            *amz,
            f"{path}{'?' + '&'.join(shown) if shown else ''}",
        ]
    )


def _fields(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(","))
    return {name: value for name, _, value in pairs}


def _compact(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Forbidden("AWS authentication requires a valid Date or x-amz-date header") from error


def _http(text: str) -> datetime:
    if text.endswith("Z"):
        return _compact(text)
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise Forbidden("AWS authentication requires a valid Date or x-amz-date header") from error


def _skewed() -> Forbidden:
    return Forbidden(
        "The difference between the request time and the current time is too large.",
        code="RequestTimeTooSkewed",
    )


def _length(asked: Asked) -> int:
    text = asked.headers.get("x-amz-decoded-content-length", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Invalid("x-amz-decoded-content-length is missing.", code="MissingContentLength")
    return int(text)


def _hashed(wanted: str, body: Iterable[bytes]) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for piece in body:
        digest.update(piece)
        yield piece
    if not hmac.compare_digest(digest.hexdigest().encode(), wanted.encode()):
        raise Invalid(
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            code="XAmzContentSHA256Mismatch",
        )


class _Chunks:
    """A body in chunks of which each is signed with the one before."""

    def __init__(self, claim: Claim, body: Iterable[bytes], length: int) -> None:
        self._claim, self._body, self._left = claim, iter(body), length
        self._held, self._last = b"", claim.signature
        self._is_signed = claim.payload.startswith(_STREAMING)

    def run(self) -> Iterator[bytes]:
        while True:
            size, signature = self._head()
            if size > self._left:
                raise self._broken()
            digest = hashlib.sha256()
            for piece in self._take(size):
                digest.update(piece)
                yield piece
            self._left -= size
            self._check(digest.hexdigest(), signature)
            if size == 0:
                break
            if self._exactly(2) != b"\r\n":
                raise self._broken()
        if self._left:
            raise self._broken()
        for _ in self._body:
            pass  # trailers, which say nothing that is kept

    def _head(self) -> tuple[int, str]:
        while b"\r\n" not in self._held[:_LONGEST_LINE]:
            if len(self._held) >= _LONGEST_LINE or not self._more():
                raise self._broken()
        line, _, self._held = self._held.partition(b"\r\n")
        number, _, said = line.decode("latin-1").partition(";")
        try:
            size = int(number, 16)
        except ValueError as error:
            raise self._broken() from error
        if size < 0 or len(number) > 16:
            raise self._broken()
        return size, said.strip().removeprefix("chunk-signature=")

    def _check(self, digest: str, signature: str) -> None:
        if not self._is_signed:
            return
        text = "\n".join(
            (f"{_AWS4}-PAYLOAD", self._claim.date, self._claim.scope, self._last, _EMPTY, digest)
        )
        right = hmac.new(self._claim.key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")):
            raise Forbidden(
                "The request signature we calculated does not match the signature you provided.",
                code="SignatureDoesNotMatch",
            )
        self._last = right

    def _take(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._held and not self._more():
                raise self._broken()
            piece, self._held = self._held[:size], self._held[size:]
            size -= len(piece)
            yield piece

    def _exactly(self, size: int) -> bytes:
        return b"".join(self._take(size))

    def _more(self) -> bool:
        piece = next(self._body, None)
        self._held += piece or b""
        return piece is not None

    def _broken(self) -> Invalid:
        return Invalid(
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
            code="IncompleteBody",
        )
