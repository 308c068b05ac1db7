"""How much a project may have, shown, set and held."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.network.conftest import OTHER, PROJECT, Net, error_of


def limit(net: Net, project: str = PROJECT, **limits: Any) -> int:
    return net.admin.http.put(f"/v2.0/quotas/{project}", {"quota": limits}).status


def test_the_defaults_are_openstacks(net: Net) -> None:
    shown = net.show("quota", PROJECT)
    assert shown == {
        "network": 100,
        "subnet": 100,
        "port": 500,
        "router": 10,
        "floatingip": 50,
        "security_group": 10,
        "security_group_rule": 100,
        "rbac_policy": 10,
        "subnetpool": -1,
        "trunk": -1,
    }
    assert net.http.get(f"/v2.0/quotas/{PROJECT}/default").json() == {"quota": shown}
    assert net.http.get("/v2.0/quotas/tenant").json() == {"tenant": {"tenant_id": PROJECT}}
    assert net.http.get("/v2.0/quotas/project").json() == {"project": {"project_id": PROJECT}}


def test_administrators_set_limits_and_take_them_back(net: Net) -> None:
    assert error_of(net.http.put(f"/v2.0/quotas/{PROJECT}", {"quota": {"port": 1}}))[0] == 403
    assert error_of(net.stranger.http.get(f"/v2.0/quotas/{PROJECT}"))[0] == 403
    assert error_of(net.http.get("/v2.0/quotas"))[0] == 403
    assert limit(net, port="7", network=-1) == 200
    assert net.show("quota", PROJECT)["port"] == 7
    (listed,) = net.admin.list("quota")
    assert (listed["project_id"], listed["network"]) == (PROJECT, -1)
    for bad in ({"port": -2}, {"port": "many"}, {"colour": 1}, {"port": 2**31}):
        assert limit(net, **bad) == 400
    assert net.admin.delete("quota", PROJECT).status == 204
    assert net.show("quota", PROJECT)["port"] == 500
    assert error_of(net.admin.delete("quota", PROJECT)) == (404, "ProjectQuotaNotFound")


def test_what_is_used_is_counted_and_given_back(net: Net) -> None:
    network, subnet = net.network()
    port = net.make("port", network_id=network["id"])
    used = net.http.get(f"/v2.0/quotas/{PROJECT}/details").json()["quota"]
    assert used["network"] == {"limit": 100, "used": 1, "reserved": 0}
    assert (used["subnet"]["used"], used["port"]["used"]) == (1, 1)
    assert (used["security_group"]["used"], used["security_group_rule"]["used"]) == (1, 4)
    assert net.http.get(f"/v2.0/quotas/{PROJECT}/details.json").json()["quota"] == used
    assert limit(net, port=0) == 400
    assert limit(net, port=0, force=True) == 200
    net.delete("port", port["id"])
    net.delete("network", network["id"])
    left = net.http.get(f"/v2.0/quotas/{PROJECT}/details").json()["quota"]
    assert {name: left[name]["used"] for name in ("network", "subnet", "port")} == {
        "network": 0,
        "subnet": 0,
        "port": 0,
    }
    assert subnet["id"]


def test_nothing_goes_over_a_limit(net: Net) -> None:
    network, _ = net.network()
    outside, _ = net.outside()
    group = net.list("security_group")[0]["id"]
    everything: dict[str, Any] = {
        "network": 1,
        "subnet": 1,
        "port": 0,
        "router": 0,
        "floatingip": 0,
    }
    assert limit(net, **everything, security_group=1, security_group_rule=4) == 200
    for noun, facts in (
        ("network", {}),
        ("subnet", {"network_id": network["id"], "cidr": "10.1.0.0/24", "ip_version": 4}),
        ("port", {"network_id": network["id"]}),
        ("router", {}),
        ("floatingip", {"floating_network_id": outside["id"]}),
        ("security_group", {"name": "x"}),
        ("security_group_rule", {"security_group_id": group, "direction": "ingress"}),
    ):
        answer = net.try_(noun, **facts)
        assert error_of(answer) == (409, "OverQuota"), noun
        message = answer.json()["NeutronError"]["message"]
        assert message == f"Quota exceeded for resources: ['{noun}']."


def test_a_limit_holds_against_many_at_once(net: Net) -> None:
    network, _ = net.network()
    assert limit(net, port=5) == 200

    def attempt(_: int) -> int:
        return net.try_("port", network_id=network["id"]).status

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(attempt, range(20)))
    assert (found.count(201), found.count(409)) == (5, 15)
    ports = net.list("port", "?device_owner=")
    assert len({p["fixed_ips"][0]["ip_address"] for p in ports}) == 5


def test_one_project_does_not_use_up_anothers(net: Net) -> None:
    assert limit(net, OTHER, network=0) == 200
    net.make("network")
    assert error_of(net.stranger.try_("network")) == (409, "OverQuota")


def test_the_default_group_is_counted_but_keeps_nobody_from_another(net: Net) -> None:
    net.admin.http.put(f"/v2.0/quotas/{PROJECT}", {"quota": {"security_group": 1}})
    net.make("security_group", name="mine")
    assert error_of(net.try_("security_group", name="more")) == (409, "OverQuota")
    used = net.http.get(f"/v2.0/quotas/{PROJECT}/details").json()["quota"]["security_group"]
    assert used["used"] == 2
