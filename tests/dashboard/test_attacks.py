"""What a browser, or somebody behind one, tries against the dashboard."""

import base64
import hashlib
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from cumulo.services.dashboard import pictures, sessions
from cumulo.services.dashboard.api import OPERATIONS
from cumulo.web import Operation
from tests.dashboard import things
from tests.dashboard.browser import HOST, Browser, Shown
from tests.dashboard.conftest import Sight

HOSTILE = "<xss>\"'><script src=//evil></script><img src=x onerror=alert(1)>{{7*7777}}${7*7777}"
POSTS = [each for each in OPERATIONS if each.method in ("POST", "PUT")]
# As they came from npm, see tools/assets.sh.
VENDOR = {
    "vendor/pico.min.css": "fbc9a63fc9fc9f72d12fd7fc9806e11fa9f77ae4f9cad146b27003a1119ba3db",
    "vendor/htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
}


def path_of(operation_path: str) -> str:
    return re.sub(r"\{\w+(:path)?\}", "11111111-2222-3333-4444-555555555555", operation_path)


@pytest.fixture(scope="module")
def browser(sight: Sight) -> Browser:
    return sight.admin()


@pytest.fixture(scope="module")
def stranger(sight: Sight) -> Browser:
    return sight.demo()


def test_cookies_are_out_of_reach(sight: Sight) -> None:
    browser = sight.admin()
    browser.send("/", "/look", language="en", theme="dark")
    assert {cookie.partition("=")[0] for cookie in browser.set_cookies} >= {
        sessions.SESSION,
        sessions.LOOK,
    }
    for cookie in browser.set_cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
    secured = browser.request("GET", "/sign-in", headers={"X-Forwarded-Proto": "https"})
    assert secured.status == 200
    sent = {"X-Forwarded-Proto": "https", "Origin": f"https://{HOST}"}
    body = urlencode({"name": "admin", "password": "admin-secret", "domain": "Default"}).encode()
    assert "Secure" in browser.request("POST", "/sign-in", body, sent).cookies[0]


@pytest.mark.parametrize(
    "url", ["/sign-in", "/servers", "/nothing", "/assets/cumulo.js", "/assets/x"]
)
def test_every_answer_is_guarded(browser: Browser, url: str) -> None:
    headers = browser.request("GET", url).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("operation", POSTS, ids=lambda each: f"{each.method} {each.path}")
def test_nothing_is_done_for_other_sites(
    stranger: Browser, browser: Browser, operation: Operation
) -> None:
    method, path = operation.method, path_of(operation.path)
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        proof = {"csrf": sessions.csrf_of(browser.cookies[sessions.SESSION])}
        answer = browser.request(method, path, urlencode(proof).encode(), headers)
        assert answer.status == 403, (path, headers)
    if path == "/sign-in":
        return
    others = sessions.csrf_of(stranger.cookies[sessions.SESSION])
    for given in ("", "csrf=", "csrf=0", f"csrf={others}"):
        answer = browser.request(method, path, given.encode(), {"Origin": f"http://{HOST}"})
        assert answer.status == 403, (path, given)


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "\\\\evil",
        "http:evil",
        "evil.example",
        "/%0d%0aSet-Cookie:a=b",
        "///evil",
    ],
)
def test_nobody_is_led_elsewhere(sight: Sight, to: str) -> None:
    browser = sight.browser()
    body = urlencode({"name": "admin", "password": "admin-secret", "domain": "Default", "next": to})
    answer = browser.request("POST", "/sign-in", body.encode())
    location = answer.headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert len(answer.cookies) == 1
    proof = sessions.csrf_of(browser.cookies[sessions.SESSION])
    again = urlencode({"csrf": proof, "back": to, "language": "en"}).encode()
    location = browser.request("POST", "/look", again).headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def test_a_session_ends_with_its_token(sight: Sight) -> None:
    browser = sight.admin()
    kept = dict(browser.cookies)
    assert browser.get("/servers").url == "/servers"
    browser.send("/", "/sign-out")
    assert sessions.SESSION not in browser.cookies
    browser.cookies = kept
    shown = browser.get("/servers")
    assert shown.url.startswith("/sign-in?next=")
    assert "The session has ended" in shown.notices


def test_strangers_learn_nothing_and_leave_nothing(sight: Sight) -> None:
    browser = sight.browser()
    for operation in OPERATIONS:
        path = path_of(operation.path)
        if operation.method == "GET" and not path.startswith(("/assets", "/sign-in")):
            answer = browser.request("GET", path, headers={"X-Auth-Token": "x", "X-Roles": "admin"})
            assert answer.status == 303, path
            assert answer.headers["location"].startswith("/sign-in")
            assert answer.cookies == []
    for junk in ("x" * 3000, "a;b", "\x7f", "é", '"', "a b", "%00", "gAAAA-_="):
        browser.cookies = {sessions.SESSION: junk, sessions.NOTICE: junk, sessions.LOOK: junk}
        assert browser.get("/servers").url.startswith("/sign-in")


def test_wrong_passwords_are_told_alike(sight: Sight) -> None:
    browser = sight.browser()
    told = {
        browser.sign_in(name, password).notices
        for name, password in (("admin", "wrong"), ("nobody", "wrong"), ("nobody", ""))
    }
    assert len(told) == 1
    hostile = browser.send("/sign-in", name=HOSTILE, password="x", domain=HOSTILE)
    assert "<xss" not in hostile.text


@pytest.mark.timeout(20)
def test_cookies_cost_nothing_to_read(sight: Sight) -> None:
    """Whatever is in them: nothing that takes the square of its length, nothing that breaks."""
    browser = sight.browser()
    for cookie in ('a="' + "\\a" * 30_000 + '"', "a=" * 30_000, '"' * 60_000, ";" * 60_000):
        for _ in range(10):
            answer = browser.request("GET", "/sign-in", headers={"Cookie": cookie})
            assert answer.status == 200
    deep = b'{"text":"x","x":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    text = base64.urlsafe_b64encode(deep).decode()
    signed = f"{sessions._signature('mine', text)}.{text}"
    for name, value in ((sessions.LOOK, text), (sessions.NOTICE, signed)):
        browser.cookies = {sessions.SESSION: "mine", name: value}
        assert browser.request("GET", "/sign-in").status == 200, name


def test_nobody_else_writes_notices(sight: Sight) -> None:
    browser = sight.admin()
    forged = sessions.notice_cookie("another", sessions.Notice("call this number"), secure=False)
    browser.cookies[sessions.NOTICE] = forged.partition(";")[0].partition("=")[2]
    assert "call this number" not in browser.get("/servers").text


def test_another_projects_things_are_not_there(sight: Sight, parts: dict[str, Any]) -> None:
    admin = sight.people.as_("admin")
    made = things.server(admin, "private", **parts)
    sight.emulated.work()
    demo = sight.demo()
    for page in ("", "/log", "/history", "/edit", "/resize"):
        shown = demo.get(f"/servers/{made}{page}")
        assert shown.status == 404, page
        assert "private" not in shown.text.replace("private-", "")
    assert "private" not in demo.get("/servers").text
    proof = sessions.csrf_of(demo.cookies[sessions.SESSION])
    body = urlencode({"csrf": proof, "action": "delete"}).encode()
    shown = demo._followed(demo.request("POST", f"/servers/{made}/actions", body))
    assert "could not be found" in shown.notices
    assert admin.get("compute", f"/servers/{made}")["server"]["status"] == "ACTIVE"


def test_console_lines_are_only_words(sight: Sight, parts: dict[str, Any]) -> None:
    """Neither a browser nor a terminal that the page is copied to does what a guest writes."""
    admin = sight.people.as_("admin")
    made = things.server(admin, "writes", **parts)
    sight.emulated.work()
    host = admin.get("compute", f"/servers/{made}")["server"]["OS-EXT-SRV-ATTR:host"]
    guest = sight.emulated.nodes[host]._guests[made]
    guest.console = f"{HOSTILE}\x1b]8;;javascript:alert(1)\x07\x1b[2J\x9b2J\u202e\u2066\0\r\nend"
    shown = sight.admin().get(f"/servers/{made}/log")
    check_clean(shown)
    (told,) = shown.document.all("pre")
    assert told.text.startswith(HOSTILE)
    assert told.text.endswith("end")
    assert all(sign.isprintable() or sign == "\n" for sign in told.text)


def test_large_and_broken_forms(browser: Browser) -> None:
    proof = sessions.csrf_of(browser.cookies[sessions.SESSION])
    large = urlencode({"csrf": proof, "name": "x" * (2 << 20)}).encode()
    assert browser.request("POST", "/servers", large).status == 413
    many = f"csrf={proof}&" + "&".join(f"a{n}=1" for n in range(5000))
    assert browser.request("POST", "/servers", many.encode()).status == 400
    assert browser.request("POST", "/servers", b"\xff\xfe=%ff").status == 400


def test_assets_are_as_they_came() -> None:
    for name, expected in VENDOR.items():
        assert hashlib.sha256(pictures.asset(name).content).hexdigest() == expected
    for name in ("../settings.py", "/etc/passwd", "vendor/../../settings.py", ""):
        with pytest.raises(Exception, match="no such file"):
            pictures.asset(name)


@pytest.mark.walk
def test_a_file_for_shells_runs_nothing(new_sight: Callable[[], Sight], tmp_path: Path) -> None:
    """Whoever names a project must not run commands at those who work in it."""
    sight = new_sight()
    admin = sight.people.as_("admin")
    name = "'\"`touch ran`$(touch ran)\n; touch ran #"
    made = admin.post("identity", "/projects", {"project": {"name": name}})["project"]["id"]
    role = admin.get("identity", "/roles", name="member")["roles"][0]["id"]
    admin.put("identity", f"/projects/{made}/users/{admin.scope().user_id}/roles/{role}")
    browser = sight.admin()
    browser.send("/scopes", "/scopes", ("id", made), kind="project")
    script = f'{browser.get("/access/openrc").text}\nprintf %s "$OS_PROJECT_NAME"'
    shell = ["bash", "-c", script]
    password = "secret\n"
    told = subprocess.run(
        shell, check=True, cwd=tmp_path, capture_output=True, text=True, input=password
    )
    assert told.stdout.endswith(name), told
    assert not (tmp_path / "ran").exists()
    clouds = yaml.safe_load(browser.get("/access/clouds.yaml").text)
    assert clouds["clouds"]["cumulo"]["auth"]["project_name"] == name


def crawl(browser: Browser, start: str = "/") -> Iterator[Shown]:
    """Open every page that can be reached by links, each once."""
    seen, rest = {start}, [start]
    while rest:
        shown = browser.get(rest.pop())
        yield shown
        for link in sorted(shown.links()):
            if link not in seen and "?" not in link:
                seen.add(link)
                rest.append(link)


@pytest.mark.walk
def test_hostile_names_stay_names(new_sight: Callable[[], Sight]) -> None:
    """Whatever can be named is named so, then every page is opened."""
    sight = new_sight()
    things.hostile(sight.people.as_("admin"), HOSTILE)
    sight.emulated.work()
    things.hostile_copies(sight.people.as_("admin"), HOSTILE)
    sight.emulated.work()
    browser, count = sight.admin("fr"), 0
    for shown in crawl(browser):
        assert shown.status == 200, (shown.url, shown.notices)
        assert "<xss" not in shown.text.lower(), shown.url
        assert "54439" not in shown.text, shown.url
        count += "&lt;xss&gt;" in shown.text
        check_clean(shown)
    assert count > 90


def check_clean(shown: Shown) -> None:
    for element in shown.document.elements:
        if element.tag == "iframe" and shown.url.endswith("/console"):
            assert element.attributes["src"].startswith("http://127.0.0.1:6080/vnc_lite.html?")
            continue
        for name, value in element.attributes.items():
            assert not name.startswith("on"), (shown.url, element)
            assert name != "style", (shown.url, element)
            if name in ("href", "src", "action", "hx-get"):
                assert value.startswith(("/", "#")), (shown.url, element)
                assert not value.startswith("//"), (shown.url, element)
        if element.tag in ("script", "link", "img"):
            where = element.attributes.get("src") or element.attributes["href"]
            assert where.startswith("/assets/"), (shown.url, element)
        if element.tag == "script":
            assert not element.text.strip(), shown.url
        assert element.tag not in ("iframe", "object", "embed", "base", "style", "xss")
