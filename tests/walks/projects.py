"""The walk through identity, as installation guides and courses type it, on any cloud."""

import json
import sys
from typing import Any

import pytest

from cumulo.walks import reach
from cumulo.walks.client import Client, Refused
from tests.walks.clouds import CommandCloud

# What curl is in the walk: a machine has Python when it has a cloud.
_CURL = """
import json, sys, urllib.error, urllib.request
method, url, token, body = sys.argv[1:]
headers = {"Content-Type": "application/json", "X-Auth-Token": token}
request = urllib.request.Request(url, body.encode() or None, headers, method=method)
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
told = answer.read().decode()
print(json.dumps([answer.status, answer.headers.get("X-Subject-Token"), told]))
"""


def curl(
    cloud: CommandCloud, url: str, body: Any = None, token: str = "", method: str = ""
) -> tuple[int, str, Any]:
    """Send a request from where the cloud's network is."""
    text = json.dumps(body) if body else ""
    way = method or ("POST" if body else "GET")
    told = cloud.output(sys.executable, "-c", _CURL, way, url, token, text)
    status, subject, content = json.loads(told)
    return status, subject, json.loads(content) if content else None


def commands(openstack: Client) -> None:
    """Make a project, users, a role, a service and an endpoint, and look at them."""
    options = ("--domain", "default")
    project = openstack.show(
        "project", "create", *options, "--description", "Demo Project", "course"
    )
    assert (project["name"], project["description"]) == ("course", "Demo Project")
    user = (*options, "--project", "course", "--password", "DEMO_PASS", "student")
    assert openstack.show("user", "create", *user)["default_project_id"] == project["id"]
    assert openstack.show("role", "create", "operator")["name"] == "operator"
    assert openstack.run("role", "add", "--project", "course", "--user", "student", "member") == ""
    of_student = ("--user", "student", "--project", "course", "--names")
    [one] = openstack.rows("role", "assignment", "list", *of_student)
    who = (one["Role"], one["User"], one["Project"])
    assert who == ("member", "student@Default", "course@Default")
    openstack.show("user", "create", *options, "--password", "NOVA_PASS", "nova")
    assert openstack.run("role", "add", "--project", "service", "--user", "nova", "admin") == ""
    words = ("--name", "barbican", "--description", "Key Manager", "key-manager")
    assert openstack.show("service", "create", *words)["type"] == "key-manager"
    where = ("--region", "RegionOne", "key-manager", "public", "http://controller:9311")
    made = openstack.show("endpoint", "create", *where)
    assert (made["region"], made["interface"]) == ("RegionOne", "public")
    [found] = openstack.rows("endpoint", "list", "--service", "key-manager")
    assert found["URL"] == "http://controller:9311"
    users = {row["Name"] for row in openstack.rows("user", "list")}
    assert users == {"admin", "demo", "student", "nova"}
    types = {row["Type"] for row in openstack.rows("catalog", "list")}
    assert {"identity", "compute", "network", "image", "key-manager"} <= types
    assert openstack.show("token", "issue")["id"].startswith("gAAAAA")


def requests(cloud: CommandCloud) -> None:
    """Do by hand what the client does: log in, list images, boot a server, as keys rotate."""
    auth_url = cloud.environment("admin")["OS_AUTH_URL"]
    status, _, told = curl(cloud, auth_url)
    assert (status, told["version"]["status"]) == (200, "stable")
    names = {"name": "student", "domain": {"id": "default"}, "password": "DEMO_PASS"}
    scope = {"project": {"name": "course", "domain": {"id": "default"}}}
    methods = {"methods": ["password"], "password": {"user": names}}
    login = {"auth": {"identity": methods, "scope": scope}}
    status, token, told = curl(cloud, f"{auth_url}/auth/tokens", login)
    assert status == 201
    places = {one["type"]: one["endpoints"][0]["url"] for one in told["token"]["catalog"]}
    cumulo = (sys.executable, "-m", "cumulo")
    cloud.output(*cumulo, "keys", "rotate", "--state", str(cloud.state))
    status, _, told = curl(cloud, f"{places['image']}/v2/images", token=token)
    assert status == 200
    image = next(one["id"] for one in told["images"] if one["name"] == "cirros")
    body = {"server": {"name": "demo", "imageRef": image, "flavorRef": "1"}}
    status, _, told = curl(cloud, f"{places['compute']}/servers", body, token)
    assert status == 202, told
    server = f"{places['compute']}/servers/{told['server']['id']}"

    def is_up() -> bool:
        shown = curl(cloud, server, token=token)[2]["server"]
        assert shown["status"] != "ERROR", shown
        return bool(shown["status"] == "ACTIVE")

    reach.until("the server to be up", is_up, 300)
    assert curl(cloud, server, token=token, method="DELETE")[0] == 204
    reach.until("the server to be gone", lambda: curl(cloud, server, token=token)[0] == 404, 60)
    status, _, told = curl(cloud, f"{auth_url}/users", token=token)
    assert (status, "identity:list_users" in str(told)) == (403, True)
    status, _, told = curl(cloud, f"{auth_url}/users", token="wrong")
    assert status == 401


def refusals(student: Client, stranger: Client) -> None:
    """Tell who may not which rule says so, and who is not known that."""
    with pytest.raises(Refused, match=r"403.*identity:list_users"):
        student.run("user", "list")
    with pytest.raises(Refused, match=r"requires authentication. \(HTTP 401\)"):
        stranger.run("user", "list")


def clear(openstack: Client) -> None:
    """Delete what the walk made."""
    for group in openstack.rows("security", "group", "list", "--project", "course"):
        openstack.run("security", "group", "delete", str(group["ID"]))
    openstack.run("service", "delete", "barbican")
    openstack.run("user", "delete", "student", "nova")
    openstack.run("role", "delete", "operator")
    openstack.run("project", "delete", "course")
    assert "key-manager" not in {row["Type"] for row in openstack.rows("catalog", "list")}


def walk(cloud: CommandCloud, openstack: Client) -> None:
    """Walk from a new project to a user of it who may what a member may, and no more."""
    commands(openstack)
    requests(cloud)
    admin = cloud.environment("admin")
    own = {"OS_USERNAME": "student", "OS_PASSWORD": "DEMO_PASS", "OS_PROJECT_NAME": "course"}
    refusals(
        Client(admin | own, cloud.prefix), Client(admin | {"OS_PASSWORD": "wrong"}, cloud.prefix)
    )
    clear(openstack)
