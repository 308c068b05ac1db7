"""A browser without a screen, in this process: cookies, redirects, forms, links."""

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode, urljoin, urlsplit

HOST = "cloud:8000"
_VOID = {"meta", "link", "input", "img", "br", "hr", "path", "rect", "circle", "line", "wbr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Document(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.forms: list[Form] = []
        self._open: list[Element] = []
        self._select = ""
        self._area = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        element = Element(tag, given)
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
        elif self.forms:
            self._field(tag, given)

    def _field(self, tag: str, given: Mapping[str, str]) -> None:
        form, name = self.forms[-1], given.get("name", "")
        if tag == "input" and name:
            ticks = given.get("type") in ("checkbox", "radio")
            if not ticks or "checked" in given:
                form.fields.append((name, given.get("value", "")))
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in given:
            form.fields.append((self._select, given.get("value", "")))
        elif tag == "textarea":
            self._area = name
            form.fields.append((name, ""))
        elif tag == "button":
            form.buttons.append((name, given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        while self._open and any(each.tag == tag for each in self._open):
            if self._open.pop().tag == tag:
                break

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data
        if self._area:
            name, value = self.forms[-1].fields[-1]
            self.forms[-1].fields[-1] = (name, (value + data).removeprefix("\n"))

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]


@dataclass
class Shown:
    status: int
    headers: Mapping[str, str]
    cookies: list[str]
    body: bytes
    url: str

    @property
    def text(self) -> str:
        return self.body.decode()

    @cached_property
    def document(self) -> Document:
        return Document(self.text)

    @property
    def notices(self) -> str:
        said = [
            element.text
            for element in self.document.all("p")
            if "notice" in element.attributes.get("class", "")
        ]
        return "\n".join(said)

    def links(self) -> set[str]:
        found = [element.attributes.get("href", "") for element in self.document.all("a")]
        return {urljoin(self.url, href) for href in found if href and not href.startswith("#")}

    def form(self, action: str) -> Form:
        return next(each for each in self.document.forms if each.action == action)


class Browser:
    def __init__(self, app: Callable[..., Iterable[bytes]], language: str = "en") -> None:
        self._app, self.language = app, language
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []

    def request(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Shown:
        """Send one request; follow no redirect."""
        parts = urlsplit(url)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
            "QUERY_STRING": parts.query,
            "SERVER_NAME": "cloud",
            "SERVER_PORT": "8000",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": HOST,
            "HTTP_ACCEPT": "text/html",
            "HTTP_ACCEPT_LANGUAGE": self.language,
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
        }
        if self.cookies:
            pairs = [f"{name}={value}" for name, value in self.cookies.items()]
            environ["HTTP_COOKIE"] = "; ".join(pairs)
        for name, value in (headers or {}).items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        started: list[Any] = []

        def start_response(status: str, found: list[tuple[str, str]]) -> None:
            started[:] = [int(status[:3]), found]

        pieces = b"".join(self._app(environ, start_response))
        status, found = started
        given = [value for name, value in found if name == "Set-Cookie"]
        for cookie in given:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in cookie:
                del self.cookies[name]
        self.set_cookies += given
        lower = {name.lower(): value for name, value in found}
        return Shown(status, lower, given, pieces, url)

    def get(self, url: str) -> Shown:
        """Open a page, wherever it leads."""
        return self._followed(self.request("GET", url))

    def _followed(self, shown: Shown) -> Shown:
        for _ in range(5):
            if shown.status != 303:
                return shown
            shown = self.request("GET", shown.headers["location"])
        raise AssertionError("redirected without end")

    def send(
        self, page: str, action: str = "", button: tuple[str, str] | None = None, /, **values: Any
    ) -> Shown:
        """Fill in a form of a page and send it: what it is about stays as it was."""
        shown = self.get(page)
        form = shown.form(action or urlsplit(page).path)
        sent = [(name, value) for name, value in form.fields if name not in values]
        for name, value in values.items():
            sent += [(name, each) for each in (value if isinstance(value, list) else [value])]
        sent += [button] if button else []
        headers = {"Origin": f"http://{HOST}", "Referer": f"http://{HOST}{page}"}
        body = urlencode(sent).encode()
        return self._followed(self.request("POST", form.action, body, headers))

    def press(self, page: str, button: str, action: str = "", /, **values: Any) -> Shown:
        """Press a button of a page."""
        return self.send(
            page, action or f"{urlsplit(page).path}/actions", ("action", button), **values
        )

    def sign_in(self, name: str = "admin", password: str = "admin-secret") -> Shown:
        return self.send("/sign-in", name=name, password=password)
