from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from cumulo.services.identity import public
from tests.client import Client
from tests.identity.conftest import SETTINGS, SYSTEM, Cloud, made, on_project


@pytest.fixture
def compute(admin: Client) -> str:
    return str(admin.get("/v3/services?type=compute").json()["services"][0]["id"])


def register(admin: Client, service: str, name: str = "cores", most: int = 10) -> str:
    new = {"service_id": service, "resource_name": name, "default_limit": most}
    answer = admin.post("/v3/registered_limits", {"registered_limits": [new]})
    assert answer.status == 201, answer.text
    return str(answer.json()["registered_limits"][0]["id"])


def limit(service: str, most: int, **holder: Any) -> dict[str, Any]:
    new = {"service_id": service, "resource_name": "cores", "resource_limit": most, **holder}
    return {"limits": [new]}


def test_registered_limits(cloud: Cloud, admin: Client, compute: str) -> None:
    one = f"/v3/registered_limits/{register(admin, compute)}"
    shown = cloud.login("demo", "demo-secret", {"unscoped": {}}).get(one).json()
    assert shown["registered_limit"]["default_limit"] == 10
    again = {"service_id": compute, "resource_name": "cores", "default_limit": 1}
    other = {**again, "resource_name": "ram"}
    both = {"registered_limits": [other, again]}
    assert admin.post("/v3/registered_limits", both).status == 409
    found = admin.get("/v3/registered_limits?resource_name=ram").json()["registered_limits"]
    assert found == []
    nowhere = {"registered_limits": [{**other, "region_id": "nowhere"}]}
    assert admin.post("/v3/registered_limits", nowhere).status == 400
    assert admin.post("/v3/registered_limits", {"registered_limits": []}).status == 400
    change = {"registered_limit": {"default_limit": 20}}
    assert admin.patch(one, change).json()["registered_limit"]["default_limit"] == 20
    assert admin.delete(one).status == 204
    assert admin.get(one).status == 404


def test_limits_rest_on_registered_ones(cloud: Cloud, admin: Client, compute: str) -> None:
    demo = cloud.project(admin, "demo")
    assert admin.post("/v3/limits", limit(compute, 5, project_id=demo)).status == 403
    base = f"/v3/registered_limits/{register(admin, compute)}"
    made_one = admin.post("/v3/limits", limit(compute, 5, project_id=demo))
    assert made_one.status == 201, made_one.text
    (one,) = made_one.json()["limits"]
    assert one["project_id"] == demo
    assert one["domain_id"] is None
    assert admin.post("/v3/limits", limit(compute, 6, project_id=demo)).status == 409
    assert admin.post("/v3/limits", limit(compute, 6)).status == 400
    assert admin.post("/v3/limits", limit(compute, 6, project_id="none")).status == 404
    assert admin.post("/v3/limits", limit(compute, 6, domain_id=demo)).status == 404
    assert admin.delete(base).status == 403
    assert admin.patch(base, {"registered_limit": {"resource_name": "x"}}).status == 403
    path = f"/v3/limits/{one['id']}"
    changed = admin.patch(path, {"limit": {"resource_limit": 7, "description": "d"}}).json()
    assert (changed["limit"]["resource_limit"], changed["limit"]["description"]) == (7, "d")
    assert admin.patch(path, {"limit": {"project_id": "x"}}).status == 400
    assert admin.delete(path).status == 204
    assert admin.delete(base).status == 204


def test_everyone_sees_their_own(cloud: Cloud, admin: Client, compute: str) -> None:
    register(admin, compute)
    projects = [cloud.project(admin, name) for name in ("demo", "service")]
    for project in projects:
        admin.post("/v3/limits", limit(compute, 5, project_id=project))
    admin.post("/v3/limits", limit(compute, 5, domain_id="default"))
    system = cloud.login(scope=SYSTEM)
    everything = system.get("/v3/limits").json()["limits"]
    assert len(everything) == 3
    demo = cloud.login("demo", "demo-secret", on_project(projects[0]))
    (mine,) = demo.get("/v3/limits").json()["limits"]
    assert mine["project_id"] == projects[0]
    for one in everything:
        status = 200 if one["project_id"] == projects[0] else 403
        assert demo.get(f"/v3/limits/{one['id']}").status == status
    assert demo.get("/v3/limits/model").json()["model"]["name"] == "flat"


def test_limits_go_with_what_they_limit(cloud: Cloud, admin: Client, compute: str) -> None:
    register(admin, compute)
    lab = made(admin, "project", {"name": "lab", "domain_id": "default"})["id"]
    admin.post("/v3/limits", limit(compute, 5, project_id=lab))
    admin.delete(f"/v3/projects/{lab}")
    system = cloud.login(scope=SYSTEM)
    assert system.get("/v3/limits").json()["limits"] == []
    admin.delete(f"/v3/services/{compute}")
    assert system.get("/v3/registered_limits").json()["registered_limits"] == []


@pytest.fixture
def strict(cloud: Cloud, new_cloud: Callable[[public.IdentitySettings], Cloud]) -> Cloud:
    return new_cloud(msgspec.structs.replace(SETTINGS, enforcement_model="strict_two_level"))


def test_on_two_levels_nothing_exceeds_what_is_above(strict: Cloud, compute: str) -> None:
    admin = strict.login()
    assert admin.get("/v3/limits/model").json()["model"]["name"] == "strict_two_level"
    register(admin, compute)
    demo = strict.project(admin, "demo")
    assert admin.post("/v3/limits", limit(compute, 11, project_id=demo)).status == 403
    assert admin.post("/v3/limits", limit(compute, -1, project_id=demo)).status == 403
    (top,) = admin.post("/v3/limits", limit(compute, 20, domain_id="default")).json()["limits"]
    (below,) = admin.post("/v3/limits", limit(compute, 15, project_id=demo)).json()["limits"]
    for one, most, status in ((top, 14, 403), (top, 15, 200), (below, 16, 403), (below, 1, 200)):
        change = {"limit": {"resource_limit": most}}
        assert admin.patch(f"/v3/limits/{one['id']}", change).status == status
    third = {"project": {"name": "deep", "domain_id": "default", "parent_id": demo}}
    assert admin.post("/v3/projects", third).status == 403
