"""Speaking to a cloud in a network namespace from a test that is not in it."""

import ctypes
import http.client
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from tests.client import Answer
from tests.waiting import eventually
from tests.walks.clouds import CommandCloud

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(net: str | None) -> Iterator[None]:
    """Let this thread open its sockets in a namespace; they stay there when it has left."""
    if net is None:
        yield
        return
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(net, os.O_RDONLY)
    try:
        if _LIBC.setns(there, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        _LIBC.setns(outside, _CLONE_NEWNET)
        os.close(there)
        os.close(outside)


class Speaker:
    """Speaks plain HTTP with a cloud, as an administrator."""

    def __init__(self, cloud: CommandCloud) -> None:
        self._net, self._ports = cloud.net, cloud.ports
        self._env = cloud.environment("admin")
        self._token = ""

    def __call__(
        self, method: str, service: str, path: str, json: Any = None, **more: Any
    ) -> Answer:
        """Send a request and return the answer, whatever it is."""
        headers = {"X-Auth-Token": self._token or self._log_in(), **more.get("headers", {})}
        return self._send(method, service, path, more.get("body", _encoded(json)), headers)

    def make(self, service: str, path: str, json: Any) -> Any:
        """POST something and return what was made, without its wrapping."""
        answer = self("POST", service, path, json)
        assert answer.status in (200, 201, 202), answer.text
        body = answer.json()
        (wrapped,) = body.values() if len(body) == 1 else [body]
        return wrapped

    def delete(self, service: str, path: str) -> None:
        answer = self("DELETE", service, path)
        assert answer.status in (200, 202, 204), answer.text

    def server(self, server_id: str) -> dict[str, Any]:
        """Return a server; one that is gone has that as its status."""
        answer = self("GET", "compute", f"/v2.1/servers/{server_id}")
        gone = {"status": "gone", "id": server_id}
        return gone if answer.status == 404 else dict(answer.json()["server"])

    def await_status(self, server_id: str, wanted: str) -> None:
        """Return when a server has come to a status; fail when it came to another end."""

        def status() -> str:
            return str(self.server(server_id)["status"])

        eventually(lambda: status() in (wanted, "ERROR"), 120, every_s=0.1, tell=status)
        assert status() == wanted, self.server(server_id)

    def project(self) -> str:
        """Return the id of the project that is spoken for."""
        return str(self("GET", "identity", "/v3/auth/projects").json()["projects"][0]["id"])

    def is_answered(self) -> bool:
        """Say whether every service answers."""
        try:
            return all(self("GET", name, "/").status < 500 for name in self._ports)
        except OSError:
            return False

    def _log_in(self) -> str:
        user = {"name": self._env["OS_USERNAME"], "domain": {"id": "default"}}
        password = {"user": user | {"password": self._env["OS_PASSWORD"]}}
        project = {"name": self._env["OS_PROJECT_NAME"], "domain": {"id": "default"}}
        identity = {"methods": ["password"], "password": password}
        auth = {"identity": identity, "scope": {"project": project}}
        answer = self._send("POST", "identity", "/v3/auth/tokens", _encoded({"auth": auth}), {})
        assert answer.status == 201, answer.text
        self._token = answer.headers["x-subject-token"]
        return self._token

    def _send(
        self, method: str, service: str, path: str, body: bytes, headers: dict[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[service], timeout=60)
        with inside(self._net):
            connection.connect()
        try:
            kind = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body or None, kind | headers)
            found = connection.getresponse()
            told = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, told, found.read())
        finally:
            connection.close()


def _encoded(json: Any) -> bytes:
    return b"" if json is None else msgspec.json.encode(json)
