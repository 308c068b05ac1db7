"""What a browser keeps of a visit, and how forms prove that they come from our pages.

The session is the token itself, in a cookie that scripts cannot read: nothing is stored here, so
there is nothing to fill, to leak or to lose, and whoever revokes the token ends the session.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

SESSION, NOTICE, LOOK = "cumulo_session", "cumulo_notice", "cumulo_look"
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
_YEAR_S = 365 * 86400
_LONGEST_NOTICE = 1500
_SAFE_TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.")


class Notice(msgspec.Struct, frozen=True):
    """What a page tells about what was done before it."""

    text: str
    tone: str = "good"  # or bad


class Look(msgspec.Struct, frozen=True):
    """What somebody chose for how pages look; empty: as the browser does."""

    language: str = ""
    theme: str = ""
    region: str = ""


def cookies_of(header: str) -> Mapping[str, str]:
    """Read a Cookie header; none of ours is quoted.

    The standard library's reader takes a time that grows with the square of what is quoted.
    """
    pairs = (part.partition("=") for part in header.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def token_of(cookies: Mapping[str, str]) -> str:
    """Return the token, or nothing where the cookie holds something else."""
    token = cookies.get(SESSION, "")
    return token if _SAFE_TOKEN.issuperset(token) else ""


def session_cookie(token: str, *, secure: bool) -> str:
    """Return the cookie of a session; without a token it ends one."""
    return _cookie(SESSION, token, secure=secure, age_s=None if token else 0)


def csrf_of(token: str) -> str:
    """Return what forms of a session carry; who cannot read the cookie cannot make it up."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def is_ours(token: str, given: str) -> bool:
    """Say whether a form was made for this session."""
    return bool(token) and hmac.compare_digest(csrf_of(token).encode(), given.encode())


def is_from_here(headers: Mapping[str, str]) -> bool:
    """Say whether a browser says that the request comes from a page of ours, if it says so."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def notice_cookie(token: str, notice: Notice | None, *, secure: bool) -> str:
    """Return the cookie by which the next page tells something, once."""
    if notice is None:
        return _cookie(NOTICE, "", secure=secure, age_s=0)
    short = msgspec.structs.replace(notice, text=notice.text[:_LONGEST_NOTICE])
    text = base64.urlsafe_b64encode(msgspec.json.encode(short)).decode()
    return _cookie(NOTICE, f"{_signature(token, text)}.{text}", secure=secure, age_s=60)


def notice_of(token: str, cookies: Mapping[str, str]) -> Notice | None:
    """Return what the page is to tell, if it was us who said so."""
    signature, _, text = cookies.get(NOTICE, "").partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(token, text).encode()):
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=Notice)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def look_cookie(look: Look, *, secure: bool) -> str:
    """Return the cookie that remembers how pages look."""
    text = base64.urlsafe_b64encode(msgspec.json.encode(look)).decode()
    return _cookie(LOOK, text, secure=secure, age_s=_YEAR_S)


def look_of(cookies: Mapping[str, str]) -> Look:
    """Return how pages look; anybody may write this cookie, so only what we know counts."""
    try:
        look = msgspec.json.decode(base64.urlsafe_b64decode(cookies.get(LOOK, "")), type=Look)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return Look()
    return Look(
        language=look.language if look.language in ("en", "fr") else "",
        theme=look.theme if look.theme in ("light", "dark") else "",
        region=look.region[:255],
    )


def local_path(text: str) -> str:
    """Return where to go next if that is a page of ours, else the first page."""
    parts = urlsplit(text) if text.isprintable() and "\\" not in text else urlsplit("")
    is_local = not parts.scheme and not parts.netloc and parts.path.startswith("/")
    return text if is_local and not text.startswith("//") else "/"


def _signature(token: str, text: str) -> str:
    return hmac.new(token.encode(), b"notice" + text.encode(), hashlib.sha256).hexdigest()


def _cookie(name: str, value: str, *, secure: bool, age_s: int | None) -> str:
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    parts += [f"Max-Age={age_s}"] if age_s is not None else []
    parts += ["Secure"] if secure else []
    return "; ".join(parts)
