"""A client that adds next to nothing to what it measures."""

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class Cloud:
    """A session as one user, with the addresses of the services."""

    def __init__(self, auth_url: str, pid: int = 0) -> None:
        """Speak to the cloud there; `pid` is its process, where it is one of this machine."""
        self.pid = pid
        self.auth_url = auth_url.rstrip("/")
        self.token = ""
        self.urls: dict[str, str] = {"identity": self.auth_url}
        self._local = threading.local()

    def processor_s(self) -> float:
        """Return the seconds of processor that the cloud has used; 0 where it is not here."""
        if not self.pid:
            return 0.0
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_in(self) -> None:
        """Take a token with OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME."""
        domain = {"id": os.environ.get("OS_USER_DOMAIN_ID", "default")}
        user = {"name": os.environ["OS_USERNAME"], "password": os.environ["OS_PASSWORD"]}
        project = {"name": os.environ["OS_PROJECT_NAME"], "domain": domain}
        methods = {"methods": ["password"], "password": {"user": {**user, "domain": domain}}}
        body = {"auth": {"identity": methods, "scope": {"project": project}}}
        status, headers, answer = self.call("POST", f"{self.auth_url}/auth/tokens", body)
        if status != 201:
            raise SystemExit(f"no token from {self.auth_url}: {status} {answer!r}")
        self.token = headers["x-subject-token"]
        for service in json.loads(answer)["token"]["catalog"]:
            public = [e["url"] for e in service["endpoints"] if e["interface"] == "public"]
            self.urls[service["type"]] = public[0].rstrip("/")

    def unscoped(self, name: str, password: str) -> None:
        """Take a token of another user, for nothing in particular."""
        domain = {"id": os.environ.get("OS_USER_DOMAIN_ID", "default")}
        user = {"name": name, "password": password, "domain": domain}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}}
        self.json("POST", "identity", "/auth/tokens", {"auth": auth})

    def call(
        self, method: str, url: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request over this thread's connection, a new one where it was closed."""
        try:
            return self._call(method, url, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self._local.__dict__.pop("connections", None)
            return self._call(method, url, body, headers)

    def _call(
        self, method: str, url: str, body: object, headers: dict[str, str] | None
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(url)
        connections = self._local.__dict__.setdefault("connections", {})
        connection = connections.get(parts.netloc)
        if connection is None:
            connection = http.client.HTTPConnection(parts.netloc, timeout=300)
            connections[parts.netloc] = connection
        sent = {"X-Auth-Token": self.token, "Content-Type": "application/json", **(headers or {})}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, f"{parts.path}?{parts.query}".rstrip("?"), data, sent)
        answer = connection.getresponse()
        found = {k.lower(): v for k, v in answer.getheaders()}
        return answer.status, found, answer.read()

    def json(
        self, method: str, service: str, path: str, body: object = None, **headers: str
    ) -> Any:
        """Send a request that must succeed and return what it answers."""
        answer = self.fetch(method, service, path, body, **headers)
        return json.loads(answer) if answer else None

    def fetch(
        self, method: str, service: str, path: str, body: object = None, **headers: str
    ) -> bytes:
        """Send a request that must succeed; return its answer as it came, which costs no time."""
        status, _, answer = self.call(method, f"{self.urls[service]}{path}", body, headers)
        if status >= 400:
            raise SystemExit(f"{method} {path}: {status} {answer[:300]!r}")
        return answer


def timed(work: Callable[[], object], times: int) -> list[float]:
    """Return how many milliseconds each of some runs took, in order of length."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1000)
    return sorted(found)


def together(works: Iterable[Callable[[], object]], threads: int) -> float:
    """Do everything with some threads and return the seconds it took."""
    rest = list(works)
    lock = threading.Lock()

    def run() -> None:
        while True:
            with lock:
                if not rest:
                    return
                work = rest.pop()
            work()

    pool = [threading.Thread(target=run) for _ in range(threads)]
    began = time.perf_counter()
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    return time.perf_counter() - began


def tell(name: str, unit: str, value: float, **more: object) -> None:
    """Print one measurement."""
    print(json.dumps({"name": name, "unit": unit, "value": round(value, 3), **more}), flush=True)
