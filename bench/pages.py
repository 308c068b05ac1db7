"""How long the dashboard takes to make its pages, in a project with many servers."""

import os
import re
import urllib.parse
import urllib.request
from functools import partial
from http.cookiejar import CookieJar

from bench.http import Cloud, tell, timed

_TIMES = 30
PATHS = (
    "/",
    "/servers",
    "/servers?q=bench&sort=display_name",
    "/networks",
    "/topology",
    "/events",
    "/admin/servers",
)


def pages(_cloud: Cloud) -> None:
    """Open pages as a browser does; tell the median of each, and what a first visit loads."""
    base = os.environ.get("DASHBOARD_URL", "http://127.0.0.1:8000")
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    form = {"name": os.environ["OS_USERNAME"], "password": os.environ["OS_PASSWORD"]}
    sent = urllib.parse.urlencode({**form, "domain": "Default"}).encode()
    opener.open(f"{base}/sign-in", sent).close()

    def load(path: str) -> bytes:
        with opener.open(f"{base}{path}") as answer:
            found: bytes = answer.read()
            return found

    for path in PATHS:
        load(path)
        found = timed(partial(load, path), _TIMES)
        tell(f"page {path}", "ms p50", found[len(found) // 2], p95=round(found[-2], 1))
    page = load("/servers")
    total = len(page)
    for name in set(re.findall(rb'(?:href|src)="(/assets/[^"]+)"', page)):
        request = urllib.request.Request(f"{base}{name.decode()}")
        request.add_header("Accept-Encoding", "gzip")
        with opener.open(request) as answer:
            total += len(answer.read())
    tell("first visit to /servers", "KB", total / 1000)
