"""Who holds what: in every form that clients have written it since 1.0."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cumulo.kit.ids import new_id
from tests.placement.cloud import Cloud


@pytest.fixture(autouse=True)
def host(cloud: Cloud) -> str:
    return cloud.provider("host", VCPU=4, MEMORY_MB=1024)


def test_a_consumer_holds_what_it_was_given(cloud: Cloud, host: str) -> None:
    server = new_id()
    assert cloud.client.get(f"/allocations/{server}").json() == {"allocations": {}}
    assert cloud.allocate(server, host={"VCPU": 2, "MEMORY_MB": 512}).status == 204
    assert cloud.client.get(f"/allocations/{server}").json() == {
        "allocations": {host: {"generation": 2, "resources": {"VCPU": 2, "MEMORY_MB": 512}}},
        "project_id": "p1",
        "user_id": "ann",
        "consumer_generation": 1,
        "consumer_type": "INSTANCE",
    }
    held = cloud.client.get(f"/resource_providers/{host}/allocations").json()
    assert held["allocations"] == {
        server: {"resources": {"VCPU": 2, "MEMORY_MB": 512}, "consumer_generation": 1}
    }
    assert cloud.used("host") == {"VCPU": 2, "MEMORY_MB": 512}
    usages = cloud.client.get("/usages?project_id=p1").json()["usages"]
    assert usages == {"INSTANCE": {"VCPU": 2, "MEMORY_MB": 512, "consumer_count": 1}}
    assert cloud.at("1.37").get("/usages?project_id=p1&user_id=ann").json()["usages"] == {
        "VCPU": 2,
        "MEMORY_MB": 512,
    }
    assert cloud.client.get("/usages?project_id=p1&user_id=ben").json() == {"usages": {}}
    assert cloud.client.delete(f"/allocations/{server}").status == 204
    assert cloud.client.delete(f"/allocations/{server}").status == 404
    assert cloud.used("host") == {"VCPU": 0, "MEMORY_MB": 0}


def test_a_generation_guards_against_others(cloud: Cloud) -> None:
    server = new_id()
    (error,) = cloud.allocate(server, 5, host={"VCPU": 1}).json()["errors"]
    assert error["code"] == "placement.concurrent_update"
    assert "expected null but got 5" in error["detail"]
    assert cloud.allocate(server, host={"VCPU": 1}).status == 204
    assert cloud.allocate(server, host={"VCPU": 2}).status == 409
    assert cloud.allocate(server, 1, host={"VCPU": 2}).status == 204
    assert cloud.allocate(server, 1, host={"VCPU": 3}).status == 409
    assert cloud.used("host")["VCPU"] == 2
    assert cloud.allocate(server, 2).status == 204
    assert cloud.used("host")["VCPU"] == 0


def test_older_clients_write_lists(cloud: Cloud, host: str) -> None:
    server = new_id()
    body: dict[str, object] = {
        "allocations": [{"resource_provider": {"uuid": host}, "resources": {"VCPU": 1}}]
    }
    assert cloud.at("1.7").put(f"/allocations/{server}", body).status == 204
    assert "project_id" not in cloud.at("1.11").get(f"/allocations/{server}").json()
    nobody = cloud.client.get(f"/allocations/{server}").json()
    assert nobody["project_id"] == "00000000-0000-0000-0000-000000000000"
    assert nobody["consumer_type"] == "unknown"
    assert cloud.at("1.8").put(f"/allocations/{server}", body).status == 400
    owned = {**body, "project_id": "p1", "user_id": "ann"}
    assert cloud.at("1.8").put(f"/allocations/{server}", owned).status == 204
    assert cloud.client.get("/usages?project_id=p1&consumer_type=unknown").json()["usages"] == {
        "unknown": {"VCPU": 1, "consumer_count": 1}
    }
    assert cloud.at("1.12").put(f"/allocations/{server}", owned).status == 400


def test_what_a_body_must_say_grew_with_the_versions(cloud: Cloud) -> None:
    server = new_id()
    whole = {**cloud.wish(host={"VCPU": 1}), "mappings": {"": [cloud.ids["host"]]}}
    fields = {"consumer_generation": "1.28", "mappings": "1.34", "consumer_type": "1.38"}
    for field, version in fields.items():
        before = f"1.{int(version[2:]) - 1}"
        known = {k: v for k, v in whole.items() if fields.get(k, "1.0") <= before or k == field}
        assert cloud.at(before).put(f"/allocations/{server}", known).status == 400
        del known[field]
        assert cloud.at(before).put(f"/allocations/{server}", known).status == 204
        cloud.client.delete(f"/allocations/{server}")
    for field in ("consumer_generation", "consumer_type"):
        less = {k: v for k, v in whole.items() if k != field}
        assert cloud.client.put(f"/allocations/{server}", less).status == 400


@pytest.mark.parametrize(
    ("amounts", "status"),
    [
        ({"VCPU": 5}, 409),
        ({"VCPU": 2**53}, 409),
        ({"DISK_GB": 1}, 409),
        ({"CUSTOM_NONE": 1}, 400),
        ({"vcpu": 1}, 400),
        ({"VCPU": 0}, 400),
        ({"VCPU": -1}, 400),
        ({"VCPU": "1"}, 400),
        ({"VCPU": 2**64}, 400),
        ({}, 400),
    ],
)
def test_what_cannot_be_is_refused(cloud: Cloud, amounts: dict[str, int], status: int) -> None:
    server = new_id()
    assert cloud.allocate(server, host=amounts).status == status
    assert cloud.client.get(f"/allocations/{server}").json() == {"allocations": {}}
    assert cloud.used("host") == {"VCPU": 0, "MEMORY_MB": 0}


def test_unknown_providers_and_malformed_ids_are_refused(cloud: Cloud) -> None:
    cloud.ids |= {"none": new_id(), "odd": "x" * 36}
    assert cloud.allocate(new_id(), none={"VCPU": 1}).status == 400
    assert cloud.allocate(new_id(), odd={"VCPU": 1}).status == 400
    assert cloud.allocate("server", host={"VCPU": 1}).status == 400


def test_many_consumers_change_together_or_not_at_all(cloud: Cloud) -> None:
    one, two, three = new_id(), new_id(), new_id()
    cloud.allocate(one, host={"VCPU": 4})
    swap = {one: cloud.wish(1), two: cloud.wish(host={"VCPU": 3})}
    too_much = {**swap, three: cloud.wish(host={"VCPU": 2})}
    assert cloud.client.post("/allocations", too_much).status == 409
    assert cloud.used("host")["VCPU"] == 4
    assert cloud.client.post("/allocations", swap).status == 204
    assert cloud.client.get(f"/allocations/{one}").json() == {"allocations": {}}
    assert cloud.used("host")["VCPU"] == 3
    assert cloud.client.post("/allocations", {}).status == 400
    assert cloud.at("1.12").post("/allocations", swap).status == 404


def test_clients_at_once_never_get_more_than_there_is(cloud: Cloud) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: cloud.allocate(new_id(), host={"VCPU": 1}), range(16)))
    assert sorted(answer.status for answer in answers) == [204] * 4 + [409] * 12
    assert cloud.used("host")["VCPU"] == 4


def test_a_reshape_moves_stock_with_what_is_held_of_it(cloud: Cloud, host: str) -> None:
    server = new_id()
    cloud.allocate(server, host={"VCPU": 3, "MEMORY_MB": 512})
    child = cloud.provider("child", parent="host")
    moved = {
        "inventories": {
            host: {
                "resource_provider_generation": cloud.generation("host"),
                "inventories": {"MEMORY_MB": {"total": 1024}},
            },
            child: {
                "resource_provider_generation": 0,
                "inventories": {"VCPU": {"total": 4}},
            },
        },
        "allocations": {server: cloud.wish(1, host={"MEMORY_MB": 512}, child={"VCPU": 3})},
    }
    assert cloud.as_("root:admin:admin").post("/reshaper", moved).status == 403
    assert cloud.at("1.29").post("/reshaper", moved).status == 404
    left = {**moved, "allocations": {}}
    (error,) = cloud.client.post("/reshaper", left).json()["errors"]
    assert error["code"] == "placement.inventory.inuse"
    assert cloud.used("host")["VCPU"] == 3
    assert cloud.client.post("/reshaper", moved).status == 204
    assert (cloud.used("host"), cloud.used("child")) == ({"MEMORY_MB": 512}, {"VCPU": 3})
    assert cloud.client.post("/reshaper", moved).status == 409
    unknown = {"inventories": {new_id(): moved["inventories"][child]}, "allocations": {}}
    (error,) = cloud.client.post("/reshaper", unknown).json()["errors"]
    assert error["code"] == "placement.resource_provider.not_found"
