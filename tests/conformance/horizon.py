"""Open every page of OpenStack's dashboard that its navigation leads to, and tell what is wrong.

Run as `python -m tests.conformance.horizon http://127.0.0.1:8090 admin PASSWORD`, see
docs/guides/horizon.md.
"""

import html
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

_ALERT = re.compile(r'<div class="alert[^"]*"[^>]*>(.*?)</div>', re.DOTALL)
_LINK = re.compile(r'href="(/(?:project|admin|identity|settings)/[^"#?]*)"')
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Visitor:
    """Somebody who looks at one Horizon."""

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(cookies)

    def open(self, path: str, **form: str) -> str:
        """Return what a page says; an answer that is an error says so."""
        sent = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(self._base + path, sent, {"Referer": self._base + path})
        try:
            with self._opener.open(request) as answer:
                text: str = answer.read().decode(errors="replace")
                return text
        except urllib.error.HTTPError as error:
            error.close()
            return f'<div class="alert">HTTP {error.code}</div>'

    def sign_in(self, name: str, password: str) -> str:
        """Return the first page that somebody sees."""
        path = "/auth/login/"
        token = _TOKEN.search(self.open(path))
        assert token is not None, "there is no form to sign in with"
        who = {"username": name, "password": password, "domain": "Default", "region": "default"}
        return self.open(path, csrfmiddlewaretoken=token[1], **who)


def complaints(page: str) -> list[str]:
    """Return the errors that a page shows; templates of such are none."""
    words = [re.sub("<[^>]+>", " ", html.unescape(found)) for found in _ALERT.findall(page)]
    told = [" ".join(each.split()) for each in words]
    return [each for each in told if each and "{{" not in each and "JavaScript" not in each]


def main(base: str, name: str, password: str) -> int:
    """Return how many pages complain."""
    visitor = Visitor(base)
    first = visitor.sign_in(name, password)
    paths = sorted(set(_LINK.findall(first)))
    if not paths:
        print("nobody has signed in:", *complaints(first))
        return 1
    bad = 0
    for path in paths:
        told = complaints(visitor.open(path))
        bad += bool(told)
        print(path, *(told or ["fine"]))
    return bad


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:4]), 1))
