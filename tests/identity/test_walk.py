"""The walk through identity that courses describe, with the client that they use."""

import json
import os
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cumulo.app import Passwords, emulate
from cumulo.services.identity import public
from cumulo.serving import Serving
from cumulo.settings import Http, Settings
from tests.ports import every_port

pytestmark = pytest.mark.walk
IDENTITY = public.IdentitySettings(password_hash_rounds=4)


# The client's own main, once for each command: starting Python anew each time takes seconds.
_COMMANDS = """
import contextlib, io, json, sys
from openstackclient import shell
said = []
for arguments in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            shell.main(arguments)
        except SystemExit:
            pass
    said.append(out.getvalue())
json.dump(said, sys.stdout)
"""


@dataclass(frozen=True)
class Served:
    serving: Serving
    settings: Settings

    @property
    def auth_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.http.identity_port}/v3"

    def openstack(self, *commands: str, **overrides: str) -> list[Any]:
        """Give commands to one unmodified client and return what it prints for each, as JSON."""
        known = {
            "OS_USERNAME": "admin",
            "OS_PASSWORD": "ADMIN_PASS",
            "OS_PROJECT_NAME": "admin",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_AUTH_URL": self.auth_url,
            "OS_IDENTITY_API_VERSION": "3",
        }
        plain = {k: v for k, v in os.environ.items() if not k.startswith("OS_")}
        done = subprocess.run(
            [sys.executable, "-c", _COMMANDS],
            input=json.dumps([shlex.split(command) for command in commands]),
            env={**plain, **known, **overrides},
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=True,
        )
        return [_json(part) for part in json.loads(done.stdout)]

    def post(self, url: str, body: Any, token: str = "") -> tuple[int, Any, Any]:
        headers = {"Content-Type": "application/json", "X-Auth-Token": token}
        sent = msgspec.json.encode(body) if body is not None else None
        request = urllib.request.Request(url, sent, headers)
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, msgspec.json.decode(answer.read())


def _json(part: str) -> Any:
    try:
        return json.loads(part)
    except ValueError:
        return part.strip()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    settings = Settings(http=msgspec.convert(every_port(), Http), identity=IDENTITY)
    cloud = emulate(settings, tmp_path, Passwords("ADMIN_PASS", "demo", "metadata"))
    cloud.prepare()
    serving = Serving(cloud)
    serving.start()
    yield Served(serving, settings)
    serving.stop()


@pytest.mark.timeout(300)  # the client takes its time, more so on a busy machine
def test_the_walk(served: Served) -> None:
    said = served.openstack(
        'project create --domain default --description "Demo Project" demo2 -f json',
        "user create --domain default --project demo2 --password DEMO_PASS demo2 -f json",
        "role create operator -f json",
        "role add --project demo2 --user demo2 member",
        "role assignment list --user demo2 --project demo2 --names -f json",
        "user create --domain default --password NOVA_PASS nova -f json",
        "role add --project service --user nova admin",
        'service create --name barbican --description "Key Manager" key-manager -f json',
        "endpoint create --region RegionOne key-manager public http://controller:9311 -f json",
        "endpoint list --service key-manager -f json",
        "user list -f json",
        "service list -f json",
        "catalog list -f json",
        "token issue -f json",
    )
    demo_project, demo_user, operator, granted, assigned = said[:5]
    assert (demo_project["name"], demo_project["description"]) == ("demo2", "Demo Project")
    assert demo_user["default_project_id"] == demo_project["id"]
    assert operator["name"] == "operator"
    assert granted == ""
    (one,) = assigned
    who = (one["Role"], one["User"], one["Project"])
    assert who == ("member", "demo2@Default", "demo2@Default")
    nova, given, service, endpoint, endpoints = said[5:10]
    assert (nova["name"], given, service["type"]) == ("nova", "", "key-manager")
    assert (endpoint["region"], endpoint["interface"]) == ("RegionOne", "public")
    assert [one["URL"] for one in endpoints] == ["http://controller:9311"]
    users, services, catalog, token = said[10:]
    assert {one["Name"] for one in users} == {"admin", "demo", "demo2", "nova"}
    assert {"keystone", "nova", "neutron", "glance", "barbican"} <= {s["Name"] for s in services}
    assert {"identity", "compute", "network", "image"} <= {one["Type"] for one in catalog}
    assert token["id"].startswith("gAAAAA")


@pytest.mark.timeout(300)
def test_whoever_may_not_is_told_which_rule_says_so(served: Served) -> None:
    demo = {"OS_USERNAME": "demo", "OS_PASSWORD": "demo", "OS_PROJECT_NAME": "demo"}
    refused, own = served.openstack(
        "user list -f json", "project list --my-projects -f json", **demo
    )
    assert "action: identity:list_users." in refused
    assert "403" in refused
    assert [one["Name"] for one in own] == ["demo"]
    (unknown,) = served.openstack("user list -f json", OS_PASSWORD="wrong")
    assert "The request you have made requires authentication. (HTTP 401)" in unknown


def test_the_walk_by_hand(served: Served) -> None:
    with urllib.request.urlopen(served.auth_url) as answer:
        assert msgspec.json.decode(answer.read())["version"]["status"] == "stable"
    user = {"name": "admin", "domain": {"id": "default"}, "password": "ADMIN_PASS"}
    auth = {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
    }
    status, headers, body = served.post(f"{served.auth_url}/auth/tokens", {"auth": auth})
    assert status == 201
    token = headers["X-Subject-Token"]
    (image,) = [one for one in body["token"]["catalog"] if one["type"] == "image"]
    status, _, images = served.post(f"{image['endpoints'][0]['url']}/v2/images", None, token)
    assert (status, images["images"]) == (200, [])


def test_keys_rotate_under_a_client(served: Served) -> None:
    cloud = served.serving.cloud
    user = {"name": "admin", "domain": {"id": "default"}, "password": "ADMIN_PASS"}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}}
    for _ in range(4):
        _, headers, _ = served.post(f"{served.auth_url}/auth/tokens", {"auth": auth})
        public.rotate(cloud.db, IDENTITY)
        token = headers["X-Subject-Token"]
        status, _, _ = served.post(f"{served.auth_url}/auth/projects", None, token)
        assert status == 200
