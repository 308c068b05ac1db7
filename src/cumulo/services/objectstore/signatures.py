"""Addresses and forms that carry their own right to be used, by keys that accounts hold."""

import base64
import binascii
import calendar
import hmac
import ipaddress
import time
from collections.abc import Iterable

from cumulo.kit import clock
from cumulo.kit.errors import Unauthorized
from cumulo.services.objectstore import containers
from cumulo.services.objectstore.refusals import bad
from cumulo.services.objectstore.visits import Grant, Visit

ALGORITHMS = {40: "sha1", 64: "sha256", 128: "sha512"}
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")
_KEY = ("Temp-Url-Key", "Temp-Url-Key-2")
_FORBIDDEN = "x-object-manifest"
_FORMATS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")


def keys(visit: Visit, account: str, container: str) -> list[tuple[str, Grant]]:
    """Return the keys that may sign, each with what it opens."""
    found: list[tuple[str, Grant]] = []
    above = visit.cluster.account(account).head()
    below = containers.find(visit, account, container)
    for name in _KEY:
        if above and (key := above.headers.get(f"X-Account-Meta-{name}")):
            found.append((key, Grant(account)))
        if below and (key := below.headers.get(f"X-Container-Meta-{name}")):
            found.append((key, Grant(account, container)))
    return found


def temp_url(visit: Visit, account: str, container: str, name: str, remote: str) -> Visit:
    """Return the request with what its signature is worth; refuse a signature that is wrong."""
    signature = visit.param("temp_url_sig")
    if not signature and "temp_url_expires" not in visit.query:
        return visit
    expires = expiry(visit.param("temp_url_expires"))
    path = f"/v1/{account}/{container}/{name}"
    if "temp_url_prefix" in visit.query:
        prefix = visit.param("temp_url_prefix")
        if not name.startswith(prefix):
            raise _wrong()
        path = f"prefix:/v1/{account}/{container}/{prefix}"
    if expires <= clock.timestamp() or not name:
        raise _wrong()
    ip_range = visit.param("temp_url_ip_range")
    start = f"ip={ip_range}\n" if ip_range else ""
    if ip_range and not _is_in(remote, ip_range):
        raise _wrong()
    methods = [visit.method, *(("GET", "PUT", "POST") if visit.method == "HEAD" else ())]
    lines = [f"{start}{method}\n{expires}\n{path}" for method in methods]
    grant = granted(keys(visit, account, container), signature, lines)
    if grant is None or visit.method not in METHODS:
        raise _wrong()
    _check_scope(visit)
    return visit.with_grant(grant)


def _check_scope(visit: Visit) -> None:
    """Refuse writes through which the bearer would reach more than the signature names."""
    if visit.method in ("PUT", "POST"):
        if _FORBIDDEN in visit.headers:
            raise bad(f"The header {_FORBIDDEN!r} is not allowed in this tempurl")
        if visit.headers.get("x-copy-from") or visit.headers.get("x-symlink-target"):
            raise bad("Copies and links are not allowed in this tempurl")
        if "multipart-manifest" in visit.query:
            raise bad("Manifests are not allowed in this tempurl")


def granted(
    holders: Iterable[tuple[str, Grant]], signature: str, lines: Iterable[str]
) -> Grant | None:
    """Return what a signature of one of the lines opens."""
    digest, wanted = digest_of(signature)
    if digest is None:
        return None
    found: Grant | None = None
    texts = [line.encode() for line in lines]
    for key, grant in holders:
        for text in texts:
            right = hmac.new(key.encode("latin-1"), text, digest).hexdigest()
            # No early end: how long this takes tells nothing.
            if hmac.compare_digest(right.encode(), wanted.encode()) and found is None:
                found = grant
    return found


def digest_of(signature: str) -> tuple[str | None, str]:
    """Return which algorithm made a signature, and the signature in hexadecimal."""
    named, colon, rest = signature.partition(":")
    if colon and named in ALGORITHMS.values():
        try:
            padded = rest.replace("-", "+").replace("_", "/") + "=" * (-len(rest) % 4)
            return named, base64.b64decode(padded, validate=True).hex()
        except (binascii.Error, ValueError):
            return None, ""
    if not signature.isascii():
        return None, ""
    return ALGORITHMS.get(len(signature)), signature.lower()


def expiry(text: str) -> int:
    """Read when a signature ends, as a number or a date; 0 when it cannot be read."""
    if text.isascii() and text.isdecimal() and len(text) < 16:
        return int(text)
    for form in _FORMATS:
        try:
            return calendar.timegm(time.strptime(text, form))
        except ValueError:
            continue
    return 0


def form(visit: Visit, account: str, container: str, prefix: str, fields: dict[str, str]) -> Visit:
    """Return the request with what a form's signature is worth."""
    expires = fields.get("expires", "")
    if not (expires.isascii() and expires.isdecimal() and len(expires) < 16):
        raise bad("FormPost: expired not an integer")
    if int(expires) < clock.timestamp():
        raise Unauthorized("FormPost: Form Expired", told=True)
    path = f"/v1/{account}/{container}" + (f"/{prefix}" if prefix else "")
    names = ("redirect", "max_file_size", "max_file_count", "expires")
    line = "\n".join([path, *(fields.get(name, "") for name in names)])
    grant = granted(keys(visit, account, container), fields.get("signature", ""), [line])
    if grant is None:
        raise Unauthorized("FormPost: Invalid Signature", told=True)
    return visit.with_grant(grant)


def _is_in(remote: str, ip_range: str) -> bool:
    try:
        return ipaddress.ip_address(remote) in ipaddress.ip_network(ip_range, strict=False)
    except ValueError:
        return False


def _wrong() -> Unauthorized:
    return Unauthorized("401 Unauthorized: Temp URL invalid\n", told=True)
