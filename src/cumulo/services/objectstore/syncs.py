"""Containers kept like one elsewhere: in this cluster, or in another that an operator named.

A target is `//REALM/CLUSTER/ACCOUNT/CONTAINER`, of realms that settings name and whose clusters
share a key, or the address of a container of this cluster itself.  No other address is ever asked
for: what users write into headers must not make this program visit places of their choice.
"""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from cumulo.kit.ids import new_hex_id
from cumulo.services.objectstore.refusals import bad
from cumulo.services.objectstore.settings import ObjectStoreSettings
from cumulo.services.objectstore.visits import Grant, Visit

TO, KEY = "X-Container-Sync-To", "X-Container-Sync-Key"
_AUTH = "x-container-sync-auth"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a container's objects go; in a realm, `realm_key` signs besides the container's own."""

    url: str
    realm: str = ""
    realm_key: str = ""


def target_of(settings: ObjectStoreSettings, own_address: str, value: str) -> Target:
    """Read a target; refuse one that no operator allowed."""
    if value.startswith("//"):
        return _in_realm(settings, value)
    parts = urlsplit(value)
    names = parts.path.split("/")
    if parts.query or parts.fragment or len(names) != 4 or not all(names[1:]) or names[1] != "v1":
        raise bad("X-Container-Sync-To must be like http://HOST/v1/ACCOUNT/CONTAINER")
    if parts.scheme != "http" or not own_address or parts.netloc != own_address:
        raise bad(
            f"Invalid host {parts.netloc[:200]!r} in X-Container-Sync-To: other clusters are named "
            "as //REALM/CLUSTER/ACCOUNT/CONTAINER"
        )
    return Target(value)


def changes(visit: Visit, old: dict[str, str]) -> dict[str, str]:
    """Return what a request changes of how its container is kept like another, checked."""
    found: dict[str, str] = {}
    for name in (TO, KEY):
        value = visit.headers.get(name.lower())
        if value is not None:
            found[name] = value.strip()
    if found.get(TO):
        target_of(visit.settings, visit.tools.own_address, found[TO])
        if not found.get(KEY, old.get(KEY)):
            raise bad("X-Container-Sync-To goes with an X-Container-Sync-Key")
    return found


def signed(target: Target, method: str, path: str, stamp: str, key: str) -> dict[str, str]:
    """Return the headers by which the other side knows us."""
    if not target.realm:
        return {"X-Timestamp": stamp, KEY: key}
    nonce = new_hex_id()
    digest = _signature(target.realm_key, (method, path, stamp, nonce), key)
    return {"X-Timestamp": stamp, _AUTH: f"{target.realm} {nonce} {digest}"}


def admitted(visit: Visit, account: str, container: str, path: str) -> Visit:
    """Return a request with what it may do as the other side of a container kept like ours."""
    stamp, headers = visit.headers.get("x-timestamp", ""), visit.headers
    if (KEY.lower() not in headers and _AUTH not in headers) or not _is_stamp(stamp):
        return visit
    head = visit.cluster.container(account, container).head()
    key = head.headers.get(KEY, "") if head else ""
    if not key or visit.method not in ("PUT", "DELETE"):
        return visit
    if _AUTH in headers:
        is_known = _is_signed(visit, headers[_AUTH], path, key)
    else:
        is_known = hmac.compare_digest(headers[KEY.lower()].encode(), key.encode())
    return visit.with_grant(Grant(account, container, stamp=stamp)) if is_known else visit


def _in_realm(settings: ObjectStoreSettings, value: str) -> Target:
    names = value.removeprefix("//").split("/")
    if len(names) != 4 or not all(names):
        raise bad("X-Container-Sync-To must be like //REALM/CLUSTER/ACCOUNT/CONTAINER")
    realm = settings.sync_realms.get(names[0])
    if realm is None:
        raise bad(f"No realm {names[0][:100]!r} for X-Container-Sync-To: an operator names them")
    base = realm.clusters.get(names[1])
    if base is None:
        raise bad(f"No cluster {names[1][:100]!r} in realm {names[0]!r}")
    return Target(f"{base.rstrip('/')}/{quote(names[2])}/{quote(names[3])}", names[0], realm.key)


def _is_signed(visit: Visit, said: str, path: str, key: str) -> bool:
    name, _, rest = said.partition(" ")
    nonce, _, digest = rest.partition(" ")
    realm = visit.settings.sync_realms.get(name)
    if realm is None:
        return False
    what, found = (visit.method, quote(path), visit.headers["x-timestamp"], nonce), False
    for realm_key in (realm.key, realm.key2):
        right = _signature(realm_key, what, key)
        found |= bool(realm_key) and hmac.compare_digest(right.encode(), digest.encode())
    return found


def _signature(realm_key: str, what: tuple[str, ...], key: str) -> str:
    text = "\n".join((*what, key))
    return hmac.new(realm_key.encode(), text.encode(), hashlib.sha1).hexdigest()


def _is_stamp(text: str) -> bool:
    whole, dot, rest = text.partition(".")
    digits = (whole + rest).isascii() and (whole + rest).isdecimal()
    return digits and dot == "." and (len(whole), len(rest)) == (10, 5)
