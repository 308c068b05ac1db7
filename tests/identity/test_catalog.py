from typing import Any

import pytest

from tests.client import Client
from tests.identity.conftest import Cloud, made


def test_a_region_from_first_to_last(admin: Client) -> None:
    region = made(admin, "region", {"id": "north", "description": "cold"})
    assert region == {
        "id": "north",
        "description": "cold",
        "parent_region_id": None,
        "links": {"self": "http://cloud/v3/regions/north"},
    }
    child = made(admin, "region", {"parent_region_id": "north"})
    assert len(child["id"]) == 32
    below = admin.get("/v3/regions?parent_region_id=north").json()["regions"]
    assert below == [child]
    named = admin.put("/v3/regions/south", {"region": {"description": "warm"}})
    assert (named.status, named.json()["region"]["id"]) == (201, "south")
    assert admin.put("/v3/regions/south", {"region": {}}).status == 409
    assert admin.put("/v3/regions/west", {"region": {"id": "east"}}).status == 400
    changed = admin.patch("/v3/regions/south", {"region": {"description": None, "tide": 1}})
    assert changed.json()["region"]["description"] == ""
    assert changed.json()["region"]["tide"] == 1
    assert admin.post("/v3/regions", {"region": {"id": "north"}}).status == 409
    orphan = {"region": {"id": "x", "parent_region_id": "nowhere"}}
    assert admin.post("/v3/regions", orphan).status == 404
    circle = {"region": {"parent_region_id": child["id"]}}
    assert admin.patch("/v3/regions/north", circle).status == 400
    assert admin.delete("/v3/regions/north").status == 204
    assert admin.get(f"/v3/regions/{child['id']}").status == 404
    gone = admin.get("/v3/regions/north")
    assert gone.json()["error"]["message"] == "Could not find region: north."
    assert admin.delete("/v3/regions/RegionOne").status == 403


def test_anyone_may_see_regions(cloud: Cloud) -> None:
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    assert [one["id"] for one in demo.get("/v3/regions").json()["regions"]] == ["RegionOne"]
    assert demo.post("/v3/regions", {"region": {}}).status == 403


def test_a_service_from_first_to_last(admin: Client) -> None:
    service = made(admin, "service", {"type": "key-manager", "name": "barb", "description": "d"})
    assert service == {
        "id": service["id"],
        "type": "key-manager",
        "name": "barb",
        "enabled": True,
        "description": "d",
        "links": {"self": f"http://cloud/v3/services/{service['id']}"},
    }
    one = f"/v3/services/{service['id']}"
    assert admin.get("/v3/services?type=key-manager").json()["services"] == [service]
    assert admin.get("/v3/services?name=none").json()["services"] == []
    changed = admin.patch(one, {"service": {"name": "barbican", "enabled": False}})
    assert (changed.json()["service"]["name"], changed.json()["service"]["enabled"]) == (
        "barbican",
        False,
    )
    assert admin.get(one).json() == changed.json()
    assert admin.delete(one).status == 204
    assert admin.get(one).json()["error"]["message"] == f"Could not find service: {service['id']}."
    assert made(admin, "service", {"type": "x"})["name"] == ""


@pytest.mark.parametrize(
    "service", [{}, {"type": ""}, {"type": 5}, {"type": "x", "enabled": "yes"}, {"name": "x"}]
)
def test_a_wrong_service_is_refused(admin: Client, service: dict[str, object]) -> None:
    assert admin.post("/v3/services", {"service": service}).status == 400


def endpoint(service_id: str, **facts: Any) -> dict[str, Any]:
    url = "http://controller:8774/v2.1"
    return {"interface": "public", "service_id": service_id, "url": url, **facts}


def test_an_endpoint_from_first_to_last(admin: Client) -> None:
    service = made(admin, "service", {"type": "metric"})["id"]
    one = made(admin, "endpoint", endpoint(service, region_id="RegionOne", note="n"))
    assert one == {
        "id": one["id"],
        "interface": "public",
        "region": "RegionOne",
        "region_id": "RegionOne",
        "service_id": service,
        "url": "http://controller:8774/v2.1",
        "enabled": True,
        "note": "n",
        "links": {"self": f"http://cloud/v3/endpoints/{one['id']}"},
    }
    url = f"/v3/endpoints/{one['id']}"
    assert admin.get(url).json()["endpoint"] == one
    assert admin.get(f"/v3/endpoints?service_id={service}").json()["endpoints"] == [one]
    assert admin.get("/v3/endpoints?interface=sideways").status == 400
    changed = admin.patch(url, {"endpoint": {"url": "https://x/", "enabled": False}})
    assert changed.json()["endpoint"]["url"] == "https://x/"
    moved = admin.patch(url, {"endpoint": {"region": "Two"}}).json()["endpoint"]
    assert (moved["region"], moved["region_id"]) == ("Two", "Two")
    assert admin.get("/v3/regions/Two").status == 200
    assert admin.patch(url, {"endpoint": {"service_id": "nothing"}}).status == 400
    assert admin.delete(url).status == 204
    assert admin.get(url).json()["error"]["message"] == f"Could not find endpoint: {one['id']}."
    admin.post("/v3/endpoints", {"endpoint": endpoint(service)})
    admin.delete(f"/v3/services/{service}")
    assert admin.get(f"/v3/endpoints?service_id={service}").json()["endpoints"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"interface": "sideways"},
        {"url": "no scheme"},
        {"url": 5},
        {"url": "http://x/$(password)s"},
        {"url": "http://x/%(admin_token)s"},
        {"url": "http://x/$(project_id)d"},
        {"url": "http://x/$(project_id"},
        {"service_id": "nothing"},
        {"region_id": "nowhere"},
        {"enabled": "yes"},
    ],
)
def test_a_wrong_endpoint_is_refused(admin: Client, wrong: dict[str, object]) -> None:
    service = made(admin, "service", {"type": "metric"})["id"]
    answer = admin.post("/v3/endpoints", {"endpoint": {**endpoint(service), **wrong}})
    assert answer.status == 400


def test_the_catalog_shows_what_is_switched_on(admin: Client) -> None:
    service = made(admin, "service", {"type": "metric", "name": "gauge"})["id"]
    one = made(admin, "endpoint", endpoint(service, url="http://x/%(tenant_id)s/$(user_id)s"))

    def shown() -> list[dict[str, Any]]:
        catalog = admin.get("/v3/auth/catalog").json()["catalog"]
        return [entry for entry in catalog if entry["type"] == "metric"]

    (entry,) = shown()
    assert entry["name"] == "gauge"
    assert "(" not in entry["endpoints"][0]["url"]
    admin.patch(f"/v3/endpoints/{one['id']}", {"endpoint": {"enabled": False}})
    assert shown()[0]["endpoints"] == []
    admin.patch(f"/v3/services/{service}", {"service": {"enabled": False}})
    assert shown() == []


def test_who_may_see_the_catalogs_parts(cloud: Cloud) -> None:
    demo = cloud.login(
        "demo", "demo-secret", {"project": {"name": "demo", "domain": {"id": "default"}}}
    )
    for path in ("services", "endpoints", "services/x", "endpoints/x"):
        assert demo.get(f"/v3/{path}").status == 403
    assert demo.post("/v3/services", {"service": {"type": "x"}}).status == 403
