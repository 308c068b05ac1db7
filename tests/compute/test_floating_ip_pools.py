"""Where floating IPs come from, as clients of old ask compute."""

from tests.client import Client
from tests.cloud import Emulated

POOLS = "/v2.1/os-floating-ip-pools"


def make(client: Client, **facts: object) -> str:
    answer = client.post("/v2.0/networks", {"network": facts})
    assert answer.status == 201, answer.text
    return str(answer.json()["network"]["id"])


def names(client: Client) -> list[str]:
    answer = client.get(POOLS)
    assert answer.status == 200, answer.text
    return [pool["name"] for pool in answer.json()["floating_ip_pools"]]


def test_pools_are_the_external_networks(emulated: Emulated) -> None:
    ann = emulated.client("compute")
    assert ann.get(POOLS).json() == {"floating_ip_pools": []}
    operator = emulated.client("network", "root:p0:admin")
    make(emulated.client("network"), name="private")
    make(operator, name="shared", shared=True)
    make(operator, name="public", **{"router:external": True})
    assert ann.get(POOLS).json() == {"floating_ip_pools": [{"name": "public"}]}
    nameless = make(operator, **{"router:external": True})
    assert names(ann) == ["public", nameless]


def test_a_pool_is_seen_by_those_it_is_lent_to(emulated: Emulated) -> None:
    operator = emulated.client("network", "root:p0:admin")
    grant = {
        "object_type": "network",
        "object_id": make(operator, name="for p1"),
        "action": "access_as_external",
        "target_tenant": "p1",
    }
    assert operator.post("/v2.0/rbac-policies", {"rbac_policy": grant}).status == 201
    assert names(emulated.client("compute")) == ["for p1"]
    assert names(emulated.client("compute", "bob:p2:member")) == []
    assert names(emulated.client("compute", "root:p0:admin")) == ["for p1"]


def test_pools_are_gone_with_2_36(emulated: Emulated) -> None:
    ann = emulated.client("compute")
    for version, status in (("2.1", 200), ("2.35", 200), ("2.36", 404)):
        assert ann.at(f"compute {version}").get(POOLS).status == status
    assert ann.as_(None).get(POOLS).status == 401
    assert ann.get("/v2.1/extensions/os-floating-ip-pools").status == 200
