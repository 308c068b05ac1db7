"""Resource providers with their inventories, traits and aggregates."""

import pytest

from cumulo.kit.ids import new_id
from tests.client import Client
from tests.placement.cloud import Cloud

P = "/resource_providers"
SOME = "a3e3b5a1-9f0b-4c55-9c0e-0d6a7c5f4a10"


def test_a_provider_is_made_shown_and_deleted(cloud: Cloud) -> None:
    uuid = new_id()
    made = cloud.client.post(P, {"name": "host", "uuid": uuid})
    assert (made.status, made.headers["location"]) == (200, f"http://cloud{P}/{uuid}")
    assert made.headers["cache-control"] == "no-cache"
    assert made.headers["last-modified"].endswith(" GMT")
    shown = cloud.client.get(f"{P}/{uuid}").json()
    assert shown == made.json()
    assert shown.pop("links")[0] == {"rel": "self", "href": f"{P}/{uuid}"}
    assert shown == {
        "uuid": uuid,
        "name": "host",
        "generation": 0,
        "parent_provider_uuid": None,
        "root_provider_uuid": uuid,
    }
    assert cloud.client.delete(f"{P}/{uuid}").status == 204
    assert cloud.client.delete(f"{P}/{uuid}").status == 404
    assert cloud.client.get(f"{P}/{uuid}").status == 404


def test_what_is_shown_grew_with_the_versions(cloud: Cloud) -> None:
    old = cloud.at("1.0")
    made = old.post(P, {"name": "host"})
    assert (made.status, made.body) == (201, b"")
    assert "last-modified" not in made.headers
    path = made.headers["location"].removeprefix("http://cloud")
    shown = old.get(path).json()
    assert {link["rel"] for link in shown["links"]} == {"self", "inventories", "usages"}
    assert "parent_provider_uuid" not in shown
    newer = {link["rel"] for link in cloud.at("1.11").get(path).json()["links"]}
    assert newer == {"self", "inventories", "usages", "aggregates", "traits", "allocations"}
    assert old.post(P, {"name": "child", "parent_provider_uuid": new_id()}).status == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"name": ""}, 400),
        ({"name": "x" * 201}, 400),
        ({"name": 5}, 400),
        ({"name": "a\0b"}, 400),
        ({"name": "x", "uuid": "no"}, 400),
        ({"name": "x", "parent_provider_uuid": new_id()}, 400),
        ({"name": "x", "root_provider_uuid": new_id()}, 400),
        ({"name": "host"}, 409),
    ],
)
def test_a_wrong_provider_is_refused(cloud: Cloud, body: dict[str, object], status: int) -> None:
    cloud.provider("host")
    answer = cloud.client.post(P, body)
    assert answer.status == status
    assert len(cloud.client.get(P).json()["resource_providers"]) == 1


def test_errors_name_their_code_since_1_23(cloud: Cloud) -> None:
    cloud.provider("host")
    (error,) = cloud.client.post(P, {"name": "host"}).json()["errors"]
    assert error["code"] == "placement.duplicate_name"
    assert (error["status"], error["title"]) == (409, "Conflict")
    (error,) = cloud.client.get(f"{P}/{new_id()}").json()["errors"]
    assert error["code"] == "placement.undefined_code"
    (error,) = cloud.at("1.22").get(f"{P}/{new_id()}").json()["errors"]
    assert "code" not in error


def test_trees_are_built_and_moved(cloud: Cloud) -> None:
    root, child = cloud.provider("root"), cloud.provider("child", parent="root")
    leaf, other = cloud.provider("leaf", parent="child"), cloud.provider("other")
    change = {"name": "child", "parent_provider_uuid": other}
    assert cloud.at("1.36").put(f"{P}/{child}", change).status == 400
    assert cloud.client.put(f"{P}/{child}", change).status == 200
    assert cloud.client.get(f"{P}/{leaf}").json()["root_provider_uuid"] == other
    loop = {"name": "other", "parent_provider_uuid": leaf}
    assert cloud.client.put(f"{P}/{other}", loop).status == 400
    alone = {"name": "child", "parent_provider_uuid": None}
    assert cloud.client.put(f"{P}/{child}", alone).status == 200
    assert cloud.client.get(f"{P}/{leaf}").json()["root_provider_uuid"] == child
    assert cloud.client.delete(f"{P}/{child}").status == 409
    in_tree = cloud.client.get(f"{P}?in_tree={leaf}").json()["resource_providers"]
    assert [one["name"] for one in in_tree] == ["child", "leaf"]
    assert cloud.client.get(f"{P}?in_tree={new_id()}").json() == {"resource_providers": []}
    assert cloud.client.delete(f"{P}/{root}").status == 204


def test_providers_are_found_by_what_they_are(cloud: Cloud) -> None:
    a, b = new_id(), new_id()
    cloud.provider("one", VCPU=4, aggregates=(a,), traits=("CUSTOM_FAST",))
    cloud.provider("two", VCPU=2, aggregates=(a, b), traits=("HW_CPU_X86_AVX",))

    def found(query: str) -> list[str]:
        answer = cloud.client.get(f"{P}?{query}")
        assert answer.status == 200, answer.text
        return [one["name"] for one in answer.json()["resource_providers"]]

    assert found("") == found("name=") == ["one", "two"]
    assert found("name=one") == found(f"uuid={cloud.ids['one']}") == ["one"]
    assert found("resources=VCPU:3") == ["one"]
    assert found(f"member_of={a}&member_of={b}") == ["two"]
    assert found(f"member_of=in:{a},{b}") == ["one", "two"]
    assert found(f"member_of=!{b}") == ["one"]
    assert found("required=CUSTOM_FAST") == ["one"]
    assert found("required=!CUSTOM_FAST") == ["two"]
    assert found("required=in:CUSTOM_FAST,HW_CPU_X86_AVX") == ["one", "two"]


@pytest.mark.parametrize(
    "query",
    [
        "uuid=x",
        "in_tree=x",
        "color=red",
        "member_of=x",
        f"member_of={SOME},{SOME}",
        "resources=",
        "resources=VCPU",
        "resources=VCPU:0",
        "resources=VCPU:x",
        "resources=VCPU:99999999999999999999",
        "resources=CUSTOM_NONE:1",
        "required=",
        "required=CUSTOM_NONE",
        "required=in:!CUSTOM_NONE",
    ],
)
def test_a_wrong_question_is_refused(cloud: Cloud, query: str) -> None:
    assert cloud.client.get(f"{P}?{query}").status == 400


def test_questions_grew_with_the_versions(cloud: Cloud) -> None:
    one = new_id()
    for version, query in [
        ("1.2", f"member_of={one}"),
        ("1.3", "resources=VCPU:1"),
        ("1.13", f"in_tree={one}"),
        ("1.17", "required=HW_CPU_X86_AVX"),
        ("1.21", "required=!HW_CPU_X86_AVX"),
        ("1.23", f"member_of={one}&member_of={one}"),
        ("1.31", f"member_of=!{one}"),
        ("1.38", "required=in:HW_CPU_X86_AVX"),
    ]:
        assert cloud.at(version).get(f"{P}?{query}").status == 400
        major, _, minor = version.partition(".")
        assert cloud.at(f"{major}.{int(minor) + 1}").get(f"{P}?{query}").status == 200


def test_inventories_are_kept_by_generation(cloud: Cloud) -> None:
    uuid = cloud.provider("host", VCPU=4, DISK_GB={"total": 10, "reserved": 1})
    url = f"{P}/{uuid}/inventories"
    shown = cloud.client.get(url).json()
    assert shown["inventories"]["DISK_GB"] == {
        "total": 10,
        "reserved": 1,
        "min_unit": 1,
        "max_unit": 2147483647,
        "step_size": 1,
        "allocation_ratio": 1.0,
    }
    seen = shown["resource_provider_generation"]
    late = {"resource_provider_generation": seen - 1, "inventories": {}}
    (error,) = cloud.client.put(url, late).json()["errors"]
    assert (error["status"], error["code"]) == (409, "placement.concurrent_update")
    change = {"resource_provider_generation": seen, "total": 8}
    changed = cloud.client.put(f"{url}/VCPU", change)
    assert (changed.status, changed.json()["total"]) == (200, 8)
    assert changed.json()["resource_provider_generation"] == seen + 1
    assert cloud.client.put(f"{url}/VCPU", change).status == 409
    new = cloud.client.post(url, {"resource_class": "MEMORY_MB", "total": 64})
    assert (new.status, new.headers["location"]) == (201, f"http://cloud{url}/MEMORY_MB")
    assert cloud.client.post(url, {"resource_class": "MEMORY_MB", "total": 1}).status == 409
    assert cloud.client.delete(f"{url}/MEMORY_MB").status == 204
    assert cloud.client.delete(f"{url}/MEMORY_MB").status == 404
    assert cloud.client.get(f"{url}/MEMORY_MB").status == 404
    assert cloud.at("1.4").delete(url).status == 405
    assert cloud.client.delete(url).status == 204
    assert cloud.client.get(url).json()["inventories"] == {}


@pytest.mark.parametrize(
    "stock",
    [
        {},
        {"total": 0},
        {"total": -1},
        {"total": 2**31},
        {"total": 1.5},
        {"total": 4, "reserved": 5},
        {"total": 4, "step_size": 0},
        {"total": 4, "min_unit": 0},
        {"total": 4, "allocation_ratio": 1e39},
        {"total": 4, "allocation_ratio": "1"},
        {"total": 4, "allocation_ratio": -1},
        {"total": 4, "color": "red"},
    ],
)
def test_a_wrong_inventory_is_refused(cloud: Cloud, stock: dict[str, object]) -> None:
    uuid = cloud.provider("host")
    assert cloud.stock("host", VCPU=stock).status == 400
    url = f"{P}/{uuid}/inventories"
    assert cloud.client.post(url, {"resource_class": "VCPU", **stock}).status == 400
    assert cloud.generation("host") == 0


def test_all_may_be_reserved_since_1_26(cloud: Cloud) -> None:
    uuid = cloud.provider("host")
    body = {"resource_class": "VCPU", "total": 4, "reserved": 4}
    url = f"{P}/{uuid}/inventories"
    assert cloud.at("1.25").post(url, body).status == 400
    assert cloud.client.post(url, body).status == 201
    huge = {"resource_class": "DISK_GB", "total": 2**31 - 1, "allocation_ratio": 3e38}
    assert cloud.client.post(url, huge).status == 201


def test_traits_come_from_the_list_or_begin_with_custom(cloud: Cloud) -> None:
    c = cloud.client
    assert c.put("/traits/CUSTOM_GOLD").status == 201
    assert c.put("/traits/CUSTOM_GOLD").status == 204
    assert c.get("/traits/CUSTOM_GOLD").status == 204
    assert c.get("/traits/HW_CPU_X86_AVX").status == 204
    assert c.get("/traits/CUSTOM_NONE").status == 404
    assert c.put("/traits/GOLD").status == c.put("/traits/CUSTOM_gold").status == 400
    assert c.delete("/traits/HW_CPU_X86_AVX").status == 400
    assert c.get("/traits?name=startswith:CUSTOM_").json() == {"traits": ["CUSTOM_GOLD"]}
    two = c.get("/traits?name=in:CUSTOM_GOLD,HW_CPU_X86_AVX,NO").json()["traits"]
    assert two == ["CUSTOM_GOLD", "HW_CPU_X86_AVX"]
    cloud.provider("host", traits=("CUSTOM_GOLD",))
    assert c.get("/traits?associated=true").json() == {"traits": ["CUSTOM_GOLD"]}
    assert "CUSTOM_GOLD" not in c.get("/traits?associated=false").json()["traits"]
    for wrong in ("name=x", "associated=perhaps", "color=red"):
        assert c.get(f"/traits?{wrong}").status == 400
    assert c.delete("/traits/CUSTOM_GOLD").status == 409
    assert c.delete(f"{P}/{cloud.ids['host']}/traits").status == 204
    assert c.delete("/traits/CUSTOM_GOLD").status == 204
    assert cloud.traits("host", "NO_SUCH").status == 400


def test_classes_may_be_added(cloud: Cloud) -> None:
    c, url = cloud.client, "/resource_classes"
    assert c.post(url, {"name": "CUSTOM_A"}).status == 201
    assert c.post(url, {"name": "CUSTOM_A"}).status == 409
    assert c.post(url, {"name": "VCPU"}).status == 400
    assert c.put(f"{url}/CUSTOM_B").status == 201
    assert c.put(f"{url}/CUSTOM_B").status == 204
    names = [one["name"] for one in c.get(url).json()["resource_classes"]]
    assert names[0] == "VCPU"
    assert names[-2:] == ["CUSTOM_A", "CUSTOM_B"]
    cloud.provider("host", CUSTOM_A=5)
    renamed = cloud.at("1.6").put(f"{url}/CUSTOM_A", {"name": "CUSTOM_Z"})
    assert renamed.json()["name"] == "CUSTOM_Z"
    stocks = c.get(f"{P}/{cloud.ids['host']}/inventories").json()["inventories"]
    assert list(stocks) == ["CUSTOM_Z"]
    assert c.delete(f"{url}/CUSTOM_Z").status == 409
    assert c.delete(f"{url}/VCPU").status == 400
    assert c.delete(f"{url}/CUSTOM_B").status == 204
    assert c.get(f"{url}/CUSTOM_B").status == 404


def test_aggregates_are_replaced_by_generation_since_1_19(cloud: Cloud) -> None:
    uuid, a, b = cloud.provider("host"), new_id(), new_id()
    url = f"{P}/{uuid}/aggregates"
    old = cloud.at("1.18")
    assert old.put(url, [a]).json() == {"aggregates": [a]}
    assert cloud.generation("host") == 0
    body = {"aggregates": [b], "resource_provider_generation": 0}
    assert cloud.client.put(url, body).json()["resource_provider_generation"] == 1
    assert cloud.client.put(url, body).status == 409
    assert old.get(url).json() == {"aggregates": [b]}
    for wrong in (["x"], [a, a], {"aggregates": [a]}):
        assert old.put(url, wrong).status == 400


@pytest.mark.parametrize("token", ["ann:p1:member", "ann:p1:manager", "ann:p1:reader"])
def test_only_operators_and_services_come_here(cloud: Cloud, token: str) -> None:
    stranger: Client = cloud.as_(token)
    cloud.provider("host", VCPU=4)
    uuid = cloud.ids["host"]
    for path in (P, f"{P}/{uuid}", f"{P}/{uuid}/inventories", "/traits", "/resource_classes"):
        assert stranger.get(path).status == 403
    assert stranger.get("/allocation_candidates?resources=VCPU:1").status == 403
    assert stranger.put(f"/allocations/{new_id()}", {}).status == 403
    assert stranger.delete(f"{P}/{uuid}").status == 403
    assert stranger.get("/usages?project_id=p1").status == 200
    assert stranger.get("/usages?project_id=p2").status == 403
    assert cloud.as_("root:admin:admin").get(P).status == 200


def test_strangers_may_ask_for_the_versions_only(cloud: Cloud) -> None:
    nobody = cloud.client.as_(None)
    (version,) = nobody.get("/").json()["versions"]
    assert (version["min_version"], version["max_version"]) == ("1.0", "1.39")
    assert nobody.get(P).status == 401
    refused = cloud.at("1.40").get(P)
    assert refused.status == 406
    assert refused.json()["errors"][0]["max_version"] == "1.39"
    assert cloud.client.get(P, headers={"Accept": "text/xml"}).status == 406


def test_what_is_wrong_is_told_with_its_place(cloud: Cloud) -> None:
    uuid = new_id()
    cloud.client.post(P, {"name": "host", "uuid": uuid})
    wrong = {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": "many"}}}
    answer = cloud.client.put(f"{P}/{uuid}/inventories", wrong)
    assert answer.status == 400
    detail = answer.json()["errors"][0]["detail"]
    assert "is not of type 'integer' On instance['inventories']['VCPU']['total']" in detail
