"""Signatures of requests made with access keys: EC2's versions 2 and 4, S3's old one and 4.

The keys never travel; whoever got a request forwards what was signed.  A signature is good for
minutes only, also one that says nothing of when it was made.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec

from cumulo.kit import clock

_AWS4 = "AWS4-HMAC-SHA256"
_MOST_PRESIGNED = timedelta(days=7)


class SignedRequest(msgspec.Struct, frozen=True):
    """A request as it came to whoever asks whether it was signed by the key's owner."""

    access: str
    signature: str = ""
    host: str = ""
    verb: str = ""
    path: str = ""
    params: dict[str, str] = {}
    headers: dict[str, str] = {}
    body_hash: str = ""
    token: str = ""  # S3: all that was signed, in base64

    def __repr__(self) -> str:
        return f"SignedRequest({self.access})"


def is_signed(request: SignedRequest, secret: str, ttl: timedelta) -> bool:
    """Say whether an EC2 request was signed with `secret`, less than `ttl` ago."""
    signed = _signed_at(request)
    if signed is None or abs(clock.now() - signed) > ttl:
        return False
    # Some clients sign the host without its port.
    hosts = dict.fromkeys([request.host, request.host.partition(":")[0]])
    expected = [_expected(request, secret, host) for host in hosts]
    return any([_same(one, request.signature) for one in expected])  # noqa: C419 - no early end


def is_signed_s3(request: SignedRequest, secret: str) -> bool:
    """Say whether what an S3 client signed was signed with `secret`."""
    try:
        text = base64.urlsafe_b64decode(request.token)
        lines = text.decode().split("\n")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return False
    if lines[0] != _AWS4:
        digest = hmac.new(secret.encode(), text, hashlib.sha1).digest()
        return _same(base64.b64encode(digest).decode(), request.signature)
    signed = _time(lines[1]) if len(lines) == 4 else None
    if signed is None or not timedelta(minutes=-15) < clock.now() - signed < _MOST_PRESIGNED:
        return False
    key = _derived(secret, lines[2])
    return key is not None and _same(_hex(key, text), request.signature)


def _signed_at(request: SignedRequest) -> datetime | None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if request.params.get("SignatureVersion") == "2":
        return _time(request.params.get("Timestamp", ""))
    return _time(headers.get("x-amz-date") or request.params.get("X-Amz-Date", ""))


def _time(text: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(text)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _expected(request: SignedRequest, secret: str, host: str) -> str:
    if request.params.get("SignatureVersion") == "2":
        return _version_2(request, secret, host)
    return _version_4(request, secret, host)


def _version_2(request: SignedRequest, secret: str, host: str) -> str:
    params = {**request.params, "SignatureMethod": "HmacSHA256"}
    params.pop("Signature", None)
    text = "\n".join((request.verb, host, request.path, _query(params)))
    return base64.b64encode(_mac(secret.encode(), text.encode())).decode()


def _version_4(request: SignedRequest, secret: str, host: str) -> str:
    headers = {name.lower().strip(): value.strip() for name, value in request.headers.items()}
    headers["host"] = host
    said = _authorization(headers.get("authorization", ""), request.params)
    scope = said["Credential"].partition("/")[2]
    names = said["SignedHeaders"].split(";")
    params = {k: v for k, v in request.params.items() if k != "X-Amz-Signature"}
    canonical = "\n".join(
        (
            request.verb.upper(),
            request.path,
            "" if request.verb.upper() == "POST" else _query(params),
            "".join(f"{name}:{headers[name]}\n" for name in names if name in headers),
            said["SignedHeaders"],
            request.body_hash,
        )
    )
    date = headers.get("x-amz-date") or request.params.get("X-Amz-Date", "")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = _derived(secret, scope)
    return _hex(key, "\n".join((_AWS4, date, scope, digest)).encode()) if key else ""


def _authorization(header: str, params: Mapping[str, str]) -> dict[str, str]:
    """Return what a request says of its signature, in a header or in its query."""
    found = {name: params.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders")}
    if header.startswith(_AWS4):
        for part in header.removeprefix(_AWS4).split(","):
            name, _, value = part.strip().partition("=")
            found[name] = value
    return found


def _derived(secret: str, scope: str) -> bytes | None:
    """Return the key for one day, region and service."""
    parts = scope.split("/")
    if len(parts) != 4 or parts[3] != "aws4_request":
        return None
    key = f"AWS4{secret}".encode()
    for part in parts:
        key = _mac(key, part.encode())
    return key


def _query(params: Mapping[str, str]) -> str:
    pairs = sorted((quote(k, safe="-_~"), quote(v, safe="-_~")) for k, v in params.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def _hex(key: bytes, text: bytes) -> str:
    return _mac(key, text).hex()


def _same(expected: str, given: str) -> bool:
    return bool(expected) and hmac.compare_digest(expected.encode(), given.encode())
