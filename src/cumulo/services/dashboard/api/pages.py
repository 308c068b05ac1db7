"""How a page is made: who looks, may they post, what did the APIs say, which template shows it.

`Pages` is `web.Routes` for pages: its functions get a `Visit` and return a `Page` or a `Go`.
Nothing that changes anything is reached without the proof that one of our forms sent it.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

from cumulo.kit.errors import CloudError, Forbidden, TooLarge
from cumulo.services.dashboard import names, pictures, sessions, words
from cumulo.services.dashboard.api.navigation import navigation
from cumulo.services.dashboard.cloud import Cloud, Refusal, Scope
from cumulo.services.dashboard.forms import Given
from cumulo.services.dashboard.sessions import Look, Notice
from cumulo.services.dashboard.tools import Tools
from cumulo.web import Call as _Call
from cumulo.web import Reply, Routes, Stream, Upload
from cumulo.work import events

Call: TypeAlias = _Call[Tools]
HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
# Everything comes from here, nothing is run that is written into a page, nobody may frame it.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = HEADERS["Content-Security-Policy"]
_PRIVATE = {"Cache-Control": "no-store"}
_FORM_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Page:
    """A template and what fills it."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Go:
    """Another page to go to, and what it is to tell."""

    to: str
    notice: str = ""
    tone: str = "good"
    token: str | None = None  # a new session; empty: none any more
    look: Look | None = None


@dataclass(kw_only=True)
class Visit:
    """Somebody looks at a page, or sends a form."""

    call: Call
    cookies: Mapping[str, str]
    token: str
    cloud: Cloud
    look: Look
    language: str
    given: Given = field(default_factory=lambda: Given({}))
    seen: int = 0  # the last event before the page was made

    @cached_property
    def scope(self) -> Scope:
        """Return who looks, and where they work."""
        found = self.cloud.scope()
        self.cloud.catalog = found.catalog
        self.cloud.region = self.look.region if self.look.region in found.regions else ""
        return found

    @property
    def query(self) -> Mapping[str, list[str]]:
        """Return the query as it came."""
        return self.call.filters

    def asked(self, name: str) -> str:
        """Return one value of the query."""
        return (self.query.get(name) or [""])[0]

    def say(self, text: str, **values: object) -> str:
        """Return a sentence in the language of the page, `{name}` replaced by a value."""
        said = words.translator(self.language)(text)
        for name, value in values.items():
            said = said.replace(f"{{{name}}}", str(value))
        return said

    @property
    def is_secure(self) -> bool:
        """Say whether the browser came by TLS."""
        return self.call.url.startswith("https:")


Shown: TypeAlias = Page | Go | Reply | Stream
F = TypeVar("F", bound=Callable[..., Shown])


class Pages:
    """The pages of one module."""

    def __init__(self) -> None:
        self.routes = Routes()

    def get(self, path: str, *, to_all: bool = False) -> Callable[[F], F]:
        """Declare a page; `to_all` shows it to who has not signed in, too."""
        return self._add("GET", path, to_all=to_all, form=False)

    def post(self, path: str, *, to_all: bool = False) -> Callable[[F], F]:
        """Declare what a form does."""
        return self._add("POST", path, to_all=to_all, form=True)

    def put(self, path: str) -> Callable[[F], F]:
        """Declare an upload: the function is handed the bytes as they come."""
        return self._add("PUT", path, to_all=False, form=False)

    def _add(self, method: str, path: str, *, to_all: bool, form: bool) -> Callable[[F], F]:
        def declare(function: F) -> F:
            def run(call: Call, **arguments: Any) -> Reply | Stream:
                return _served(call, function, arguments, to_all=to_all, form=form)

            names = [name for name in inspect.signature(function).parameters if name != "visit"]
            names += ["body"] if form else []
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters = [inspect.Parameter(name, kind) for name in names]
            run.__name__, run.__doc__ = function.__name__, function.__doc__
            run.__module__ = function.__module__
            run.__annotations__ = {"body": Upload} if "body" in names else {}
            run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
            self.routes.add(method, path, policy=None)(run)
            return function

        return declare


def _served(
    call: Call,
    function: Callable[..., Shown],
    arguments: dict[str, Any],
    *,
    to_all: bool,
    form: bool,
) -> Reply | Stream:
    visit = visit_of(call)
    if form:
        visit.given = Given.read(_whole(arguments.pop("body")))
    if form or "body" in arguments:
        _check_origin(visit, to_all=to_all)
    try:
        if not to_all:
            if not visit.token:
                return _sent(visit, _to_sign_in(visit))
            visit.seen = call.db.read(events.last_id)
            _ = visit.scope
        return _sent(visit, function(visit, **arguments))
    except Refusal as refusal:
        if "body" in arguments:  # an upload, of which a script wants to hear
            return Reply(refusal.message, status=refusal.status, content_type=TEXT)
        return _sent(visit, _refused(visit, refusal, form=form))
    except CloudError as error:
        if not form:
            raise
        return _sent(visit, _back(visit, error.message))


def visit_of(call: Call) -> Visit:
    """Read from a request who sends it, with what in which language."""
    cookies = sessions.cookies_of(call.headers.get("cookie", ""))
    token, look = sessions.token_of(cookies), sessions.look_of(cookies)
    tools = call.tools
    cloud = Cloud(
        tools.transport, tools.auth_url, token, request_id=call.ctx.request_id, remote=call.remote
    )
    accepted = call.headers.get("accept-language", "")
    language = words.language_of(look.language, accepted, tools.settings.language)
    return Visit(call=call, cookies=cookies, token=token, cloud=cloud, look=look, language=language)


def _whole(body: Upload) -> bytes:
    found = b""
    for piece in body:
        found += piece
        if len(found) > _FORM_LIMIT:
            raise TooLarge(f"A form has at most {_FORM_LIMIT} bytes.")
    return found


def _check_origin(visit: Visit, *, to_all: bool) -> None:
    headers = visit.call.headers
    if not sessions.is_from_here(headers):
        raise Forbidden("The form was sent from another site.")
    given = headers.get(sessions.CSRF_HEADER) or visit.given.text(sessions.CSRF_FIELD)
    if not to_all and visit.token and not sessions.is_ours(visit.token, given):
        raise Forbidden("The form is not of this session: open the page anew and send it again.")


def _to_sign_in(visit: Visit) -> Go:
    here = visit.call.path if visit.call.path != "/" else ""
    return Go(f"/sign-in?next={quote(here)}" if here else "/sign-in")


def _refused(visit: Visit, refusal: Refusal, *, form: bool) -> Shown:
    if refusal.status == 401 and visit.token:
        gone = visit.say("The session has ended. Please sign in again.")
        return replace(_to_sign_in(visit), token="", notice=gone, tone="bad")
    if form:
        return _back(visit, refusal.message)
    values = {"status": refusal.status, "reason": refusal.message, "section": ""}
    return Page("refused.html", values, refusal.status)


def _back(visit: Visit, reason: str) -> Go:
    """Return to the page that the form was on, and say there why nothing was done."""
    referer = urlsplit(visit.call.headers.get("referer", ""))
    query = f"?{referer.query}" if referer.query else ""
    to = sessions.local_path(f"{referer.path or '/'}{query}")
    return Go(to, reason, "bad")


def _sent(visit: Visit, shown: Shown) -> Reply | Stream:
    if isinstance(shown, Reply | Stream):
        return shown
    if isinstance(shown, Go):
        return _sent_elsewhere(visit, shown)
    notice = sessions.notice_of(visit.token, visit.cookies)
    cookies: tuple[str, ...] = ()
    if sessions.NOTICE in visit.cookies:
        cookies = (sessions.notice_cookie(visit.token, None, secure=visit.is_secure),)
    values = {**_around(visit, notice), **shown.values}
    values["names"] = names.known(visit.cloud, list(shown.values.values()))
    body = pictures.rendered(shown.template, values)
    return Reply(
        body,
        status=shown.status,
        headers={**_PRIVATE, **shown.headers},
        content_type=HTML,
        cookies=cookies,
    )


def _sent_elsewhere(visit: Visit, go: Go) -> Reply:
    cookies, token = [], visit.token if go.token is None else go.token
    secure = visit.is_secure
    if go.token is not None:
        cookies.append(sessions.session_cookie(go.token, secure=secure))
    if go.notice:
        cookies.append(sessions.notice_cookie(token, Notice(go.notice, go.tone), secure=secure))
    if go.look is not None:
        cookies.append(sessions.look_cookie(go.look, secure=secure))
    headers = {**_PRIVATE, "Location": quote(go.to, safe="/?&=%#:+,;@~")}
    return Reply(b"", status=303, headers=headers, content_type=HTML, cookies=tuple(cookies))


def _around(visit: Visit, notice: Notice | None) -> dict[str, Any]:
    """Return what the frame of every page needs."""
    is_in = "scope" in visit.__dict__
    scope = visit.scope if is_in else None
    return {
        "say": visit.say,
        "_": words.translator(visit.language),
        "language": visit.language,
        "languages": words.LANGUAGES,
        "look": visit.look,
        "scope": scope,
        "csrf": sessions.csrf_of(visit.token) if visit.token else "",
        "notice": notice,
        "path": visit.call.path,
        "seen": visit.seen,
        "navigation": navigation(visit.cloud, scope) if scope else (),
        "region": visit.cloud.region,
        "section": "",
    }
