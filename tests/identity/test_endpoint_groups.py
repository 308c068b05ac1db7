from typing import Any

import pytest

from tests.client import Client
from tests.identity.conftest import Cloud, on_project

FILTER = "/v3/OS-EP-FILTER"


@pytest.fixture
def demo(cloud: Cloud, admin: Client) -> str:
    return cloud.project(admin, "demo")


def types_seen(cloud: Cloud, project: str) -> set[str]:
    client = cloud.login("demo", "demo-secret", on_project(project))
    catalog = client.get("/v3/auth/catalog").json()["catalog"]
    return {one["type"] for one in catalog if one["endpoints"]}


def service_id(admin: Client, kind: str) -> str:
    return str(admin.get(f"/v3/services?type={kind}").json()["services"][0]["id"])


def group(admin: Client, **filters: Any) -> str:
    body = {"endpoint_group": {"name": "some", "filters": filters}}
    answer = admin.post(f"{FILTER}/endpoint_groups", body)
    assert answer.status == 201, answer.text
    return str(answer.json()["endpoint_group"]["id"])


def test_a_project_sees_the_endpoints_that_it_names(cloud: Cloud, admin: Client, demo: str) -> None:
    assert types_seen(cloud, demo) == {"identity", "compute", "object-store"}
    compute = service_id(admin, "compute")
    endpoints = admin.get(f"/v3/endpoints?service_id={compute}").json()["endpoints"]
    one = endpoints[0]["id"]
    path = f"{FILTER}/projects/{demo}/endpoints/{one}"
    assert admin.request("HEAD", path).status == 404
    assert admin.put(path).status == 204
    assert admin.put(path).status == 204
    assert admin.get(path).status == 204
    assert types_seen(cloud, demo) == {"compute"}
    shown = admin.get(f"{FILTER}/projects/{demo}/endpoints").json()["endpoints"]
    assert [endpoint["id"] for endpoint in shown] == [one]
    projects = admin.get(f"{FILTER}/endpoints/{one}/projects").json()["projects"]
    assert [project["id"] for project in projects] == [demo]
    assert admin.delete(path).status == 204
    assert admin.delete(path).status == 404
    assert types_seen(cloud, demo) == {"identity", "compute", "object-store"}


def test_a_project_sees_a_group_of_endpoints(cloud: Cloud, admin: Client, demo: str) -> None:
    compute = service_id(admin, "compute")
    group_id = group(admin, service_id=compute, interface="public")
    one = f"{FILTER}/endpoint_groups/{group_id}"
    (found,) = admin.get(f"{one}/endpoints").json()["endpoints"]
    assert found["interface"] == "public"
    assert admin.get(f"{one}/projects/{demo}").status == 404
    assert admin.put(f"{one}/projects/{demo}").status == 204
    assert types_seen(cloud, demo) == {"compute"}
    assert admin.get(f"{one}/projects/{demo}").json()["endpoint_group"]["id"] == group_id
    (project,) = admin.get(f"{one}/projects").json()["projects"]
    assert project["id"] == demo
    shown = admin.get(f"{FILTER}/projects/{demo}/endpoint_groups").json()["endpoint_groups"]
    assert [one["id"] for one in shown] == [group_id]
    projects = admin.get(f"{FILTER}/endpoints/{found['id']}/projects").json()["projects"]
    assert [project["id"] for project in projects] == [demo]
    store = service_id(admin, "object-store")
    change = {"endpoint_group": {"filters": {"service_id": store}, "name": "other"}}
    assert admin.patch(one, change).json()["endpoint_group"]["filters"] == {"service_id": store}
    assert types_seen(cloud, demo) == {"object-store"}
    assert admin.delete(f"{one}/projects/{demo}").status == 204
    admin.put(f"{one}/projects/{demo}")
    assert admin.delete(one).status == 204
    assert admin.get(one).status == 404
    assert types_seen(cloud, demo) == {"identity", "compute", "object-store"}


def test_what_goes_is_named_no_more(cloud: Cloud, admin: Client, demo: str) -> None:
    compute = service_id(admin, "compute")
    (first, *_) = admin.get(f"/v3/endpoints?service_id={compute}").json()["endpoints"]
    admin.put(f"{FILTER}/projects/{demo}/endpoints/{first['id']}")
    assert admin.delete(f"/v3/services/{compute}").status == 204
    assert types_seen(cloud, demo) == {"identity", "object-store"}


def test_only_what_endpoints_have_filters_them(admin: Client) -> None:
    for filters in ({"url": "x"}, {"interface": "other"}, "none"):
        body = {"endpoint_group": {"name": "x", "filters": filters}}
        assert admin.post(f"{FILTER}/endpoint_groups", body).status == 400
    assert admin.put(f"{FILTER}/projects/nowhere/endpoints/none").status == 404
